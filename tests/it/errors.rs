//! Every refusal as customers see it (the snapshots beside this file), and that none of them moves a credit.

use entity::account::AccountStatus;
use entity::{Credits, KeyId, Mode};
use reelmeter::customer::caller::INFERENCE_SCOPES;
use reelmeter::customer::key::{self, NewKey};
use reqwest::{Method, RequestBuilder, Response};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tests::{Customer, TestApp, on_both_engines};

use crate::{sora, wan};

on_both_engines!(
    a_request_that_is_not_valid_is_refused_field_by_field,
    a_body_that_is_no_object_is_refused,
    parameters_and_headers_that_are_not_valid_are_refused,
    without_a_valid_key_nothing_is_done,
    what_the_account_or_the_key_can_t_pay_is_refused,
    what_the_key_may_not_do_is_refused,
    what_is_not_there_is_not_found_and_what_is_there_names_its_methods,
    what_was_meant_for_another_request_or_time_buys_nothing,
    a_body_that_is_too_large_or_no_json_is_refused,
    a_model_that_is_retired_or_that_nobody_serves_is_refused,
    a_range_beyond_the_clip_is_refused,
    the_same_error_comes_as_a_problem_to_whoever_asks_for_one,
    every_refusal_names_its_request,
);

const GENERATE: &str = "/api/ai/video/generate";
/// A caller's own request id is kept, which makes every answer the same each time.
const REQUEST_ID: &str = "req_of_the_test";
/// What of the headers is part of the API.
const HEADERS: [&str; 6] =
    ["content-type", "www-authenticate", "allow", "retry-after", "content-range", "x-request-id"];

/// Sends a request, compares the refusal with the snapshot of that name, and sees that it cost nothing.
pub async fn refused(app: &TestApp, customer: &Customer, name: &str, request: RequestBuilder) {
    let before = standing(app, customer).await;
    let answer = request.header("x-request-id", REQUEST_ID).send().await.unwrap();
    let refusal = shown(answer).await;
    insta::assert_json_snapshot!(name, refusal);
    assert_eq!(standing(app, customer).await, before, "{name} moved credits");
}

/// What the account holds, and the number of its last transfer.
async fn standing(app: &TestApp, customer: &Customer) -> [Value; 3] {
    let credits = app.get(customer, "/api/ai/credits").await.expect(200);
    ["available", "held", "seq"].map(|field| credits[field].clone())
}

async fn shown(answer: Response) -> Value {
    let status = answer.status().as_u16();
    assert!((400..600).contains(&status), "not refused: {status}");
    let header = |name: &&str| Some(((*name).to_owned(), answer.headers().get(*name)?.to_str().ok()?.into()));
    let headers: Map<String, Value> = HEADERS.iter().filter_map(header).collect();
    let mut body: Value = answer.json().await.unwrap();
    if body["resetsAt"].is_string() {
        body["resetsAt"] = json!("[time]");
    }
    json!({ "status": status, "headers": headers, "body": body })
}

pub fn request(app: &TestApp, customer: &Customer, method: Method, path: &str) -> RequestBuilder {
    app.client.request(method, format!("{}{path}", app.url)).bearer_auth(&customer.key)
}

fn generate(app: &TestApp, customer: &Customer) -> RequestBuilder {
    request(app, customer, Method::POST, GENERATE)
}

