//! `/v1/videos`: what OpenAI's clients and those of the gateways of its shape send, and what they read.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use entity::Mode;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Customer, TestApp, on_both_engines};
use tokio::process::Command;

use crate::with;

on_both_engines!(
    the_published_examples_work_as_they_are_written,
    a_video_is_created_polled_and_fetched,
    a_form_and_an_urlencoded_body_mean_the_same_as_json,
    what_a_body_leaves_out_is_as_documented,
    a_list_is_walked_in_either_order,
    a_video_is_remixed_edited_and_extended_at_its_price,
    a_deleted_video_is_gone,
    what_a_client_library_sends_again_on_its_own_is_bought_once,
    a_failed_video_says_why_and_costs_nothing,
    a_task_is_read_in_every_dialect,
    every_refusal_has_the_shape_that_client_libraries_read,
    the_models_are_those_that_can_be_ordered,
    openai_s_library_for_python_works_unmodified,
    openai_s_library_for_node_works_unmodified,
);

const VIDEOS: &str = "/v1/videos";

/// A model that the fake provider serves to live keys.
fn wan(extra: Value) -> Value {
    with(
        json!({ "model": "wan/2-6-text-to-video", "prompt": "a fox jumps over a creek", "seconds": "5", "size": "1280x720" }),
        extra,
    )
}

async fn created(app: &TestApp, customer: &Customer, body: &Value) -> Value {
    app.post(customer, VIDEOS, body).await.expect(200)
}

fn id(video: &Value) -> String {
    video["id"].as_str().unwrap().to_owned()
}

async fn ended(app: &TestApp, customer: &Customer, video: &Value) -> Value {
    app.finished(customer, &id(video)).await;
    app.get(customer, &format!("{VIDEOS}/{}", id(video))).await.expect(200)
}

/// A finished video of a model that can be worked on further.
async fn finished_sora(app: &TestApp, customer: &Customer) -> Value {
    let video =
        created(app, customer, &json!({ "model": "sora-2", "prompt": "a fox", "seconds": "4" })).await;
    ended(app, customer, &video).await
}

/// The members that OpenAI's documentation requires, whatever their value.
const REQUIRED: [&str; 13] = [
    "id",
    "object",
    "model",
    "status",
    "progress",
    "created_at",
    "completed_at",
    "expires_at",
    "prompt",
    "size",
    "seconds",
    "remixed_from_video_id",
    "error",
];

/// As the documents of those systems print them.
async fn the_published_examples_work_as_they_are_written(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    for body in [
        json!({ "model": "sora-2", "prompt": "a fox jumps over a creek", "seconds": "4" }),
        json!({
            "model": "grok-imagine-1.0-video",
            "prompt": "雨夜霓虹街道上的电影感推镜,光影丰富,运动自然",
            "reference_images": ["https://example.com/ref-1.jpg"],
            "seconds": 10,
            "aspect_ratio": "16:9",
            "resolution": "720P",
        }),
        json!({
            "model": "kling-video",
            "model_name": "kling-v2-6",
            "mode": "t2v",
            "prompt": "海边日落镜头,电影感,风吹长发",
            "duration": 5,
            "aspect_ratio": "16:9",
        }),
    ] {
        let job = created(&app, &customer, &body).await;
        let done = ended(&app, &customer, &job).await;
        assert_eq!((&done["status"], &done["error"]), (&json!("completed"), &json!(null)), "{body}");
        assert_eq!(done["videos"].as_array().unwrap().len(), 1, "{body}");
    }
    app
}

