//! A model that two providers can make: who is asked, what is tried elsewhere and what never is, and what that does to task,
//! money and health.

mod callback;
mod health;
mod lost;

use std::sync::Arc;

use entity::attempt::AttemptState;
use entity::{Mode, TaskId, attempt};
use reelmeter::provider::{FailureCode, Instance};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use tests::{Customer, Fake, Step, TestApp, on_both_engines};

use crate::wan;

on_both_engines!(
    a_fault_of_the_provider_is_made_good_elsewhere_at_the_quoted_price,
    what_is_wrong_with_the_request_is_tried_nowhere_else,
    what_was_perhaps_accepted_is_never_sent_elsewhere,
    a_failure_without_a_reason_is_tried_elsewhere_once,
    a_provider_that_is_busy_for_long_is_left_for_the_next,
    a_task_that_names_its_provider_goes_nowhere_else,
    of_two_clips_one_goes_elsewhere_and_both_are_paid,
    a_cancellation_is_not_tried_elsewhere,
    the_cheapest_provider_is_asked_first_if_that_is_the_order,
    the_provider_that_delivers_most_is_asked_first_if_that_is_the_order,
);

/// What a task costs, whoever makes it.
const PRICE: i64 = 30;

/// A Reelmeter with a second provider of the model: `dashscope` behind `kie`.
async fn with_second(app: TestApp) -> (TestApp, Fake) {
    let second = Fake::new("dashscope", app.folder.path().to_owned());
    let provider = second.provider();
    let app = app.restart_among(move |registry| registry.add(provider.clone())).await;
    (app.with_worker().await, second)
}

/// The same with an instance in the place of `kie`.
async fn with_instance(app: TestApp, instance: Instance) -> TestApp {
    app.restart_among(move |registry| registry.add_instance(instance.clone())).await
}

async fn attempts(app: &TestApp, task: &str) -> Vec<attempt::Model> {
    let id: TaskId = task.parse().unwrap();
    let of_task = attempt::Entity::find().filter(attempt::Column::TaskId.eq(id));
    of_task.order_by_asc(attempt::Column::N).all(app.app.db.read()).await.unwrap()
}

/// Provider, state and error of each attempt.
async fn story(app: &TestApp, task: &str) -> Vec<(String, AttemptState, Option<String>)> {
    let told = |attempt: attempt::Model| (attempt.provider, attempt.state, attempt.error_code);
    attempts(app, task).await.into_iter().map(told).collect()
}

async fn made(app: &TestApp, customer: &Customer, extra: Value) -> (String, Value) {
    let id = app.generate(customer, &wan(extra)).await;
    let task = app.finished(customer, &id).await;
    (id, task)
}

async fn a_fault_of_the_provider_is_made_good_elsewhere_at_the_quoted_price(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    for code in [FailureCode::ModelUnavailable, FailureCode::Unsupported, FailureCode::Balance] {
        let customer = app.customer(Mode::Live, 100).await;
        app.fake.on_submit([Step::Reject(code)]);
        let before = second.accepted();
        let (id, task) = made(&app, &customer, json!({})).await;
        assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(PRICE)), "{code:?}");
        assert_eq!(app.balance(&customer).await, (json!(100 - PRICE), json!(0)));
        assert_eq!((app.fake.accepted(), second.accepted()), (0, before + 1));
        let rejected = ("kie".to_owned(), AttemptState::Rejected, Some(code.class().to_owned()));
        let delivered = ("dashscope".to_owned(), AttemptState::Delivered, None);
        assert_eq!(story(&app, &id).await, [rejected, delivered], "{code:?}");
    }
    // It is sent what the second provider calls the model.
    let names: Vec<String> = second.submissions().into_iter().map(|sent| sent.native_id).collect();
    assert_eq!(names, vec!["wan2.6-t2v"; 3]);
    app
}

async fn what_is_wrong_with_the_request_is_tried_nowhere_else(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    for (code, told) in
        [(FailureCode::InvalidInput, "invalid_input"), (FailureCode::ModerationInput, "moderation")]
    {
        let customer = app.customer(Mode::Live, 100).await;
        app.fake.on_submit([Step::Reject(code)]);
        let (_, task) = made(&app, &customer, json!({})).await;
        assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!(told)));
        assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    }
    assert_eq!(second.submissions().len(), 0);
    app
}

async fn what_was_perhaps_accepted_is_never_sent_elsewhere(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 100).await;
    for step in [Step::LoseAnswer, Step::GarbleAnswer] {
        app.fake.on_submit([step]);
        let (_, task) = made(&app, &customer, json!({})).await;
        assert_eq!(task["state"], "completed");
    }
    assert_eq!((app.fake.accepted(), second.submissions().len()), (2, 0));
    app
}

