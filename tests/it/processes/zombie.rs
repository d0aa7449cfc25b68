//! A worker that is out of reach loses its jobs, and whatever it still does afterwards has no effect.

use std::time::Duration;

use entity::clip::{self, ClipState};
use entity::{Mode, TaskId};
use reelmeter::ledger::{Done, SettledBy};
use reelmeter::video::settle::Ending;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tests::{Beside, Customer, Proxy, Step, TestApp, on_postgres};

use crate::live::going_on;
use crate::wan;

on_postgres!(
    a_verdict_that_comes_after_the_take_over_changes_nothing,
    an_upstream_answer_that_comes_after_the_take_over_changes_nothing,
    a_settlement_with_an_old_fence_changes_nothing,
);

const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds without a heartbeat until a worker is taken for dead.
const LIMIT: u32 = 2;

/// A worker behind a proxy, which can take its database away.
async fn behind(app: &TestApp) -> (Beside, Proxy) {
    let proxy = Proxy::start(app.app.config.database_url.as_ref().unwrap().expose_secret()).await;
    let url = SecretString::from(proxy.url.clone());
    let there = app.beside_with(move |config| {
        config.database_url = Some(url.clone());
        config.heartbeat_limit_s = LIMIT;
    });
    (there.await.with_worker().await, proxy)
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// Takes the database away from the worker that has the task, until another one has ended it; then gives it back, and waits
/// until the first one has seen that it is too late.
async fn taken_over(app: &TestApp, (zombie, proxy): (Beside, Proxy), customer: &Customer, id: &str) {
    proxy.refuse();
    let heir = app.beside_with(|config| config.heartbeat_limit_s = LIMIT).await.with_worker().await;
    let task = app.finished(customer, id).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    let follows = || !zombie.app.metrics.render().contains("reelmeter_worker_jobs 0");
    assert!(follows(), "it knows of nothing yet");
    proxy.admit();
    going_on(app, until("the zombie lets go", || !follows())).await;
    assert_eq!(facts(&app.finished(customer, id).await), facts(&task));
    assert_eq!((app.fake.submissions().len(), app.fake.accepted()), (1, 1));
    assert_eq!(app.balance(customer).await, (json!(70), json!(0)));
    heir.stop().await;
    zombie.stop().await;
}

/// What a late write would change. Links are new with every answer.
fn facts(task: &Value) -> [Value; 4] {
    ["state", "charges", "attempts", "updatedAt"].map(|name| task[name].clone())
}

async fn a_verdict_that_comes_after_the_take_over_changes_nothing(app: TestApp) -> TestApp {
    let first = behind(&app).await;
    app.fake.on_poll([Step::Wait]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    taken_over(&app, first, &customer, &id).await;
    app
}

async fn an_upstream_answer_that_comes_after_the_take_over_changes_nothing(app: TestApp) -> TestApp {
    let first = behind(&app).await;
    app.fake.on_submit([Step::Wait]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    until("it is submitted", || app.fake.accepted() == 1).await;
    taken_over(&app, first, &customer, &id).await;
    app
}

async fn a_settlement_with_an_old_fence_changes_nothing(app: TestApp) -> TestApp {
    app.fake.on_poll([Step::Wait, Step::Wait]);
    let customer = app.customer(Mode::Live, 100).await;
    let first = app.beside().await.with_worker().await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    let task: TaskId = id.parse().unwrap();
    let old = SettledBy::Worker { fence: super::job_of(&app, task).await.fence, attempt: Some(1) };
    first.stop().await;
    let second = app.beside().await.with_worker().await;
    until("the second one polls", || second.app.metrics.render().contains("reelmeter_worker_jobs 1")).await;
    let failed = Ending::Failed { code: "internal".into(), message: "Too late".into() };
    for ending in [Ending::Made(vec![delivered(task)]), failed, Ending::Canceled, Ending::Expired] {
        assert_eq!(app.app.video.settle(task, old, ending).await.unwrap(), Done::Stale);
    }
    let task = going_on(&app, app.finished(&customer, &id)).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    second.stop().await;
    app
}

fn delivered(task_id: TaskId) -> clip::Model {
    clip::Model {
        task_id,
        idx: 0,
        state: ClipState::Delivered,
        attempt_n: Some(1),
        storage_key: Some("clips/late".into()),
        millis: Some(5_000),
        bytes: Some(1),
        width: None,
        height: None,
        sha256: None,
        error_code: None,
        error_message: None,
    }
}
