//! `/kling/v1/videos/…`: Kling's envelope, words and numbers, on a running server.

use entity::Mode;
use futures_util::future::join_all;
use reelmeter::customer::key::NewKey;
use reelmeter::http::dialect::kling::callback_body;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Customer, Engine, TestApp, on_both_engines, run};

use crate::errors::{another_key, full_rights, refused, request};
use crate::{wan, with};

const TEXT: &str = "/kling/v1/videos/text2video";
const IMAGE: &str = "/kling/v1/videos/image2video";

on_both_engines!(
    an_external_task_id_is_good_for_one_task_however_many_ask_at_once,
    an_idempotency_key_replays_a_task_with_an_external_id,
    a_path_lists_what_was_made_on_it_page_by_page,
);

/// What the fake provider serves to live keys: 11 credits.
fn video(extra: Value) -> Value {
    with(json!({ "model_name": "kling-v3", "prompt": "a fox", "mode": "std", "duration": "5" }), extra)
}

async fn submit(app: &TestApp, customer: &Customer, path: &str, body: &Value) -> String {
    app.post(customer, path, body).await.expect(200)["data"]["task_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_told_in_kling_s_envelope_from_its_order_to_its_video() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Live, 100).await;
        let answer = app.post(&customer, TEXT, &video(json!({ "external_task_id": "boat 1" }))).await;
        let (location, request_id) = (
            answer.header("location").unwrap().to_owned(),
            answer.header("x-request-id").unwrap().to_owned(),
        );
        let made = answer.expect(200);
        let id = made["data"]["task_id"].as_str().unwrap();
        assert_eq!(location, format!("{TEXT}/{id}"));
        assert_eq!(
            [&made["code"], &made["message"], &made["request_id"], &made["data"]["task_status"]],
            [&json!(0), &json!("SUCCEED"), &json!(request_id), &json!("submitted")]
        );
        assert_eq!(
            [
                &made["id"],
                &made["task_id"],
                &made["object"],
                &made["model"],
                &made["status"],
                &made["progress"]
            ],
            [&json!(id), &json!(id), &json!("video"), &json!("kling-v3"), &json!("queued"), &json!(0)]
        );
        assert_eq!(made["data"]["task_info"]["external_task_id"], json!("boat 1"));
        assert_eq!(
            made["data"]["created_at"].as_i64().unwrap() / 1_000,
            made["created_at"].as_i64().unwrap()
        );
        let app = app.with_worker().await;
        assert_eq!(app.finished(&customer, id).await["state"], json!("completed"));
        for name in [id, "boat%201"] {
            let task = app.get(&customer, &format!("{TEXT}/{name}")).await.expect(200);
            let data = &task["data"];
            assert_eq!(
                [
                    &data["task_id"],
                    &data["task_status"],
                    &data["task_status_msg"],
                    &data["final_unit_deduction"]
                ],
                [&json!(id), &json!("succeed"), &json!(""), &json!("11")]
            );
            let [clip] = &data["task_result"]["videos"].as_array().unwrap()[..] else { panic!("{task:#}") };
            assert_eq!((&clip["id"], &clip["duration"]), (&json!(id), &json!("5")));
            assert_eq!((&data["status"], &data["result_url"]), (&json!("SUCCESS"), &clip["url"]));
            let file = app.client.get(clip["url"].as_str().unwrap()).send().await.unwrap();
            assert_eq!(file.status().as_u16(), 200);
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_task_is_found_and_says_why() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 100).await;
        let id = submit(&app, &customer, TEXT, &video(json!({ "prompt": "a fox [sandbox:fail]" }))).await;
        app.finished(&customer, &id).await;
        let task = app.get(&customer, &format!("{TEXT}/{id}")).await.expect(200);
        let data = &task["data"];
        assert_eq!((&task["code"], &task["status"]), (&json!(0), &json!("failed")));
        assert_eq!((&data["task_status"], &data["final_unit_deduction"]), (&json!("failed"), &json!("0")));
        assert!(
            !data["task_status_msg"].as_str().unwrap().is_empty() && data["task_result"].is_null(),
            "{data}"
        );
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_path_says_what_a_video_is_made_from() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 1_000).await;
        let url = "https://example.com/a.png";
        for (kind, body, model, mode) in [
            ("text2video", json!({}), "kling-v1", "text_to_video"),
            ("image2video", json!({ "image": url }), "kling-v1", "image_to_video"),
            (
                "multi-image2video",
                json!({ "image_list": [{ "image": url }] }),
                "kling-v1-6",
                "reference_to_video",
            ),
            ("omni-video", json!({}), "kling-video-o1", "text_to_video"),
            (
                "omni-video",
                json!({ "image_list": [{ "image_url": url, "type": "first_frame" }] }),
                "kling-video-o1",
                "image_to_video",
            ),
            (
                "omni-video",
                json!({ "video_list": [{ "video_url": url, "refer_type": "base" }] }),
                "kling-video-o1",
                "video_to_video",
            ),
        ] {
            let body = with(json!({ "prompt": "a fox" }), body);
            let id = submit(&app, &customer, &format!("/kling/v1/videos/{kind}"), &body).await;
            let task = app.get(&customer, &format!("/api/ai/tasks/{id}")).await.expect(200);
            assert_eq!((&task["model"], &task["inputMode"]), (&json!(model), &json!(mode)), "{kind} {body}");
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_completed_video_of_one_s_own_is_extended() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Live, 100).await;
        let path = "/kling/v1/videos/video-extend";
        let waiting = submit(&app, &customer, TEXT, &video(json!({}))).await;
        for (body, status) in [
            (json!({}), 400),
            (json!({ "video_id": "https://example.com/a.mp4" }), 400),
            (json!({ "video_id": waiting }), 400),
            (json!({ "video_id": "task_01j9xa5m2r9w4qzc4pyjf3n7nd" }), 404),
        ] {
            let refused = app.post(&customer, path, &body).await.expect(status);
            let code = if status == 404 { 1203 } else { 1201 };
            assert_eq!(refused["code"], json!(code), "{body}: {refused:#}");
        }
        assert_eq!(app.balance(&customer).await, (json!(89), json!(11)));
        app
    })
    .await;
}

