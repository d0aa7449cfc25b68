//! The usual way: one transaction and seven statements a request, by PostgreSQL's own pgbench.
//!
//! A request looks its idempotency key up, locks the account, moves credits from available to held, writes a transfer, its two
//! entries and a task with the request in it. The rows are as wide as ours; the indexes are the ones that such a service
//! needs.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tokio::process::Command;

use crate::Options;
use crate::engine::{Engine, Store};

const ACCOUNTS: u32 = 10_000;

const SCHEMA: &str = "
CREATE TABLE wallet (
    id bigint PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0), held bigint NOT NULL CHECK (held >= 0),
    seq bigint NOT NULL DEFAULT 0, changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE TABLE movement (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id bigint NOT NULL, kind text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0), at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE leg (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, movement_id bigint NOT NULL, wallet_id bigint NOT NULL,
    place text NOT NULL, amount bigint NOT NULL, after bigint NOT NULL, seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX leg_wallet ON leg (wallet_id, id);
CREATE TABLE work (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id bigint NOT NULL, name text NOT NULL,
    movement_id bigint NOT NULL, state text NOT NULL DEFAULT 'queued', request jsonb NOT NULL,
    run_at timestamptz NOT NULL DEFAULT now(), UNIQUE (wallet_id, name)
);
CREATE INDEX work_queue ON work (run_at) WHERE state = 'queued';
INSERT INTO wallet (id, available, held) SELECT n, 1000000000000000, 0 FROM generate_series(1, 10000) AS n;
ANALYZE wallet;
";

/// `accounts` and `request` are variables of pgbench.
const REQUEST: &str = r"\set wallet random(1, :accounts)
\set name random(1, 9000000000000000000)
BEGIN;
SELECT id FROM work WHERE wallet_id = :wallet AND name = (:name)::bigint::text;
SELECT available, held, seq FROM wallet WHERE id = :wallet FOR UPDATE;
UPDATE wallet SET available = available - 30, held = held + 30, seq = seq + 1, changed_at = now() WHERE id = :wallet RETURNING available, held, seq \gset
INSERT INTO movement (wallet_id, kind, amount) VALUES (:wallet, 'hold', 30) RETURNING id AS movement \gset
INSERT INTO leg (movement_id, wallet_id, place, amount, after, seq) VALUES (:movement, :wallet, 'available', -30, :available, :seq), (:movement, :wallet, 'held', 30, :held, :seq);
INSERT INTO work (wallet_id, name, movement_id, request) VALUES (:wallet, (:name)::bigint::text, :movement, (:request)::jsonb) RETURNING id;
COMMIT;
";

/// A database for the baseline.
pub struct Baseline {
    store: Store,
    folder: TempDir,
    body: String,
}

impl Baseline {
    pub async fn open(options: &Options) -> anyhow::Result<Baseline> {
        let folder = tempfile::tempdir()?;
        let store = Store::create(Engine::Postgres, &options.postgres, folder.path()).await?;
        store.observer().await?.execute_unprepared(SCHEMA).await?;
        std::fs::write(folder.path().join("request.sql"), REQUEST)?;
        let prompt = "A slow cinematic dolly around a ceramic coffee cup. ".repeat(8);
        let body = format!(
            r#"{{"prompt":"{prompt}","model":"wan/2-6-text-to-video","duration":5,"resolution":"720p","aspectRatio":"16:9"}}"#
        );
        Ok(Baseline { store, folder, body })
    }

    /// Requests a second of so many clients, on one account or on 10,000.
    pub async fn rate(&self, options: &Options, clients: u32, hot: bool) -> anyhow::Result<f64> {
        let accounts = if hot { 1 } else { ACCOUNTS };
        let output = Command::new(&options.pgbench)
            .args(["-n", "-M", "prepared", "-j", "1"])
            .args(["-c", &clients.to_string(), "-T", &options.seconds().to_string()])
            .args(["-D", &format!("accounts={accounts}"), "-D", &format!("request={}", self.body)])
            .arg("-f")
            .arg(Path::new(self.folder.path()).join("request.sql"))
            .arg(&self.store.url)
            .stderr(Stdio::inherit())
            .output()
            .await
            .context("pgbench can't be started")?;
        let text = String::from_utf8(output.stdout)?;
        let rate =
            text.lines().find_map(|line| line.strip_prefix("tps = ")).context("pgbench says no rate")?;
        Ok(rate.split(' ').next().unwrap_or_default().parse()?)
    }

    pub async fn close(self) -> anyhow::Result<()> {
        self.store.drop_database().await
    }
}
