//! Reports that are late, out of order, contradictory, unreadable or about somebody else's job.

use entity::attempt::{self, AttemptState};
use reelmeter::ledger::SettledBy;
use reelmeter::video::settle::Ending;
use serde_json::{Value, json};
use tests::{Call, Ending as Ends, Lie, TestApp, UpstreamAnswer as Answer, on_both_engines};

use super::{PATIENCE, PRICE, SECRET, Stage, error, refuses, says, task_id};

on_both_engines!(
    only_a_readable_verdict_about_the_very_job_ends_a_task,
    reports_out_of_order_never_take_progress_back,
    a_report_that_nobody_asked_for_is_nobodys,
    a_failure_after_success_is_not_heard,
    a_failure_that_a_restart_finds_in_the_place_of_success_costs_nothing,
    a_success_that_is_taken_back_and_said_again_is_charged_once,
    a_success_after_failure_is_not_charged,
    a_success_after_the_end_is_recorded_and_not_charged,
    a_price_that_surprises_us_is_not_the_customers,
    at_the_deadline_upstream_is_told_to_stop,
    what_upstream_delivers_at_the_deadline_is_delivered,
    what_upstream_says_of_a_failure_at_the_deadline_is_told,
    an_upstream_that_says_nothing_any_more_keeps_no_credits,
    a_cancellation_that_upstream_does_not_honour_is_charged_when_it_delivers,
    a_job_that_upstream_stops_by_itself_costs_nothing,
);

fn change(members: Value) -> Lie {
    Lie::Change(members)
}

fn fails() -> Lie {
    let message = format!("node {SECRET} is down");
    change(json!({ "status": "failed", "error": { "code": "internal", "message": message } }))
}

async fn only_a_readable_verdict_about_the_very_job_ends_a_task(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let lies = [
        says(401),
        says(404),
        says(410),
        says(429),
        says(500),
        says(503),
        Lie::End(Ends::Lost),
        Lie::End(Ends::Cut),
        Lie::End(Ends::Dripping),
        Lie::Say(Answer::page(200, "failed")),
        Lie::Say(Answer::json(200, &json!([{ "status": "failed" }]))),
        Lie::Say(Answer::json(200, &json!({ "status": "failed" }))),
        Lie::Say(Answer::json(200, &json!({ "id": "job-99", "status": "failed" }))),
        Lie::Say(Answer::json(200, &json!({ "id": "job-99", "status": "succeeded", "clips": [] }))),
        change(json!({ "status": "baking" })),
        change(json!({ "status": null })),
        change(json!({ "status": 3, "progress": "a lot" })),
        change(json!({ "status": ["failed"] })),
        change(json!({ "clips": null })),
        change(json!({ "clips": { "url": "https://example.com/clip.mp4" } })),
        change(json!({ "clips": [{ "seconds": 5 }] })),
        change(json!({ "clips": [{ "url": 5 }] })),
    ];
    let tasks = lies.len();
    stage.upstream.on(Call::Poll, lies);
    for id in stage.generate_many(tasks).await {
        stage.is_paid(&id).await;
    }
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (tasks, tasks));
    stage.end(PRICE * tasks as i64).await
}

async fn reports_out_of_order_never_take_progress_back(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let at = |progress: Value| change(json!({ "status": "running", "progress": progress }));
    let reports = [json!("80"), json!(20), json!(null), json!([90]), json!(-3), json!(7.5), json!(999)];
    let polls = reports.len() + 2;
    stage.upstream.on(Call::Poll, reports.map(at));
    stage.upstream.on(Call::Poll, [change(json!({ "status": "queued" })), Lie::Wait]);
    let id = stage.generate().await;
    stage.upstream.called(Call::Poll, polls).await;
    let task = stage.app.get(&stage.customer, &format!("/api/ai/tasks/{id}")).await.expect(200);
    assert_eq!((&task["state"], &task["progress"]), (&json!("running"), &json!(75)));
    stage.upstream.go_on();
    stage.is_paid(&id).await;
    stage.end(PRICE).await
}