/// Another key of the same account.
pub async fn another_key(app: &TestApp, customer: &Customer, mode: Mode, new: NewKey) -> Customer {
    let id = KeyId(app.app.clock.new_id());
    let account = (customer.id, customer.account, mode);
    let tx = app.app.db.begin().await.unwrap();
    let secret = key::create(&tx, id, account, new, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    Customer { key_id: id, key: secret.expose_secret().to_owned(), ..customer.clone() }
}

async fn a_request_that_is_not_valid_is_refused_field_by_field(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let animate = json!({
        "model": "kling/v2-5-turbo-image-to-video-pro", "inputMode": "image_to_video", "prompt": "it waves",
    });
    let image = "https://example.com/cat.png";
    for (name, body) in [
        ("400_nothing", json!({})),
        ("400_input_mode_missing", wan(json!({ "inputMode": null }))),
        ("400_input_mode_unknown", wan(json!({ "inputMode": "text2video" }))),
        (
            "400_input_mode_of_another_model",
            wan(json!({ "inputMode": "image_to_video", "inputImageUrls": [image] })),
        ),
        ("400_image_for_text_to_video", wan(json!({ "inputImageUrls": [image] }))),
        ("400_image_missing", animate),
        ("400_image_is_no_url", wan(json!({ "inputMode": "image_to_video", "inputImageUrls": ["cat.png"] }))),
        ("400_prompt_missing", wan(json!({ "prompt": " " }))),
        ("400_prompt_too_long", wan(json!({ "prompt": "x".repeat(100_000) }))),
        ("400_duration", wan(json!({ "duration": 7 }))),
        ("400_resolution", wan(json!({ "resolution": "4k" }))),
        ("400_aspect_ratio", wan(json!({ "aspectRatio": "7:3" }))),
        ("400_count", wan(json!({ "count": 0 }))),
        ("400_callback_not_https", wan(json!({ "callbackUrl": "http://example.com/hook" }))),
        ("400_extra", wan(json!({ "extra": { "turbo": true } }))),
        ("400_nul_character", wan(json!({ "prompt": "a\0b" }))),
        ("400_model_missing", wan(json!({ "model": null }))),
        ("400_model_mistyped", wan(json!({ "model": "wan/2.6-text-to-vidoe" }))),
        (
            "400_model_like_no_other",
            wan(json!({ "model": "a model of my own that nobody has ever heard of" })),
        ),
        (
            "400_several_at_once",
            wan(
                json!({ "prompt": "", "duration": 7, "resolution": "9p", "aspectRatio": "wide", "count": 100, "seed": -1 }),
            ),
        ),
        (
            "400_wrong_types",
            wan(json!({
                "prompt": 5, "duration": "long", "generateAudio": "yes", "inputImageUrls": "https://example.com/cat.png",
                "metadata": ["a"],
            })),
        ),
    ] {
        refused(&app, &customer, name, generate(&app, &customer).json(&body)).await;
    }
    app
}

async fn a_body_that_is_no_object_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    for (name, body) in [
        ("400_body_empty", ""),
        ("400_body_cut_short", r#"{"model": "wan/2-6"#),
        ("400_body_is_a_list", "[{}]"),
    ] {
        let request = generate(&app, &customer).header("content-type", "application/json").body(body);
        refused(&app, &customer, name, request).await;
    }
    app
}

async fn parameters_and_headers_that_are_not_valid_are_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    for (name, path) in [
        ("400_cursor", "/api/ai/credits/ledger?cursor=page2"),
        ("400_limit", "/api/ai/credits/ledger?limit=101"),
        ("400_ttl", "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND/link?ttl=1"),
        ("400_index", "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND/content?index=first"),
    ] {
        refused(&app, &customer, name, request(&app, &customer, Method::GET, path)).await;
    }
    let too_long = "k".repeat(256);
    for (name, keys) in [
        ("400_idempotency_key_with_a_space", &["order 42"][..]),
        ("400_idempotency_key_too_long", &[too_long.as_str()]),
        ("400_idempotency_key_half_quoted", &["\"order-42"]),
        ("400_idempotency_key_twice", &["order-42", "order-43"]),
    ] {
        let request = generate(&app, &customer).json(&sora(json!({})));
        let request = keys.iter().fold(request, |request, key| request.header("idempotency-key", *key));
        refused(&app, &customer, name, request).await;
    }
    let two_keys = generate(&app, &customer).header("x-api-key", "sk-another").json(&sora(json!({})));
    refused(&app, &customer, "400_two_keys", two_keys).await;
    app
}