async fn a_video_is_created_polled_and_fetched(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let answer = app.post(&customer, VIDEOS, &wan(json!({ "user": "u-7" }))).await;
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    let location = answer.header("location").unwrap().to_owned();
    let video = answer.expect(200);
    assert_eq!(location, format!("{VIDEOS}/{}", id(&video)));
    assert!(id(&video).starts_with("video_"));
    for (member, value) in [
        ("object", json!("video")),
        ("status", json!("queued")),
        ("progress", json!(0)),
        ("size", json!("1280x720")),
        ("seconds", json!("5")),
        ("error", json!(null)),
        ("completed_at", json!(null)),
        ("credits_used", json!(30)),
        ("videos", json!([])),
        ("url", json!(null)),
        ("user", json!("u-7")),
    ] {
        assert_eq!(video[member], value, "{member}");
    }
    let video = ended(&app, &customer, &video).await;
    let members = video.as_object().unwrap();
    assert!(REQUIRED.iter().all(|name| members.contains_key(*name)), "{video:#}");
    assert_eq!((&video["status"], &video["progress"]), (&json!("completed"), &json!(100)));
    let url = video["video_url"].as_str().unwrap();
    assert_eq!(
        (&video["url"], &video["videos"][0], &video["metadata"]["url"]),
        (&json!(url), &json!(url), &json!(url))
    );
    assert_eq!(video["task_id"], video["id"]);
    let content = format!("{}{VIDEOS}/{}/content", app.url, id(&video));
    let by_key = app.client.get(&content).bearer_auth(&customer.key).send().await.unwrap();
    assert_eq!(
        (by_key.status().as_u16(), by_key.headers()["content-type"].to_str().unwrap()),
        (200, "video/mp4")
    );
    let bytes = by_key.bytes().await.unwrap();
    let by_link = app.client.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, by_link);
    let part = app
        .client
        .get(&content)
        .bearer_auth(&customer.key)
        .header("range", "bytes=0-9")
        .send()
        .await
        .unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap()), (206, bytes.slice(0..10)));
    let head = app.client.head(&content).bearer_auth(&customer.key).send().await.unwrap();
    assert_eq!(head.headers()["content-length"].to_str().unwrap(), bytes.len().to_string());
    app
}

async fn a_form_and_an_urlencoded_body_mean_the_same_as_json(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 300).await;
    let form = concat!(
        "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwan/2-6-text-to-video\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na fox jumps over a creek\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"seconds\"\r\n\r\n5\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\n1280x720\r\n--b--\r\n",
    );
    let urlencoded = "model=wan%2F2-6-text-to-video&prompt=a+fox+jumps+over+a+creek&seconds=5&size=1280x720";
    let plain = app.post_keyed(&customer, VIDEOS, &wan(json!({})), "same").await.expect(200);
    for (media_type, body) in
        [("multipart/form-data; boundary=b", form), ("application/x-www-form-urlencoded", urlencoded)]
    {
        let request = app.client.post(format!("{}{VIDEOS}", app.url)).bearer_auth(&customer.key);
        let request = request.header("content-type", media_type).header("idempotency-key", "same").body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers().get("idempotent-replayed").unwrap(), "true", "{media_type}");
        assert_eq!(answer.json::<Value>().await.unwrap()["id"], plain["id"], "{media_type}");
    }
    assert_eq!(app.balance(&customer).await, (json!(270), json!(30)));
    app
}

async fn what_a_body_leaves_out_is_as_documented(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let video = created(&app, &customer, &json!({ "prompt": "a fox" })).await;
    assert_eq!(
        (&video["model"], &video["seconds"], &video["size"]),
        (&json!("sora-2"), &json!("4"), &json!("720x1280"))
    );
    let video =
        created(&app, &customer, &json!({ "model": "gemini-omni", "prompt": "a fox", "seconds": 5 })).await;
    assert_eq!(video["seconds"], "6");
    assert!(video["warnings"][0].as_str().unwrap().contains("6 seconds"), "{video:#}");
    let long = app
        .post(&customer, VIDEOS, &json!({ "model": "gemini-omni", "prompt": "a fox", "seconds": 11 }))
        .await;
    assert_eq!(long.expect(400)["error"]["param"], "seconds");
    let app = app.restart_with(|config| config.videos_default_model = "veo3_fast".into()).await;
    let video = created(&app, &customer, &json!({ "prompt": "a fox" })).await;
    assert_eq!((&video["model"], &video["seconds"]), (&json!("veo3_fast"), &json!("8")));
    app
}

async fn page(app: &TestApp, customer: &Customer, query: &str) -> (Vec<String>, Value) {
    let page = app.get(customer, &format!("{VIDEOS}?{query}")).await.expect(200);
    (page["data"].as_array().unwrap().iter().map(id).collect(), page)
}