async fn an_external_task_id_is_good_for_one_task_however_many_ask_at_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let body = video(json!({ "external_task_id": "boat" }));
    let answers = join_all((0..20).map(|_| app.post(&customer, TEXT, &body))).await;
    let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(accepted.len(), 1);
    let id = &accepted[0].body["data"]["task_id"];
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(
            (refused.status.as_u16(), &refused.body["code"]),
            (400, &json!(1201)),
            "{:#}",
            refused.body
        );
    }
    let other = video(json!({ "external_task_id": "boat", "prompt": "another" }));
    app.post(&customer, IMAGE, &with(other, json!({ "image": "https://example.com/a.png" })))
        .await
        .expect(400);
    assert_eq!(app.balance(&customer).await, (json!(989), json!(11)));
    let found = app.get(&customer, &format!("{TEXT}/boat")).await.expect(200);
    assert_eq!(found["data"]["task_id"], *id);
    // Names are a customer's own.
    let stranger = app.customer(Mode::Test, 100).await;
    app.get(&stranger, &format!("{TEXT}/boat")).await.expect(404);
    app.post(&stranger, TEXT, &body).await.expect(200);
    app
}

async fn an_idempotency_key_replays_a_task_with_an_external_id(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let body = video(json!({ "external_task_id": "boat" }));
    let first = app.post_keyed(&customer, TEXT, &body, "once").await.expect(200);
    let again = app.post_keyed(&customer, TEXT, &body, "once").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["task_id"], first["task_id"]);
    let other_key = app.post_keyed(&customer, TEXT, &body, "twice").await.expect(400);
    assert_eq!(other_key["error"]["param"], json!("external_task_id"));
    let other_body = video(json!({ "external_task_id": "boat", "prompt": "another" }));
    app.post_keyed(&customer, TEXT, &other_body, "once").await.expect(422);
    let other_path = with(body, json!({ "image": "https://example.com/a.png" }));
    app.post_keyed(&customer, IMAGE, &other_path, "once").await.expect(422);
    assert_eq!(app.balance(&customer).await, (json!(89), json!(11)));
    app
}

