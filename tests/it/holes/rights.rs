//! What one may not buy any more says nothing of what one bought, and nothing of a provider.

use std::collections::BTreeSet;

use entity::{Credits, Mode};
use reelmeter::customer::caller::INFERENCE_SCOPES;
use reelmeter::customer::credits::{self, Correction};
use reelmeter::customer::key::NewKey;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use crate::errors::{another_key, freeze};
use crate::wan;

on_both_engines!(
    who_can_buy_nothing_more_still_gets_what_they_bought,
    what_we_refuse_ourselves_says_nothing_of_a_provider,
);

const GENERATE: &str = "/api/ai/video/generate";

/// A key that may generate with another model alone, and has spent nothing.
async fn of_another_model(app: &TestApp, customer: &Customer) -> Customer {
    let models = Some(vec!["kling-2.6/text-to-video".to_owned()]);
    let scopes = INFERENCE_SCOPES.map(str::to_owned).to_vec();
    let new = NewKey { models, scopes, ..NewKey::default() };
    another_key(app, customer, Mode::Live, new).await
}

/// Takes away more than there is.
async fn charge_back(app: &TestApp, customer: &Customer) {
    let correction = Correction {
        amount: Credits::from_whole(-50).unwrap(),
        reason: "charged back".into(),
        actor: "tester".into(),
        reference: "chargeback-1".into(),
    };
    credits::adjust(&app.app.ledger, &app.app.clock, customer.account, correction).await.unwrap();
}

async fn gets_everything(app: &TestApp, key: &Customer, id: &str) {
    let task = app.get(key, &format!("/api/ai/tasks/{id}")).await.expect(200);
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    for method in [Method::GET, Method::HEAD] {
        let content = format!("/api/ai/tasks/{id}/content");
        assert_eq!(app.send(Some(key), method, &content, None, &[]).await.status, 200);
    }
    let link = app.get(key, &format!("/api/ai/tasks/{id}/link")).await.expect(200);
    let clip = app.client.get(link["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(clip.bytes().await.unwrap()[4..8], *b"ftyp");
    let tasks = app.get(key, "/api/ai/tasks").await.expect(200);
    assert_eq!(tasks["data"][0]["taskId"], json!(id));
    app.get(key, "/api/ai/credits/ledger").await.expect(200);
}

async fn who_can_buy_nothing_more_still_gets_what_they_bought(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let spent = NewKey { cap_lifetime: Credits::from_whole(30), ..NewKey::default() };
    let customer = app.customer_with(Mode::Live, 70, spent).await;
    let limited = of_another_model(&app, &customer).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    let code = async |key: &Customer| -> Value {
        let refused = app.post(key, GENERATE, &wan(json!({}))).await;
        assert!(refused.status.is_client_error(), "{:#}", refused.body);
        refused.body["code"].clone()
    };
    assert_eq!(code(&customer).await, json!("key_limit_reached"));
    assert_eq!(code(&limited).await, json!("model_not_allowed"));
    for key in [&customer, &limited] {
        gets_everything(&app, key, &id).await;
    }
    charge_back(&app, &customer).await;
    freeze(&app, &customer).await;
    assert_eq!(code(&customer).await, json!("account_frozen"));
    for key in [&customer, &limited] {
        gets_everything(&app, key, &id).await;
    }
    app
}

/// What is measured of providers and of the work for them.
fn of_providers(app: &TestApp) -> BTreeSet<String> {
    let about = |line: &&str| line.contains("provider=") && !line.starts_with('#');
    app.app.metrics.render().lines().filter(about).map(str::to_owned).collect()
}

async fn what_we_refuse_ourselves_says_nothing_of_a_provider(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let rich = app.customer(Mode::Live, 100).await;
    let id = app.generate(&rich, &wan(json!({}))).await;
    app.finished(&rich, &id).await;
    let poor = app.customer(Mode::Live, 29).await;
    let capped = NewKey { cap_day: Credits::from_whole(29), ..NewKey::default() };
    let capped = app.customer_with(Mode::Live, 100, capped).await;
    let frozen = app.customer(Mode::Live, 100).await;
    freeze(&app, &frozen).await;
    let limited = of_another_model(&app, &rich).await;
    let before = of_providers(&app);
    assert!(!before.is_empty(), "nothing is measured");
    for _ in 0..20 {
        for (key, status) in [(&poor, 402), (&capped, 402), (&frozen, 403), (&limited, 403)] {
            app.post(key, GENERATE, &wan(json!({}))).await.expect(status);
        }
        app.post(&rich, GENERATE, &wan(json!({ "duration": 7 }))).await.expect(400);
    }
    assert_eq!((of_providers(&app), app.fake.submissions().len()), (before, 1));
    let id = app.generate(&rich, &wan(json!({}))).await;
    assert_eq!(app.finished(&rich, &id).await["state"], json!("completed"));
    app
}
