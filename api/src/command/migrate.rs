//! `reelmeter migrate`: the schema, forward and back.

use anyhow::Context;
use clap::Args;
use migration::{Migrator, MigratorTrait};

use super::{Answer, sqlite};
use crate::app;
use crate::config::Config;
use crate::db::Db;

#[derive(Debug, Args)]
pub struct Migrate {
    /// Take back the last N steps instead, with the data that is in them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    down: Option<u32>,
}

impl Migrate {
    /// On SQLite no server may run: it would work with a schema that it does not know.
    pub async fn run(self, config: &Config) -> anyhow::Result<Answer> {
        let _lock = sqlite::open(config)?;
        let db = app::connect(config).await?;
        let answer = match self.down {
            Some(steps) => down(&db, steps).await?,
            None => up(&db).await?,
        };
        db.close().await?;
        Ok(Answer::good(answer))
    }
}

async fn up(db: &Db) -> anyhow::Result<String> {
    let pending = Migrator::get_pending_migrations(db.schema()).await?.len();
    app::migrate(db).await?;
    Ok(match pending {
        0 => "the schema is current".to_owned(),
        steps => format!("the schema is current: {steps} step(s) done"),
    })
}

async fn down(db: &Db, steps: u32) -> anyhow::Result<String> {
    let applied = Migrator::get_applied_migrations(db.schema()).await?.len();
    Migrator::down(db.schema(), Some(steps)).await.context("cannot take the schema back")?;
    let left = Migrator::get_applied_migrations(db.schema()).await?.len();
    Ok(format!("{} step(s) taken back, {left} left", applied.saturating_sub(left)))
}
