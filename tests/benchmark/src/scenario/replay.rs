//! The same requests again and again: each is answered with its task.

use entity::Mode;

use super::{CONNECTIONS, load, measured};
use crate::engine::Engine;
use crate::load::generate;
use crate::shop::Shop;
use crate::target::Measured;
use crate::{Options, book};

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let shop = Shop::open(options, Engine::Postgres, (1, Mode::Live), 1_000_000).await?;
    let server = shop.serve().await?;
    let mut outcome = load(options, &shop, &server.address, generate(shop.keys(), "replay", true)).await?;
    outcome.only(&[200])?;
    server.stop().await?;
    outcome.tasks.sort_unstable();
    outcome.tasks.dedup();
    anyhow::ensure!(outcome.tasks.len() == CONNECTIONS, "{} tasks were made", outcome.tasks.len());
    book::verify(&shop.app, &outcome.tasks, 0).await?;
    shop.close().await?;
    Ok(vec![
        measured("replay", "idempotent replays/s", outcome.rate(200), "/s")
            .note(format!("p50 {:.0} ms", outcome.percentile_ms(50.0))),
    ])
}
