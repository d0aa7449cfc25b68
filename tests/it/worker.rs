//! From a queued task to a stored clip or credits given back, with a provider that does what it is told.

use entity::Mode;
use reelmeter::provider::FailureCode;
use reelmeter::worker::Worker;
use serde_json::{Value, json};
use tests::{Step, TestApp, on_both_engines};

use crate::holes::until;
use crate::wan;

on_both_engines!(
    a_delivered_clip_is_charged_in_full_and_can_be_fetched,
    a_failed_task_gives_everything_back,
    a_refused_submission_gives_everything_back,
    a_clip_that_is_too_short_is_charged_by_its_share,
    of_several_clips_only_the_delivered_ones_are_charged,
    what_is_no_video_is_not_charged,
    a_provider_that_is_busy_is_asked_again,
    a_lost_answer_is_found_again_and_nothing_is_submitted_twice,
    an_answer_that_can_t_be_read_is_found_again_and_nothing_is_submitted_twice,
    a_lost_request_is_sent_again_under_the_same_key,
    a_submission_that_nobody_finds_again_is_never_sent_twice,
    whatever_a_poll_answers_only_a_verdict_ends_the_task,
    a_queued_task_is_canceled_at_once,
    a_running_task_is_canceled_when_the_provider_honours_it,
    a_task_whose_submission_is_being_looked_for_is_canceled_once_it_is_found,
    a_task_that_is_being_stored_completes_though_it_was_canceled,
    a_canceled_task_that_was_done_already_stays_charged,
    a_task_that_is_not_done_in_time_expires_and_gives_everything_back,
    a_restart_in_the_middle_goes_on_with_the_same_submission,
    a_worker_that_stopped_beating_is_taken_over,
);

async fn a_delivered_clip_is_charged_in_full_and_can_be_fetched(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let task = app.finished(&customer, &id).await;
    assert_eq!(
        (&task["state"], &task["status"], &task["creditsUsed"]),
        (&json!("completed"), &json!(1), &json!(30))
    );
    assert_eq!(charges(&task), (json!(30), json!(30), json!(0)));
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    let clip = app.client.get(format!("{}/api/ai/tasks/{id}/content", app.url)).bearer_auth(&customer.key);
    let clip = clip.send().await.unwrap();
    assert_eq!(
        (clip.status().as_u16(), &clip.headers()["content-type"]),
        (200, &"video/mp4".parse().unwrap())
    );
    assert_eq!(&clip.bytes().await.unwrap()[4..8], b"ftyp");
    app
}

/// Held, captured and released.
fn charges(task: &Value) -> (Value, Value, Value) {
    let charges = &task["charges"];
    (charges["held"].clone(), charges["captured"].clone(), charges["released"].clone())
}

async fn a_failed_task_gives_everything_back(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Running(40), Step::Fail(FailureCode::ModerationInput)]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let task = app.finished(&customer, &id).await;
    assert_eq!(
        (&task["status"], &task["errorCode"], &task["creditsRefunded"]),
        (&json!(2), &json!("moderation"), &json!(true))
    );
    assert_eq!((&task["creditsUsed"], charges(&task)), (&json!(0), (json!(30), json!(0), json!(30))));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_refused_submission_gives_everything_back(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_submit([Step::Reject(FailureCode::InvalidInput)]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("invalid_input")));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_clip_that_is_too_short_is_charged_by_its_share(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Deliver(3)]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let task = app.finished(&customer, &id).await;
    assert_eq!(charges(&task), (json!(30), json!(18), json!(12)));
    assert_eq!(app.balance(&customer).await, (json!(82), json!(0)));
    app
}

async fn of_several_clips_only_the_delivered_ones_are_charged(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Fail(FailureCode::Internal)]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({ "count": 3 }))).await;
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], charges(&task)), (&json!("completed"), (json!(90), json!(60), json!(30))));
    let states: Vec<&Value> = task["clips"].as_array().unwrap().iter().map(|clip| &clip["state"]).collect();
    assert_eq!(states.iter().filter(|state| **state == "delivered").count(), 2);
    assert_eq!(states.iter().filter(|state| **state == "failed").count(), 1);
    app
}