async fn a_path_lists_what_was_made_on_it_page_by_page(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(submit(&app, &customer, TEXT, &video(json!({}))).await);
    }
    made.reverse();
    let image = json!({ "image": "https://example.com/a.png" });
    let of_image = submit(&app, &customer, IMAGE, &video(image)).await;
    app.generate(&customer, &wan(json!({}))).await;
    let ids = |page: Value| -> Vec<String> {
        let tasks = page["data"].as_array().unwrap().iter();
        tasks.map(|task| task["task_id"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("", &made[..]),
        ("?pageNum=1&pageSize=2", &made[..2]),
        ("?pageNum=2&pageSize=2", &made[2..4]),
        ("?pageNum=3&pageSize=2", &made[4..]),
        ("?pageNum=4&pageSize=2", &[]),
        ("?pageNum=1000&pageSize=500", &[]),
    ] {
        let page = app.get(&customer, &format!("{TEXT}{query}")).await.expect(200);
        assert_eq!((&page["code"], ids(page.clone())), (&json!(0), expected.to_vec()), "{query}");
    }
    assert_eq!(ids(app.get(&customer, IMAGE).await.expect(200)), [of_image]);
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_any_dialect_is_read_in_every_other() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 1_000).await;
        let submit_jimeng = "/jimeng/?Action=CVSync2AsyncSubmitTask&Version=2022-08-31";
        let read_jimeng = "/jimeng/?Action=CVSync2AsyncGetResult&Version=2022-08-31";
        let plain = json!({ "prompt": "a fox" });
        let generation = with(plain.clone(), json!({ "model": "jimeng_t2v_v30" }));
        let mut made = vec![app.generate(&customer, &wan(json!({}))).await];
        for (path, body) in [
            ("/v1/videos", &generation),
            ("/v1/video/generations", &generation),
            (TEXT, &plain),
            (submit_jimeng, &plain),
        ] {
            let answer = app.post(&customer, path, body).await.expect(200);
            made.push(answer["id"].as_str().unwrap().to_owned());
        }
        for id in &made {
            let native = app.get(&customer, &format!("/api/ai/tasks/{id}")).await.expect(200);
            let ulid = native["taskId"].as_str().unwrap().trim_start_matches("tsk_").to_lowercase();
            let task_id = json!(format!("task_{ulid}"));
            let uuid = native["taskId"].as_str().unwrap().parse::<entity::TaskId>().unwrap().0.to_string();
            for spelling in [
                format!("tsk_{}", ulid.to_uppercase()),
                format!("video_{ulid}"),
                format!("task_{ulid}"),
                uuid,
            ] {
                let openai = app.get(&customer, &format!("/v1/videos/{spelling}")).await.expect(200);
                assert_eq!(openai["id"], json!(format!("video_{ulid}")));
                let generation =
                    app.get(&customer, &format!("/v1/video/generations/{spelling}")).await.expect(200);
                assert_eq!((&generation["task_id"], &generation["data"]["task_id"]), (&task_id, &task_id));
                let kling = app.get(&customer, &format!("{IMAGE}/{spelling}")).await.expect(200);
                assert_eq!(kling["data"]["task_id"], task_id);
                let jimeng =
                    app.post(&customer, read_jimeng, &json!({ "task_id": spelling })).await.expect(200);
                assert_eq!(jimeng["data"]["task_id"], task_id);
            }
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_s_body_is_the_task_that_a_poll_has() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let id = submit(&app, &customer, TEXT, &video(json!({ "callback_url": "https://example.com/hook" })))
            .await;
        let view = app.app.video.task(customer.account, id.parse().unwrap()).await.unwrap().unwrap();
        let poll = app.get(&customer, &format!("{TEXT}/{id}")).await.expect(200);
        assert_eq!(callback_body(&app.app, &view), poll["data"]);
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_kling_s_numbers() {
    run(Engine::Sqlite, |app| async {
        let customer = app.customer(Mode::Test, 100).await;
        let poor = app.customer(Mode::Test, 0).await;
        let key = |new: NewKey| another_key(&app, &customer, Mode::Test, new);
        let reader = key(NewKey { scopes: vec!["videos:read".into()], ..full_rights() }).await;
        let other_models =
            key(NewKey { models: Some(vec!["wan/2-6-text-to-video".into()]), ..full_rights() }).await;
        let one_task = key(NewKey { max_tasks: Some(1), ..full_rights() }).await;
        submit(&app, &one_task, TEXT, &video(json!({ "external_task_id": "taken" }))).await;
        let get = |path: &str| request(&app, &customer, Method::GET, path);
        let post = |customer: &Customer, extra: Value| {
            request(&app, customer, Method::POST, TEXT).json(&video(extra))
        };
        let raw = |kind: &str, body: &'static str| {
            request(&app, &customer, Method::POST, TEXT).header("content-type", kind).body(body)
        };
        let missing = format!("{TEXT}/task_01j9xa5m2r9w4qzc4pyjf3n7nd");
        let cases: Vec<(&str, RequestBuilder)> = vec![
            ("kling_400_body_cut_short", raw("application/json", "{")),
            ("kling_400_duration", post(&customer, json!({ "duration": "99" }))),
            ("kling_400_external_task_id", post(&customer, json!({ "external_task_id": "taken" }))),
            (
                "kling_400_image_for_text2video",
                post(&customer, json!({ "image": "https://example.com/a.png" })),
            ),
            ("kling_400_masks", post(&customer, json!({ "static_mask": "https://example.com/a.png" }))),
            ("kling_400_model", post(&customer, json!({ "model_name": "kling-v99" }))),
            ("kling_400_page", get(&format!("{TEXT}?pageNum=0"))),
            ("kling_401_no_key", app.client.get(format!("{}{missing}", app.url))),
            ("kling_402_credits", post(&poor, json!({}))),
            ("kling_403_model", post(&other_models, json!({}))),
            ("kling_403_scope", post(&reader, json!({}))),
            ("kling_404_kind", get("/kling/v1/videos/lip-sync/1")),
            ("kling_404_path", get("/kling/v2/videos")),
            ("kling_404_task", get(&missing)),
            ("kling_404_task_with_a_nul", get(&format!("{TEXT}/a%00b"))),
            ("kling_405_delete", request(&app, &customer, Method::DELETE, &missing)),
            ("kling_415_text", raw("text/plain", "x")),
            ("kling_429_concurrency", post(&one_task, json!({}))),
        ];
        for (name, request) in cases {
            refused(&app, &customer, name, request).await;
        }
        app
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_video_is_extended_with_the_model_that_made_it() {
    run(Engine::Sqlite, |app| async {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Test, 1_000).await;
        let first = json!({ "model_name": "kling-v1-6", "prompt": "a fox", "duration": "5" });
        let first = submit(&app, &customer, TEXT, &first).await;
        app.finished(&customer, &first).await;
        let longer = json!({ "video_id": first, "prompt": "it lands" });
        let longer = submit(&app, &customer, "/kling/v1/videos/video-extend", &longer).await;
        let longer = app.finished(&customer, &longer).await;
        let told = (&longer["state"], &longer["inputMode"], &longer["model"]);
        assert_eq!(told, (&json!("completed"), &json!("video_extend"), &json!("kling-v1-6")));
        app
    })
    .await;
}