async fn without_a_valid_key_nothing_is_done(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let ended = NewKey { expires_at: Some(app.app.clock.now()), ..full_rights() };
    let ended = another_key(&app, &customer, Mode::Test, ended).await;
    let unknown = key::generate(Mode::Test);
    for (name, key) in [
        ("401_no_key", None),
        ("401_malformed_key", Some("sk-1234")),
        ("401_unknown_key", Some(unknown.expose_secret())),
        ("401_expired_key", Some(ended.key.as_str())),
    ] {
        let request = app.client.post(format!("{}{GENERATE}", app.url)).json(&sora(json!({})));
        let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
        refused(&app, &customer, name, request).await;
    }
    app
}

pub fn full_rights() -> NewKey {
    NewKey {
        name: "another".into(),
        scopes: INFERENCE_SCOPES.map(str::to_owned).to_vec(),
        ..NewKey::default()
    }
}

async fn what_the_account_or_the_key_can_t_pay_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 20).await;
    app.generate(&customer, &sora(json!({}))).await;
    let request = generate(&app, &customer).json(&sora(json!({})));
    refused(&app, &customer, "402_insufficient_credits", request).await;
    app.grant(&customer, 100).await;
    for (name, capped) in [
        ("402_key_limit_of_a_day", NewKey { cap_day: Credits::from_whole(15), ..full_rights() }),
        ("402_key_limit_of_a_lifetime", NewKey { cap_lifetime: Credits::from_whole(15), ..full_rights() }),
    ] {
        let capped = another_key(&app, &customer, Mode::Test, capped).await;
        app.generate(&capped, &sora(json!({}))).await;
        refused(&app, &customer, name, generate(&app, &capped).json(&sora(json!({})))).await;
    }
    app
}

async fn what_the_key_may_not_do_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reader = NewKey { scopes: vec!["videos:read".into()], ..full_rights() };
    let reader = another_key(&app, &customer, Mode::Test, reader).await;
    let request_of_reader = generate(&app, &reader).json(&sora(json!({})));
    refused(&app, &customer, "403_insufficient_scope", request_of_reader).await;
    let balance = request(&app, &reader, Method::GET, "/api/ai/credits");
    refused(&app, &customer, "403_insufficient_scope_for_the_balance", balance).await;
    let wan_only = NewKey { models: Some(vec!["wan/2-6-text-to-video".into()]), ..full_rights() };
    let wan_only = another_key(&app, &customer, Mode::Test, wan_only).await;
    let other_model = generate(&app, &wan_only).json(&sora(json!({})));
    refused(&app, &customer, "403_model_not_allowed", other_model).await;
    freeze(&app, &customer).await;
    let request = generate(&app, &customer).json(&sora(json!({})));
    refused(&app, &customer, "403_account_frozen", request).await;
    app
}

