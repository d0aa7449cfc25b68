//! One clock for all, the database's: a process whose own clock is wrong does nothing early or late.

use entity::grant::GrantClass;
use entity::{Credits, Mode, TaskId, job};
use reelmeter::customer::credits::{self, NewGrant};
use reelmeter::customer::key::NewKey;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::{Customer, Step, TestApp, on_postgres};

use crate::live::going_on;
use crate::{sora, wan};

mod set;

on_postgres!(
    a_worker_with_a_wrong_clock_claims_at_once_and_expires_nothing_early,
    a_worker_with_a_wrong_clock_expires_in_time,
    a_worker_with_a_wrong_clock_takes_nothing_from_one_that_lives,
    credits_are_good_for_as_long_everywhere,
    a_key_is_good_for_as_long_everywhere,
    a_quote_is_good_for_as_long_everywhere,
    a_day_s_cap_is_of_the_same_day_everywhere,
);

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// More than the deadline of a task, which is an hour.
const WRONG: [i64; 2] = [2 * HOUR, -2 * HOUR];

async fn a_worker_with_a_wrong_clock_claims_at_once_and_expires_nothing_early(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    for wrong in WRONG {
        let there = app.beside_wrong_by(wrong).await.with_worker().await;
        app.fake.on_poll([Step::Running(10), Step::Running(40)]);
        let id = app.generate(&customer, &wan(json!({}))).await;
        assert_eq!(app.finished(&customer, &id).await["state"], json!("completed"), "{wrong}");
        there.stop().await;
    }
    app
}

async fn a_worker_with_a_wrong_clock_expires_in_time(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    for wrong in WRONG {
        let there = app.beside_wrong_by(wrong).await.with_worker().await;
        app.fake.on_poll([Step::Wait, Step::Running(10)]);
        let id = app.generate(&customer, &wan(json!({}))).await;
        app.wait_for(&customer, &id, &["running"]).await;
        app.advance(HOUR + 1);
        let task = going_on(&app, app.finished(&customer, &id)).await;
        assert_eq!(task["state"], json!("expired"), "{wrong}");
        there.stop().await;
    }
    app
}

async fn a_worker_with_a_wrong_clock_takes_nothing_from_one_that_lives(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 1_000).await;
    let slow = app.beside_wrong_by(WRONG[1]).await.with_worker().await;
    app.fake.on_poll([Step::Wait]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    let before = job_of(&app, &id).await;
    let fast = app.beside_wrong_by(WRONG[0]).await.with_worker().await;
    // It looks at its colleagues before it claims anything.
    while !fast.app.metrics.render().contains("reelmeter_worker_claims_total{") {
        let next = app.post_at(&fast.url, &customer, &wan(json!({})), None).await.expect(200);
        app.finished(&customer, next["taskId"].as_str().unwrap()).await;
    }
    let after = job_of(&app, &id).await;
    assert_eq!((after.owner, after.fence), (before.owner, before.fence));
    going_on(&app, app.finished(&customer, &id)).await;
    fast.stop().await;
    slow.stop().await;
    app
}

async fn job_of(app: &TestApp, id: &str) -> job::Model {
    let job = job::Entity::find_by_id(id.parse::<TaskId>().unwrap()).one(app.app.db.read()).await;
    job.unwrap().expect("the task is live")
}

/// What a process answers of the customer's credits.
async fn credits_at(app: &TestApp, url: &str, customer: &Customer) -> (u16, Value) {
    let request = app.client.get(format!("{url}/api/ai/credits")).bearer_auth(&customer.key);
    let answer = request.send().await.unwrap();
    let (status, body): (_, Value) = (answer.status().as_u16(), answer.json().await.unwrap());
    (status, body["available"].clone())
}

async fn credits_are_good_for_as_long_everywhere(app: TestApp) -> TestApp {
    for wrong in WRONG {
        let there = app.beside_wrong_by(wrong).await;
        let customer = app.customer(Mode::Test, 0).await;
        let new = NewGrant {
            class: GrantClass::Promotional,
            amount: Credits::from_whole(40).unwrap(),
            expires_at: Some(app.app.clock.now().plus_seconds(HOUR)),
            cost_basis: 0,
            reference: format!("test:{wrong}"),
        };
        credits::grant(&app.app.ledger, &app.app.clock, customer.account, new).await.unwrap();
        assert_eq!(credits_at(&app, &there.url, &customer).await, (200, json!(40)), "{wrong}");
        app.post_at(&there.url, &customer, &sora(json!({})), None).await.expect(200);
        app.advance(HOUR);
        assert_eq!(credits_at(&app, &there.url, &customer).await, (200, json!(0)), "{wrong}");
        app.post_at(&there.url, &customer, &sora(json!({})), None).await.expect(402);
        there.stop().await;
    }
    app
}

async fn a_key_is_good_for_as_long_everywhere(app: TestApp) -> TestApp {
    for wrong in WRONG {
        let there = app.beside_wrong_by(wrong).await;
        let expires_at = Some(app.app.clock.now().plus_seconds(HOUR));
        let customer = app.customer_with(Mode::Test, 0, NewKey { expires_at, ..NewKey::default() }).await;
        assert_eq!(credits_at(&app, &there.url, &customer).await.0, 200, "{wrong}");
        app.advance(HOUR);
        assert_eq!(credits_at(&app, &there.url, &customer).await.0, 401, "{wrong}");
        there.stop().await;
    }
    app
}

async fn a_quote_is_good_for_as_long_everywhere(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let quote = async |url: &str| {
        let request = app.client.post(format!("{url}/api/ai/video/quote")).bearer_auth(&customer.key);
        let quote: Value = request.json(&sora(json!({}))).send().await.unwrap().json().await.unwrap();
        sora(json!({ "quoteId": quote["quoteId"] }))
    };
    for wrong in WRONG {
        let there = app.beside_wrong_by(wrong).await;
        for (made, used) in [(&there.url, &app.url), (&app.url, &there.url)] {
            app.post_at(used, &customer, &quote(made).await, None).await.expect(200);
            let late = quote(made).await;
            app.advance(HOUR);
            app.post_at(used, &customer, &late, None).await.expect(410);
        }
        there.stop().await;
    }
    assert_eq!(app.balance(&customer).await.0, json!(100 - 4 * 12));
    app
}

async fn a_day_s_cap_is_of_the_same_day_everywhere(app: TestApp) -> TestApp {
    let there = app.beside_wrong_by(DAY).await;
    let capped = NewKey { cap_day: Credits::from_whole(30), ..NewKey::default() };
    let customer = app.customer_with(Mode::Test, 1_000, capped).await;
    for day in 0..2 {
        for url in [&app.url, &there.url] {
            app.post_at(url, &customer, &sora(json!({})), None).await.expect(200);
        }
        let refused = app.post_at(&there.url, &customer, &sora(json!({})), None).await.expect(402);
        assert_eq!((&refused["code"], &refused["spent"]), (&json!("key_limit_reached"), &json!(24)), "{day}");
        app.advance(DAY);
    }
    there.stop().await;
    app
}
