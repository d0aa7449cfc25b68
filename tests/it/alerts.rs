//! Alerts of the balance: told once at each crossing, whatever moves the credits.

use entity::grant::GrantClass;
use entity::{Credits, Mode, event};
use reelmeter::customer::caller::{BILLING_READ, BILLING_WRITE, VIDEOS_READ, VIDEOS_WRITE};
use reelmeter::customer::credits::{self, Correction, NewGrant};
use reelmeter::customer::key::NewKey;
use reelmeter::ledger::{Command, Done};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use tests::{Answer, Customer, Step, TestApp, on_both_engines};

use crate::{sora, wan};

const ALERTS: &str = "/api/credits/alerts";
const HOUR: i64 = 3_600;

on_both_engines!(
    a_whole_cycle_of_holds_releases_and_grants_is_told_once_each,
    what_a_settlement_releases_lets_an_account_recover,
    a_balance_that_is_low_already_is_told_at_once,
    credits_that_end_are_told_of_whoever_notices,
    turned_off_nothing_is_told_and_all_is_well,
    other_thresholds_keep_what_was_said,
    an_account_hears_only_of_itself,
    thresholds_that_make_no_sense_are_refused_by_field,
    alerts_need_the_right_to_them,
);

/// A key that generates and looks after the credits.
async fn customer(app: &TestApp, mode: Mode, whole_credits: i64) -> Customer {
    let scopes = [VIDEOS_WRITE, VIDEOS_READ, BILLING_READ, BILLING_WRITE].map(str::to_owned).to_vec();
    app.customer_with(mode, whole_credits, NewKey { scopes, ..NewKey::default() }).await
}

async fn put(app: &TestApp, customer: &Customer, body: Value) -> Answer {
    app.send(Some(customer), Method::PUT, ALERTS, Some(&body), &[]).await
}

async fn state(app: &TestApp, customer: &Customer) -> Value {
    app.get(customer, ALERTS).await.expect(200)["state"].clone()
}

/// What was told of the balance, in order: the event's type and its body.
async fn told(app: &TestApp, customer: &Customer) -> Vec<(String, Value)> {
    let events = event::Entity::find()
        .filter(event::Column::AccountId.eq(customer.account))
        .filter(event::Column::Type.is_in(["credits.low", "credits.depleted", "credits.recovered"]))
        .order_by_asc(event::Column::N)
        .all(app.app.db.read())
        .await
        .unwrap();
    let body = |event: event::Model| (event.r#type, serde_json::from_str(&event.body).unwrap());
    events.into_iter().map(body).collect()
}

async fn names(app: &TestApp, customer: &Customer) -> Vec<String> {
    told(app, customer).await.into_iter().map(|(name, _)| name).collect()
}

async fn take(app: &TestApp, customer: &Customer, thousandths: i64) {
    let correction = Correction {
        amount: Credits::from_thousandths(-thousandths),
        reason: "a test".into(),
        actor: "tester".into(),
        reference: format!("test:{}", app.app.clock.new_id()),
    };
    credits::adjust(&app.app.ledger, &app.app.clock, customer.account, correction).await.unwrap();
}

async fn lend(app: &TestApp, customer: &Customer, whole: i64, seconds: i64) {
    let new = NewGrant {
        class: GrantClass::Promotional,
        amount: Credits::from_whole(whole).unwrap(),
        expires_at: Some(app.app.clock.now().plus_seconds(seconds)),
        cost_basis: 0,
        reference: format!("test:{}", app.app.clock.new_id()),
    };
    credits::grant(&app.app.ledger, &app.app.clock, customer.account, new).await.unwrap();
}

async fn a_whole_cycle_of_holds_releases_and_grants_is_told_once_each(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Test, 40).await;
    let set = put(&app, &customer, json!({ "low": 20 })).await.expect(200);
    assert_eq!(set, json!({ "low": 20, "recover": 25, "state": "ok", "available": 40 }));
    assert_eq!(app.get(&customer, ALERTS).await.expect(200), set);
    // Three tasks of 12 credits each: 28, 16 and 4 are left.
    let mut tasks = Vec::new();
    for expected in ["ok", "low", "low"] {
        tasks.push(app.generate(&customer, &sora(json!({}))).await);
        assert_eq!(state(&app, &customer).await, json!(expected));
    }
    app.post(&customer, "/api/ai/video/generate", &sora(json!({}))).await.expect(402);
    take(&app, &customer, 3_001).await;
    assert_eq!(state(&app, &customer).await, json!("depleted"));
    // 0.999, 12.999 and 24.999: what comes back is not enough to recover.
    for task in &tasks[..2] {
        app.post(&customer, &format!("/api/ai/tasks/{task}/cancel"), &json!({})).await.expect(200);
        assert_eq!(state(&app, &customer).await, json!("depleted"));
    }
    app.grant(&customer, 1).await;
    assert_eq!(state(&app, &customer).await, json!("ok"));
    take(&app, &customer, 6_000).await;
    let body = |available: Value, previous: &str| json!({ "available": available, "low": 20, "recover": 25, "previous": previous });
    let expected = [
        ("credits.low", body(json!(16), "ok")),
        ("credits.depleted", body(json!(0.999), "low")),
        ("credits.recovered", body(json!(25.999), "depleted")),
        ("credits.low", body(json!(19.999), "ok")),
    ];
    for ((name, body), (expected_name, expected)) in told(&app, &customer).await.iter().zip(&expected) {
        assert_eq!(name, expected_name);
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(&body[member], value, "{member} of {name}");
        }
    }
    assert_eq!(told(&app, &customer).await.len(), expected.len());
    app
}

