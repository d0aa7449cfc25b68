//! Where an administrator's command works: the database of a server that may be running, and the vault when money moves.

use std::sync::Arc;

use anyhow::Context;
use entity::Timestamp;

use super::sqlite;
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::ledger::chain::Chain;
use crate::ledger::{Lane, Ledger};
use crate::metrics::Metrics;
use crate::news::News;
use crate::secret::Secret;
use crate::video::Video;
use crate::video::price_version::PriceVersions;
use crate::video::quote::QuoteSigner;
use crate::video::settle::closings;
use crate::video::supply::Supply;
use crate::video::typical::TypicalTimes;
use crate::video::views::Views;

/// A database with a current schema.
#[derive(Debug)]
pub struct Desk {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
}

impl Desk {
    /// Opens the database of these settings. It has to be there, with a current schema.
    pub async fn open(config: Config) -> anyhow::Result<Desk> {
        sqlite::require(&config)?;
        let db = app::connect(&config).await?;
        app::require_current_schema(&db).await?;
        let clock = Clock::system();
        app::time::follow(&db, &clock).await?;
        Ok(Desk { config, clock, db })
    }

    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.db.close().await?)
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn chain(&self) -> anyhow::Result<Chain> {
        Ok(Chain::new(&app::read_secret(&self.config)?))
    }

    /// Starts a lane in this process. Beside a running server's lane that is safe: the database is the lock.
    pub fn vault(&self) -> anyhow::Result<Vault> {
        let secret = app::read_secret(&self.config)?;
        let (db, clock) = (self.db.clone(), self.clock.clone());
        // Nobody here listens, and a running server looks by itself.
        let news = News::new(false, self.clock.new_id());
        let (ledger, lane) = Ledger::start(db, clock, Chain::new(&secret), news, &Metrics::default());
        let video = self.video(ledger, &secret).context("cannot start the vault")?;
        Ok(Vault { video, lane })
    }

    fn video(&self, ledger: Ledger, secret: &Secret) -> anyhow::Result<Video> {
        Ok(Video {
            db: self.db.clone(),
            clock: self.clock.clone(),
            ledger,
            catalog: Arc::new(app::read_catalog(&self.config)?),
            prices: PriceVersions::new(self.db.clone()),
            quotes: Arc::new(QuoteSigner::new(secret)),
            offers: Default::default(),
            typical: TypicalTimes::new(self.db.clone()),
            views: Views::new(self.db.clone()),
            closings: closings(self.db.clone()),
            uploads: app::uploads(&self.config, &self.db, &self.clock, &app::storage(&self.config)?),
            supply: Supply::new(self.db.clone(), self.clock.clone(), Default::default(), Default::default()),
            deadline_s: self.config.task_deadline_s,
        })
    }
}

/// The use cases that move money, and the lane that they need.
#[derive(Debug)]
pub struct Vault {
    pub video: Video,
    lane: Lane,
}

impl Vault {
    pub async fn stop(self) {
        self.lane.stop().await;
    }
}
