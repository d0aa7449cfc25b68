//! The actions dialect: `/api/actions`.

use std::time::Duration;

use entity::{Mode, TaskId};
use reelmeter::customer::caller::VIDEOS_READ;
use reelmeter::customer::key::NewKey;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, Customer, TestApp, on_both_engines};

use crate::errors::{another_key, full_rights, refused, request};
use crate::{wan, with};

on_both_engines!(
    the_published_examples_work_as_they_are_written,
    a_wait_that_is_over_is_answered_with_the_task_that_goes_on,
    hanging_up_ends_the_wait_and_not_the_task,
    an_account_that_waits_too_often_is_answered_at_once,
    each_scene_has_a_model_of_its_own,
    inputs_come_as_lists_or_with_commas_between_them,
    options_are_fields_of_ours_or_a_provider_s_keys,
    what_was_quoted_is_bought_at_that_price_once,
    a_provider_is_the_only_one_that_may_make_it,
    tasks_are_found_by_their_workspace,
    a_request_sent_again_is_the_same_task,
    a_task_that_made_no_video_says_why,
    a_task_of_any_dialect_is_read_here_and_everywhere,
    each_schema_takes_what_the_action_takes,
    refusals_are_told_in_this_dialect,
);

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const ACTIONS: &str = "/api/actions";
const IMAGE: &str = "https://example.com/reference.jpg";
/// A PNG of one pixel.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const VIDEO: &str = "https://example.com/walk.mp4";

async fn call(app: &TestApp, customer: &Customer, action: &str, body: &Value) -> Answer {
    app.post(customer, &format!("{ACTIONS}/{action}"), body).await
}

async fn generate(app: &TestApp, customer: &Customer, body: &Value) -> Value {
    call(app, customer, "ai.video.generate", body).await.expect(200)
}

async fn query(app: &TestApp, customer: &Customer, id: &str) -> Value {
    call(app, customer, "ai.video.query", &json!({ "taskId": id })).await.expect(200)
}

fn id(answer: &Value) -> String {
    answer["taskId"].as_str().unwrap_or_else(|| panic!("no task in {answer:#}")).to_owned()
}

/// Every member of `data` stands beside it as well.
fn says_everything_twice(answer: &Value) {
    assert_eq!((&answer["code"], &answer["message"]), (&json!(0), &json!("ok")));
    for (name, value) in answer["data"].as_object().unwrap() {
        assert_eq!(&answer[name], value, "{name}");
    }
}