async fn what_a_settlement_releases_lets_an_account_recover(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = customer(&app, Mode::Live, 40).await;
    put(&app, &customer, json!({ "low": 20, "recover": 22 })).await.expect(200);
    // 30 held and 10 left; of the 5 seconds 3 are delivered, so 12 come back.
    app.fake.on_poll([Step::Deliver(3)]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    assert_eq!(app.balance(&customer).await, (json!(22), json!(0)));
    assert_eq!(names(&app, &customer).await, ["credits.low", "credits.recovered"]);
    app
}

async fn a_balance_that_is_low_already_is_told_at_once(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Test, 10).await;
    let set = put(&app, &customer, json!({ "low": 10.001, "recover": 50 })).await.expect(200);
    assert_eq!(set, json!({ "low": 10.001, "recover": 50, "state": "low", "available": 10 }));
    put(&app, &customer, json!({ "low": 10.001, "recover": 50 })).await.expect(200);
    assert_eq!(names(&app, &customer).await, ["credits.low"], "told again");
    let empty = self::customer(&app, Mode::Test, 0).await;
    assert_eq!(put(&app, &empty, json!({ "low": 5 })).await.expect(200)["state"], json!("depleted"));
    assert_eq!(names(&app, &empty).await, ["credits.depleted"]);
    app
}

async fn credits_that_end_are_told_of_whoever_notices(app: TestApp) -> TestApp {
    let (swept, refused, asked) = (
        customer(&app, Mode::Test, 11).await,
        customer(&app, Mode::Test, 11).await,
        customer(&app, Mode::Test, 11).await,
    );
    for customer in [&swept, &refused, &asked] {
        lend(&app, customer, 100, HOUR).await;
        put(&app, customer, json!({ "low": 50 })).await.expect(200);
    }
    app.advance(HOUR + 60);
    let done = app.app.ledger.send(Command::Expire(swept.account)).await;
    assert_eq!(done, Ok(Done::Expired(Credits::from_whole(100).unwrap())));
    app.post(&refused, "/api/ai/video/generate", &sora(json!({}))).await.expect(402);
    let shown = app.get(&asked, ALERTS).await.expect(200);
    assert_eq!((&shown["available"], &shown["state"]), (&json!(11), &json!("ok")));
    let set = put(&app, &asked, json!({ "low": 60 })).await.expect(200);
    assert_eq!((&set["available"], &set["state"]), (&json!(11), &json!("low")));
    for customer in [&swept, &refused, &asked] {
        assert_eq!(names(&app, customer).await, ["credits.low"]);
    }
    app
}

