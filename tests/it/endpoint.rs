//! The native endpoint against the catalog: what each model takes, what is filled in, and what customers are told.

use entity::Mode;
use futures_util::future::join_all;
use reelmeter::video::catalog::{InputMode, Model};
use serde_json::{Value, json};
use tests::{Answer, Customer, TestApp, on_both_engines};

use crate::{sora, wan, with};

on_both_engines!(
    every_model_is_priced_in_each_of_its_modes_and_refused_in_the_others,
    a_model_s_name_says_what_it_is_made_from,
    the_published_models_take_what_their_page_says,
    defaults_are_filled_in_and_shown,
    a_length_that_a_model_does_not_make_is_refused_with_those_it_does,
    only_the_first_image_is_used_and_the_others_are_named_in_a_warning,
    an_alias_is_its_model,
    a_model_that_goes_away_is_announced,
    unknown_fields_are_ignored_with_a_warning,
    quoted_and_bare_idempotency_keys_are_the_same,
);

const GENERATE: &str = "/api/ai/video/generate";
const QUOTE: &str = "/api/ai/video/quote";
const TEXT: &str = "text_to_video";
const IMAGE: &str = "image_to_video";

/// The least that most models ask for in a mode.
fn least(model: &str, mode: InputMode) -> Value {
    let file = |name: &str| json!([format!("https://example.com/{name}")]);
    let media = match mode {
        InputMode::TextToVideo => json!({}),
        InputMode::ImageToVideo => json!({ "inputImageUrls": file("cat.png") }),
        InputMode::ReferenceToVideo => json!({ "referenceImageUrls": file("cat.png") }),
        InputMode::VideoToVideo | InputMode::VideoExtend => json!({ "inputVideoUrls": file("cat.mp4") }),
    };
    with(json!({ "model": model, "inputMode": mode.as_str(), "prompt": "a cat" }), media)
}

fn text(model: &str) -> Value {
    least(model, InputMode::TextToVideo)
}

fn image(model: &str) -> Value {
    least(model, InputMode::ImageToVideo)
}

async fn quote(app: &TestApp, customer: &Customer, body: &Value) -> Answer {
    app.post(customer, QUOTE, body).await
}

/// The fields that a request was refused for.
#[track_caller]
fn wrong_fields(answer: Answer) -> Vec<String> {
    let body = answer.expect(400);
    body["details"]["fieldErrors"].as_object().unwrap().keys().cloned().collect()
}

async fn every_model_is_priced_in_each_of_its_modes_and_refused_in_the_others(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await;
    for model in app.app.video.catalog.models() {
        join_all(InputMode::ALL.map(|mode| priced_or_refused(&app, &customer, model, mode))).await;
    }
    app
}

async fn priced_or_refused(app: &TestApp, customer: &Customer, model: &Model, mode: InputMode) {
    let mut body = least(&model.id, mode);
    if mode == InputMode::ReferenceToVideo && model.max_images == 0 {
        body["referenceVideoUrls"] = json!(["https://example.com/cat.mp4"]);
        body["referenceImageUrls"] = Value::Null;
    }
    let answer = quote(app, customer, &body).await;
    if !model.modes.contains(&mode) {
        let refused = answer.expect(400);
        let told = refused["details"]["fieldErrors"]["inputMode"][0].as_str().unwrap_or_default().to_owned();
        assert!(model.modes.iter().all(|taken| told.contains(taken.as_str())), "{} {mode}: {told}", model.id);
        return;
    }
    assert_eq!(answer.status, 200, "{} {mode}: {:#}", model.id, answer.body);
    let explanation = &answer.body["explanation"];
    assert!(answer.body["credits"].as_f64().unwrap() > 0.0, "{} {mode} costs nothing", model.id);
    assert_eq!(
        (&explanation["model"], &explanation["askedSeconds"], &explanation["count"]),
        (&json!(model.id), &json!(model.default_duration_s), &json!(1))
    );
}

async fn a_model_s_name_says_what_it_is_made_from(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await;
    let ids: Vec<&str> = app.app.video.catalog.models().iter().map(|model| model.id.as_str()).collect();
    for id in ids.iter().filter(|id| id.ends_with("-text-to-video")) {
        quote(&app, &customer, &text(id)).await.expect(200);
        assert_eq!(wrong_fields(quote(&app, &customer, &image(id)).await), ["inputMode"], "{id}");
    }
    for id in ids.iter().filter(|id| id.ends_with("-image-to-video")) {
        quote(&app, &customer, &image(id)).await.expect(200);
        assert_eq!(wrong_fields(quote(&app, &customer, &text(id)).await), ["inputMode"], "{id}");
        let without = with(text(id), json!({ "inputMode": IMAGE }));
        assert_eq!(wrong_fields(quote(&app, &customer, &without).await), ["inputImageUrls"], "{id}");
    }
    app
}

/// Models of the published page, with what each takes there.
const PUBLISHED: [(&str, &[&str]); 16] = [
    ("kling/v2-1-standard", &[IMAGE]),
    ("kling/v2-1-pro", &[IMAGE]),
    ("kling/v2-1-master-text-to-video", &[TEXT]),
    ("sora-2-text-to-video", &[TEXT]),
    ("sora-2-pro-text-to-video", &[TEXT]),
    ("sora-2-image-to-video", &[IMAGE]),
    ("hailuo/02-text-to-video-standard", &[TEXT]),
    ("hailuo/02-text-to-video-pro", &[TEXT]),
    ("hailuo/02-image-to-video-standard", &[IMAGE]),
    ("hailuo/02-image-to-video-pro", &[IMAGE]),
    ("veo3_fast", &[TEXT, IMAGE]),
    ("veo3", &[TEXT, IMAGE]),
    ("veo3_lite", &[TEXT, IMAGE]),
    ("wan/2-6-text-to-video", &[TEXT]),
    ("wan/2-6-image-to-video", &[IMAGE]),
    ("bytedance/seedance-1.5-pro", &[TEXT, IMAGE]),
];