async fn the_published_examples_work_as_they_are_written(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let send = |action: &str, body: String| {
        let request = request(&app, &customer, Method::POST, &format!("{ACTIONS}/{action}"));
        async move {
            let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.json::<Value>().await.unwrap()
        }
    };
    let blocking = r#"{"prompt":"ocean waves at sunset","scene":"text-to-video","timeoutMs":600000}"#;
    let done = send("ai.video.generate_and_wait", blocking.to_owned()).await;
    says_everything_twice(&done);
    assert_eq!(done["status"], json!("success"), "{done:#}");
    assert_eq!((&done["provider"], &done["model"]), (&json!("kie"), &json!("bytedance/seedance-2-mini")));
    assert_eq!(done["videoUrl"], done["url"]);
    let clip = app.client.get(done["videoUrl"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(&clip.bytes().await.unwrap()[4..8], b"ftyp");
    let created =
        send("ai.video.generate", r#"{"prompt":"ocean waves at sunset","scene":"text-to-video"}"#.to_owned())
            .await;
    says_everything_twice(&created);
    let uuid = id(&created);
    assert_eq!(uuid.parse::<TaskId>().unwrap().0.to_string(), uuid);
    let read = send("ai.video.query", format!(r#"{{"taskId":"{uuid}"}}"#)).await;
    says_everything_twice(&read);
    assert_eq!((&read["taskId"], &read["scene"]), (&created["taskId"], &json!("text-to-video")));
    app.finished(&customer, &uuid).await;
    app
}

async fn a_wait_that_is_over_is_answered_with_the_task_that_goes_on(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let body = json!({ "prompt": "a fox [sandbox:hang]", "timeoutMs": 50 });
    let answer = call(&app, &customer, "ai.video.generate_and_wait", &body).await;
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), (Some("2"), Some("false")));
    let late = answer.expect(200);
    assert!(["pending", "processing"].contains(&late["status"].as_str().unwrap()), "{late:#}");
    assert!(late["creditsUsed"].as_f64().unwrap() > 0.0);
    app.wait_for(&customer, &id(&late), &["running"]).await;
    assert_eq!(query(&app, &customer, &id(&late)).await["status"], json!("processing"));
    app
}

async fn listening(app: &TestApp, customer: &Customer, count: usize) {
    let waiting = async {
        while app.app.news.listeners(customer.account) != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("so many wait in time");
}

async fn hanging_up_ends_the_wait_and_not_the_task(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let path = format!("{ACTIONS}/ai.video.generate_and_wait");
    let waiting = request(&app, &customer, Method::POST, &path).json(&json!({ "prompt": "a fox" })).send();
    let waiting = tokio::spawn(waiting);
    listening(&app, &customer, 1).await;
    waiting.abort();
    listening(&app, &customer, 0).await;
    let tasks = app.get(&customer, "/api/ai/tasks").await.expect(200)["data"].clone();
    assert_eq!((tasks.as_array().unwrap().len(), &tasks[0]["state"]), (1, &json!("queued")));
    assert_eq!(app.balance(&customer).await.1, tasks[0]["creditsUsed"]);
    app
}

async fn an_account_that_waits_too_often_is_answered_at_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let places: Vec<_> = std::iter::from_fn(|| app.app.news.listen(customer.account)).collect();
    assert!(!places.is_empty());
    let body = json!({ "prompt": "a fox" });
    let answer = call(&app, &customer, "ai.video.generate_and_wait", &body).await.expect(200);
    assert_eq!(answer["status"], json!("pending"));
    app
}

async fn each_scene_has_a_model_of_its_own(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 10_000).await;
    let text = "bytedance/seedance-2-mini";
    for (body, model, scene, mode) in [
        (json!({}), text, "text-to-video", "text_to_video"),
        (json!({ "scene": "text-to-video" }), text, "text-to-video", "text_to_video"),
        (
            json!({ "scene": "image-to-video", "imageInput": IMAGE }),
            "wan/2-7-image-to-video",
            "image-to-video",
            "image_to_video",
        ),
        (
            json!({ "scene": "video-to-video", "videoInput": [VIDEO] }),
            "wan/2-7-videoedit",
            "video-to-video",
            "video_to_video",
        ),
        (json!({ "scene": "ad-video" }), text, "ad-video", "text_to_video"),
        (
            json!({ "scene": "ad-video", "imageInput": [IMAGE] }),
            "wan/2-7-image-to-video",
            "ad-video",
            "image_to_video",
        ),
        (
            json!({ "scene": "image-to-video", "model": "happyhorse/reference-to-video", "imageInput": IMAGE }),
            "happyhorse/reference-to-video",
            "image-to-video",
            "reference_to_video",
        ),
    ] {
        let body = with(json!({ "prompt": "a fox" }), body);
        let made = generate(&app, &customer, &body).await;
        let told = ["model", "provider", "scene", "status"].map(|name| made[name].as_str().unwrap());
        assert_eq!(told, [model, "kie", scene, "pending"], "{body}");
        let task = app.get(&customer, &format!("/api/ai/tasks/{}", id(&made))).await.expect(200);
        assert_eq!(task["inputMode"], json!(mode), "{body}");
    }
    app
}

/// The input of a task, in the words of the jobs dialect.
async fn input(app: &TestApp, customer: &Customer, id: &str) -> Value {
    let record = app.get(customer, &format!("/api/v1/jobs/recordInfo?taskId={id}")).await.expect(200);
    let param: Value = serde_json::from_str(record["data"]["param"].as_str().unwrap()).unwrap();
    param["input"].clone()
}

async fn inputs_come_as_lists_or_with_commas_between_them(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 10_000).await;
    let (one, other) = ("https://example.com/w_10,h_10/1.png", "https://example.com/2.png");
    for images in [json!(format!("{one},{other}")), json!(format!("{one} , {other}")), json!([one, other])] {
        let body = json!({ "prompt": "a fox", "scene": "image-to-video", "imageInput": images });
        let made = generate(&app, &customer, &body).await;
        let input = input(&app, &customer, &id(&made)).await;
        // The model takes a last frame.
        assert_eq!(
            (&input["image_urls"], &input["last_frame_url"]),
            (&json!([one]), &json!([other])),
            "{images}"
        );
    }
    let body = json!({
        "prompt": "a fox", "scene": "video-to-video", "model": "bytedance/seedance-2",
        "imageInput": format!("{one},{other}"), "videoInput": VIDEO,
    });
    let made = generate(&app, &customer, &body).await;
    let input = input(&app, &customer, &id(&made)).await;
    assert_eq!(
        (&input["reference_image_urls"], &input["video_urls"]),
        (&json!([one, other]), &json!([VIDEO]))
    );
    app
}

async fn options_are_fields_of_ours_or_a_provider_s_keys(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 10_000).await;
    let options = json!({
        "duration": "8", "resolution": "480p", "aspectRatio": "9:16", "generateAudio": false, "count": 2,
        "nsfw_checker": true, "externalTaskId": "order-42",
    });
    let beside = json!({
        "duration": 8, "resolution": "480p", "aspectRatio": "9:16", "generateAudio": false, "count": 2,
        "externalTaskId": "order-42", "options": { "nsfw_checker": true },
    });
    for body in [json!({ "options": options }), beside] {
        let made = generate(&app, &customer, &with(json!({ "prompt": "a fox" }), body)).await;
        let task = app.get(&customer, &format!("/api/ai/tasks/{}", id(&made))).await.expect(200);
        let told = ["duration", "resolution", "aspectRatio", "count", "externalTaskId"]
            .map(|name| task[name].clone());
        assert_eq!(told, [json!(8), json!("480p"), json!("9:16"), json!(2), json!("order-42")]);
        let input = input(&app, &customer, &id(&made)).await;
        assert_eq!((&input["generate_audio"], &input["nsfw_checker"]), (&json!(false), &json!(true)));
    }
    for (options, message) in [
        (
            json!({ "duration": 99 }),
            "options.duration: Allowed for bytedance/seedance-2-mini: 4 to 15 seconds",
        ),
        (json!({ "aspectRatio": "7:3" }), "options.aspectRatio: Allowed for bytedance/seedance-2-mini: "),
        (json!({ "seed": "x" }), "options: seed can't be read as seed"),
        (json!({ "wobble": 1 }), "options: wobble is not allowed; bytedance/seedance-2-mini takes "),
    ] {
        let body = json!({ "prompt": "a fox", "options": options });
        let refused = call(&app, &customer, "ai.video.generate", &body).await.expect(400);
        assert!(refused["message"].as_str().unwrap().starts_with(message), "{refused:#}");
    }
    app
}

