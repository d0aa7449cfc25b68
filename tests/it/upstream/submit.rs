//! Submissions whose answers are lost, broken, wrong or doubled.

use std::collections::HashSet;
use std::time::Duration;

use entity::attempt::AttemptState;
use serde_json::{Value, json};
use tests::{Call, Ending, Lie, TestApp, Upstream, UpstreamAnswer as Answer, on_both_engines};

use super::{PRICE, SECRET, Stage, error, refuses, says};
use crate::wan;

on_both_engines!(
    whatever_is_said_of_an_accepted_submission_it_runs_once_and_is_charged_once,
    an_answer_that_never_ends_is_not_waited_for,
    what_was_not_accepted_is_sent_again_under_its_key,
    a_refusal_gives_everything_back_and_says_why_in_our_words,
    a_second_answer_on_the_same_connection_is_nobodys,
    an_id_that_another_task_has_is_nobodys,
    of_two_clips_under_one_id_only_one_is_made_and_charged,
    an_upstream_that_accepts_twice_is_charged_once,
    a_key_that_is_refused_for_a_duplicate_was_accepted,
    an_upstream_that_loses_every_submission_is_given_up,
    an_upstream_that_takes_every_submission_and_denies_it_is_given_up,
    submissions_that_upstream_loses_expire_with_the_task,
    what_is_found_under_an_id_that_cannot_be_is_looked_for_again,
    what_is_found_under_the_id_of_another_task_is_nobodys,
    what_waited_until_its_deadline_is_not_sent,
    a_submission_that_nobody_can_find_is_not_sent_again,
);

/// How often a worker sends what upstream says it never got.
const MOST_LOST: usize = 5;

impl Stage {
    /// A task whose submission was taken without an answer and is being looked for, and what upstream says to find it under
    /// an id.
    async fn lose_one(&self) -> (String, impl Fn(Value) -> Lie + use<>) {
        self.upstream.on(Call::Submit, [Lie::End(Ending::Lost)]);
        self.upstream.always(Call::Find, says(503));
        let id = self.generate().await;
        self.upstream.called(Call::Find, 1).await;
        let key = self.upstream.keys().pop().expect("it was sent");
        (id, move |id| Lie::Change(json!({ "jobs": [{ "key": key, "id": id }] })))
    }
}

async fn whatever_is_said_of_an_accepted_submission_it_runs_once_and_is_charged_once(
    app: TestApp,
) -> TestApp {
    let stage = Stage::set(app).await;
    let say = |body| Lie::Say(Answer::json(200, &body));
    let lies = [
        Lie::End(Ending::Lost),
        Lie::End(Ending::Cut),
        Lie::End(Ending::Dripping),
        Lie::Say(Answer::page(200, SECRET)),
        Lie::Say(Answer::json(200, &json!({ "id": "job-1" })).claiming(9)),
        Lie::Say(Answer::page(302, SECRET).with_header("location", "http://127.0.0.1:1/")),
        says(500),
        says(502),
        says(503),
        say(json!(null)),
        say(json!([])),
        say(json!({ "id": null })),
        say(json!({ "id": 7 })),
        say(json!({ "id": ["job-1"] })),
        // No ids either: nothing that could be kept and asked about.
        say(json!({ "id": "" })),
        say(json!({ "id": "job\u{0}1" })),
        say(json!({ "id": "j".repeat(10_000) })),
    ];
    let tasks = lies.len();
    stage.upstream.on(Call::Submit, lies);
    for id in stage.generate_many(tasks).await {
        stage.is_paid(&id).await;
    }
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (tasks, tasks));
    stage.end(PRICE * tasks as i64).await
}

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
    for lie in lies {
        stage.upstream.on(Call::Submit, [lie]);
        let id = stage.generate().await;
        stage.is_paid(&id).await;
    }
    let keys = stage.upstream.keys();
    assert!(keys.chunks(2).all(|sent| sent[0] == sent[1]), "{keys:#?}");
    assert_eq!((keys.len(), stage.upstream.jobs(), stage.upstream.calls(Call::Find)), (2 * tasks, tasks, 3));
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
    let [attempt] = &stage.attempts(&second).await[..] else { panic!("one attempt") };
    assert_eq!((attempt.state, &attempt.upstream_id), (AttemptState::Broken, &None));
    stage.shows(r#"reelmeter_provider_taken_ids_total{provider="kie"} 1"#).await;
    assert_eq!(stage.upstream.calls(Call::Submit), 2);
    stage.is_paid(&first).await;
    stage.end(PRICE).await
}

