//! `/jimeng/`: one path, two actions, on a running server.

use entity::Mode;
use reelmeter::customer::key::NewKey;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Customer, Engine, TestApp, on_both_engines, run};

use crate::errors::{another_key, full_rights, refused, request};
use crate::with;

const SUBMIT: &str = "/jimeng/?Action=CVSync2AsyncSubmitTask&Version=2022-08-31";
const RESULT: &str = "/jimeng/?Action=CVSync2AsyncGetResult&Version=2022-08-31";

on_both_engines!(the_same_key_and_body_give_the_same_task_and_another_body_is_refused);

/// 6 credits.
fn video(extra: Value) -> Value {
    with(json!({ "req_key": "jimeng_v30", "prompt": "ink-wash mountains", "seed": -1, "frames": 121 }), extra)
}

async fn result(app: &TestApp, customer: &Customer, id: &Value) -> Value {
    app.post(customer, RESULT, &json!({ "req_key": "jimeng_v30", "task_id": id })).await.expect(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_told_in_jimeng_s_envelope_from_its_order_to_its_video() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let answer = app.post(&customer, SUBMIT, &video(json!({}))).await;
        let request_id = json!(answer.header("x-request-id").unwrap());
        let location = answer.header("location").unwrap().to_owned();
        let made = answer.expect(200);
        assert_eq!(
            [&made["code"], &made["status"], &made["message"], &made["request_id"]],
            [&json!(10_000), &json!(10_000), &json!("Success"), &request_id]
        );
        assert!(made["time_elapsed"].as_str().unwrap().ends_with("ms"), "{made:#}");
        assert_eq!((&made["model"], &made["credits_used"]), (&json!("jimeng_t2v_v30"), &json!(6)));
        let id = &made["data"]["task_id"];
        assert_eq!(app.get(&customer, &location).await.expect(200)["task_id"], *id);
        let waiting = result(&app, &customer, id).await;
        assert_eq!((&waiting["code"], &waiting["data"]["status"]), (&json!(10_000), &json!("in_queue")));
        assert_eq!(waiting["data"]["video_url"], Value::Null);
        let app = app.with_worker().await;
        app.finished(&customer, id.as_str().unwrap()).await;
        let done = result(&app, &customer, id).await;
        assert_eq!((&done["code"], &done["data"]["status"]), (&json!(10_000), &json!("done")));
        let clip = app.client.get(done["data"]["video_url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(clip.status().as_u16(), 200);
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_task_has_another_code_and_the_reason() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 100).await;
        for (word, code, reason) in
            [("moderation", 50_511, "moderation"), ("fail", 50_500, "generation_failed")]
        {
            let body = video(json!({ "prompt": format!("a fox [sandbox:{word}]") }));
            let id = app.post(&customer, SUBMIT, &body).await.expect(200)["task_id"].clone();
            app.finished(&customer, id.as_str().unwrap()).await;
            let failed = result(&app, &customer, &id).await;
            assert_eq!(
                (&failed["code"], &failed["status"], &failed["data"]),
                (&json!(code), &json!(code), &Value::Null)
            );
            assert_eq!(failed["error"], json!({ "code": reason, "message": failed["message"] }));
        }
        assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_stands_for_the_model_that_fits_the_images() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 1_000).await;
        let urls = ["https://example.com/a.png", "https://example.com/b.png"];
        for (key, images, frames, model, seconds) in [
            ("jimeng_v30", 0, 121, "jimeng_t2v_v30", 5),
            ("jimeng_v30_1080p", 0, 241, "jimeng_t2v_v30_1080p", 10),
            ("jimeng_v30", 1, 241, "jimeng_i2v_first_v30", 10),
            ("jimeng_v30_1080p", 2, 121, "jimeng_i2v_first_tail_v30_1080", 5),
            ("jimeng_v30_pro", 1, 121, "jimeng_ti2v_v30_pro", 5),
            ("jimeng_vgfm_i2v_l20", 1, 121, "jimeng_vgfm_i2v_l20", 5),
        ] {
            let body = video(json!({ "req_key": key, "image_urls": &urls[..images], "frames": frames }));
            let made = app.post(&customer, SUBMIT, &body).await.expect(200);
            let path = format!("/api/ai/tasks/{}", made["task_id"].as_str().unwrap());
            let task = app.get(&customer, &path).await.expect(200);
            assert_eq!((&task["model"], &task["duration"]), (&json!(model), &json!(seconds)), "{body}");
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_only_read_reads_and_submits_nothing() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let made = app.post(&customer, SUBMIT, &video(json!({}))).await.expect(200);
        let reader = NewKey { scopes: vec!["videos:read".into()], ..full_rights() };
        let reader = another_key(&app, &customer, Mode::Test, reader).await;
        assert_eq!(result(&app, &reader, &made["task_id"]).await["code"], json!(10_000));
        app.post(&reader, SUBMIT, &video(json!({}))).await.expect(403);
        let stranger = app.customer(Mode::Test, 100).await;
        let hidden = app.post(&stranger, RESULT, &json!({ "task_id": made["task_id"] })).await.expect(404);
        assert_eq!(hidden["data"]["status"], json!("not_found"));
        app
    })
    .await;
}

async fn the_same_key_and_body_give_the_same_task_and_another_body_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let first = app.post_keyed(&customer, SUBMIT, &video(json!({})), "once").await.expect(200);
    // The slash at the path's end makes no difference.
    let again = app.post_keyed(&customer, &SUBMIT.replace("/?", "?"), &video(json!({})), "once").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["task_id"], first["task_id"]);
    app.post_keyed(&customer, SUBMIT, &video(json!({ "frames": 241 })), "once").await.expect(422);
    assert_eq!(app.balance(&customer).await, (json!(94), json!(6)));
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_numbers_of_jimeng_s_kind() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let poor = app.customer(Mode::Test, 0).await;
        let post = |path: &str, body: &Value| request(&app, &customer, Method::POST, path).json(body);
        let text =
            request(&app, &customer, Method::POST, SUBMIT).header("content-type", "text/plain").body("x");
        let missing = json!({ "task_id": "task_01j9xa5m2r9w4qzc4pyjf3n7nd" });
        let cases: Vec<(&str, RequestBuilder)> = vec![
            ("jimeng_400_nothing", post("/jimeng/", &json!({}))),
            ("jimeng_400_action", post("/jimeng/?Action=CVProcess&Version=2022-08-31", &json!({}))),
            ("jimeng_400_version", post(&SUBMIT.replace("2022", "2024"), &json!({}))),
            ("jimeng_400_frames", post(SUBMIT, &video(json!({ "frames": 100 })))),
            ("jimeng_400_length", post(SUBMIT, &video(json!({ "frames": 361 })))),
            ("jimeng_400_req_key", post(SUBMIT, &video(json!({ "req_key": "jimeng_v99" })))),
            ("jimeng_400_no_task_id", post(RESULT, &json!({}))),
            ("jimeng_401_no_key", app.client.post(format!("{}{SUBMIT}", app.url)).json(&video(json!({})))),
            ("jimeng_402_credits", request(&app, &poor, Method::POST, SUBMIT).json(&video(json!({})))),
            ("jimeng_404_task", post(RESULT, &missing)),
            ("jimeng_404_path", request(&app, &customer, Method::GET, "/jimeng/v1")),
            ("jimeng_405_get", request(&app, &customer, Method::GET, SUBMIT)),
            ("jimeng_415_text", text),
        ];
        for (name, request) in cases {
            refused(&app, &customer, name, request).await;
        }
        app
    })
    .await;
}
