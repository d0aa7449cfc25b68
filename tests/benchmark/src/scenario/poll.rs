//! Reading a task, live and finished.

use entity::Mode;

use super::{bare, load, measured, sample};
use crate::engine::Engine;
use crate::load::get;
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, journal};

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let shop = Shop::open(options, Engine::Postgres, (1, Mode::Live), 1_000).await?;
    let (_, tasks) = journal::accept(&shop, 2).await?;
    let [live, finished] = [tasks[0], tasks[1]];
    journal::settle(&shop, &[finished]).await?;
    let server = shop.serve().await?;
    let key = &shop.customers[0].key;
    let mut lines = Vec::new();
    for (name, task) in [("live", live), ("finished", finished)] {
        let path = format!("/api/ai/tasks/{task}");
        let body = sample(&server.address, &path, key).await?;
        let outcome = load(options, &shop, &server.address, get(&path, key)).await?;
        outcome.only(&[200])?;
        let base = bare(options, 200, &body, shop.folder.path()).await?;
        lines.push(
            measured("poll", format!("polls/s, {name} task"), outcome.rate(200), "/s")
                .against("a bare handler with the same bytes", base, "/s")
                .target(Target::Ratio(0.6))
                .note(format!("{} bytes; p99 {:.0} ms", body.len(), outcome.percentile_ms(99.0))),
        );
    }
    server.stop().await?;
    shop.close().await?;
    Ok(lines)
}