async fn what_was_quoted_is_bought_at_that_price_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let order = json!({ "prompt": "waves", "options": { "duration": 8 } });
    let quote = call(&app, &customer, "ai.video.quote", &order).await.expect(200);
    says_everything_twice(&quote);
    assert_eq!(app.balance(&customer).await, (json!(1_000), json!(0)), "a quote holds nothing");
    let bought = with(order, json!({ "quoteId": quote["quoteId"] }));
    assert_eq!(generate(&app, &customer, &bought).await["creditsUsed"], quote["credits"]);
    let again = call(&app, &customer, "ai.video.generate", &bought).await;
    assert_eq!(again.expect(422)["code"], json!(-1));
    let other = with(bought, json!({ "prompt": "dunes" }));
    call(&app, &customer, "ai.video.generate", &other).await.expect(422);
    let unpriced = json!({ "prompt": "waves", "options": { "duration": 0 } });
    let refusal = call(&app, &customer, "ai.video.quote", &unpriced).await.expect(400);
    assert!(refusal["message"].as_str().unwrap().contains("options.duration"), "{refusal:#}");
    app
}

async fn a_provider_is_the_only_one_that_may_make_it(app: TestApp) -> TestApp {
    let (live, test) = (app.customer(Mode::Live, 1_000).await, app.customer(Mode::Test, 1_000).await);
    let asked = |provider: &str| json!({ "prompt": "a fox", "provider": provider });
    assert_eq!(generate(&app, &live, &asked("kie")).await["provider"], json!("kie"));
    // Nobody has set it up here.
    let refused = call(&app, &live, "ai.video.generate", &asked("ark")).await.expect(503);
    assert_eq!(refused["errorCode"], json!("model_unavailable"));
    assert_eq!(generate(&app, &test, &asked("ark")).await["provider"], json!("ark"));
    for customer in [&live, &test] {
        let refused = call(&app, customer, "ai.video.generate", &asked("fal")).await.expect(400);
        let message = "provider: bytedance/seedance-2-mini is served by ark, byteplus, kie";
        assert_eq!(refused["message"], json!(message));
    }
    app
}

