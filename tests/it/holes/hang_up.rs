//! Who hangs up drops only the answer.

use entity::grant::GrantClass;
use entity::{Credits, Mode};
use futures_util::poll;
use reelmeter::customer::credits::{self, NewGrant};
use reelmeter::ledger::{Done, Refusal};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::json;
use tests::{Customer, TestApp, on_both_engines};

use super::until;
use crate::wan;

on_both_engines!(who_hangs_up_while_a_task_is_accepted_finds_it_under_the_same_key);

const GENERATE: &str = "/api/ai/video/generate";

/// Keeps the ledger from writing.
async fn block(app: &TestApp) -> DatabaseTransaction {
    let elsewhere = app.app.db.begin().await.unwrap();
    if app.app.db.is_postgres() {
        elsewhere.execute_unprepared("LOCK TABLE transfer IN SHARE MODE").await.unwrap();
    }
    elsewhere
}

/// What the ledger is busy with meanwhile.
async fn grant(app: &TestApp, customer: &Customer) -> Result<Done, Refusal> {
    let new = NewGrant {
        class: GrantClass::Paid,
        amount: Credits::from_whole(50).unwrap(),
        expires_at: None,
        cost_basis: 0,
        reference: "busy".into(),
    };
    credits::grant(&app.app.ledger, &app.app.clock, customer.account, new).await
}

/// Sends a request, and hangs up once it waits for the ledger.
async fn hang_up(app: &TestApp, customer: &Customer, key: &str) {
    let request = app.client.post(format!("{}{GENERATE}", app.url)).bearer_auth(&customer.key);
    let request = tokio::spawn(request.header("idempotency-key", key).json(&wan(json!({}))).send());
    until("the request waits", || app.app.ledger.waiting() == (0, 1)).await;
    request.abort();
    assert!(request.await.is_err_and(|end| end.is_cancelled()), "it was answered");
    let none = || app.app.metrics.render().contains("reelmeter_http_requests_in_flight 0");
    until("the server knows", none).await;
    assert_eq!(app.app.ledger.waiting(), (0, 1));
}

async fn who_hangs_up_while_a_task_is_accepted_finds_it_under_the_same_key(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let blocked = block(&app).await;
    let mut busy = Box::pin(grant(&app, &customer));
    assert!(poll!(busy.as_mut()).is_pending());
    until("the ledger is busy", || app.app.ledger.waiting() == (0, 0)).await;
    hang_up(&app, &customer, "order").await;
    blocked.rollback().await.unwrap();
    busy.await.unwrap();

    let again = app.post_keyed(&customer, GENERATE, &wan(json!({})), "order").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "it was not accepted");
    let id = again.expect(200)["taskId"].as_str().unwrap().to_owned();
    assert_eq!(app.balance(&customer).await, (json!(120), json!(30)));
    let app = app.with_worker().await;
    assert_eq!(app.finished(&customer, &id).await["creditsUsed"], json!(30));
    assert_eq!(app.fake.submissions().len(), 1);
    app
}
