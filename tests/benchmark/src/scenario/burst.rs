//! 5,000 requests of one account at once, of which it can pay for 3,000.

use entity::Mode;

use super::measured;
use crate::engine::Engine;
use crate::load::{self, Plan, Until, generate};
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, book};

const REQUESTS: usize = 5_000;
const AFFORDABLE: i64 = 3_000;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let mut lines = Vec::new();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let shop = Shop::open(options, engine, (1, Mode::Live), AFFORDABLE).await?;
        let server = shop.serve().await?;
        // The first requests of a process fill its caches and connections.
        let warm = Plan {
            address: server.address.clone(),
            connections: 8,
            until: Until::Requests(20),
            rate: None,
            requests: load::get("/api/ai/credits", &shop.customers[0].key),
        };
        load::run(warm.clone()).await?.only(&[200])?;
        let requests = generate(shop.keys(), "burst", false);
        let plan = Plan { connections: REQUESTS, until: Until::Requests(1), requests, ..warm };
        let outcome = load::run(plan).await?;
        outcome.only(&[200, 402])?;
        anyhow::ensure!(outcome.count(200) == AFFORDABLE.cast_unsigned(), "{} accepted", outcome.count(200));
        server.stop().await?;
        book::verify(&shop.app, &outcome.tasks, 0).await?;
        shop.close().await?;
        let elapsed = outcome.elapsed.as_secs_f64();
        lines.push(
            measured("burst", format!("5,000 at once on one account, all answered, {engine}"), elapsed, "s")
                .target(Target::AtMost(1.0))
                .note(format!(
                    "{} accepted, {} refused, nothing else; p50 {:.0} ms, p99 {:.0} ms",
                    outcome.count(200),
                    outcome.count(402),
                    outcome.percentile_ms(50.0),
                    outcome.percentile_ms(99.0)
                )),
        );
    }
    Ok(lines)
}