async fn tasks_are_found_by_their_workspace(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let asked = |workspace: &str| json!({ "prompt": "a fox", "scene": "ad-video", "workspaceId": workspace });
    let (one, _other) =
        (generate(&app, &customer, &asked("w1")).await, generate(&app, &customer, &asked("w2")).await);
    assert_eq!(one["workspaceId"], json!("w1"));
    let found = app.get(&customer, "/api/ai/tasks?metadata=workspaceId:w1").await.expect(200)["data"].clone();
    let ids: Vec<String> =
        found.as_array().unwrap().iter().map(|task| task["taskId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(query(&app, &customer, &ids[0]).await["taskId"], one["taskId"]);
    app
}

async fn a_request_sent_again_is_the_same_task(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let key = [("idempotency-key", "order-42")];
    let send = |action: &str, body: Value| {
        let path = format!("{ACTIONS}/{action}");
        let (app, customer) = (&app, &customer);
        async move { app.send(Some(customer), Method::POST, &path, Some(&body), &key).await }
    };
    let first = send("ai.video.generate", json!({ "prompt": "a fox" })).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let location = first.header("location").unwrap().to_owned();
    let first = first.expect(200);
    app.get(&customer, &location).await.expect(200);
    let waited = json!({ "prompt": "a fox", "timeoutMs": 0 });
    for (action, body) in
        [("ai.video.generate", json!({ "prompt": "a fox" })), ("ai.video.generate_and_wait", waited)]
    {
        let again = send(action, body).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.expect(200)["taskId"], first["taskId"]);
    }
    assert_eq!(app.balance(&customer).await.1, first["creditsUsed"]);
    app
}

async fn a_task_that_made_no_video_says_why(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let failing = json!({ "prompt": "a fox [sandbox:fail]" });
    let failed = call(&app, &customer, "ai.video.generate_and_wait", &failing).await.expect(200);
    says_everything_twice(&failed);
    let told = ["status", "errorCode", "creditsUsed", "videoUrl"].map(|name| failed[name].clone());
    assert_eq!(told, [json!("failed"), json!("generation_failed"), json!(0), Value::Null]);
    assert!(failed["error"].is_string());
    let hanging = generate(&app, &customer, &json!({ "prompt": "a fox [sandbox:hang]" })).await;
    app.post(&customer, &format!("/api/ai/tasks/{}/cancel", id(&hanging)), &json!({})).await;
    app.finished(&customer, &id(&hanging)).await;
    let canceled = query(&app, &customer, &id(&hanging)).await;
    assert_eq!((&canceled["status"], &canceled["errorCode"]), (&json!("canceled"), &json!("canceled")));
    app
}

async fn a_task_of_any_dialect_is_read_here_and_everywhere(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let (customer, stranger) = (app.customer(Mode::Live, 1_000).await, app.customer(Mode::Live, 1_000).await);
    let native = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &native).await;
    let ulid = native.trim_start_matches("tsk_").to_lowercase();
    let read = query(&app, &customer, &native).await;
    assert_eq!((&read["status"], &read["model"]), (&json!("success"), &json!("wan/2-6-text-to-video")));
    for spelling in [format!("video_{ulid}"), format!("task_{ulid}"), ulid.clone(), id(&read)] {
        assert_eq!(query(&app, &customer, &spelling).await["taskId"], read["taskId"], "{spelling}");
        let body = json!({ "taskId": spelling });
        let refused = call(&app, &stranger, "ai.video.query", &body).await.expect(404);
        assert_eq!(refused["errorCode"], json!("task_not_found"));
    }
    let body = json!({ "prompt": "a fox", "model": "wan/2-6-text-to-video" });
    let own = call(&app, &customer, "ai.video.generate_and_wait", &body).await.expect(200);
    assert_eq!(app.finished(&customer, &id(&own)).await["state"], json!("completed"));
    let video = app.get(&customer, &format!("/v1/videos/{}", id(&own))).await.expect(200);
    assert_eq!(video["status"], json!("completed"));
    app.get(&stranger, &format!("/v1/videos/{}", id(&own))).await.expect(404);
    app
}