async fn a_report_that_nobody_asked_for_is_nobodys(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let stray = Answer::json(200, &json!({ "id": "job-2", "status": "failed" }));
    stage.upstream.on(Call::Poll, [Lie::Twice(stray)]);
    for _ in 0..2 {
        let id = stage.generate().await;
        stage.is_paid(&id).await;
    }
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (2, 2));
    stage.end(2 * PRICE).await
}

async fn a_failure_after_success_is_not_heard(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Poll, [change(json!({}))]);
    stage.upstream.always(Call::Poll, fails());
    stage.upstream.on(Call::Fetch, [refuses(503)]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    assert_eq!((stage.upstream.calls(Call::Poll), stage.upstream.calls(Call::Fetch)), (1, 2));
    stage.end(PRICE).await
}

async fn a_failure_that_a_restart_finds_in_the_place_of_success_costs_nothing(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Poll, [change(json!({})), fails()]);
    stage.upstream.always(Call::Fetch, refuses(503));
    let id = stage.generate().await;
    stage.upstream.called(Call::Fetch, 1).await;
    let stage = stage.change_worker().await;
    stage.costs_nothing(&id, "failed", "generation_failed").await;
    assert_eq!((stage.upstream.calls(Call::Poll), stage.upstream.calls(Call::Submit)), (2, 1));
    stage.end(0).await
}

async fn a_success_that_is_taken_back_and_said_again_is_charged_once(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let runs = || change(json!({ "status": "running", "progress": 10 }));
    stage.upstream.on(Call::Poll, [change(json!({})), runs(), runs()]);
    // As often as one worker tries, less one: however many of these each of the two meets.
    stage.upstream.on(Call::Fetch, std::iter::repeat_n(refuses(503), 4));
    let id = stage.generate().await;
    stage.upstream.called(Call::Fetch, 1).await;
    let stage = stage.change_worker().await;
    stage.is_paid(&id).await;
    assert_eq!((stage.upstream.calls(Call::Poll), stage.upstream.calls(Call::Submit)), (4, 1));
    stage.end(PRICE).await
}

async fn a_success_after_failure_is_not_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Poll, [fails()]);
    let id = stage.generate().await;
    let task = stage.costs_nothing(&id, "failed", "generation_failed").await;
    assert_eq!(task["errorMessage"], json!("The provider failed"));
    // Whatever it would say now: the next task's whole way is long enough to be asked again.
    let next = stage.generate().await;
    stage.is_paid(&next).await;
    assert_eq!((stage.upstream.calls(Call::Poll), stage.upstream.jobs()), (2, 2));
    stage.costs_nothing(&id, "failed", "generation_failed").await;
    stage.end(PRICE).await
}

async fn a_success_after_the_end_is_recorded_and_not_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Poll, [Lie::Wait]);
    let id = stage.generate().await;
    stage.upstream.called(Call::Poll, 1).await;
    let video = &stage.app.app.video;
    video.settle(task_id(&id), SettledBy::Operator, Ending::Expired).await.unwrap();
    stage.costs_nothing(&id, "expired", "expired").await;
    stage.upstream.go_on();
    let late = with_cost(&stage, &id).await;
    assert_eq!((late.state, late.cost_micro_usd), (AttemptState::Abandoned, Some(250_000)));
    assert_eq!((late.error_code.as_deref(), late.outcome), (Some("too_late"), None));
    stage.costs_nothing(&id, "expired", "expired").await;
    stage.shows(r#"reelmeter_provider_cost_micro_usd_total{provider="kie",fate="lost"} 250000"#).await;
    assert_eq!(stage.upstream.calls(Call::Fetch), 0);
    stage.end(0).await
}