async fn the_published_models_take_what_their_page_says(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await;
    for (id, modes) in PUBLISHED {
        for (mode, body) in [(TEXT, text(id)), (IMAGE, image(id))] {
            let answer = quote(&app, &customer, &body).await;
            match modes.contains(&mode) {
                true => drop(answer.expect(200)),
                false => assert_eq!(wrong_fields(answer), ["inputMode"], "{id} {mode}"),
            }
        }
    }
    app
}

async fn defaults_are_filled_in_and_shown(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100_000).await;
    for (id, modes) in PUBLISHED {
        let body = if modes.contains(&TEXT) { text(id) } else { image(id) };
        let task = app.generate(&customer, &body).await;
        let task = app.get(&customer, &format!("/api/ai/tasks/{task}")).await.expect(200);
        let model = app.app.video.catalog.model(id).unwrap();
        let made =
            ["duration", "resolution", "aspectRatio", "count", "inputMode"].map(|field| task[field].clone());
        let (resolution, ratio) = (model.default_resolution, model.default_aspect_ratio);
        let defaults = [
            json!(model.default_duration_s),
            json!(resolution.to_string()),
            json!(ratio.to_string()),
            json!(1),
            json!(modes[0]),
        ];
        assert_eq!(made, defaults, "{id}");
    }
    app
}

async fn a_length_that_a_model_does_not_make_is_refused_with_those_it_does(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await;
    for (id, wrong, allowed) in [
        ("veo3", 5, "8 seconds"),
        ("sora-2-text-to-video", 6, "5, 10, 15, 20 seconds"),
        ("kling-v3", 16, "3 to 15 seconds"),
    ] {
        let body = with(text(id), json!({ "duration": wrong }));
        let refused = quote(&app, &customer, &body).await.expect(400);
        let told = &refused["details"]["fieldErrors"]["duration"];
        assert_eq!(*told, json!([format!("Allowed for {id}: {allowed}")]));
    }
    app
}

async fn only_the_first_image_is_used_and_the_others_are_named_in_a_warning(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let images = ["cat", "dog", "fox"].map(|name| format!("https://example.com/{name}.png"));
    let body = with(image("veo3"), json!({ "inputImageUrls": images }));
    let warnings = json!(["inputImageUrls: only the first image is used, 2 not sent"]);
    assert_eq!(quote(&app, &customer, &body).await.expect(200)["warnings"], warnings);
    let accepted = app.post(&customer, GENERATE, &body).await.expect(200);
    assert_eq!(accepted["warnings"], warnings);
    let path = format!("/api/ai/tasks/{}", accepted["taskId"].as_str().unwrap());
    assert_eq!(app.get(&customer, &path).await.expect(200)["warnings"], warnings);
    app
}

async fn an_alias_is_its_model(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let models = app.app.video.catalog.models();
    let aliased = models.iter().flat_map(|model| model.aliases.iter().map(move |alias| (alias, model)));
    for (alias, model) in aliased {
        let [of_alias, of_id] = [alias, &model.id].map(|name| least(name, model.modes[0]));
        let of_alias = quote(&app, &customer, &of_alias).await.expect(200);
        let of_id = quote(&app, &customer, &of_id).await.expect(200);
        assert_eq!(
            (&of_alias["credits"], &of_alias["explanation"]),
            (&of_id["credits"], &of_id["explanation"])
        );
    }
    let task = app.generate(&customer, &text("sora-2-2025-12-08")).await;
    let task = app.get(&customer, &format!("/api/ai/tasks/{task}")).await.expect(200);
    assert_eq!(task["model"], json!("sora-2"));
    app
}

async fn a_model_that_goes_away_is_announced(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    for path in [QUOTE, GENERATE] {
        let answer = app.post(&customer, path, &sora(json!({}))).await;
        let header = |name| answer.header(name).map(str::to_owned);
        assert_eq!(header("deprecation").as_deref(), Some("@1774310400"));
        assert_eq!(header("sunset").as_deref(), Some("Thu, 24 Sep 2026 00:00:00 GMT"));
        let link = header("link").unwrap();
        assert!(link.contains("seedance-2-fast") && link.ends_with("rel=\"successor-version\""), "{link}");
        let warnings = answer.expect(200)["warnings"].clone();
        let told = warnings[0].as_str().unwrap();
        assert!(told.contains("retired since 2026-09-24; use bytedance/seedance-2-fast"), "{told}");
        let current = app.post(&customer, path, &wan(json!({}))).await;
        assert_eq!(["deprecation", "sunset", "link"].map(|name| current.header(name)), [None; 3]);
        current.expect(200);
    }
    app
}

async fn unknown_fields_are_ignored_with_a_warning(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let accepted =
        app.post(&customer, GENERATE, &wan(json!({ "aspect_ratio": "9:16", "n": 2 }))).await.expect(200);
    assert_eq!(accepted["warnings"], json!(["Unknown fields are ignored: aspect_ratio, n"]));
    assert_eq!(accepted["creditsUsed"], json!(30));
    app
}

async fn quoted_and_bare_idempotency_keys_are_the_same(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let first = app.post_keyed(&customer, GENERATE, &sora(json!({})), "order-42").await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let first = first.expect(200);
    let again = app.post_keyed(&customer, GENERATE, &sora(json!({})), "\"order-42\"").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["taskId"], first["taskId"]);
    assert_eq!(app.balance(&customer).await, (json!(988), json!(12)));
    app
}