async fn a_list_is_walked_in_either_order(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 1_000).await;
    let (none, empty) = page(&app, &customer, "").await;
    assert!(none.is_empty());
    assert_eq!(
        (&empty["first_id"], &empty["last_id"], &empty["has_more"]),
        (&json!(null), &json!(null), &json!(false))
    );
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(id(&created(&app, &customer, &wan(json!({}))).await));
    }
    for (order, expected) in [("asc", made.clone()), ("desc", made.iter().rev().cloned().collect::<Vec<_>>())]
    {
        let (mut walked, mut after) = (Vec::new(), String::new());
        loop {
            let (ids, page) = page(&app, &customer, &format!("limit=2&order={order}&after={after}")).await;
            walked.extend(ids);
            after = page["last_id"].as_str().unwrap().to_owned();
            if page["has_more"] == false {
                break;
            }
        }
        assert_eq!(walked, expected, "{order}");
    }
    let stranger = app.customer(Mode::Live, 0).await;
    let foreign = app.get(&stranger, &format!("{VIDEOS}?after={}", made[0])).await;
    assert_eq!(foreign.expect(400)["error"]["param"], "after");
    assert!(page(&app, &stranger, "").await.0.is_empty());
    app
}

async fn a_video_is_remixed_edited_and_extended_at_its_price(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let source = finished_sora(&app, &customer).await;
    let price = source["credits_used"].clone();
    let remix = app
        .post(&customer, &format!("{VIDEOS}/{}/remix", id(&source)), &json!({ "prompt": "at night" }))
        .await;
    let remix = remix.expect(200);
    for member in ["model", "seconds", "size"] {
        assert_eq!(remix[member], source[member], "{member}");
    }
    assert_eq!((&remix["remixed_from_video_id"], &remix["credits_used"]), (&source["id"], &price));
    let edit = json!({ "video": { "id": source["id"] }, "prompt": "in winter" });
    let edit = app.post(&customer, "/v1/videos/edits", &edit).await.expect(200);
    assert_eq!((&edit["remixed_from_video_id"], &edit["credits_used"]), (&source["id"], &price));
    let extend = json!({ "video": { "id": source["id"] }, "prompt": "it lands", "seconds": "8" });
    let extend = app.post(&customer, "/v1/videos/extensions", &extend).await.expect(200);
    assert_eq!((&extend["seconds"], &extend["remixed_from_video_id"]), (&json!("8"), &source["id"]));
    // Eight seconds are as dear as any eight seconds of this model.
    let eight =
        created(&app, &customer, &json!({ "model": "sora-2", "prompt": "a fox", "seconds": 8 })).await;
    assert_eq!(extend["credits_used"], eight["credits_used"]);
    for video in [&remix, &edit, &extend] {
        assert_eq!(ended(&app, &customer, video).await["status"], "completed");
    }
    let missing = app
        .post(&customer, "/v1/videos/extensions", &json!({ "video": { "id": source["id"] }, "prompt": "p" }))
        .await;
    assert_eq!(missing.expect(400)["error"]["param"], "seconds");
    let running = created(&app, &customer, &json!({ "model": "sora-2", "prompt": "[sandbox:hang]" })).await;
    let early =
        app.post(&customer, &format!("{VIDEOS}/{}/remix", id(&running)), &json!({ "prompt": "p" })).await;
    assert_eq!(early.expect(400)["error"]["param"], "video");
    let stranger = app.customer(Mode::Test, 1_000).await;
    for (path, body) in [
        (format!("{VIDEOS}/{}/remix", id(&source)), json!({ "prompt": "p" })),
        ("/v1/videos/edits".to_owned(), json!({ "video": { "id": source["id"] }, "prompt": "p" })),
    ] {
        assert_eq!(app.post(&stranger, &path, &body).await.expect(404)["error"]["code"], "task_not_found");
    }
    app
}

async fn delete(app: &TestApp, customer: &Customer, id: &str) -> Answer {
    app.send(Some(customer), Method::DELETE, &format!("{VIDEOS}/{id}"), None, &[]).await
}

