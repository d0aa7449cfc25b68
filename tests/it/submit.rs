//! Accepting tasks: what is charged, to whom, and how many at once.

use entity::{Credits, Mode};
use futures_util::future::join_all;
use reelmeter::customer::key::NewKey;
use serde_json::json;
use tests::{TestApp, on_both_engines};

use crate::{sora, wan};

const GENERATE: &str = "/api/ai/video/generate";

on_both_engines!(
    the_contract_s_example_costs_twelve_credits_and_holds_them,
    a_thousand_submits_on_a_balance_for_a_hundred_accept_exactly_a_hundred,
    a_refusal_charges_nothing_and_the_same_request_works_after_a_top_up,
    a_spend_cap_counts_holds_and_stops_the_key_not_the_account,
    live_and_test_credits_never_meet,
    a_binding_quote_is_honoured_once_and_only_for_its_request,
    another_customer_s_task_is_not_found,
    one_answer_names_wrong_types_and_what_the_rules_object_to,
);

async fn the_contract_s_example_costs_twelve_credits_and_holds_them(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let answer = app.post(&customer, GENERATE, &sora(json!({}))).await;
    let location = answer.header("location").map(str::to_owned);
    let body = answer.expect(200);
    let id = body["taskId"].as_str().unwrap();
    assert!(id.starts_with("tsk_") && id.len() == 30, "{id}");
    assert_eq!((&body["status"], &body["creditsUsed"]), (&json!(0), &json!(12)));
    assert_eq!(location, Some(format!("/api/ai/tasks/{id}")));
    assert_eq!(app.balance(&customer).await, (json!(88), json!(12)));
    let task = app.get(&customer, &format!("/api/ai/tasks/{id}")).await.expect(200);
    assert_eq!((&task["status"], &task["state"]), (&json!(0), &json!("queued")));
    assert_eq!(task["charges"]["held"], json!(12));
    app
}

async fn a_thousand_submits_on_a_balance_for_a_hundred_accept_exactly_a_hundred(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_200).await;
    let body = sora(json!({}));
    let answers = join_all((0..1_000).map(|_| app.post(&customer, GENERATE, &body))).await;
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(200), of(402)), (100, 900));
    assert_eq!(app.balance(&customer).await, (json!(0), json!(1_200)));
    app
}

async fn a_refusal_charges_nothing_and_the_same_request_works_after_a_top_up(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 5).await;
    let refused = app.post_keyed(&customer, GENERATE, &sora(json!({})), "order-1").await.expect(402);
    assert_eq!((&refused["error"], &refused["required"]), (&json!("Insufficient credits"), &json!(12)));
    assert_eq!((&refused["available"], &refused["held"]), (&json!(5), &json!(0)));
    app.grant(&customer, 10).await;
    app.post_keyed(&customer, GENERATE, &sora(json!({})), "order-1").await.expect(200);
    assert_eq!(app.balance(&customer).await, (json!(3), json!(12)));
    app
}

async fn a_spend_cap_counts_holds_and_stops_the_key_not_the_account(app: TestApp) -> TestApp {
    let capped = NewKey { cap_day: Credits::from_whole(30), ..NewKey::default() };
    let customer = app.customer_with(Mode::Test, 1_000, capped).await;
    for _ in 0..2 {
        app.post(&customer, GENERATE, &sora(json!({}))).await.expect(200);
    }
    let refused = app.post(&customer, GENERATE, &sora(json!({}))).await.expect(402);
    assert_eq!(refused["code"], json!("key_limit_reached"), "{refused:#}");
    assert_eq!((&refused["limit"], &refused["spent"]), (&json!(30), &json!(24)));
    assert_eq!(app.balance(&customer).await, (json!(976), json!(24)));
    app.advance(86_400);
    app.post(&customer, GENERATE, &sora(json!({}))).await.expect(200);
    app
}

async fn live_and_test_credits_never_meet(app: TestApp) -> TestApp {
    let live = app.customer(Mode::Live, 0).await;
    let test = app.customer(Mode::Test, 1_000).await;
    app.post(&live, GENERATE, &wan(json!({}))).await.expect(402);
    app.post(&test, GENERATE, &wan(json!({}))).await.expect(200);
    let retired = app.post(&live, GENERATE, &sora(json!({}))).await;
    assert!(retired.status.is_client_error(), "a retired model is served live: {:#}", retired.body);
    app
}

async fn a_binding_quote_is_honoured_once_and_only_for_its_request(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let quote = app.post(&customer, "/api/ai/video/quote", &sora(json!({}))).await.expect(200);
    assert_eq!(quote["credits"], json!(12));
    let id = &quote["quoteId"];
    app.post(&customer, GENERATE, &sora(json!({ "quoteId": id, "duration": 10 }))).await.expect(422);
    app.post(&customer, GENERATE, &sora(json!({ "quoteId": id }))).await.expect(200);
    app.post(&customer, GENERATE, &sora(json!({ "quoteId": id }))).await.expect(422);
    let late = app.post(&customer, "/api/ai/video/quote", &sora(json!({}))).await.expect(200);
    app.advance(3_600);
    app.post(&customer, GENERATE, &sora(json!({ "quoteId": late["quoteId"] }))).await.expect(410);
    assert_eq!(app.balance(&customer).await, (json!(88), json!(12)));
    app
}

async fn another_customer_s_task_is_not_found(app: TestApp) -> TestApp {
    let (mine, theirs) = (app.customer(Mode::Test, 100).await, app.customer(Mode::Test, 100).await);
    let id = app.generate(&mine, &sora(json!({}))).await;
    for path in ["", "/content", "/link"] {
        let refused = app.get(&theirs, &format!("/api/ai/tasks/{id}{path}")).await.expect(404);
        assert_eq!(refused["error"], json!("Task not found"));
    }
    app.post(&theirs, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(404);
    assert_eq!(app.balance(&mine).await, (json!(88), json!(12)));
    app
}

async fn one_answer_names_wrong_types_and_what_the_rules_object_to(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let body = sora(json!({ "prompt": 5, "duration": 7, "aspectRatio": "2:1" }));
    let refused = app.post(&customer, GENERATE, &body).await.expect(400);
    let fields = refused["details"]["fieldErrors"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["aspectRatio", "duration", "prompt"]);
    assert_eq!(fields["prompt"], json!(["Must be text"]));
    app
}