pub async fn freeze(app: &TestApp, customer: &Customer) {
    let tx = app.app.db.begin().await.unwrap();
    let account = entity::account::Entity::find_by_id(customer.account).one(&tx).await.unwrap().unwrap();
    let mut account = account.into_active_model();
    account.status = Set(AccountStatus::Frozen);
    account.update(&tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn what_is_not_there_is_not_found_and_what_is_there_names_its_methods(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    for (name, method, path) in [
        ("404_path", Method::GET, "/api/ai/videos"),
        ("404_task", Method::GET, "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND"),
        ("404_malformed_id", Method::GET, "/api/ai/tasks/my-video"),
        ("404_content_of_no_task", Method::GET, "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND/content"),
        ("404_cancel_of_no_task", Method::POST, "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND/cancel"),
        ("405_get_of_generate", Method::GET, GENERATE),
        ("405_delete_of_credits", Method::DELETE, "/api/ai/credits"),
        ("405_put_of_content", Method::PUT, "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND/content"),
    ] {
        refused(&app, &customer, name, request(&app, &customer, method, path)).await;
    }
    let id = app.generate(&customer, &sora(json!({}))).await;
    let content = request(&app, &customer, Method::GET, &format!("/api/ai/tasks/{id}/content"));
    refused(&app, &customer, "404_not_ready", content).await;
    app
}

async fn what_was_meant_for_another_request_or_time_buys_nothing(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let quoted = |body: Value| {
        let (app, customer) = (&app, &customer);
        async move { app.post(customer, "/api/ai/video/quote", &body).await.expect(200)["quoteId"].clone() }
    };
    let quote = quoted(sora(json!({}))).await;
    let other_length = generate(&app, &customer).json(&sora(json!({ "quoteId": quote, "duration": 10 })));
    refused(&app, &customer, "422_quote_mismatch", other_length).await;
    let invented = generate(&app, &customer).json(&sora(json!({ "quoteId": "quote_1" })));
    refused(&app, &customer, "422_quote_of_nobody", invented).await;
    app.generate(&customer, &sora(json!({ "quoteId": quote }))).await;
    let again = generate(&app, &customer).json(&sora(json!({ "quoteId": quote })));
    refused(&app, &customer, "422_quote_used", again).await;
    app.post_keyed(&customer, GENERATE, &sora(json!({})), "order-42").await.expect(200);
    let other = generate(&app, &customer).header("idempotency-key", "order-42");
    let other = other.json(&sora(json!({ "prompt": "another coffee cup" })));
    refused(&app, &customer, "422_idempotency_key_reused", other).await;
    let late = quoted(sora(json!({}))).await;
    app.advance(3_600);
    let late = generate(&app, &customer).json(&sora(json!({ "quoteId": late })));
    refused(&app, &customer, "410_quote_expired", late).await;
    app
}

async fn a_body_that_is_too_large_or_no_json_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let limit = app.app.config.max_body_bytes;
    let empty = sora(json!({ "prompt": "" })).to_string().len();
    // One byte too many: all of it has been read when the answer comes.
    let body = sora(json!({ "prompt": "x".repeat(limit + 1 - empty) }));
    refused(&app, &customer, "413_too_large", generate(&app, &customer).json(&body)).await;
    let body = sora(json!({})).to_string();
    let form = generate(&app, &customer).header("content-type", "application/x-www-form-urlencoded");
    refused(&app, &customer, "415_form", form.body(body.clone())).await;
    refused(&app, &customer, "415_no_content_type", generate(&app, &customer).body(body)).await;
    app
}

async fn a_model_that_is_retired_or_that_nobody_serves_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let retired = generate(&app, &customer).json(&sora(json!({})));
    refused(&app, &customer, "400_model_retired", retired).await;
    let elsewhere = json!({
        "model": "grok-imagine-video", "inputMode": "text_to_video", "prompt": "a fox", "duration": 5,
    });
    refused(&app, &customer, "503_model_unavailable", generate(&app, &customer).json(&elsewhere)).await;
    app
}

async fn a_range_beyond_the_clip_is_refused(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    let content = format!("/api/ai/tasks/{id}/content");
    let beyond = request(&app, &customer, Method::GET, &content).header("range", "bytes=1000000-");
    refused(&app, &customer, "416_range", beyond).await;
    let none = request(&app, &customer, Method::GET, &format!("{content}?index=1"));
    refused(&app, &customer, "404_no_clip", none).await;
    app
}

async fn the_same_error_comes_as_a_problem_to_whoever_asks_for_one(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 5).await;
    let request = generate(&app, &customer).header("accept", "application/problem+json, */*;q=0.1");
    refused(&app, &customer, "402_as_a_problem", request.json(&sora(json!({})))).await;
    app
}

async fn every_refusal_names_its_request(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 5).await;
    let one = app.post(&customer, GENERATE, &sora(json!({}))).await;
    let two = app.post(&customer, GENERATE, &sora(json!({}))).await;
    for answer in [&one, &two] {
        let id = answer.header("x-request-id").unwrap();
        assert!(id.starts_with("req_") && id.len() == 36, "{id}");
        assert_eq!(answer.body["requestId"], json!(id));
        assert_eq!(answer.body["instance"], json!(format!("/requests/{id}")));
    }
    assert_ne!(one.body["requestId"], two.body["requestId"]);
    app
}
