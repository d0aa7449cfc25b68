//! The jobs dialect: `/api/v1/jobs`.

use entity::Mode;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, Customer, TestApp, on_both_engines};

use crate::errors::{refused, request};
use crate::{sora, wan};

on_both_engines!(
    a_task_is_created_polled_and_paid_for,
    a_task_that_failed_says_why_and_costs_nothing,
    a_model_s_own_names_have_the_effect_that_they_have_there,
    what_was_asked_for_is_told_as_it_is_made,
    a_request_sent_again_is_the_same_task,
    a_task_of_any_dialect_is_read_here_and_a_stranger_s_is_not,
    refusals_are_told_in_this_dialect,
);

const CREATE: &str = "/api/v1/jobs/createTask";

async fn create(app: &TestApp, customer: &Customer, model: &str, input: Value) -> Answer {
    app.post(customer, CREATE, &json!({ "model": model, "input": input })).await
}

async fn created(app: &TestApp, customer: &Customer, model: &str, input: Value) -> String {
    let answer = create(app, customer, model, input).await.expect(200);
    assert_eq!((&answer["code"], &answer["msg"]), (&json!(200), &json!("success")));
    answer["data"]["taskId"].as_str().unwrap().to_owned()
}

async fn record(app: &TestApp, customer: &Customer, id: &str) -> Value {
    let answer = app.get(customer, &format!("/api/v1/jobs/recordInfo?taskId={id}")).await.expect(200);
    assert_eq!((&answer["code"], &answer["msg"]), (&json!(200), &json!("success")));
    answer["data"].clone()
}

async fn credits(app: &TestApp, customer: &Customer) -> Value {
    app.get(customer, "/api/v1/chat/credit").await.expect(200)["data"].clone()
}

fn json_of(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

async fn a_task_is_created_polled_and_paid_for(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let input = json!({ "prompt": "a paper boat", "duration": "5", "resolution": "720p" });
    let id = created(&app, &customer, "wan/2-6-text-to-video", input).await;
    assert!(id.starts_with("task_") && id.len() == 31, "{id}");
    assert_eq!(credits(&app, &customer).await, json!(70));
    let answer = app.get(&customer, &format!("/api/v1/jobs/recordInfo?taskId={id}")).await;
    assert_eq!(answer.header("retry-after"), Some("2"));
    let waiting = answer.expect(200)["data"].clone();
    assert_eq!((&waiting["taskId"], &waiting["state"]), (&json!(id), &json!("waiting")));
    let told = ["resultJson", "failCode", "failMsg", "costTime", "completeTime", "creditsConsumed"];
    let told = told.map(|name| waiting[name].clone());
    assert_eq!(told, [json!(""), Value::Null, Value::Null, Value::Null, Value::Null, json!(0)]);
    let app = app.with_worker().await;
    app.finished(&customer, &id).await;
    let done = record(&app, &customer, &id).await;
    assert_eq!((&done["state"], &done["creditsConsumed"]), (&json!("success"), &json!(30)));
    let urls = json_of(&done["resultJson"])["resultUrls"].clone();
    let clip = app.client.get(urls[0].as_str().unwrap()).send().await.unwrap();
    assert_eq!((clip.status().as_u16(), urls.as_array().unwrap().len()), (200, 1));
    let times = ["createTime", "completeTime", "costTime"].map(|name| done[name].as_i64().unwrap());
    assert_eq!(times[0] + times[2], times[1]);
    assert_eq!(credits(&app, &customer).await, json!(70));
    app
}

async fn a_task_that_failed_says_why_and_costs_nothing(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let input = json!({ "prompt": "a fox [sandbox:moderation]", "duration": "5" });
    let id = created(&app, &customer, "wan/2-6-text-to-video", input).await;
    app.finished(&customer, &id).await;
    let failed = record(&app, &customer, &id).await;
    let told = ["state", "failCode", "resultJson", "creditsConsumed"].map(|name| failed[name].clone());
    assert_eq!(told, [json!("fail"), json!("moderation"), json!(""), json!(0)]);
    assert!(failed["failMsg"].is_string() && failed["completeTime"].is_i64());
    assert_eq!(credits(&app, &customer).await, json!(100));
    app
}

async fn a_model_s_own_names_have_the_effect_that_they_have_there(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100_000).await;
    let url = "https://example.com/a.png";
    for (model, input, told) in [
        (
            "sora-2-text-to-video",
            json!({ "prompt": "a fox", "n_frames": "15", "aspect_ratio": "portrait", "remove_watermark": true }),
            (15, "720p", "9:16"),
        ),
        (
            "sora-2-pro-text-to-video",
            json!({ "prompt": "a fox", "n_frames": "10", "size": "high" }),
            (10, "1080p", "16:9"),
        ),
        (
            "kling-3.0/video",
            json!({ "prompt": "a fox", "duration": "5", "mode": "std", "sound": false, "aspect_ratio": "1:1", "multi_shots": false }),
            (5, "720p", "1:1"),
        ),
        (
            "veo3_fast",
            json!({ "prompt": "a fox", "imageUrls": [url, url], "duration": 8, "aspect_ratio": "9:16", "seeds": 12345 }),
            (8, "720p", "9:16"),
        ),
        (
            "bytedance/seedance-2",
            json!({ "prompt": "a fox", "first_frame_url": url, "resolution": "480p", "aspect_ratio": "adaptive", "generate_audio": true }),
            (5, "480p", "auto"),
        ),
    ] {
        let id = created(&app, &customer, model, input).await;
        let task = app.get(&customer, &format!("/api/ai/tasks/{id}")).await.expect(200);
        let (seconds, resolution, ratio) = told;
        let expected = [json!(seconds), json!(resolution), json!(ratio)];
        assert_eq!(
            ["duration", "resolution", "aspectRatio"].map(|name| task[name].clone()),
            expected,
            "{model}"
        );
    }
    app
}

