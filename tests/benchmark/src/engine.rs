//! A database of its own for each measurement.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Postgres => "PostgreSQL",
            Engine::Sqlite => "SQLite",
        })
    }
}

/// An empty database; on PostgreSQL it is dropped by [`Store::drop_database`].
#[derive(Debug)]
pub struct Store {
    pub engine: Engine,
    pub url: String,
    server: String,
}

impl Store {
    pub async fn create(engine: Engine, server: &str, folder: &Path) -> anyhow::Result<Store> {
        let name = format!("bench_{:032x}", rand::random::<u128>());
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", folder.join(format!("{name}.db")).display()),
            Engine::Postgres => {
                let admin = Database::connect(server).await.context("PostgreSQL does not answer")?;
                admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
                let (base, _) = server.rsplit_once('/').context("the server's URL names no database")?;
                format!("{base}/{name}")
            }
        };
        Ok(Store { engine, url, server: server.to_owned() })
    }

    /// A connection beside those that are measured. PostgreSQL only.
    pub async fn observer(&self) -> anyhow::Result<DatabaseConnection> {
        Ok(Database::connect(&self.url).await?)
    }

    /// A checkpoint in the middle of a long measurement, so that its cost is in it.
    pub async fn checkpoint(&self) -> anyhow::Result<()> {
        if self.engine == Engine::Postgres {
            Database::connect(&self.server).await?.execute_unprepared("CHECKPOINT").await?;
        }
        Ok(())
    }

    pub async fn drop_database(self) -> anyhow::Result<()> {
        if self.engine == Engine::Postgres {
            let (_, name) = self.url.rsplit_once('/').context("a URL with a database")?;
            let admin = Database::connect(&self.server).await?;
            admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        Ok(())
    }
}
