//! A customer's wish to cancel whose commit is cut: what was acknowledged is noted once, and whoever heard nothing asks again.

use entity::{Mode, job};
use sea_orm::EntityTrait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tests::{Beside, Customer, Cut, Proxy, Step, TestApp, on_postgres};

use crate::live::going_on;
use crate::wan;

on_postgres!(
    the_wish_to_cancel_a_running_task_whose_commit_is_cut_is_noted_once,
    a_cancellation_whose_commit_never_arrived_changes_nothing_until_it_is_asked_again,
    a_cancellation_whose_answer_was_lost_is_honoured_and_asked_again_changes_nothing,
);

/// Another process, which reaches the database through a proxy. The worker is in the first.
async fn beside(app: &TestApp) -> (Beside, Proxy) {
    let proxy = Proxy::start(app.app.config.database_url.as_ref().unwrap().expose_secret()).await;
    let url = SecretString::from(proxy.url.clone());
    (app.beside_with(move |config| config.database_url = Some(url.clone())).await, proxy)
}

async fn cancel(app: &TestApp, there: &Beside, customer: &Customer, id: &str) -> (u16, Value) {
    let request = app.client.post(format!("{}/api/ai/tasks/{id}/cancel", there.url));
    let answer = request.bearer_auth(&customer.key).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A task that is being made, by a provider that says nothing for now.
async fn running(app: &TestApp, customer: &Customer) -> String {
    app.fake.on_poll([Step::Wait]);
    let id = app.generate(customer, &wan(json!({}))).await;
    app.wait_for(customer, &id, &["running"]).await;
    id
}

/// Lets the provider go on, which stops what it is asked to stop and nothing else.
async fn ends_canceled(app: &TestApp, customer: &Customer, id: &str) {
    let task = going_on(app, app.finished(customer, id)).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("canceled"), &json!(0)));
}

/// Kinds of the account's transfers, oldest first.
async fn journal(app: &TestApp, customer: &Customer) -> Vec<Value> {
    let page = app.get(customer, "/api/ai/credits/ledger?limit=100").await.expect(200);
    page["data"].as_array().unwrap().iter().rev().map(|row| row["kind"].clone()).collect()
}

async fn the_wish_to_cancel_a_running_task_whose_commit_is_cut_is_noted_once(app: TestApp) -> TestApp {
    let (there, proxy) = beside(&app).await;
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let tasks = [(Cut::Before, running(&app, &customer).await), (Cut::After, running(&app, &customer).await)];
    for (cut, id) in &tasks {
        proxy.cut([*cut]);
        let (status, body) = cancel(&app, &there, &customer, id).await;
        assert_eq!((status, &body["cancelRequested"], proxy.cuts_left()), (202, &json!(true), 0), "{cut:?}");
    }
    app.fake.on_poll(std::iter::repeat_n(Step::Running(50), 100_000));
    for (_, id) in &tasks {
        ends_canceled(&app, &customer, id).await;
        let (status, body) = cancel(&app, &there, &customer, id).await;
        assert_eq!((status, &body["state"]), (200, &json!("canceled")));
    }
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    assert_eq!(journal(&app, &customer).await, ["grant", "hold", "hold", "release", "release"]);
    there.stop().await;
    app
}

async fn a_cancellation_whose_commit_never_arrived_changes_nothing_until_it_is_asked_again(
    app: TestApp,
) -> TestApp {
    nobody_knows(app, Cut::Before).await
}

async fn a_cancellation_whose_answer_was_lost_is_honoured_and_asked_again_changes_nothing(
    app: TestApp,
) -> TestApp {
    nobody_knows(app, Cut::After).await
}

/// The database is lost at the commit and stays away for a while: of a task that waits, and of one that runs.
async fn nobody_knows(app: TestApp, cut: Cut) -> TestApp {
    let (there, proxy) = beside(&app).await;
    let customer = app.customer(Mode::Live, 100).await;
    let waits = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(
        unknown(&app, &there, &proxy, &customer, &waits, cut).await,
        cut == Cut::Before,
        "is it live?"
    );
    let (status, body) = cancel(&app, &there, &customer, &waits).await;
    assert_eq!((status, &body["state"]), (200, &json!("canceled")));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));

    let app = app.with_worker().await;
    let runs = running(&app, &customer).await;
    assert!(unknown(&app, &there, &proxy, &customer, &runs, cut).await, "the worker ends it");
    let noted = job_of(&app, &runs).await.unwrap().cancel_at;
    assert_eq!(noted.is_some(), cut == Cut::After);
    assert_eq!(cancel(&app, &there, &customer, &runs).await.0, 202);
    let wished = job_of(&app, &runs).await.unwrap().cancel_at;
    assert!(wished.is_some() && (noted.is_none() || noted == wished), "{noted:?} {wished:?}");
    app.fake.on_poll(std::iter::repeat_n(Step::Running(50), 100_000));
    ends_canceled(&app, &customer, &runs).await;
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    assert_eq!(journal(&app, &customer).await, ["grant", "hold", "release", "hold", "release"]);
    there.stop().await;
    app
}

/// Cancels without hearing what became of it, and answers whether the task is live.
async fn unknown(
    app: &TestApp,
    there: &Beside,
    proxy: &Proxy,
    customer: &Customer,
    id: &str,
    cut: Cut,
) -> bool {
    proxy.cut_and_refuse(cut);
    let (status, body) = cancel(app, there, customer, id).await;
    assert_eq!((status, &body["code"]), (503, &json!("outcome_unknown")), "{body:#}");
    let is_live = job_of(app, id).await.is_some();
    assert_eq!(app.balance(customer).await.1, if is_live { json!(30) } else { json!(0) });
    proxy.admit();
    is_live
}

async fn job_of(app: &TestApp, id: &str) -> Option<job::Model> {
    let id: entity::TaskId = id.parse().unwrap();
    job::Entity::find_by_id(id).one(app.app.db.read()).await.unwrap()
}
