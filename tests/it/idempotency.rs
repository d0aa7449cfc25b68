//! One idempotency key, one task: whatever happens between the first try and the last.

use entity::{KeyId, Mode};
use futures_util::future::join_all;
use reelmeter::app;
use reelmeter::customer::caller::INFERENCE_SCOPES;
use reelmeter::customer::key::{self, NewKey};
use reelmeter::video::price::PriceBook;
use reelmeter::video::price_version;
use secrecy::ExposeSecret;
use serde_json::json;
use tests::{Customer, TestApp, on_both_engines};

use crate::sora;

const GENERATE: &str = "/api/ai/video/generate";

on_both_engines!(
    fifty_concurrent_replays_of_one_key_make_one_task,
    the_same_key_with_other_content_is_refused,
    a_retry_gets_its_task_after_the_price_changed,
    a_retry_gets_its_task_after_its_quote_expired,
    a_retry_with_another_key_of_the_account_gets_the_task_after_the_first_was_revoked,
    a_retry_gets_its_task_though_the_request_would_be_refused_now,
    a_key_is_one_account_s_own,
);

async fn fifty_concurrent_replays_of_one_key_make_one_task(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let body = sora(json!({}));
    let answers = join_all((0..50).map(|_| app.post_keyed(&customer, GENERATE, &body, "\"once\""))).await;
    let first = answers[0].body["taskId"].clone();
    let replayed =
        answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
    for answer in answers {
        // Client libraries that try again by themselves need not.
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(answer.expect(200)["taskId"], first);
    }
    assert_eq!(replayed, 49);
    assert_eq!(app.balance(&customer).await, (json!(988), json!(12)));
    app
}

async fn the_same_key_with_other_content_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    app.post_keyed(&customer, GENERATE, &sora(json!({})), "k").await.expect(200);
    let refused =
        app.post_keyed(&customer, GENERATE, &sora(json!({ "duration": 10 })), "k").await.expect(422);
    assert_eq!(refused["code"], json!("idempotency_key_reused"));
    assert_eq!(app.balance(&customer).await, (json!(988), json!(12)));
    app
}

async fn a_retry_gets_its_task_after_the_price_changed(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let first = app.post_keyed(&customer, GENERATE, &sora(json!({})), "k").await.expect(200);
    change_prices(&app, "12", "13").await;
    let again = app.post_keyed(&customer, GENERATE, &sora(json!({})), "k").await.expect(200);
    assert_eq!((&again["taskId"], &again["creditsUsed"]), (&first["taskId"], &json!(12)));
    let other = app.post_keyed(&customer, GENERATE, &sora(json!({})), "other").await.expect(200);
    assert_eq!(other["creditsUsed"], json!(13));
    app
}

/// Publishes the same book with one amount changed wherever it stands, and lets it come into effect.
pub async fn change_prices(app: &TestApp, from: &str, to: &str) {
    let book = app::read_prices(&app.app.config).unwrap().to_json();
    let changed = book.replace(&format!("\"{from}\""), &format!("\"{to}\""));
    assert_ne!(book, changed, "the book says its prices in another form");
    let tx = app.app.db.begin().await.unwrap();
    let book = PriceBook::from_json(&changed).unwrap();
    price_version::publish(&tx, &book, "test", app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    app.advance(60);
}

async fn a_retry_gets_its_task_after_its_quote_expired(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let quote = app.post(&customer, "/api/ai/video/quote", &sora(json!({}))).await.expect(200);
    let body = sora(json!({ "quoteId": quote["quoteId"] }));
    let first = app.post_keyed(&customer, GENERATE, &body, "k").await.expect(200);
    app.advance(7 * 86_400);
    let again = app.post_keyed(&customer, GENERATE, &body, "k").await.expect(200);
    assert_eq!(again["taskId"], first["taskId"]);
    app
}

async fn a_retry_with_another_key_of_the_account_gets_the_task_after_the_first_was_revoked(
    app: TestApp,
) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let first = app.post_keyed(&customer, GENERATE, &sora(json!({})), "k").await.expect(200);
    let second_key = second_key(&app, &customer).await;
    let tx = app.app.db.begin().await.unwrap();
    assert!(key::revoke(&tx, customer.key_id, app.app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    app.post_keyed(&customer, GENERATE, &sora(json!({})), "k").await.expect(401);
    let again = app.post_keyed(&second_key, GENERATE, &sora(json!({})), "k").await.expect(200);
    assert_eq!(again["taskId"], first["taskId"]);
    app
}

async fn second_key(app: &TestApp, customer: &Customer) -> Customer {
    let id = KeyId(app.app.clock.new_id());
    let new = NewKey {
        name: "second".into(),
        scopes: INFERENCE_SCOPES.map(str::to_owned).to_vec(),
        ..NewKey::default()
    };
    let tx = app.app.db.begin().await.unwrap();
    let account = (customer.id, customer.account, Mode::Test);
    let secret = key::create(&tx, id, account, new, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    Customer { key_id: id, key: secret.expose_secret().to_owned(), ..customer.clone() }
}

async fn a_retry_gets_its_task_though_the_request_would_be_refused_now(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 12).await;
    let first = app.post_keyed(&customer, GENERATE, &sora(json!({})), "k").await.expect(200);
    app.post(&customer, GENERATE, &sora(json!({}))).await.expect(402);
    let again = app.post_keyed(&customer, GENERATE, &sora(json!({})), "k").await.expect(200);
    assert_eq!(again["taskId"], first["taskId"]);
    app
}

async fn a_key_is_one_account_s_own(app: TestApp) -> TestApp {
    let (one, two) = (app.customer(Mode::Test, 100).await, app.customer(Mode::Test, 100).await);
    let first = app.post_keyed(&one, GENERATE, &sora(json!({})), "k").await.expect(200);
    let second = app.post_keyed(&two, GENERATE, &sora(json!({})), "k").await.expect(200);
    assert_ne!(first["taskId"], second["taskId"]);
    app
}