async fn of_two_clips_under_one_id_only_one_is_made_and_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Submit, Lie::Change(json!({ "id": "job-1" })));
    let id = stage.generate_with(json!({ "count": 2 })).await;
    let task = stage.app.finished(&stage.customer, &id).await;
    let charges = ["held", "captured", "released"].map(|name| task["charges"][name].clone());
    assert_eq!((&task["state"], charges), (&json!("completed"), [2 * PRICE, PRICE, PRICE].map(Into::into)));
    let states: HashSet<_> = stage.attempts(&id).await.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, HashSet::from([AttemptState::Delivered, AttemptState::Broken]));
    assert_eq!(stage.upstream.calls(Call::Submit), 2);
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

async fn an_upstream_that_loses_every_submission_is_given_up(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Submit, Lie::LoseRequest);
    let id = stage.generate().await;
    stage.costs_nothing(&id, "failed", "generation_failed").await;
    assert_eq!((stage.upstream.calls(Call::Submit), stage.upstream.jobs()), (MOST_LOST, 0));
    stage.end(0).await
}

async fn an_upstream_that_takes_every_submission_and_denies_it_is_given_up(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.take_keys_again();
    stage.upstream.always(Call::Submit, Lie::End(Ending::Lost));
    stage.upstream.always(Call::Find, Lie::Change(json!({ "jobs": [] })));
    let id = stage.generate().await;
    stage.costs_nothing(&id, "failed", "generation_failed").await;
    let [attempt] = &stage.attempts(&id).await[..] else { panic!("one attempt") };
    assert_eq!((attempt.state, attempt.sends), (AttemptState::Absent, MOST_LOST as i64));
    assert_eq!((stage.upstream.calls(Call::Submit), stage.upstream.calls(Call::Poll)), (MOST_LOST, 0));
    stage.end(0).await
}

async fn submissions_that_upstream_loses_expire_with_the_task(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.always(Call::Submit, Lie::LoseRequest);
    let id = stage.generate().await;
    stage.upstream.called(Call::Submit, 2).await;
    // Not long enough for anybody but the worker to notice.
    stage.app.advance(3_605);
    stage.costs_nothing(&id, "expired", "expired").await;
    stage.end(0).await
}

async fn what_is_found_under_an_id_that_cannot_be_is_looked_for_again(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let first = stage.generate().await;
    stage.is_paid(&first).await;
    let (second, found) = stage.lose_one().await;
    let ids = [json!(""), json!("job\u{0}2"), json!("j".repeat(10_000)), json!(2)];
    stage.upstream.on(Call::Find, ids.into_iter().map(&found));
    stage.upstream.always(Call::Find, found(json!("job-2")));
    stage.is_paid(&second).await;
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (2, 2));
    stage.end(2 * PRICE).await
}

async fn what_is_found_under_the_id_of_another_task_is_nobodys(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let first = stage.generate().await;
    stage.is_paid(&first).await;
    let (second, found) = stage.lose_one().await;
    stage.upstream.always(Call::Find, found(json!("job-1")));
    stage.costs_nothing(&second, "failed", "generation_failed").await;
    let [attempt] = &stage.attempts(&second).await[..] else { panic!("one attempt") };
    assert_eq!((attempt.state, &attempt.upstream_id), (AttemptState::Broken, &None));
    assert_eq!((stage.upstream.jobs(), stage.upstream.calls(Call::Submit)), (2, 2));
    stage.end(PRICE).await
}

async fn what_waited_until_its_deadline_is_not_sent(app: TestApp) -> TestApp {
    let Stage { app, upstream, worker, customer } = Stage::set(app).await;
    worker.stop().await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.advance(3_605);
    let worker = upstream.worker(&app).await;
    let stage = Stage { app, upstream, worker, customer };
    stage.costs_nothing(&id, "expired", "expired").await;
    assert_eq!(stage.upstream.calls(Call::Submit), 0);
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
