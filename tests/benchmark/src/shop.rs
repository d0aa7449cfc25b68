//! A database with customers, keys and credits in it, and the product's parts over it.

use std::sync::Arc;

use anyhow::Context;
use entity::grant::GrantClass;
use entity::{AccountId, Credits, CustomerId, KeyId, Mode};
use futures_util::future::try_join_all;
use reelmeter::app::{self, App};
use reelmeter::customer::caller::INFERENCE_SCOPES;
use reelmeter::customer::credits::NewGrant;
use reelmeter::customer::key::NewKey;
use reelmeter::customer::{credits, key, people};
use reelmeter::ledger::Lane;
use reelmeter::video::price_version;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::Options;
use crate::engine::{Engine, Store};
use crate::process::Process;
use crate::server;

/// What one request costs: five seconds of the model that is asked for, at 720p.
pub const PRICE: i64 = 30;
/// Accounts that one transaction makes.
const CHUNK: usize = 500;

pub struct Shop {
    pub store: Store,
    pub folder: TempDir,
    pub customers: Vec<Customer>,
    pub app: App,
    /// What servers over this database share, besides it.
    pub redis: Option<String>,
    lane: Lane,
}

#[derive(Clone, Debug)]
pub struct Customer {
    pub account: AccountId,
    pub key_id: KeyId,
    pub key: String,
}

impl Shop {
    /// Opens with so many customers, each of whom can pay for so many requests.
    pub async fn open(
        options: &Options,
        engine: Engine,
        (customers, mode): (usize, Mode),
        requests_each: i64,
    ) -> anyhow::Result<Shop> {
        let folder = tempfile::tempdir()?;
        let store = Store::create(engine, &options.postgres, folder.path()).await?;
        let config = server::config(&store.url, folder.path().join("data"));
        std::fs::create_dir_all(&config.data_dir)?;
        let db = app::connect(&config).await?;
        app::migrate(&db).await?;
        let book = app::read_prices(&config)?;
        let tx = db.begin().await?;
        price_version::publish(&tx, &book, "bench", reelmeter::clock::Clock::system().now()).await?;
        tx.commit().await?;
        db.close().await?;
        let (app, lane) = server::build(config).await?;
        // A single machine with SQLite has none.
        let redis = options.redis.clone().filter(|_| engine == Engine::Postgres);
        let mut shop = Shop { store, folder, customers: Vec::new(), app, redis, lane };
        while shop.customers.len() < customers {
            let more = CHUNK.min(customers - shop.customers.len());
            shop.admit(more, mode).await?;
        }
        shop.fund(requests_each).await?;
        Ok(shop)
    }

    async fn admit(&mut self, more: usize, mode: Mode) -> anyhow::Result<()> {
        let (app, tx) = (&self.app, self.app.db.begin().await?);
        for _ in 0..more {
            let now = app.clock.now();
            let customer = people::create(&tx, &app.clock, "Bench", false).await?;
            people::admit(&tx, customer.id, now).await?;
            let (account, key_id) = (customer.account(mode), KeyId(app.clock.new_id()));
            let owner: (CustomerId, AccountId, Mode) = (customer.id, account, mode);
            let scopes = INFERENCE_SCOPES.map(str::to_owned).to_vec();
            let new = NewKey { name: "bench".into(), scopes, ..NewKey::default() };
            let key = key::create(&tx, key_id, owner, new, now).await?.expose_secret().to_owned();
            self.customers.push(Customer { account, key_id, key });
        }
        Ok(tx.commit().await?)
    }

    async fn fund(&self, requests_each: i64) -> anyhow::Result<()> {
        if requests_each == 0 {
            return Ok(());
        }
        let amount = Credits::from_whole(requests_each * PRICE).context("a sane amount")?;
        let grants = self.customers.iter().map(|customer| {
            let new = NewGrant {
                class: GrantClass::Paid,
                amount,
                expires_at: None,
                cost_basis: 50_000,
                reference: format!("bench:{}", customer.account),
            };
            credits::grant(&self.app.ledger, &self.app.clock, customer.account, new)
        });
        // As many at a time as fit into the ledger's queue.
        let mut grants = grants.peekable();
        while grants.peek().is_some() {
            try_join_all(grants.by_ref().take(4_000)).await?;
        }
        Ok(())
    }

    /// The server over this database, in a process of its own.
    pub async fn serve(&self) -> anyhow::Result<Process> {
        server::start(self, false).await
    }

    /// The same with a worker.
    pub async fn serve_with_worker(&self) -> anyhow::Result<Process> {
        server::start(self, true).await
    }

    pub fn keys(&self) -> Arc<Vec<String>> {
        Arc::new(self.customers.iter().map(|customer| customer.key.clone()).collect())
    }

    pub async fn close(self) -> anyhow::Result<()> {
        self.lane.stop().await;
        self.app.db.close().await?;
        self.store.drop_database().await
    }
}