async fn each_schema_takes_what_the_action_takes(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 10_000).await;
    let list = app.get(&customer, ACTIONS).await.expect(200);
    assert_eq!(list["data"], list["actions"]);
    let names: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|action| action["id"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "ai.video.generate",
            "ai.video.generate_and_wait",
            "ai.video.quote",
            "ai.video.query",
            "storage.upload"
        ]
    );
    for action in list["data"].as_array().unwrap() {
        let name = action["id"].as_str().unwrap();
        let schema = app.get(&customer, &format!("{ACTIONS}/{name}/schema")).await;
        assert_eq!(schema.header("content-type"), Some("application/schema+json"));
        let schema = schema.expect(200);
        assert_eq!((&schema, &schema["title"]), (&action["inputSchema"], &json!(name)));
        assert!(jsonschema::meta::is_valid(&schema), "{schema:#}");
    }
    let task = id(&generate(&app, &customer, &json!({ "prompt": "a fox" })).await);
    for (name, body, is_valid) in [
        ("ai.video.generate", json!({ "prompt": "a fox" }), true),
        ("ai.video.generate", json!({ "prompt": "a fox", "scene": "ad-video", "imageInput": [IMAGE] }), true),
        (
            "ai.video.generate",
            json!({ "prompt": "a fox", "scene": "image-to-video", "imageInput": IMAGE }),
            true,
        ),
        ("ai.video.generate", json!({ "scene": "video-to-video", "videoInput": VIDEO }), true),
        ("ai.video.generate", json!({ "prompt": "a fox", "options": { "duration": 5, "seed": 7 } }), true),
        ("ai.video.generate", json!({}), false),
        ("ai.video.generate", json!({ "prompt": "a fox", "scene": "movie" }), false),
        ("ai.video.generate", json!({ "prompt": "a fox", "scene": "image-to-video" }), false),
        ("ai.video.generate", json!({ "prompt": "a fox", "scene": "video-to-video" }), false),
        ("ai.video.generate", json!({ "prompt": "a fox", "imageInput": 5 }), false),
        ("ai.video.generate", json!({ "prompt": "a fox", "options": [] }), false),
        ("ai.video.generate_and_wait", json!({ "prompt": "a fox", "timeoutMs": 0 }), true),
        ("ai.video.generate_and_wait", json!({ "prompt": "a fox", "timeoutMs": -1 }), false),
        ("ai.video.query", json!({ "taskId": task }), true),
        ("ai.video.query", json!({}), false),
        ("storage.upload", json!({ "data": PIXEL }), true),
        ("storage.upload", json!({}), false),
    ] {
        let schema = app.get(&customer, &format!("{ACTIONS}/{name}/schema")).await.expect(200);
        assert_eq!(jsonschema::is_valid(&schema, &body), is_valid, "{name} {body}");
        let answer = call(&app, &customer, name, &body).await;
        assert_eq!(answer.status == 200, is_valid, "{name} {body}: {:#}", answer.body);
    }
    app
}

