//! What a request costs and what a provider is sent come from one reading of it: nobody pays for less than is made.

use entity::Mode;
use reelmeter::provider::Submission;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use crate::wan;

on_both_engines!(
    seconds_as_text_are_billed_and_sent_like_the_number,
    what_is_left_out_is_billed_and_sent_as_the_catalog_says,
    a_provider_s_own_words_are_billed_and_sent_as_what_they_mean,
    what_was_not_priced_reaches_no_provider,
    flags_in_a_prompt_are_neither_billed_nor_sent,
);

const GENERATE: &str = "/api/ai/video/generate";

/// What a request cost, and what its provider was sent.
async fn made(app: &TestApp, customer: &Customer, body: &Value) -> (Value, Submission) {
    let accepted = app.post(customer, GENERATE, body).await.expect(200);
    let task = app.finished(customer, accepted["taskId"].as_str().unwrap()).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &accepted["creditsUsed"]));
    (task["creditsUsed"].clone(), app.fake.submissions().pop().expect("it was sent"))
}

fn seconds_and_size(sent: &Submission) -> (u32, &str, (u32, u32)) {
    (sent.duration_s, &sent.resolution, (sent.width, sent.height))
}

async fn seconds_as_text_are_billed_and_sent_like_the_number(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 1_000).await;
    for seconds in [json!(10), json!("10"), json!("10.0")] {
        let (credits, sent) = made(&app, &customer, &wan(json!({ "duration": seconds }))).await;
        assert_eq!((credits, sent.duration_s), (json!(60), 10), "{seconds}");
    }
    app.post(&customer, GENERATE, &wan(json!({ "duration": "10s" }))).await.expect(400);
    assert_eq!(app.fake.submissions().len(), 3);
    app
}

async fn what_is_left_out_is_billed_and_sent_as_the_catalog_says(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let (credits, sent) = made(&app, &customer, &wan(json!({ "duration": null, "resolution": null }))).await;
    assert_eq!((credits, seconds_and_size(&sent)), (json!(45), (5, "1080p", (1_920, 1_080))));
    app
}

async fn a_provider_s_own_words_are_billed_and_sent_as_what_they_mean(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let dear = json!({ "duration": "10", "resolution": "1080P" });
    let body = wan(json!({ "duration": null, "resolution": null, "extra": dear }));
    let (credits, sent) = made(&app, &customer, &body).await;
    assert_eq!((credits, seconds_and_size(&sent)), (json!(90), (10, "1080p", (1_920, 1_080))));
    assert!(sent.extra.is_empty() && sent.options.is_empty(), "{sent:?}");
    // Paying for the cheap one and sending the dear one along.
    for (name, value) in dear.as_object().unwrap() {
        let refused =
            app.post(&customer, GENERATE, &wan(json!({ "extra": { name: value } }))).await.expect(400);
        let reason = refused["details"]["fieldErrors"]["extra"][0].as_str().unwrap();
        assert_eq!(reason, format!("{name} contradicts {name}"));
    }
    assert_eq!(app.balance(&customer).await, (json!(10), json!(0)));
    app
}

async fn what_was_not_priced_reaches_no_provider(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let dear =
        json!({ "duration": 15, "resolution": "1080p", "mode": "pro", "model": "dear", "n_frames": 900 });
    let body = wan(json!({ "metadata": dear, "seconds": 15, "size": "1920x1080", "n": 4 }));
    let (credits, sent) = made(&app, &customer, &body).await;
    assert_eq!((credits, seconds_and_size(&sent)), (json!(30), (5, "720p", (1_280, 720))));
    assert_eq!(
        (sent.model.as_str(), sent.clips, app.fake.submissions().len()),
        ("wan/2-6-text-to-video", 1, 1)
    );
    assert!(sent.extra.is_empty() && sent.options.is_empty(), "{sent:?}");
    for stranger in ["n_frames", "mode", "seconds", "model"] {
        app.post(&customer, GENERATE, &wan(json!({ "extra": { stranger: 15 } }))).await.expect(400);
    }
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    app
}

async fn flags_in_a_prompt_are_neither_billed_nor_sent(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let body = |prompt| json!({ "model": "bytedance/seedance-1.5-pro", "inputMode": "text_to_video", "prompt": prompt });
    let (plain, _) = made(&app, &customer, &body("a boat")).await;
    let (credits, sent) = made(&app, &customer, &body("a boat --dur 12 --rs 1080p")).await;
    assert_eq!((credits, seconds_and_size(&sent)), (plain, (5, "720p", (1_280, 720))));
    assert_eq!(sent.prompt, "a boat");
    let accepted = app.post(&customer, GENERATE, &body("a boat --dur 12")).await.expect(200);
    let warning = "prompt: flags (--word value) are not sent; what can be chosen has a field of its own";
    assert_eq!(accepted["warnings"], json!([warning]));
    let refused = app.post(&customer, GENERATE, &body("--dur 12")).await.expect(400);
    let reason = &refused["details"]["fieldErrors"]["prompt"][0];
    assert_eq!(reason, "Nothing is left of it without its flags (--word value), which are not sent");
    app
}