async fn what_is_no_video_is_not_charged(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::DeliverGarbage]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("invalid_clip")));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_provider_that_is_busy_is_asked_again(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_submit([Step::Unavailable]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(app.finished(&customer, &id).await["state"], json!("completed"));
    let keys: Vec<String> = app.fake.submissions().into_iter().map(|sent| sent.submit_key).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    app
}

async fn a_lost_answer_is_found_again_and_nothing_is_submitted_twice(app: TestApp) -> TestApp {
    found_again(app, Step::LoseAnswer).await
}

async fn an_answer_that_can_t_be_read_is_found_again_and_nothing_is_submitted_twice(app: TestApp) -> TestApp {
    found_again(app, Step::GarbleAnswer).await
}

async fn found_again(app: TestApp, answer: Step) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_submit([answer]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(app.finished(&customer, &id).await["creditsUsed"], json!(30));
    assert_eq!((app.fake.submissions().len(), app.fake.accepted()), (1, 1));
    app
}

async fn a_lost_request_is_sent_again_under_the_same_key(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_submit([Step::LoseRequest]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(app.finished(&customer, &id).await["creditsUsed"], json!(30));
    let sent = app.fake.submissions();
    assert_eq!((sent.len(), app.fake.accepted()), (2, 1));
    assert_eq!(sent[0].submit_key, sent[1].submit_key);
    app
}

async fn a_submission_that_nobody_finds_again_is_never_sent_twice(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_submit([Step::LoseAnswer]);
    app.fake.on_find(std::iter::repeat_n(Step::Unsure, 100_000));
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    until("it is looked for again", || app.fake.finds_left() < 99_998).await;
    // Nothing comes back while it may still be made.
    assert_eq!(app.balance(&customer).await, (json!(70), json!(30)));
    app.advance(2 * 3_600);
    assert_eq!(app.finished(&customer, &id).await["state"], json!("expired"));
    assert_eq!((app.fake.submissions().len(), app.balance(&customer).await), (1, (json!(100), json!(0))));
    app
}

async fn whatever_a_poll_answers_only_a_verdict_ends_the_task(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let refused = Step::Reject(FailureCode::InvalidInput);
    app.fake.on_poll([refused, Step::Unavailable, Step::LoseAnswer, Step::GarbleAnswer]);
    let customer = app.customer(Mode::Live, 200).await;
    let id = app.generate(&customer, &wan(json!({ "count": 4 }))).await;
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], charges(&task)), (&json!("completed"), (json!(120), json!(120), json!(0))));
    assert_eq!((app.fake.polls_left(), app.fake.submissions().len()), (0, 4));
    app
}

async fn a_queued_task_is_canceled_at_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(200);
    let task = app.finished(&customer, &id).await;
    assert_eq!(
        (&task["state"], &task["status"], &task["errorCode"]),
        (&json!("canceled"), &json!(2), &json!("canceled"))
    );
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    let app = app.with_worker().await;
    app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(200);
    assert_eq!(app.fake.submissions().len(), 0);
    app
}

async fn a_running_task_is_canceled_when_the_provider_honours_it(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Wait]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    let answer = app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(202);
    assert_eq!(answer["cancelRequested"], json!(true));
    app.fake.on_poll(std::iter::repeat_n(Step::Running(50), 100_000));
    app.fake.go_on();
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("canceled"), &json!(0)));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_task_whose_submission_is_being_looked_for_is_canceled_once_it_is_found(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_submit([Step::LoseAnswer]);
    app.fake.on_find([Step::Unsure, Step::Unsure]);
    app.fake.on_poll(std::iter::repeat_n(Step::Running(50), 100_000));
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["reconciling"]).await;
    app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(202);
    assert_eq!(app.finished(&customer, &id).await["state"], json!("canceled"));
    assert_eq!((app.fake.submissions().len(), app.balance(&customer).await.0), (1, json!(100)));
    app
}

async fn a_task_that_is_being_stored_completes_though_it_was_canceled(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::DeliverLater]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["storing"]).await;
    app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(202);
    app.fake.bring();
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    app
}

async fn a_canceled_task_that_was_done_already_stays_charged(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    let task = app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(200);
    assert_eq!(task["state"], json!("completed"));
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    app
}

async fn a_task_that_is_not_done_in_time_expires_and_gives_everything_back(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll(std::iter::repeat_n(Step::Running(10), 100_000));
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    app.advance(2 * 3_600);
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("expired"), &json!("expired")));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_restart_in_the_middle_goes_on_with_the_same_submission(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Wait]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    let waiting = app.fake.clone();
    let app = app.restart().await;
    waiting.go_on();
    let app = app.with_worker().await;
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    assert_eq!((app.fake.submissions().len(), app.fake.accepted()), (1, 1));
    app
}

async fn a_worker_that_stopped_beating_is_taken_over(app: TestApp) -> TestApp {
    // Only processes that share a database can take over from one another.
    if !app.app.db.is_postgres() {
        return app;
    }
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Wait]);
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    // The first worker hangs in its poll. For the second one its heartbeat is an hour old.
    let mut elsewhere = app.app.clone();
    elsewhere.clock = reelmeter::clock::Clock::system();
    elsewhere.clock.advance(600);
    elsewhere.video.clock = elsewhere.clock.clone();
    let second = Worker::start(elsewhere).await.unwrap();
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    app.fake.go_on();
    assert_eq!((app.fake.submissions().len(), app.fake.accepted()), (1, 1));
    second.stop().await;
    app
}
