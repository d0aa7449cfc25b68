//! Ending tasks, by the use case that a worker calls.

use entity::Mode;

use super::measured;
use crate::engine::Engine;
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, book, journal};

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let tasks = usize::try_from(options.seconds() * 2_000)?;
    let mut lines = Vec::new();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let shop = Shop::open(options, engine, (1_000, Mode::Live), 1_000_000).await?;
        let (accepted, ids) = journal::accept(&shop, tasks).await?;
        let settled = journal::settle(&shop, &ids).await?;
        let pairs = journal::pairs(&shop, tasks).await?;
        book::clean(&shop.app).await?;
        shop.close().await?;
        lines.push(
            measured("settle", format!("settlements/s, {engine}"), settled, "/s")
                .against("accepted/s in the same way", accepted, "/s")
                .target(Target::Ratio(0.5)),
        );
        lines.push(
            measured("settle", format!("hold and settle, pairs/s, {engine}"), pairs, "/s")
                .target(Target::AtLeast(3_000.0)),
        );
    }
    Ok(lines)
}
