//! What happens around a task while it is under way changes nothing of what is owed for it.

use std::sync::Arc;

use entity::{Credits, Mode, TaskId, attempt, clip, event, hold, job, task, transfer};
use futures_util::future::join_all;
use reelmeter::customer::key::{self, NewKey};
use reelmeter::provider::FailureCode;
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::json;
use tests::{Customer, Step, TestApp, on_both_engines};

use super::twin::Twin;
use super::until;
use crate::errors::another_key;
use crate::idempotency::change_prices;
use crate::live::going_on;
use crate::review::change_job;
use crate::wan;

on_both_engines!(
    a_price_that_changes_meanwhile_is_not_the_task_s,
    a_key_that_is_revoked_meanwhile_takes_nothing_along,
    looking_at_a_task_changes_nothing,
    what_is_ready_after_its_time_is_delivered_and_paid,
    tasks_that_hang_keep_no_newer_one_waiting,
    a_job_that_looks_done_is_followed_to_its_end,
    one_upstream_id_at_two_providers_is_two_submissions,
);

const GENERATE: &str = "/api/ai/video/generate";
const HOUR: i64 = 3_600;

/// A task whose provider says nothing for now.
async fn running(app: &TestApp, customer: &Customer) -> String {
    app.fake.on_poll([Step::Wait]);
    let id = app.generate(customer, &wan(json!({}))).await;
    app.wait_for(customer, &id, &["running"]).await;
    id
}

/// Stops whoever works, while a provider says nothing.
async fn without_worker(app: TestApp) -> TestApp {
    let waiting = app.fake.clone();
    let app = app.restart().await;
    waiting.go_on();
    app
}

async fn a_price_that_changes_meanwhile_is_not_the_task_s(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 200).await;
    let id = running(&app, &customer).await;
    app.fake.on_poll([Step::Deliver(3)]);
    change_prices(&app, "30", "120").await;
    let task = going_on(&app, app.finished(&customer, &id)).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(18)));
    let dearer = app.post(&customer, GENERATE, &wan(json!({}))).await.expect(200);
    assert_eq!(dearer["creditsUsed"], json!(120));
    app
}

