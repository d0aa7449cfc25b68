//! What a request costs as the journal grows.

use anyhow::Context;
use entity::Mode;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::measured;
use crate::engine::Engine;
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, book, journal};

/// Transfers in the first journal.
const SMALL: u64 = 10_000;
/// Requests of one look.
const REQUESTS: usize = 20_000;
/// Tasks that are made and ended at a time.
const CHUNK: u64 = 50_000;

const COUNTERS: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS wal, \
    (SELECT wal_fpi FROM pg_stat_wal) AS pages, \
    (SELECT (blks_hit + blks_read)::bigint FROM pg_stat_database WHERE datname = current_database()) AS buffers";

/// A request's share, in bytes, whole pages that are logged, buffers and microseconds of the whole system's time.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wal: f64,
    pages: f64,
    buffers: f64,
    micros: f64,
}

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let shop = Shop::open(options, Engine::Postgres, (1_000, Mode::Live), 10_000_000).await?;
    let observer = shop.store.observer().await?;
    let mut transfers = grow(&shop, 0, SMALL).await?;
    let small = cost(&shop, &observer).await?;
    transfers = grow(&shop, transfers + REQUESTS as u64, options.journal()).await?;
    let large = cost(&shop, &observer).await?;
    observer.close().await?;
    if options.quick {
        book::clean(&shop.app).await?;
    }
    shop.close().await?;
    let name = |what: &str| format!("{what} a request, after {transfers} transfers");
    let first = format!("after {SMALL} transfers");
    Ok(vec![
        measured("growth", name("WAL"), large.wal, "bytes")
            .against(&first, small.wal, "bytes")
            .target(Target::Within(0.10))
            .note(format!("pages logged whole a request: {:.3}, {first} {:.3}", large.pages, small.pages)),
        measured("growth", name("buffers"), large.buffers, "buffers")
            .against(&first, small.buffers, "buffers")
            .target(Target::Within(0.10)),
        measured("growth", name("time"), large.micros, "µs")
            .against(&first, small.micros, "µs")
            .target(Target::Within(0.25)),
    ])
}

/// Makes and ends tasks until the journal has so many transfers: two a task.
async fn grow(shop: &Shop, mut transfers: u64, wanted: u64) -> anyhow::Result<u64> {
    while transfers < wanted {
        let tasks = ((wanted - transfers) / 2).clamp(1, CHUNK);
        journal::pairs(shop, usize::try_from(tasks)?).await?;
        transfers += 2 * tasks;
    }
    Ok(transfers)
}

async fn cost(shop: &Shop, observer: &DatabaseConnection) -> anyhow::Result<Cost> {
    // Whole pages are logged at their first change after a checkpoint: both looks begin behind one, and warm.
    observer.execute_unprepared("VACUUM ANALYZE").await?;
    shop.store.checkpoint().await?;
    journal::accept(shop, REQUESTS).await?;
    let before = counters(observer).await?;
    let (rate, _) = journal::accept(shop, REQUESTS).await?;
    let after = counters(observer).await?;
    let [wal, pages, buffers] = std::array::from_fn(|at| (after[at] - before[at]) as f64 / REQUESTS as f64);
    Ok(Cost { wal, pages, buffers, micros: 1e6 / rate })
}

async fn counters(observer: &DatabaseConnection) -> anyhow::Result<[i64; 3]> {
    // Backends report what they did when they are idle, at most once a second.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let row =
        observer.query_one_raw(Statement::from_string(observer.get_database_backend(), COUNTERS)).await?;
    let row = row.context("the counters")?;
    Ok([row.try_get("", "wal")?, row.try_get("", "pages")?, row.try_get("", "buffers")?])
}