/// The only attempt of a task, once it is known what it cost.
async fn with_cost(stage: &Stage, id: &str) -> attempt::Model {
    let looking = async {
        loop {
            let [attempt] = &stage.attempts(id).await[..] else { panic!("one attempt") };
            if attempt.cost_micro_usd.is_some() {
                return attempt.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("its cost is recorded")
}

async fn a_price_that_surprises_us_is_not_the_customers(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let prices = [
        (json!(90_000_000), Some(90_000_000)),
        (json!("300000"), Some(300_000)),
        (json!(-5), None),
        (json!(null), None),
        (json!(u64::MAX), None),
    ];
    let charged = PRICE * prices.len() as i64;
    for (said, recorded) in prices {
        stage.upstream.on(Call::Poll, [change(json!({ "cost_micro_usd": said }))]);
        let id = stage.generate().await;
        stage.is_paid(&id).await;
        assert_eq!(stage.attempts(&id).await[0].cost_micro_usd, recorded, "{said}");
    }
    stage.end(charged).await
}

async fn at_the_deadline_upstream_is_told_to_stop(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Poll, change(json!({ "status": "running" })));
    let id = stage.generate().await;
    stage.upstream.called(Call::Poll, 1).await;
    stage.app.advance(3_605);
    stage.costs_nothing(&id, "expired", "expired").await;
    assert_eq!(stage.upstream.calls(Call::Cancel), 1);
    stage.end(0).await
}

async fn what_upstream_delivers_at_the_deadline_is_delivered(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Poll, change(json!({ "status": "running" })));
    stage.upstream.on(Call::Cancel, [Lie::Wait]);
    let id = stage.generate().await;
    stage.upstream.called(Call::Poll, 1).await;
    stage.app.advance(3_605);
    stage.upstream.called(Call::Cancel, 1).await;
    let clips = json!([{ "url": stage.upstream.url("/clips/job-1"), "seconds": 5 }]);
    stage.upstream.always(Call::Poll, change(json!({ "status": "succeeded", "clips": clips })));
    stage.upstream.go_on();
    stage.is_paid(&id).await;
    stage.end(PRICE).await
}

async fn what_upstream_says_of_a_failure_at_the_deadline_is_told(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Poll, change(json!({ "status": "running" })));
    stage.upstream.on(Call::Cancel, [Lie::Wait]);
    let id = stage.generate().await;
    stage.upstream.called(Call::Poll, 1).await;
    stage.app.advance(3_605);
    stage.upstream.called(Call::Cancel, 1).await;
    stage.upstream.always(Call::Poll, fails());
    stage.upstream.go_on();
    stage.costs_nothing(&id, "failed", "generation_failed").await;
    stage.end(0).await
}

async fn an_upstream_that_says_nothing_any_more_keeps_no_credits(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Poll, Lie::End(Ends::Lost));
    stage.upstream.always(Call::Cancel, Lie::End(Ends::Lost));
    let id = stage.generate().await;
    stage.upstream.called(Call::Poll, 1).await;
    stage.app.advance(3_605);
    stage.costs_nothing(&id, "expired", "expired").await;
    stage.end(0).await
}

async fn a_cancellation_that_upstream_does_not_honour_is_charged_when_it_delivers(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Poll, change(json!({ "status": "running" })));
    stage.upstream.always(Call::Cancel, Lie::Refuse(error(409, "too_late")));
    let id = stage.generate().await;
    stage.upstream.called(Call::Poll, 1).await;
    let wish = stage.app.post(&stage.customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await;
    assert_eq!(wish.expect(202)["cancelRequested"], json!(true));
    stage.upstream.called(Call::Cancel, 1).await;
    stage.upstream.always(Call::Poll, change(json!({})));
    stage.is_paid(&id).await;
    stage.end(PRICE).await
}

async fn a_job_that_upstream_stops_by_itself_costs_nothing(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Poll, [change(json!({ "status": "canceled" }))]);
    let id = stage.generate().await;
    stage.costs_nothing(&id, "failed", "generation_failed").await;
    stage.end(0).await
}
