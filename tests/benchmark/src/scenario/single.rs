//! One request at a time on an idle system.

use entity::Mode;

use super::measured;
use crate::engine::Engine;
use crate::load::{self, Plan, Until, generate};
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, book, commit};

const REQUESTS: u64 = 1_000;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let mut lines = Vec::new();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let shop = Shop::open(options, engine, (1, Mode::Live), 1_000_000).await?;
        let server = shop.serve().await?;
        let plan = Plan {
            address: server.address.clone(),
            connections: 1,
            until: Until::Requests(REQUESTS),
            rate: None,
            requests: generate(shop.keys(), "single", false),
        };
        let outcome = load::run(plan).await?;
        outcome.only(&[200])?;
        server.stop().await?;
        book::verify(&shop.app, &outcome.tasks, 0).await?;
        let commit = commit::median_ms(&shop.store).await?;
        shop.close().await?;
        lines.push(
            measured(
                "single",
                format!("one request, idle, p50, {engine}"),
                outcome.percentile_ms(50.0),
                "ms",
            )
            .against("the smallest commit", commit, "ms")
            .target(Target::Above(2.0))
            .note(format!("p99 {:.1} ms", outcome.percentile_ms(99.0))),
        );
    }
    Ok(lines)
}