async fn refusals_are_told_in_this_dialect(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 20).await;
    let post = |action: &str| request(&app, &customer, Method::POST, &format!("{ACTIONS}/{action}"));
    let order = |body: Value| post("ai.video.generate").json(&body);
    let fox = json!({ "prompt": "a fox" });
    let reader = NewKey { scopes: vec![VIDEOS_READ.into()], ..full_rights() };
    let reader = another_key(&app, &customer, Mode::Test, reader).await;
    let by_reader = request(&app, &reader, Method::POST, &format!("{ACTIONS}/ai.video.generate"));
    let json_cut_short =
        post("ai.video.generate").header("content-type", "application/json").body("{\"prompt\"");
    let by_nobody = app.client.post(format!("{}{ACTIONS}/ai.video.generate", app.url));
    let of = |path: &str| request(&app, &customer, Method::GET, path);
    let cases: Vec<(&str, RequestBuilder)> = vec![
        ("400_nothing", order(json!({}))),
        ("400_scene", order(json!({ "prompt": "a fox", "scene": "movie" }))),
        ("400_image_missing", order(json!({ "prompt": "a fox", "scene": "image-to-video" }))),
        ("400_video_missing", order(json!({ "scene": "video-to-video" }))),
        ("400_image_for_text", order(json!({ "prompt": "a fox", "imageInput": IMAGE }))),
        ("400_video_for_text", order(json!({ "prompt": "a fox", "videoInput": VIDEO }))),
        ("400_model_of_another_scene", order(json!({ "prompt": "a fox", "model": "wan/2-7-videoedit" }))),
        ("400_model_unknown", order(json!({ "prompt": "a fox", "model": "wan/2.7-videoedti" }))),
        ("400_provider", order(json!({ "prompt": "a fox", "provider": "fal" }))),
        (
            "400_several_at_once",
            order(
                json!({ "prompt": 5, "imageInput": 5, "timeoutMs": 1, "options": { "duration": 99, "count": 0 } }),
            ),
        ),
        (
            "400_timeout",
            post("ai.video.generate_and_wait").json(&json!({ "prompt": "a fox", "timeoutMs": "long" })),
        ),
        ("400_workspace", order(json!({ "prompt": "a fox", "workspaceId": "" }))),
        ("400_json", json_cut_short),
        ("400_task_missing", post("ai.video.query").json(&json!({}))),
        ("401", by_nobody.json(&fox)),
        ("402", order(json!({ "prompt": "a fox", "options": { "duration": 15 } }))),
        ("403_scope", by_reader.json(&fox)),
        ("404_action", post("ai.video.dream").json(&fox)),
        ("404_schema", of("/api/actions/ai.video.dream/schema")),
        ("404_path", of("/api/actions/ai.video.generate/schema/more")),
        (
            "404_task",
            post("ai.video.query").json(&json!({ "taskId": "0194b9a8-31a5-4bb2-9f14-2a1b2c3d4e5f" })),
        ),
        ("404_task_id", post("ai.video.query").json(&json!({ "taskId": "my video" }))),
        ("405", of("/api/actions/ai.video.generate")),
        ("415", post("ai.video.generate").body("prompt=a+fox")),
    ];
    for (name, request) in cases {
        refused(&app, &customer, &format!("actions_{name}"), request).await;
    }
    app.send(
        Some(&customer),
        Method::POST,
        &format!("{ACTIONS}/ai.video.generate"),
        Some(&fox),
        &[("idempotency-key", "k")],
    )
    .await
    .expect(200);
    let other = order(json!({ "prompt": "a dog" })).header("idempotency-key", "k");
    refused(&app, &customer, "actions_422_idempotency_key_reused", other).await;
    app
}
