//! Many tasks at one worker, each asked for every 30 seconds while nothing changes.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use entity::Mode;
use entity::job::{self, JobState};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, Statement,
};

use super::measured;
use crate::engine::Engine;
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, journal};

/// How long the worker may take to get all of them going.
const PATIENCE: Duration = Duration::from_secs(1_200);
/// Each task is asked for twice in this time.
const WATCHED: Duration = Duration::from_secs(60);

/// Of our tables: the database writes statistics of its own, when it likes.
const WRITES: &str = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint AS n FROM pg_stat_user_tables";

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let tasks = options.in_flight();
    let shop = Shop::open(options, Engine::Postgres, (100, Mode::Live), 1_000_000).await?;
    journal::accept(&shop, tasks).await?;
    let worker = shop.serve_with_worker().await?;
    let begun = Instant::now();
    all_run(&shop, tasks as u64).await?;
    let ramp = begun.elapsed().as_secs_f64();
    let observer = shop.store.observer().await?;
    let watched = if options.quick { WATCHED / 4 } else { WATCHED };
    // What the last of them still had to write; connections report it up to ten seconds after they have become idle.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let before = writes(&observer).await?;
    tokio::time::sleep(watched).await;
    let a_second = (writes(&observer).await? - before) as f64 / watched.as_secs_f64();
    let memory = worker.memory_mib()?;
    drop(worker);
    observer.close().await?;
    shop.close().await?;
    Ok(vec![
        measured(
            "in-flight",
            format!("rows written/s, {tasks} tasks in flight, nothing changes"),
            a_second,
            "/s",
        )
        .target(Target::AtMost(10.0))
        .note(format!("all of them submitted within {ramp:.0} s")),
        measured("in-flight", format!("memory of the worker, {tasks} tasks in flight"), memory, "MiB")
            .target(Target::AtMost(300.0))
            .note(format!("{:.1} KiB a task", memory * 1_024.0 / tasks as f64)),
    ])
}

async fn all_run(shop: &Shop, tasks: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let running = job::Entity::find().filter(job::Column::State.eq(JobState::Running));
        let running = running.count(shop.app.db.read()).await?;
        if running >= tasks {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("after {PATIENCE:?} {running} of {tasks} tasks run");
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

async fn writes(observer: &DatabaseConnection) -> anyhow::Result<i64> {
    let row = observer.query_one_raw(Statement::from_string(observer.get_database_backend(), WRITES)).await?;
    Ok(row.context("the statistics")?.try_get("", "n")?)
}