async fn a_key_that_is_revoked_meanwhile_takes_nothing_along(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let capped =
        NewKey { cap_day: Credits::from_whole(60), scopes: vec!["videos:write".into()], ..NewKey::default() };
    let second = another_key(&app, &customer, Mode::Live, capped).await;
    let delivered = app.generate(&second, &wan(json!({}))).await;
    app.finished(&customer, &delivered).await;
    app.fake.on_poll([Step::Wait, Step::Fail(FailureCode::Internal)]);
    let fails = app.generate(&second, &wan(json!({}))).await;
    app.wait_for(&customer, &fails, &["running"]).await;
    let tx = app.app.db.begin().await.unwrap();
    assert!(key::revoke(&tx, second.key_id, app.app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    going_on(&app, app.finished(&customer, &fails)).await;
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    let (task, ten) = (delivered.parse().unwrap(), Credits::from_whole(10).unwrap());
    app.app.video.refund(customer.account, task, ten, "case-1".into()).await.unwrap();
    assert_eq!(app.balance(&customer).await, (json!(80), json!(0)));
    let usage = app.get(&customer, &format!("/api/usage?key={}", second.key_id)).await.expect(200);
    let of_key = ["credits", "held", "released", "refunded"].map(|sum| usage["total"][sum].clone());
    assert_eq!(of_key, [json!(20), json!(0), json!(30), json!(10)]);
    app
}

/// Everything that is stored of tasks and their money.
async fn rows(app: &TestApp) -> String {
    let db = app.app.db.read();
    let tasks = task::Entity::find().all(db).await.unwrap();
    let jobs = job::Entity::find().all(db).await.unwrap();
    let attempts = attempt::Entity::find().all(db).await.unwrap();
    let clips = clip::Entity::find().all(db).await.unwrap();
    let holds = hold::Entity::find().all(db).await.unwrap();
    let transfers = transfer::Entity::find().all(db).await.unwrap();
    let events = event::Entity::find().all(db).await.unwrap();
    format!("{tasks:?} {jobs:?} {attempts:?} {clips:?} {holds:?} {transfers:?} {events:?}")
}

/// Everything that can be looked at, twice.
async fn look(app: &TestApp, customer: &Customer, id: &str) {
    let task = format!("/api/ai/tasks/{id}");
    let of_task = ["", "/content", "/link"].map(|part| format!("{task}{part}"));
    let others = ["/api/ai/tasks", "/api/ai/credits", "/api/ai/credits/ledger", "/api/usage", "/api/key"];
    for path in of_task.into_iter().chain(others.map(str::to_owned)).flat_map(|path| [path.clone(), path]) {
        let status = app.get(customer, &path).await.status;
        assert!(status == 200 || status == 404, "{path}: {status}");
    }
    app.send(Some(customer), Method::HEAD, &format!("{task}/content"), None, &[]).await;
    app.send(Some(customer), Method::GET, &task, None, &[("prefer", "wait=1")]).await.expect(200);
}

async fn looking_at_a_task_changes_nothing(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = running(&app, &customer).await;
    // What upstream has done by now is for the next worker to find out.
    let app = without_worker(app).await;
    let before = rows(&app).await;
    look(&app, &customer, &id).await;
    assert_eq!(rows(&app).await, before);
    assert_eq!(app.balance(&customer).await, (json!(70), json!(30)));
    let app = app.with_worker().await;
    assert_eq!(app.finished(&customer, &id).await["creditsUsed"], json!(30));
    let after = rows(&app).await;
    look(&app, &customer, &id).await;
    assert_eq!(rows(&app).await, after);
    app
}

async fn what_is_ready_after_its_time_is_delivered_and_paid(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = running(&app, &customer).await;
    let app = without_worker(app).await;
    app.advance(2 * HOUR);
    let app = app.with_worker().await;
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    app
}

/// More than one claim takes.
const HANGING: usize = 300;

async fn tasks_that_hang_keep_no_newer_one_waiting(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll(std::iter::repeat_n(Step::Wait, 10 * HANGING));
    let (hung, newer) = (app.customer(Mode::Live, 10_000).await, app.customer(Mode::Live, 100).await);
    let body = wan(json!({}));
    join_all((0..HANGING).map(|_| app.generate(&hung, &body))).await;
    until("all of them are followed", || app.fake.polled() == HANGING).await;
    app.fake.deliver_from_now_on();
    for customer in [&newer, &hung] {
        let id = app.generate(customer, &body).await;
        assert_eq!(app.finished(customer, &id).await["state"], json!("completed"));
    }
    app
}

async fn a_job_that_looks_done_is_followed_to_its_end(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let (made, abandoned) = (running(&app, &customer).await, running(&app, &customer).await);
    let app = without_worker(app).await;
    for task in [&made, &abandoned] {
        change_job(&app, task, job::Column::Progress, 100_i64).await;
    }
    change_job(&app, &abandoned, job::Column::Provider, "gone").await;
    app.advance(2 * HOUR);
    let app = app.with_worker().await;
    assert_eq!(app.finished(&customer, &made).await["state"], json!("completed"));
    assert_eq!(app.finished(&customer, &abandoned).await["state"], json!("expired"));
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    app
}

async fn one_upstream_id_at_two_providers_is_two_submissions(mut app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let (one, other) =
        (app.generate(&customer, &wan(json!({}))).await, app.generate(&customer, &wan(json!({}))).await);
    change_job(&app, &other, job::Column::Provider, "dashscope").await;
    let verdicts =
        [(&one, "kie", FailureCode::ModerationInput), (&other, "dashscope", FailureCode::InvalidInput)];
    for (_, name, verdict) in verdicts {
        app.app.providers.add(Arc::new(Twin { name, verdict }));
    }
    let app = app.with_worker().await;
    for (id, _, verdict) in verdicts {
        let task = app.finished(&customer, id).await;
        assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!(verdict.as_str())));
        let task: TaskId = id.parse().unwrap();
        let attempt = attempt::Entity::find_by_id((task, 1)).one(app.app.db.read()).await.unwrap().unwrap();
        assert_eq!(attempt.upstream_id.as_deref(), Some("job-1"));
    }
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}
