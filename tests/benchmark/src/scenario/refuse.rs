//! Requests of an account without credits.

use entity::Mode;

use super::{bare, load, measured};
use crate::engine::Engine;
use crate::load::generate;
use crate::shop::Shop;
use crate::target::{Measured, Target};
use crate::{Options, book};

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let shop = Shop::open(options, Engine::Postgres, (1, Mode::Live), 0).await?;
    let server = shop.serve().await?;
    let outcome = load(options, &shop, &server.address, generate(shop.keys(), "refuse", false)).await?;
    outcome.only(&[402])?;
    server.stop().await?;
    book::verify(&shop.app, &[], 0).await?;
    let body = r#"{"code":402,"error":"Insufficient credits","errorCode":"insufficient_credits","required":30,"available":0,"held":0,"requestId":"req_01J9XA5M2R9W4QZC4PYJF3N7ND","docs":"https://example.com/errors#insufficient_credits"}"#;
    let base = bare(options, 402, body.as_bytes(), shop.folder.path()).await?;
    shop.close().await?;
    Ok(vec![
        measured("refuse", "refusals (402)/s", outcome.rate(402), "/s")
            .against("a bare handler with a body of the same size", base, "/s")
            .target(Target::Ratio(0.5)),
    ])
}
