//! `/v1/video/generations`: what is documented of it, on a running server.

use entity::Mode;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Customer, Engine, TestApp, on_both_engines, run};

use crate::errors::{another_key, full_rights, refused, request};
use crate::with;

const PATH: &str = "/v1/video/generations";

on_both_engines!(the_same_key_and_body_give_the_same_task_and_another_body_is_refused);

/// The cheapest clip to draw, asked for with every field that is documented but the image and the frame rate.
fn video(extra: Value) -> Value {
    let documented = json!({
        "model": "doubao-seedance-1-0-lite-t2v-250428", "prompt": "a paper boat", "duration": 2, "width": 854, "height": 480,
        "seed": 7, "n": 1, "response_format": "url", "user": "customer-7", "metadata": {},
    });
    with(documented, extra)
}

async fn submit(app: &TestApp, customer: &Customer, body: &Value) -> String {
    app.post(customer, PATH, body).await.expect(200)["task_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_field_is_taken_and_the_task_is_told_in_the_documented_words() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 100).await;
        let answer = app.post(&customer, PATH, &video(json!({}))).await;
        let location = answer.header("location").unwrap().to_owned();
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        let made = answer.expect(200);
        let id = made["task_id"].as_str().unwrap();
        assert!(id.starts_with("task_") && id.len() == 31 && *id == id.to_lowercase(), "{id}");
        assert_eq!(
            (&made["id"], &made["object"], &made["warnings"]),
            (&json!(id), &json!("video"), &json!([]))
        );
        assert_eq!(location, format!("{PATH}/{id}"));
        let native = app.finished(&customer, id).await;
        assert_eq!(
            [&native["duration"], &native["resolution"], &native["aspectRatio"], &native["count"]],
            [&json!(2), &json!("480p"), &json!("16:9"), &json!(1)]
        );
        let task = app.get(&customer, &location).await.expect(200);
        let url = task["url"].as_str().unwrap();
        assert_eq!(
            [
                &task["task_id"],
                &task["status"],
                &task["format"],
                &task["error"],
                &task["code"],
                &task["message"]
            ],
            [&json!(id), &json!("completed"), &json!("mp4"), &Value::Null, &json!("success"), &json!("")]
        );
        let metadata = &task["metadata"];
        assert_eq!(
            [&metadata["width"], &metadata["height"], &metadata["seed"]],
            [&json!(854), &json!(480), &json!(7)]
        );
        assert!((metadata["duration"].as_f64().unwrap() - 2.0).abs() < 0.1, "{metadata}");
        let data = &task["data"];
        assert_eq!(
            [&data["task_id"], &data["status"], &data["result_url"], &data["fail_reason"], &data["progress"]],
            [&json!(id), &json!("SUCCESS"), &json!(url), &json!(""), &json!("100%")]
        );
        assert!(data["finish_time"].as_i64() >= data["start_time"].as_i64(), "{data}");
        assert!(data["start_time"].as_i64() >= data["submit_time"].as_i64(), "{data}");
        let clip = app.client.get(url).send().await.unwrap();
        assert_eq!(
            (clip.status().as_u16(), &clip.headers()["content-type"]),
            (200, &"video/mp4".parse().unwrap())
        );
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_waits_or_failed_says_so() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let waiting = submit(&app, &customer, &video(json!({}))).await;
        let answer = app.get(&customer, &format!("{PATH}/{waiting}")).await;
        assert_eq!(answer.header("retry-after"), Some("2"));
        let task = answer.expect(200);
        assert_eq!(
            [&task["status"], &task["url"], &task["data"]["status"], &task["data"]["finish_time"]],
            [&json!("queued"), &Value::Null, &json!("QUEUED"), &json!(0)]
        );
        let app = app.with_worker().await;
        for (prompt, code) in [("a fox [sandbox:moderation]", 400), ("a fox [sandbox:fail]", 500)] {
            let id = submit(&app, &customer, &video(json!({ "prompt": prompt }))).await;
            app.finished(&customer, &id).await;
            let answer = app.get(&customer, &format!("{PATH}/{id}")).await;
            assert_eq!(answer.header("retry-after"), None);
            let task = answer.expect(200);
            assert_eq!(
                [&task["status"], &task["error"]["code"], &task["url"], &task["data"]["status"]],
                [&json!("failed"), &json!(code), &Value::Null, &json!("FAILURE")]
            );
            let reason = task["error"]["message"].as_str().unwrap();
            assert!(!reason.is_empty() && task["data"]["fail_reason"] == reason, "{task:#}");
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_can_t_make_a_video_longer_or_better_than_what_is_paid_for() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let jimeng =
            |extra| with(json!({ "model": "jimeng_t2v_v30", "prompt": "a fox", "duration": 5 }), extra);
        let kling = |extra| with(json!({ "model": "kling-v3", "prompt": "a fox", "duration": 5 }), extra);
        for body in [
            jimeng(json!({ "metadata": { "frames": 241 } })),
            jimeng(json!({ "metadata": { "duration": "10" } })),
            jimeng(json!({ "metadata": { "req_key": "jimeng_t2v_v30_1080p" } })),
            kling(json!({ "metadata": { "seconds": "10" } })),
            kling(json!({ "mode": "std", "metadata": { "mode": "pro" } })),
            kling(json!({ "metadata": { "model_name": "kling-v2-6" } })),
        ] {
            let refused = app.post(&customer, PATH, &body).await.expect(400);
            assert!(refused["error"]["param"].is_string(), "{body}: {refused:#}");
        }
        assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
        // Alone it counts, and is paid for: 5 s are 6 credits, 10 s are 11.
        for (body, seconds, credits) in [
            (jimeng(json!({ "duration": null, "metadata": { "frames": 241 } })), 10, 11),
            (jimeng(json!({ "metadata": { "frames": 121, "duration": "5" } })), 5, 6),
        ] {
            let made = app.post(&customer, PATH, &body).await.expect(200);
            assert_eq!(made["credits_used"], json!(credits), "{body}");
            let path = format!("/api/ai/tasks/{}", made["task_id"].as_str().unwrap());
            assert_eq!(app.get(&customer, &path).await.expect(200)["duration"], json!(seconds), "{body}");
        }
        app
    })
    .await;
}