async fn what_was_asked_for_is_told_as_it_is_made(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let (image, video) = ("https://example.com/a.png", "https://example.com/a.mp4");
    let body = json!({
        "model": "wan/2-7-videoedit", "callBackUrl": "https://example.com/hook",
        "input": { "prompt": "a fox", "video_url": video, "reference_image": image, "prompt_extend": false, "seed": -1 },
    });
    let answer = app.post(&customer, CREATE, &body).await.expect(200);
    let param = json_of(&record(&app, &customer, answer["data"]["taskId"].as_str().unwrap()).await["param"]);
    let expected = json!({
        "model": "wan/2-7-videoedit", "callBackUrl": "https://example.com/hook",
        "input": {
            "prompt": "a fox", "duration": 5, "resolution": "1080p", "aspect_ratio": "auto", "generate_audio": false, "n": 1,
            "video_urls": [video], "reference_image_urls": [image], "prompt_extend": false,
        },
    });
    assert_eq!(param, expected);
    // What it tells can be ordered again.
    let again = app.post(&customer, CREATE, &expected).await.expect(200);
    let again = record(&app, &customer, again["data"]["taskId"].as_str().unwrap()).await;
    assert_eq!(json_of(&again["param"]), expected);
    app
}

async fn a_request_sent_again_is_the_same_task(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let body = |prompt: &str| json!({ "model": "wan/2-6-text-to-video", "input": { "prompt": prompt } });
    let first = app.post_keyed(&customer, CREATE, &body("a fox"), "k").await;
    let location = first.header("location").unwrap().to_owned();
    let first = first.expect(200);
    assert_eq!(app.get(&customer, &location).await.expect(200)["data"]["taskId"], first["data"]["taskId"]);
    let again = app.post_keyed(&customer, CREATE, &body("a fox"), "k").await;
    assert_eq!(
        (again.header("idempotent-replayed"), again.header("x-should-retry")),
        (Some("true"), Some("false"))
    );
    assert_eq!(again.expect(200), first);
    let refused = app.post_keyed(&customer, CREATE, &body("a dog"), "k").await.expect(422);
    assert_eq!((&refused["code"], &refused["data"]), (&json!(422), &Value::Null));
    app
}