async fn a_failure_without_a_reason_is_tried_elsewhere_once(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 100).await;
    app.fake.on_poll([Step::Fail(FailureCode::Internal)]);
    let (id, task) = made(&app, &customer, json!({})).await;
    assert_eq!(task["state"], "completed");
    assert_eq!(story(&app, &id).await.len(), 2);
    // There is no third one to ask, and nobody is asked twice.
    app.fake.on_poll([Step::Fail(FailureCode::Internal)]);
    second.on_poll([Step::Fail(FailureCode::Internal)]);
    let (id, task) = made(&app, &customer, json!({})).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("generation_failed")));
    assert_eq!(story(&app, &id).await.len(), 2);
    // A reason that the customer has to know is the end.
    app.fake.on_poll([Step::Fail(FailureCode::ModerationOutput)]);
    let (id, task) = made(&app, &customer, json!({})).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("moderation")));
    assert_eq!(story(&app, &id).await.len(), 1);
    assert_eq!(app.balance(&customer).await, (json!(100 - PRICE), json!(0)));
    app
}

async fn a_provider_that_is_busy_for_long_is_left_for_the_next(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 100).await;
    app.fake.on_submit(vec![Step::Unavailable; 3]);
    let (id, task) = made(&app, &customer, json!({})).await;
    assert_eq!((task["state"].as_str(), second.accepted()), (Some("completed"), 1));
    let told: Vec<(String, i64)> =
        attempts(&app, &id).await.into_iter().map(|attempt| (attempt.provider, attempt.sends)).collect();
    assert_eq!(told, [("kie".to_owned(), 3), ("dashscope".to_owned(), 1)]);
    app
}

async fn a_task_that_names_its_provider_goes_nowhere_else(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 100).await;
    app.fake.on_submit([Step::Reject(FailureCode::ModelUnavailable)]);
    let body = json!({ "scene": "text-to-video", "provider": "kie", "prompt": "a fox", "model": "wan/2-6-text-to-video",
        "options": { "duration": 5, "resolution": "720p" } });
    let asked = app.post(&customer, "/api/actions/ai.video.generate", &body).await;
    let id = asked.expect(200)["taskId"].as_str().unwrap().to_owned();
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("provider_unavailable")));
    assert_eq!(second.submissions().len(), 0);
    app
}

async fn of_two_clips_one_goes_elsewhere_and_both_are_paid(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 100).await;
    app.fake.on_submit([Step::Reject(FailureCode::ModelUnavailable)]);
    let (id, task) = made(&app, &customer, json!({ "count": 2 })).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(2 * PRICE)));
    assert_eq!((app.fake.accepted(), second.accepted()), (1, 1));
    assert_eq!(attempts(&app, &id).await.len(), 3);
    app
}

async fn a_cancellation_is_not_tried_elsewhere(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 100).await;
    app.fake.on_poll(vec![Step::Running(10); 1_000]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await;
    assert_eq!(app.finished(&customer, &id).await["state"], "canceled");
    assert_eq!(second.submissions().len(), 0);
    app
}

/// The catalog lists `kling` before `kie` for this model; by the price book `kie` makes it for less.
async fn the_cheapest_provider_is_asked_first_if_that_is_the_order(app: TestApp) -> TestApp {
    use reelmeter::config::Config;
    use reelmeter::video::supply::Order;
    let first = Fake::new("kling", app.folder.path().to_owned());
    let provider = first.provider();
    let mut app = app.restart_among(move |registry| registry.add(provider.clone())).await;
    for (order, asked) in [(Order::Listed, (1, 0)), (Order::Cost, (1, 1))] {
        app =
            app.restart_with(move |config: &mut Config| config.route_order = order).await.with_worker().await;
        let customer = app.customer(Mode::Live, 100).await;
        let (_, task) = made(&app, &customer, json!({ "model": "kling-v3" })).await;
        assert_eq!(task["state"], "completed");
        assert_eq!((first.accepted(), app.fake.accepted()), asked, "{order:?}");
    }
    app
}

async fn the_provider_that_delivers_most_is_asked_first_if_that_is_the_order(app: TestApp) -> TestApp {
    use reelmeter::config::Config;
    use reelmeter::video::supply::Order;
    const RATED_FROM: usize = 20;
    let (app, second) = with_second(app).await;
    app.fake.on_poll(vec![Step::Fail(FailureCode::ModerationOutput); RATED_FROM]);
    let customer = app.customer(Mode::Live, 100).await;
    for _ in 0..RATED_FROM {
        assert_eq!(made(&app, &customer, json!({})).await.1["state"], "failed");
    }
    assert_eq!((app.fake.accepted(), second.accepted()), (RATED_FROM, 0));
    let app = app.restart_with(|config: &mut Config| config.route_order = Order::Success).await;
    let app = app.with_worker().await;
    assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    assert_eq!((app.fake.accepted(), second.accepted()), (RATED_FROM, 1));
    // What is older than a day is not looked at.
    app.advance(86_400);
    assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    assert_eq!((app.fake.accepted(), second.accepted()), (RATED_FROM + 1, 1));
    app
}

/// A provider behind several keys, each a fake of its own.
fn instance_of(keys: &[(&str, &Fake)]) -> Instance {
    let (_, first) = keys[0];
    let mut instance = Instance::keyless(first.provider());
    let endpoint = instance.endpoints.pop().unwrap();
    for (id, fake) in keys {
        let provider: Arc<dyn reelmeter::provider::Provider> = fake.provider();
        let abilities = provider.abilities();
        let key =
            reelmeter::provider::Endpoint { id: (*id).to_owned(), provider, abilities, ..endpoint.clone() };
        instance.endpoints.push(key);
    }
    instance
}
