//! Work for the ledger itself, without HTTP: many requests at a time, accepted and ended by the product's own use cases.

use std::time::Instant;

use anyhow::Context;
use entity::clip::ClipState;
use entity::{Mode, TaskId, clip};
use futures_util::{StreamExt, TryStreamExt, stream};
use reelmeter::ledger::{Done, SettledBy};
use reelmeter::video::Payer;
use reelmeter::video::catalog::InputMode;
use reelmeter::video::request::GenerateRequest;
use reelmeter::video::settle::Ending;
use reelmeter::video::submit::Submission;

use crate::shop::{Customer, Shop};

/// Requests that are under way at once.
pub const AT_ONCE: usize = 512;

fn payer(customer: &Customer) -> Payer {
    Payer {
        account: customer.account,
        mode: Mode::Live,
        key: Some(customer.key_id),
        group: "default".to_owned(),
        models: None,
    }
}

fn submission() -> Submission {
    let request = GenerateRequest {
        model: "wan/2-6-text-to-video".to_owned(),
        input_mode: Some(InputMode::TextToVideo),
        prompt: Some("a slow cinematic dolly around a ceramic coffee cup, morning light".to_owned()),
        duration_s: Some(5),
        resolution: Some("720p".to_owned()),
        aspect_ratio: Some("16:9".to_owned()),
        ..GenerateRequest::default()
    };
    Submission {
        request,
        dialect: "native",
        idempotency_key: None,
        quote_id: None,
        is_repeated: false,
        files: Default::default(),
    }
}

/// Accepts so many tasks, spread over the customers, and says how many a second.
pub async fn accept(shop: &Shop, tasks: usize) -> anyhow::Result<(f64, Vec<TaskId>)> {
    let begun = Instant::now();
    let accepted = stream::iter(0..tasks)
        .map(|n| async move {
            let customer = &shop.customers[n % shop.customers.len()];
            shop.app.video.submit(&payer(customer), submission()).await.map(|accepted| accepted.task)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    Ok((accepted.len() as f64 / begun.elapsed().as_secs_f64(), accepted))
}

/// Ends tasks as delivered, and says how many a second.
pub async fn settle(shop: &Shop, tasks: &[TaskId]) -> anyhow::Result<f64> {
    let begun = Instant::now();
    stream::iter(tasks)
        .map(|task| async move { settle_one(shop, *task).await })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(tasks.len() as f64 / begun.elapsed().as_secs_f64())
}

/// Accepts and ends so many tasks, one after the other each, and says how many a second.
pub async fn pairs(shop: &Shop, tasks: usize) -> anyhow::Result<f64> {
    let begun = Instant::now();
    stream::iter(0..tasks)
        .map(|n| async move {
            let customer = &shop.customers[n % shop.customers.len()];
            let accepted = shop.app.video.submit(&payer(customer), submission()).await?;
            settle_one(shop, accepted.task).await
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(tasks as f64 / begun.elapsed().as_secs_f64())
}

async fn settle_one(shop: &Shop, task: TaskId) -> anyhow::Result<()> {
    let ending = Ending::Made(vec![delivered(task)]);
    let done = shop.app.video.settle(task, SettledBy::Operator, ending).await?;
    let fresh = matches!(done, Done::Settled { fresh: true, .. });
    fresh.then_some(()).with_context(|| format!("{task} was not settled: {done:?}"))
}

fn delivered(task_id: TaskId) -> clip::Model {
    clip::Model {
        task_id,
        idx: 0,
        state: ClipState::Delivered,
        attempt_n: None,
        storage_key: Some(format!("bench/{task_id}.mp4")),
        millis: Some(5_000),
        bytes: Some(1_000_000),
        width: Some(1_280),
        height: Some(720),
        sha256: Some(vec![7; 32]),
        error_code: None,
        error_message: None,
    }
}