async fn turned_off_nothing_is_told_and_all_is_well(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Test, 30).await;
    let off = json!({ "low": null, "recover": null, "state": "ok", "available": 30 });
    assert_eq!(app.get(&customer, ALERTS).await.expect(200), off);
    app.generate(&customer, &sora(json!({}))).await;
    assert_eq!(put(&app, &customer, json!({ "low": 20 })).await.expect(200)["state"], json!("low"));
    let off = json!({ "low": null, "recover": null, "state": "ok", "available": 18 });
    assert_eq!(put(&app, &customer, json!({ "low": null })).await.expect(200), off);
    app.generate(&customer, &sora(json!({}))).await;
    take(&app, &customer, 6_000).await;
    app.grant(&customer, 100).await;
    assert_eq!(names(&app, &customer).await, ["credits.low"]);
    put(&app, &customer, json!({ "low": 200 })).await.expect(200);
    assert_eq!(names(&app, &customer).await, ["credits.low", "credits.low"], "on again it begins anew");
    app
}

async fn other_thresholds_keep_what_was_said(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Test, 30).await;
    put(&app, &customer, json!({ "low": 40, "recover": 50 })).await.expect(200);
    let between = put(&app, &customer, json!({ "low": 20, "recover": 31 })).await.expect(200);
    assert_eq!(between["state"], json!("low"), "30 is not 31 yet");
    let above = put(&app, &customer, json!({ "low": 20, "recover": 30 })).await.expect(200);
    assert_eq!(above["state"], json!("ok"));
    assert_eq!(names(&app, &customer).await, ["credits.low", "credits.recovered"]);
    app
}

async fn an_account_hears_only_of_itself(app: TestApp) -> TestApp {
    let (watched, other) = (customer(&app, Mode::Test, 20).await, customer(&app, Mode::Test, 20).await);
    put(&app, &watched, json!({ "low": 10 })).await.expect(200);
    app.generate(&other, &sora(json!({}))).await;
    let shown = app.get(&other, ALERTS).await.expect(200);
    assert_eq!(
        (&shown["low"], &shown["state"], &shown["available"]),
        (&Value::Null, &json!("ok"), &json!(8))
    );
    assert_eq!(names(&app, &watched).await.len() + names(&app, &other).await.len(), 0);
    app.generate(&watched, &sora(json!({}))).await;
    assert_eq!((names(&app, &watched).await.len(), names(&app, &other).await.len()), (1, 0));
    app
}

async fn thresholds_that_make_no_sense_are_refused_by_field(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Test, 20).await;
    for (body, field, message) in [
        (json!({}), "low", "Required: credits, or null to turn the alerts off"),
        (json!({ "low": 0 }), "low", "Must be above zero"),
        (json!({ "low": "10" }), "low", "Must be a number of credits with at most 3 decimals"),
        (json!({ "low": 1.0001 }), "low", "Must be a number of credits with at most 3 decimals"),
        (json!({ "low": 9_000_000_000_000_000_i64 }), "low", "Is out of range"),
        (json!({ "low": 5, "recover": -1 }), "recover", "Must be above zero"),
        (json!({ "low": 5, "recover": 4.999 }), "recover", "Must be low or more"),
        (json!({ "low": null, "recover": 5 }), "recover", "Only together with low"),
    ] {
        let refusal = put(&app, &customer, body.clone()).await.expect(400);
        assert_eq!(refusal["details"]["fieldErrors"], json!({ field: [message] }), "{body}");
    }
    let both = put(&app, &customer, json!({ "low": -1, "recover": true })).await.expect(400);
    assert_eq!(both["details"]["fieldErrors"].as_object().unwrap().len(), 2, "{both:#}");
    assert_eq!(app.get(&customer, ALERTS).await.expect(200)["low"], Value::Null);
    app
}

async fn alerts_need_the_right_to_them(app: TestApp) -> TestApp {
    let reader = app.customer(Mode::Test, 20).await;
    app.get(&reader, ALERTS).await.expect(200);
    let refusal = put(&app, &reader, json!({ "low": 5 })).await.expect(403);
    assert_eq!(refusal["code"], json!("insufficient_scope"));
    let scopes = vec![VIDEOS_READ.to_owned()];
    let blind = app.customer_with(Mode::Test, 20, NewKey { scopes, ..NewKey::default() }).await;
    app.get(&blind, ALERTS).await.expect(403);
    app.send(None, Method::GET, ALERTS, None, &[]).await.expect(401);
    app
}
