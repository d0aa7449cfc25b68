//! What the database itself takes: the smallest commit, and on SQLite one transaction a request.

use std::time::{Duration, Instant};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use crate::engine::{Engine, Store};

const SAMPLES: usize = 500;

async fn connect(store: &Store) -> anyhow::Result<DatabaseConnection> {
    let url = match store.engine {
        Engine::Sqlite => format!("{}?mode=rwc", store.url.replacen("sqlite:", "sqlite://", 1)),
        Engine::Postgres => store.url.clone(),
    };
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|options| {
        options.pragma("journal_mode", "WAL").pragma("synchronous", "FULL").statement_cache_capacity(64)
    });
    Ok(Database::connect(options).await?)
}

/// The median of one-row commits on an idle connection, in milliseconds.
pub async fn median_ms(store: &Store) -> anyhow::Result<f64> {
    let db = connect(store).await?;
    db.execute_unprepared("CREATE TABLE smallest (n bigint NOT NULL)").await?;
    let mut times = Vec::with_capacity(SAMPLES);
    for n in 0..SAMPLES {
        let begun = Instant::now();
        db.execute_unprepared(&format!("INSERT INTO smallest (n) VALUES ({n})")).await?;
        times.push(begun.elapsed());
    }
    db.close().await?;
    times.sort_unstable();
    Ok(times[SAMPLES / 2].as_secs_f64() * 1_000.0)
}

const SCHEMA: &str = "
CREATE TABLE wallet (id integer PRIMARY KEY, available integer NOT NULL, held integer NOT NULL, seq integer NOT NULL);
CREATE TABLE movement (id integer PRIMARY KEY, wallet_id integer NOT NULL, kind text NOT NULL, amount integer NOT NULL);
CREATE TABLE leg (
    id integer PRIMARY KEY, movement_id integer NOT NULL, wallet_id integer NOT NULL, place text NOT NULL,
    amount integer NOT NULL, after integer NOT NULL, seq integer NOT NULL);
CREATE INDEX leg_wallet ON leg (wallet_id, id);
CREATE TABLE work (
    id integer PRIMARY KEY, wallet_id integer NOT NULL, name text NOT NULL, state text NOT NULL, request text NOT NULL,
    UNIQUE (wallet_id, name));
INSERT INTO wallet WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
    SELECT n, 1000000000000000, 0, 0 FROM n;
";

/// Requests a second of one writer that makes a transaction of each, on so many accounts. SQLite only.
pub async fn one_by_one(store: &Store, accounts: u64, seconds: u64) -> anyhow::Result<f64> {
    let db = connect(store).await?;
    db.execute_unprepared(SCHEMA).await?;
    let request = "a slow cinematic dolly around a ceramic coffee cup ".repeat(12);
    let (begun, mut done) = (Instant::now(), 0_u64);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let wallet = 1 + done.wrapping_mul(7_919) % accounts;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let tx = db.begin_with_options(options).await?;
        for (sql, values) in statements(wallet, done, &request) {
            let statement = sea_orm::Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
            tx.execute_raw(statement).await?;
        }
        tx.commit().await?;
        done += 1;
    }
    db.close().await?;
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

fn statements(wallet: u64, n: u64, request: &str) -> [(&'static str, Vec<sea_orm::Value>); 6] {
    let wallet = || sea_orm::Value::from(wallet.cast_signed());
    let name = || sea_orm::Value::from(format!("request-{n}"));
    [
        ("SELECT id FROM work WHERE wallet_id = ? AND name = ?", vec![wallet(), name()]),
        ("SELECT available, held, seq FROM wallet WHERE id = ?", vec![wallet()]),
        (
            "UPDATE wallet SET available = available - 30, held = held + 30, seq = seq + 1 WHERE id = ?",
            vec![wallet()],
        ),
        ("INSERT INTO movement (wallet_id, kind, amount) VALUES (?, 'hold', 30)", vec![wallet()]),
        (
            "INSERT INTO leg (movement_id, wallet_id, place, amount, after, seq) \
             VALUES (last_insert_rowid(), ?, 'available', -30, 0, 1), (last_insert_rowid(), ?, 'held', 30, 30, 1)",
            vec![wallet(), wallet()],
        ),
        (
            "INSERT INTO work (wallet_id, name, state, request) VALUES (?, ?, 'queued', ?)",
            vec![wallet(), name(), request.to_owned().into()],
        ),
    ]
}