async fn the_same_key_and_body_give_the_same_task_and_another_body_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let first = app.post_keyed(&customer, PATH, &video(json!({})), "once").await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = app.post_keyed(&customer, PATH, &video(json!({})), "once").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["task_id"], first.expect(200)["task_id"]);
    let held = app.balance(&customer).await;
    let other = video(json!({ "prompt": "another" }));
    let refused = app.post_keyed(&customer, PATH, &other, "once").await.expect(422);
    assert_eq!(refused["error"]["code"], json!("idempotency_key_reused"));
    assert_eq!(app.balance(&customer).await, held);
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_openai_s() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let poor = app.customer(Mode::Test, 0).await;
        let reader = reelmeter::customer::key::NewKey { scopes: vec!["videos:read".into()], ..full_rights() };
        let reader = another_key(&app, &customer, Mode::Test, reader).await;
        let post = |customer: &Customer, body: &Value| request(&app, customer, Method::POST, PATH).json(body);
        let missing = format!("{PATH}/task_01j9xa5m2r9w4qzc4pyjf3n7nd");
        let text =
            request(&app, &customer, Method::POST, PATH).header("content-type", "text/plain").body("x");
        let cut_short =
            request(&app, &customer, Method::POST, PATH).header("content-type", "application/json");
        let cases: Vec<(&str, RequestBuilder)> = vec![
            ("generations_400_body_cut_short", cut_short.body("{")),
            ("generations_400_duration", post(&customer, &video(json!({ "duration": 99 })))),
            ("generations_400_fps", post(&customer, &video(json!({ "fps": 24 })))),
            ("generations_400_model", post(&customer, &video(json!({ "model": "no-such-model" })))),
            ("generations_401_no_key", app.client.post(format!("{}{PATH}", app.url)).json(&video(json!({})))),
            ("generations_402_credits", post(&poor, &video(json!({})))),
            ("generations_403_scope", post(&reader, &video(json!({})))),
            ("generations_404_task", request(&app, &customer, Method::GET, &missing)),
            ("generations_404_path", request(&app, &customer, Method::GET, "/v1/video")),
            ("generations_405_delete", request(&app, &customer, Method::DELETE, &missing)),
            ("generations_415_text", text),
        ];
        for (name, request) in cases {
            refused(&app, &customer, name, request).await;
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_form_is_the_image_to_begin_with() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 100).await;
        let mut form = Vec::new();
        for (name, value) in [("model", "sora-2"), ("prompt", "it moves"), ("duration", "4")] {
            form.extend(
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .into_bytes(),
            );
        }
        form.extend(b"--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n");
        form.extend(crate::uploads::pixel());
        form.extend(b"\r\n--b--\r\n");
        let request = app.client.post(format!("{}{PATH}", app.url)).bearer_auth(&customer.key);
        let answer = request
            .header("content-type", "multipart/form-data; boundary=b")
            .body(form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let made: Value = answer.json().await.unwrap();
        let task = app.finished(&customer, made["task_id"].as_str().unwrap()).await;
        assert_eq!((&task["state"], &task["inputMode"]), (&json!("completed"), &json!("image_to_video")));
        app
    })
    .await;
}
