//! Which credits are spent first, which come back, and which run out.

use entity::grant::GrantClass;
use entity::{Credits, Mode};
use reelmeter::customer::credits::{self, Correction, NewGrant};
use reelmeter::ledger::{Done, Refusal};
use serde_json::{Value, json};
use tests::{Customer, Step, TestApp, on_both_engines};

use crate::{sora, wan};

on_both_engines!(
    promotions_burn_before_paid_credits_and_what_comes_back_goes_where_it_came_from,
    credits_expire_on_time_and_are_never_spent_afterwards,
    credits_that_expired_while_they_were_held_can_be_spent_for_a_day,
    a_refund_goes_back_to_the_grant_it_came_from,
    a_correction_down_becomes_debt_and_the_next_grant_repays_it,
    the_same_reference_books_once,
    the_ledger_shows_every_transfer_with_its_running_balance,
);

const HOUR: i64 = 3_600;

async fn give(
    app: &TestApp,
    customer: &Customer,
    class: GrantClass,
    whole: i64,
    lives_s: Option<i64>,
) -> Done {
    let now = app.app.clock.now();
    let new = NewGrant {
        class,
        amount: Credits::from_whole(whole).unwrap(),
        expires_at: lives_s.map(|seconds| now.plus_seconds(seconds)),
        cost_basis: 0,
        reference: format!("test:{}", app.app.clock.new_id()),
    };
    credits::grant(&app.app.ledger, &app.app.clock, customer.account, new).await.unwrap()
}

async fn adjust(app: &TestApp, customer: &Customer, whole: i64, reference: &str) -> Result<Done, Refusal> {
    let correction = Correction {
        amount: Credits::from_whole(whole).unwrap(),
        reason: "a test".into(),
        actor: "tester".into(),
        reference: reference.into(),
    };
    credits::adjust(&app.app.ledger, &app.app.clock, customer.account, correction).await
}

/// Kinds and amounts of the journal, oldest first.
async fn journal(app: &TestApp, customer: &Customer) -> Vec<(String, Value)> {
    let page = app.get(customer, "/api/ai/credits/ledger?limit=100").await.expect(200);
    let rows = page["data"].as_array().unwrap().iter().rev();
    rows.map(|row| (row["kind"].as_str().unwrap().to_owned(), row["amount"].clone())).collect()
}

async fn promotions_burn_before_paid_credits_and_what_comes_back_goes_where_it_came_from(
    app: TestApp,
) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    give(&app, &customer, GrantClass::Promotional, 20, Some(HOUR)).await;
    // 30 held: 20 promotional and 10 paid. 18 earned, so 2 promotional and 10 paid come back.
    app.fake.on_poll([Step::Deliver(3)]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    assert_eq!(app.balance(&customer).await.0, json!(102));
    app.advance(2 * HOUR);
    assert_eq!(app.balance(&customer).await.0, json!(100));
    app
}

async fn credits_expire_on_time_and_are_never_spent_afterwards(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await;
    give(&app, &customer, GrantClass::Promotional, 12, Some(HOUR)).await;
    app.advance(HOUR - 60);
    let credits = app.get(&customer, "/api/ai/credits").await.expect(200);
    assert_eq!((&credits["available"], &credits["expiring"][0]["amount"]), (&json!(12), &json!(12)));
    app.advance(61);
    assert_eq!(app.balance(&customer).await.0, json!(0));
    app.post(&customer, "/api/ai/video/generate", &sora(json!({}))).await.expect(402);
    assert_eq!(journal(&app, &customer).await.last(), Some(&("expire".to_owned(), json!(12))));
    app
}

async fn credits_that_expired_while_they_were_held_can_be_spent_for_a_day(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 0).await;
    give(&app, &customer, GrantClass::Promotional, 30, Some(60)).await;
    app.fake.on_poll([Step::Wait, Step::Fail(reelmeter::provider::FailureCode::Internal)]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    app.advance(120);
    app.fake.go_on();
    app.finished(&customer, &id).await;
    assert_eq!(app.balance(&customer).await.0, json!(30));
    app.advance(25 * HOUR);
    assert_eq!(app.balance(&customer).await.0, json!(0));
    app
}

async fn a_refund_goes_back_to_the_grant_it_came_from(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    let task = id.parse().unwrap();
    let refund = |whole, reference: &str| {
        let amount = Credits::from_whole(whole).unwrap();
        app.app.video.refund(customer.account, task, amount, reference.to_owned())
    };
    refund(10, "case-1").await.unwrap();
    assert_eq!(refund(10, "case-1").await.unwrap(), Done::Booked { replayed: true });
    assert!(refund(21, "case-2").await.is_err(), "more than was captured came back");
    assert_eq!(app.balance(&customer).await, (json!(80), json!(0)));
    let shown = app.get(&customer, &format!("/api/ai/tasks/{id}")).await.expect(200);
    assert_eq!((&shown["charges"]["captured"], &shown["charges"]["refunded"]), (&json!(30), &json!(10)));
    app
}

async fn a_correction_down_becomes_debt_and_the_next_grant_repays_it(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 10).await;
    adjust(&app, &customer, -25, "chargeback-1").await.unwrap();
    let credits = app.get(&customer, "/api/ai/credits").await.expect(200);
    assert_eq!((&credits["available"], &credits["debt"]), (&json!(0), &json!(15)));
    app.grant(&customer, 40).await;
    let credits = app.get(&customer, "/api/ai/credits").await.expect(200);
    assert_eq!((&credits["available"], &credits["debt"]), (&json!(25), &json!(0)));
    app
}

async fn the_same_reference_books_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await;
    assert_eq!(adjust(&app, &customer, 5, "goodwill-1").await, Ok(Done::Booked { replayed: false }));
    assert_eq!(adjust(&app, &customer, 5, "goodwill-1").await, Ok(Done::Booked { replayed: true }));
    assert_eq!(adjust(&app, &customer, 6, "goodwill-1").await, Err(Refusal::ReferenceTaken));
    assert_eq!(app.balance(&customer).await.0, json!(5));
    app
}

async fn the_ledger_shows_every_transfer_with_its_running_balance(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    app.fake.on_poll([Step::Deliver(3)]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    let expected = [("grant", 100), ("hold", 30), ("capture", 18), ("release", 12)];
    let expected: Vec<(String, Value)> =
        expected.iter().map(|(kind, amount)| ((*kind).to_owned(), json!(amount))).collect();
    assert_eq!(journal(&app, &customer).await, expected);
    let first = app.get(&customer, "/api/ai/credits/ledger?limit=3").await.expect(200);
    let path = format!("/api/ai/credits/ledger?limit=3&cursor={}", first["nextCursor"].as_str().unwrap());
    let second = app.get(&customer, &path).await.expect(200);
    let after: Vec<&Value> = [&first, &second]
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap())
        .map(|row| &row["availableAfter"])
        .collect();
    assert_eq!(after, [&json!(82), &json!(70), &json!(70), &json!(100)]);
    app
}
