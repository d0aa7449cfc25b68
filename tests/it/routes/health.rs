//! Keys that do not work are left alone, by everybody, and only for what is the upstream's fault.

use entity::provider_health::{self, HealthState};
use sea_orm::EntityTrait;
use tests::Fake;

use super::*;

on_both_engines!(
    a_key_without_money_is_left_alone_until_it_is_tried_again,
    what_a_worker_that_is_gone_wrote_of_a_key_is_taken_back_when_it_works,
    a_provider_that_fails_again_and_again_rests,
    what_is_wrong_with_requests_never_rests_a_provider,
    a_key_that_was_refused_gives_way_to_another_key,
    without_any_key_that_has_money_a_model_is_not_offered,
    a_task_stays_with_the_key_that_it_was_submitted_with,
);

async fn health(app: &TestApp) -> Vec<provider_health::Model> {
    provider_health::Entity::find().all(app.app.db.read()).await.unwrap()
}

async fn a_key_without_money_is_left_alone_until_it_is_tried_again(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 500).await;
    app.fake.on_submit([Step::Reject(FailureCode::Balance)]);
    for _ in 0..3 {
        assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    }
    assert_eq!((app.fake.submissions().len(), second.accepted()), (1, 3));
    let rows = health(&app).await;
    assert_eq!(
        (rows.len(), rows[0].state, rows[0].error_class.as_deref()),
        (1, HealthState::Out, Some("upstream_balance"))
    );
    app.advance(601);
    assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    assert_eq!((app.fake.accepted(), health(&app).await[0].state), (1, HealthState::Ok));
    app
}

async fn what_a_worker_that_is_gone_wrote_of_a_key_is_taken_back_when_it_works(app: TestApp) -> TestApp {
    let (app, _second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 500).await;
    app.fake.on_submit([Step::Reject(FailureCode::Balance)]);
    assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    let app = app.restart().await.with_worker().await;
    app.advance(601);
    assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    assert_eq!((app.fake.accepted(), health(&app).await[0].state), (1, HealthState::Ok));
    app
}

async fn a_provider_that_fails_again_and_again_rests(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 500).await;
    app.fake.on_submit(vec![Step::Unavailable; 5]);
    // Three faults, then two, and then nobody asks it any more.
    for _ in 0..4 {
        assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    }
    assert_eq!((app.fake.submissions().len(), second.accepted()), (5, 4));
    assert_eq!(health(&app).await[0].state, HealthState::Resting);
    app.advance(16);
    assert_eq!(made(&app, &customer, json!({})).await.1["state"], "completed");
    assert_eq!((app.fake.accepted(), health(&app).await[0].state), (1, HealthState::Ok));
    app
}

async fn what_is_wrong_with_requests_never_rests_a_provider(app: TestApp) -> TestApp {
    let (app, second) = with_second(app).await;
    let customer = app.customer(Mode::Live, 500).await;
    app.fake.on_submit(vec![Step::Reject(FailureCode::InvalidInput); 12]);
    app.fake.on_poll(vec![Step::Fail(FailureCode::ModerationOutput); 8]);
    for _ in 0..20 {
        assert_eq!(made(&app, &customer, json!({})).await.1["state"], "failed");
    }
    assert_eq!((health(&app).await.len(), second.submissions().len()), (0, 0));
    app
}

/// A Reelmeter whose `kie` has two keys.
async fn with_two_keys(app: TestApp) -> (TestApp, Fake, Fake) {
    let key = || Fake::new("kie", app.folder.path().to_owned());
    let (one, other) = (key(), key());
    let instance = instance_of(&[("k1", &one), ("k2", &other)]);
    (with_instance(app, instance).await.with_worker().await, one, other)
}

async fn a_key_that_was_refused_gives_way_to_another_key(app: TestApp) -> TestApp {
    let (app, one, other) = with_two_keys(app).await;
    let customer = app.customer(Mode::Live, 500).await;
    one.on_submit([Step::Reject(FailureCode::Auth)]);
    let (id, task) = made(&app, &customer, json!({})).await;
    assert_eq!(task["state"], "completed");
    let keys: Vec<String> = attempts(&app, &id).await.into_iter().map(|attempt| attempt.endpoint).collect();
    assert_eq!(keys, ["k1", "k2"]);
    made(&app, &customer, json!({})).await;
    assert_eq!((one.submissions().len(), other.accepted()), (1, 2));
    app
}

async fn without_any_key_that_has_money_a_model_is_not_offered(app: TestApp) -> TestApp {
    let (app, one, other) = with_two_keys(app).await;
    let customer = app.customer(Mode::Live, 500).await;
    one.on_submit([Step::Reject(FailureCode::Balance)]);
    other.on_submit([Step::Reject(FailureCode::Balance)]);
    let (_, task) = made(&app, &customer, json!({})).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("provider_unavailable")));
    let refused = app.post(&customer, "/api/ai/video/generate", &wan(json!({}))).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (503, &json!("model_unavailable")));
    assert_eq!(app.balance(&customer).await, (json!(500), json!(0)));
    app
}

async fn a_task_stays_with_the_key_that_it_was_submitted_with(app: TestApp) -> TestApp {
    let (app, one, other) = with_two_keys(app).await;
    let customer = app.customer(Mode::Live, 500).await;
    one.on_poll(vec![Step::Running(10); 1_000]);
    other.on_poll(vec![Step::Running(10); 1_000]);
    let mut ids = Vec::new();
    for _ in 0..4 {
        let id = app.generate(&customer, &wan(json!({}))).await;
        app.wait_for(&customer, &id, &["running"]).await;
        ids.push(id);
    }
    // The keys share the work, and each is asked only about its own.
    assert_eq!((one.accepted(), other.accepted()), (2, 2));
    let app = app.restart().await.with_worker().await;
    one.deliver_from_now_on();
    other.deliver_from_now_on();
    for id in ids {
        assert_eq!(app.finished(&customer, &id).await["state"], "completed");
    }
    assert_eq!((one.polled(), other.polled()), (2, 2));
    app
}
