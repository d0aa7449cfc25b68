//! What a request costs as the journal grows.

use anyhow::Context;
use entity::Mode;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::measured;
use crate::engine::Engine;
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, book, journal};

/// Transfers in the journals that are looked at.
const SIZES: [u64; 3] = [10_000, 1_000_000, 10_000_000];
/// Requests of one look.
const REQUESTS: usize = 20_000;
/// Tasks that are made and ended at a time.
const CHUNK: u64 = 50_000;

const COUNTERS: &str = "SELECT pg_current_wal_insert_lsn()::text AS place, \
    (SELECT (blks_hit + blks_read)::bigint FROM pg_stat_database WHERE datname = current_database()) AS buffers";
/// What was logged between two places, and how much of it are pages that were logged whole.
const LOGGED: &str = "SELECT ($2::pg_lsn - $1::pg_lsn)::bigint AS logged, \
    (SELECT sum(fpi_size)::bigint FROM pg_get_wal_stats($1::pg_lsn, $2::pg_lsn)) AS whole";

/// A request's share, in bytes, buffers and microseconds of the whole system's time.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wal: f64,
    /// Of the WAL without pages that are logged whole.
    rows: f64,
    buffers: f64,
    micros: f64,
}

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let shop = Shop::open(options, Engine::Postgres, (1_000, Mode::Live), 100_000_000).await?;
    let observer = shop.store.observer().await?;
    observer.execute_unprepared("CREATE EXTENSION pg_walinspect").await?;
    let (mut transfers, mut looks) = (0, Vec::new());
    for size in SIZES.map(|size| size.min(options.journal())) {
        if looks.last().is_none_or(|(seen, _)| size > *seen) {
            transfers = grow(&shop, transfers, size).await?;
            looks.push((size, cost(&shop, &observer).await?));
            transfers += 2 * REQUESTS as u64;
        }
    }
    observer.close().await?;
    book::clean(&shop.app).await?;
    shop.close().await?;
    let (first, small) = looks[0];
    Ok(looks[1..].iter().flat_map(|(size, large)| compared((first, &small), (*size, large))).collect())
}

fn compared((first, small): (u64, &Cost), (size, large): (u64, &Cost)) -> [Measured; 3] {
    let name = |what: &str| format!("{what} a request, after {size} transfers");
    let first = format!("after {first} transfers");
    [
        measured("growth", name("WAL"), large.wal, "bytes")
            .against(&first, small.wal, "bytes")
            .target(Target::Within(0.10))
            .note(format!(
                "without pages that are logged whole: {:.0} bytes, {first} {:.0} bytes",
                large.rows, small.rows
            )),
        measured("growth", name("buffers"), large.buffers, "buffers")
            .against(&first, small.buffers, "buffers")
            .target(Target::Within(0.10)),
        measured("growth", name("time"), large.micros, "µs")
            .against(&first, small.micros, "µs")
            .target(Target::Within(0.25)),
    ]
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
    let (from, before) = counters(observer).await?;
    let (rate, _) = journal::accept(shop, REQUESTS).await?;
    let (to, after) = counters(observer).await?;
    let [logged, whole] = logged(observer, from, to).await?;
    let share = |amount: i64| amount as f64 / REQUESTS as f64;
    Ok(Cost {
        wal: share(logged),
        rows: share(logged - whole),
        buffers: share(after - before),
        micros: 1e6 / rate,
    })
}

/// A place in the log, and the buffers that were used until then.
async fn counters(observer: &DatabaseConnection) -> anyhow::Result<(String, i64)> {
    // Backends report what they did when they are idle, at most once a second.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let row =
        observer.query_one_raw(Statement::from_string(observer.get_database_backend(), COUNTERS)).await?;
    let row = row.context("the counters")?;
    Ok((row.try_get("", "place")?, row.try_get("", "buffers")?))
}

async fn logged(observer: &DatabaseConnection, from: String, to: String) -> anyhow::Result<[i64; 2]> {
    let places = [from.into(), to.into()];
    let query = Statement::from_sql_and_values(observer.get_database_backend(), LOGGED, places);
    let row = observer.query_one_raw(query).await?.context("what was logged")?;
    Ok([row.try_get("", "logged")?, row.try_get("", "whole")?])
}