async fn a_deleted_video_is_gone(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let video = created(&app, &customer, &wan(json!({}))).await;
    let early = delete(&app, &customer, &id(&video)).await;
    assert_eq!(early.expect(409)["error"]["code"], "task_not_ended");
    let app = app.with_worker().await;
    ended(&app, &customer, &video).await;
    let gone = delete(&app, &customer, &id(&video)).await.expect(200);
    assert_eq!(gone, json!({ "id": video["id"], "object": "video.deleted", "deleted": true }));
    assert_eq!(app.get(&customer, &format!("{VIDEOS}/{}", id(&video))).await.status, 404);
    assert_eq!(delete(&app, &customer, &id(&video)).await.status, 404);
    app
}

async fn what_a_client_library_sends_again_on_its_own_is_bought_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 1_000).await;
    let send = async |count: &str, body: Value| {
        app.send(Some(&customer), Method::POST, VIDEOS, Some(&body), &[("x-stainless-retry-count", count)])
            .await
    };
    let first = send("0", wan(json!({}))).await.expect(200);
    let again = send("1", wan(json!({}))).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["id"], first["id"]);
    // Ordered anew, or something else: those are orders of their own.
    let anew = send("0", wan(json!({}))).await.expect(200);
    let other = send("1", wan(json!({ "prompt": "a bear" }))).await.expect(200);
    let ids: BTreeSet<String> = [&first, &anew, &other].into_iter().map(id).collect();
    assert_eq!(ids.len(), 3);
    // What was ordered by a key is known by it alone.
    let keyed = wan(json!({ "prompt": "a crow" }));
    let by_key = app.post_keyed(&customer, VIDEOS, &keyed, "crow").await.expect(200);
    assert_ne!(send("1", keyed).await.expect(200)["id"], by_key["id"]);
    // What nobody can have waited for is no repetition.
    app.advance(3_600);
    let late = send("1", wan(json!({}))).await.expect(200);
    assert!(!ids.contains(&id(&late)));
    // Somebody else's order is not ours, however alike.
    let stranger = app.customer(Mode::Live, 100).await;
    let order = wan(json!({}));
    let theirs =
        app.send(Some(&stranger), Method::POST, VIDEOS, Some(&order), &[("x-stainless-retry-count", "1")]);
    assert_ne!(theirs.await.expect(200)["id"], late["id"]);
    app
}

async fn a_failed_video_says_why_and_costs_nothing(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let video =
        created(&app, &customer, &json!({ "model": "sora-2", "prompt": "[sandbox:moderation]" })).await;
    let video = ended(&app, &customer, &video).await;
    assert_eq!((&video["status"], &video["error"]["code"]), (&json!("failed"), &json!("moderation")));
    assert!(video["error"]["message"].is_string());
    assert_eq!((&video["credits_used"], &video["videos"]), (&json!(0), &json!([])));
    let content = app.get(&customer, &format!("{VIDEOS}/{}/content", id(&video))).await;
    assert_eq!(content.expect(404)["error"]["code"], "no_clip");
    app
}

async fn a_task_is_read_in_every_dialect(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let native = app.generate(&customer, &crate::wan(json!({}))).await;
    let video = app.get(&customer, &format!("{VIDEOS}/{native}")).await.expect(200);
    let back = app.get(&customer, &format!("/api/ai/tasks/{}", id(&video))).await.expect(200);
    assert_eq!(back["taskId"], json!(native));
    let stranger = app.customer(Mode::Live, 100).await;
    assert_eq!(
        app.get(&stranger, &format!("{VIDEOS}/{native}")).await.expect(404)["error"]["code"],
        "task_not_found"
    );
    app
}

