//! Test mode from the front door to the downloaded file: real clips, and the failures that a prompt can ask for.
//!
//! Drawing takes time, so only one scenario runs on both engines: where a clip comes from is the same for both.

use std::io::Cursor;

use entity::Mode;
use reelmeter::media::{Probe, probe};
use serde_json::{Value, json};
use tests::{Customer, Engine, TestApp, on_both_engines, run};

use crate::with;

on_both_engines!(a_test_key_gets_a_real_clip_of_the_length_and_size_it_asked_for);

/// Milliseconds of one picture at 24 a second.
const FRAME_MS: u64 = 42;

/// The cheapest clip to draw: 2 s at 480p, 854 × 480.
fn clip(prompt: &str, extra: Value) -> Value {
    let least = json!({
        "model": "doubao-seedance-1-0-lite-t2v-250428", "inputMode": "text_to_video", "prompt": prompt,
        "duration": 2, "resolution": "480p", "aspectRatio": "16:9",
    });
    with(least, extra)
}

/// Submits with a test key and waits for the end.
async fn made(app: &TestApp, customer: &Customer, body: &Value) -> Value {
    let id = app.generate(customer, body).await;
    app.finished(customer, &id).await
}

async fn downloaded(app: &TestApp, clip: &Value) -> Probe {
    let link = clip["url"].as_str().unwrap();
    let bytes = app.client.get(link).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(clip["bytes"], json!(bytes.len()));
    probe(Cursor::new(bytes)).unwrap()
}

#[track_caller]
fn assert_clip(probe: &Probe, seconds: u64, size: (u32, u32)) {
    assert!(probe.millis.abs_diff(seconds * 1_000) <= FRAME_MS, "{} ms instead of {seconds} s", probe.millis);
    assert_eq!((probe.width, probe.height), size);
    assert!(probe.brand_ok);
}

fn credits(task: &Value) -> [i64; 3] {
    ["held", "captured", "released"].map(|name| task["charges"][name].as_i64().unwrap())
}

async fn a_test_key_gets_a_real_clip_of_the_length_and_size_it_asked_for(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let task = made(&app, &customer, &clip("a paper boat", json!({}))).await;
    assert_eq!((&task["state"], &task["clips"].as_array().unwrap().len()), (&json!("completed"), &1));
    assert_clip(&downloaded(&app, &task["clips"][0]).await, 2, (854, 480));
    let [held, captured, released] = credits(&task);
    assert!(held > 0);
    assert_eq!((captured, released), (held, 0));
    assert_eq!(app.balance(&customer).await, (json!(1_000 - held), json!(0)));
    assert_eq!(task["attempts"][0]["provider"], json!("sandbox"));
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portrait_with_a_chinese_prompt_is_drawn_too() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 1_000).await;
        let body = clip("一只狐狸跳过小溪，慢镜头", json!({ "aspectRatio": "9:16" }));
        let task = made(&app, &customer, &body).await;
        assert_eq!(task["prompt"], json!("一只狐狸跳过小溪，慢镜头"));
        assert_clip(&downloaded(&app, &task["clips"][0]).await, 2, (480, 854));
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_the_prompt_asks_for_gives_everything_back() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 1_000).await;
        for (prompt, code) in
            [("a fox [sandbox:fail]", "generation_failed"), ("a fox [sandbox:moderation]", "moderation")]
        {
            let task = made(&app, &customer, &clip(prompt, json!({}))).await;
            assert_eq!((&task["status"], &task["state"]), (&json!(2), &json!("failed")), "{prompt}");
            assert_eq!(
                (&task["errorCode"], &task["creditsRefunded"]),
                (&json!(code), &json!(true)),
                "{prompt}"
            );
            assert_eq!((&task["videoUrl"], &task["creditsUsed"]), (&json!(null), &json!(0)), "{prompt}");
            assert_eq!(app.balance(&customer).await, (json!(1_000), json!(0)), "{prompt}");
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_clip_is_delivered_and_charged_by_its_share() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 1_000).await;
        let body = clip("a fox [sandbox:short=3]", json!({ "duration": 6 }));
        let task = made(&app, &customer, &body).await;
        assert_clip(&downloaded(&app, &task["clips"][0]).await, 3, (854, 480));
        let [held, captured, released] = credits(&task);
        assert_eq!((task["state"].clone(), captured + released), (json!("completed"), held));
        assert_eq!(captured, (held * 3 + 5) / 6, "half of it, rounded up to whole credits");
        assert_eq!(app.balance(&customer).await, (json!(1_000 - captured), json!(0)));
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_and_polls_that_fail_cost_nothing_but_time() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 1_000).await;
        for prompt in ["a fox [sandbox:lost]", "a fox [sandbox:flaky=2]"] {
            let before = app.balance(&customer).await.0.as_i64().unwrap();
            let task = made(&app, &customer, &clip(prompt, json!({}))).await;
            assert_eq!(task["state"], json!("completed"), "{prompt}");
            assert_clip(&downloaded(&app, &task["clips"][0]).await, 2, (854, 480));
            assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{prompt}: submitted twice");
            let [held, captured, _] = credits(&task);
            assert_eq!(captured, held, "{prompt}");
            assert_eq!(app.balance(&customer).await, (json!(before - held), json!(0)), "{prompt}");
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clips_the_one_that_fails_is_not_charged() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 1_000).await;
        let task = made(&app, &customer, &clip("a fox [sandbox:fail=1]", json!({ "count": 2 }))).await;
        let states: Vec<&Value> =
            task["clips"].as_array().unwrap().iter().map(|clip| &clip["state"]).collect();
        assert_eq!(states, [&json!("delivered"), &json!("failed")]);
        assert_eq!((&task["state"], &task["creditsRefunded"]), (&json!("completed"), &json!(false)));
        assert_clip(&downloaded(&app, &task["clips"][0]).await, 2, (854, 480));
        let [held, captured, released] = credits(&task);
        assert_eq!((captured * 2, released * 2), (held, held));
        assert_eq!(app.balance(&customer).await, (json!(1_000 - captured), json!(0)));
        app
    })
    .await;
}
