//! A database of its own for each test: a file, or a database on the server that `tests/run` started.

use std::path::Path;

use sea_orm::{ConnectionTrait, Database};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database that exists as long as the test.
#[derive(Debug)]
pub struct TestDatabase {
    pub url: String,
    server: Option<(String, String)>,
}

impl TestDatabase {
    pub async fn create(engine: Engine, folder: &Path) -> Self {
        match engine {
            Engine::Sqlite => {
                TestDatabase { url: format!("sqlite:{}", folder.join("test.db").display()), server: None }
            }
            Engine::Postgres => {
                let server = std::env::var("REELMETER_TEST_POSTGRES_URL").expect(
                    "REELMETER_TEST_POSTGRES_URL is not set: run the tests with tests/run, which brings a PostgreSQL",
                );
                TestDatabase::on(&server).await
            }
        }
    }

    /// On a server of one's own.
    pub async fn on(server: &str) -> Self {
        let name = format!("test_{:032x}", rand::random::<u128>());
        execute(server, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        TestDatabase { url: format!("{base}/{name}"), server: Some((server.to_owned(), name)) }
    }

    pub async fn drop(self) {
        if let Some((server, name)) = self.server {
            execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn execute(server: &str, sql: &str) {
    let connection = Database::connect(server).await.expect("the test server answers");
    connection.execute_unprepared(sql).await.expect("the statement works");
    connection.close().await.expect("the connection closes");
}
