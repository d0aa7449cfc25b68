//! Submissions whose answers are lost, broken, wrong or doubled.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tests::{Call, Ending, Lie, TestApp, Upstream, UpstreamAnswer as Answer, on_both_engines};

use super::{PRICE, Stage, error, refuses, says};

on_both_engines!(
    an_answer_that_never_ends_is_not_waited_for,
    what_was_not_accepted_is_sent_again_under_its_key,
    a_refusal_gives_everything_back_and_says_why_in_our_words,
    a_second_answer_on_the_same_connection_is_nobodys,
    an_id_that_another_task_has_is_nobodys,
    an_upstream_that_accepts_twice_is_charged_once,
    a_key_that_is_refused_for_a_duplicate_was_accepted,
    an_upstream_that_loses_every_submission_is_not_pressed_and_the_task_expires,
    a_submission_that_nobody_can_find_is_not_sent_again,
);

async fn an_answer_that_never_ends_is_not_waited_for(app: TestApp) -> TestApp {
    let upstream = Upstream::start().await;
    let worker = upstream.hasty_worker(&app, Duration::from_millis(500)).await;
    let stage = Stage::with(app, upstream, worker).await;
    stage.upstream.on(Call::Submit, [Lie::End(Ending::Stuck)]);
    stage.upstream.on(Call::Find, [Lie::End(Ending::Stuck)]);
    stage.upstream.on(Call::Poll, [Lie::End(Ending::Stuck)]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (1, 1));
    stage.end(PRICE).await
}

async fn what_was_not_accepted_is_sent_again_under_its_key(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let busy = Lie::Refuse(error(429, "slow_down").with_header("retry-after", "0"));
    // The last three may have been accepted for all we know; that they were not is found out.
    let lies = [refuses(401), refuses(402), refuses(404), busy, Lie::LoseRequest, refuses(500), refuses(503)];
    let tasks = lies.len();
    stage.upstream.on(Call::Submit, lies);
    for id in stage.generate_many(tasks).await {
        stage.is_paid(&id).await;
    }
    let mut sends = BTreeMap::new();
    stage.upstream.keys().into_iter().for_each(|key| *sends.entry(key).or_insert(0) += 1);
    assert_eq!(sends.into_values().collect::<Vec<_>>(), vec![2; tasks]);
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Find)), (tasks, 3));
    stage.end(PRICE * tasks as i64).await
}

async fn a_refusal_gives_everything_back_and_says_why_in_our_words(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    for (status, theirs, ours) in [
        (400, "invalid_input", "invalid_input"),
        (422, "moderation", "moderation"),
        (422, "quota_of_the_reseller", "generation_failed"),
    ] {
        stage.upstream.on(Call::Submit, [Lie::Refuse(error(status, theirs))]);
        let id = stage.generate().await;
        stage.costs_nothing(&id, "failed", ours).await;
    }
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (0, 3));
    stage.end(0).await
}

async fn a_second_answer_on_the_same_connection_is_nobodys(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let stray = Answer::json(200, &json!({ "id": "job-77" }));
    stage.upstream.on(Call::Submit, [Lie::Twice(stray.clone()), Lie::Twice(stray)]);
    for n in 1..=3 {
        let id = stage.generate().await;
        stage.is_paid(&id).await;
        assert_eq!(stage.attempts(&id).await[0].upstream_id, Some(format!("job-{n}")));
    }
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (3, 3));
    stage.end(3 * PRICE).await
}

async fn an_id_that_another_task_has_is_nobodys(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let first = stage.generate().await;
    stage.is_paid(&first).await;
    stage.upstream.on(Call::Submit, [Lie::Change(json!({ "id": "job-1" }))]);
    let second = stage.generate().await;
    stage.costs_nothing(&second, "failed", "generation_failed").await;
    assert_eq!(stage.upstream.calls(Call::Submit), 2);
    stage.is_paid(&first).await;
    stage.end(PRICE).await
}

async fn an_upstream_that_accepts_twice_is_charged_once(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.take_keys_again();
    stage.upstream.on(Call::Submit, [Lie::End(Ending::Lost)]);
    stage.upstream.on(Call::Find, [Lie::Change(json!({ "jobs": [] }))]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    let keys = stage.upstream.keys();
    assert_eq!((keys.len(), &keys[0], stage.upstream.jobs()), (2, &keys[1], 2));
    stage.end(PRICE).await
}

async fn a_key_that_is_refused_for_a_duplicate_was_accepted(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Submit, [Lie::End(Ending::Lost)]);
    stage.upstream.on(Call::Find, [Lie::Change(json!({ "jobs": [] }))]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    assert_eq!((stage.upstream.calls(Call::Submit), stage.upstream.jobs()), (2, 1));
    stage.end(PRICE).await
}

async fn an_upstream_that_loses_every_submission_is_not_pressed_and_the_task_expires(
    app: TestApp,
) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Submit, Lie::LoseRequest);
    let id = stage.generate().await;
    stage.upstream.called(Call::Submit, 2).await;
    // Not long enough for anybody but the worker to notice.
    stage.app.advance(3_605);
    stage.costs_nothing(&id, "expired", "expired").await;
    let sent = stage.upstream.calls(Call::Submit);
    assert!(sent < 20, "sent {sent} times");
    stage.end(0).await
}

async fn a_submission_that_nobody_can_find_is_not_sent_again(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Submit, [Lie::End(Ending::Lost)]);
    stage
        .upstream
        .on(Call::Find, [says(500), Lie::Say(Answer::json(200, &json!({ "jobs": null }))), says(404)]);
    stage.upstream.always(Call::Find, says(503));
    let id = stage.generate().await;
    stage.upstream.called(Call::Find, 4).await;
    stage.app.advance(3_605);
    stage.costs_nothing(&id, "expired", "expired").await;
    assert_eq!((stage.upstream.calls(Call::Submit), stage.upstream.jobs()), (1, 1));
    stage.end(0).await
}