async fn every_refusal_has_the_shape_that_client_libraries_read(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 20).await;
    let post = async |body: Value| app.post(&customer, VIDEOS, &body).await;
    let raw = async |media_type: &str, body: &'static str| {
        let request = app.client.post(format!("{}{VIDEOS}", app.url)).bearer_auth(&customer.key);
        let answer = request.header("content-type", media_type).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let anonymous = app.send(None, Method::GET, &format!("{VIDEOS}/video_1"), None, &[]).await;
    let refusals = [
        ("no_key", (anonymous.status.as_u16(), anonymous.body)),
        ("unknown_id", of(app.get(&customer, &format!("{VIDEOS}/video_1")).await)),
        ("unknown_path", of(app.get(&customer, "/v1/images").await)),
        ("wrong_method", of(app.send(Some(&customer), Method::PUT, VIDEOS, None, &[]).await)),
        ("no_json", raw("application/json", "{").await),
        ("no_object", raw("text/plain", "hello").await),
        ("no_form", raw("multipart/form-data", "hello").await),
        ("no_prompt", of(post(json!({ "model": "wan/2-6-text-to-video" })).await)),
        ("wrong_seconds", of(post(wan(json!({ "seconds": "7" }))).await)),
        ("wrong_type", of(post(wan(json!({ "seconds": "long" }))).await)),
        ("wrong_size", of(post(wan(json!({ "size": "10x7" }))).await)),
        ("unknown_model", of(post(wan(json!({ "model": "sora-9" }))).await)),
        ("group_suffix", of(post(wan(json!({ "model": "sora-2-stable" }))).await)),
        ("retired_model", of(post(json!({ "model": "sora-2-text-to-video", "prompt": "p" })).await)),
        ("no_credits", of(post(wan(json!({}))).await)),
        ("unknown_model_id", of(app.get(&customer, "/v1/models/sora-9").await)),
    ];
    let told: Vec<Value> = refusals
        .into_iter()
        .map(|(name, (status, mut body))| {
            assert!(body["error"]["request_id"].is_string(), "{name}: {body:#}");
            body["error"].as_object_mut().unwrap().remove("request_id");
            json!({ "case": name, "status": status, "body": body })
        })
        .collect();
    insta::assert_json_snapshot!("openai_refusals", told);
    assert_eq!(app.balance(&customer).await, (json!(20), json!(0)));
    app
}

fn of(answer: Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.body)
}

async fn the_models_are_those_that_can_be_ordered(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 0).await;
    let list = app.get(&customer, "/v1/models").await.expect(200);
    assert_eq!(list["object"], "list");
    let ids: BTreeSet<&str> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    // Served by the provider that is configured here, by another one, and by nobody any more.
    assert!(
        ids.contains("wan/2-6-text-to-video")
            && !ids.contains("kling-v1")
            && !ids.contains("sora-2-text-to-video")
    );
    let model = app.get(&customer, "/v1/models/wan/2-6-text-to-video").await.expect(200);
    assert_eq!(
        model,
        json!({ "id": "wan/2-6-text-to-video", "object": "model", "created": 0, "owned_by": "wan" })
    );
    app
}

/// Has somebody else's client library use a server, as its own users do.
async fn used_by(app: TestApp, mut library: Command) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 10_000).await;
    let library = library.env("REEL_HOST", &app.url).env("REEL_API_KEY", &customer.key).stdin(Stdio::null());
    let output = library.output().await.expect("the library's language is there");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", said.concat());
    app
}

async fn openai_s_library_for_python_works_unmodified(app: TestApp) -> TestApp {
    let python = std::env::var("REELMETER_TEST_PYTHON")
        .expect("REELMETER_TEST_PYTHON names a Python with openai: tests/run brings one");
    let mut library = Command::new(python);
    library.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/openai_videos.py"));
    used_by(app, library).await
}

async fn openai_s_library_for_node_works_unmodified(app: TestApp) -> TestApp {
    let folder = std::env::var("REELMETER_TEST_NODE")
        .expect("REELMETER_TEST_NODE names a folder with Node and openai: tests/run brings one");
    // A module finds the libraries beside it. Each server has a script of its own.
    let port = app.url.rsplit(':').next().unwrap();
    let script = Path::new(&folder).join(format!("openai_videos-{port}.mjs"));
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/openai_videos.mjs"), &script).unwrap();
    let mut library = Command::new(Path::new(&folder).join("node_modules/.bin/node"));
    library.arg(&script);
    let app = used_by(app, library).await;
    std::fs::remove_file(script).unwrap();
    app
}