async fn a_task_of_any_dialect_is_read_here_and_a_stranger_s_is_not(app: TestApp) -> TestApp {
    let (customer, stranger) = (app.customer(Mode::Live, 100).await, app.customer(Mode::Live, 100).await);
    let native = app.generate(&customer, &wan(json!({}))).await;
    let id = record(&app, &customer, &native).await["taskId"].as_str().unwrap().to_owned();
    assert_eq!(id, native.replace("tsk_", "task_").to_lowercase());
    let uuid = app.post(&customer, "/api/actions/ai.video.query", &json!({ "taskId": id })).await.expect(200);
    for spelling in [&native, &id, uuid["taskId"].as_str().unwrap()] {
        assert_eq!(record(&app, &customer, spelling).await["taskId"], json!(id));
        let path = format!("/api/v1/jobs/recordInfo?taskId={spelling}");
        let refused = app.get(&stranger, &path).await.expect(404);
        assert_eq!((&refused["code"], &refused["data"]), (&json!(404), &Value::Null));
    }
    let own = created(&app, &customer, "wan/2-6-text-to-video", json!({ "prompt": "a fox" })).await;
    for path in ["/api/ai/tasks", "/v1/videos"] {
        app.get(&customer, &format!("{path}/{own}")).await.expect(200);
        app.get(&stranger, &format!("{path}/{own}")).await.expect(404);
    }
    app
}

async fn refusals_are_told_in_this_dialect(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 5).await;
    let post = || request(&app, &customer, Method::POST, CREATE);
    let order = |model: &str, input: Value| post().json(&json!({ "model": model, "input": input }));
    let wan = "wan/2-6-text-to-video";
    let of = |path: &str| request(&app, &customer, Method::GET, path);
    let by_nobody = app.client.post(format!("{}{CREATE}", app.url));
    let cases: Vec<(&str, RequestBuilder)> = vec![
        ("400_nothing", post().json(&json!({}))),
        ("400_input", post().json(&json!({ "model": wan, "input": "a fox" }))),
        ("400_duration", order(wan, json!({ "prompt": "a fox", "duration": "7" }))),
        ("400_own_duration", order("sora-2-text-to-video", json!({ "prompt": "a fox", "n_frames": "7" }))),
        ("400_key", order(wan, json!({ "prompt": "a fox", "web_search": true }))),
        ("400_image_missing", order("kling-2.6/image-to-video", json!({ "prompt": "a fox" }))),
        ("400_model_unknown", order("wan/2-6-txt-to-video", json!({ "prompt": "a fox" }))),
        (
            "400_callback",
            post().json(&json!({ "model": wan, "input": { "prompt": "a fox" }, "callBackUrl": "ftp://a" })),
        ),
        (
            "400_capability",
            post().json(&json!({ "model": wan, "input": { "prompt": "a fox" }, "capability": "image" })),
        ),
        ("400_json", post().header("content-type", "application/json").body("{")),
        ("400_task_missing", of("/api/v1/jobs/recordInfo")),
        ("401", by_nobody.json(&json!({ "model": wan, "input": { "prompt": "a fox" } }))),
        ("402", order(wan, json!({ "prompt": "a fox" }))),
        ("404_task", of("/api/v1/jobs/recordInfo?taskId=task_01j9xa5m2r9w4qzc4pyjf3n7nd")),
        ("404_path", of("/api/v1/jobs/nothing")),
        ("405", of(CREATE)),
        ("415", post().body("model=wan")),
    ];
    for (name, request) in cases {
        refused(&app, &customer, &format!("jobs_{name}"), request).await;
    }
    let live = app.customer(Mode::Live, 100).await;
    let retired = request(&app, &live, Method::POST, CREATE);
    let retired = retired.json(&json!({ "model": sora(json!({}))["model"], "input": { "prompt": "a fox" } }));
    refused(&app, &live, "jobs_400_model_retired", retired).await;
    app
}
