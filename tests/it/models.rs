//! Models as customers see them: what they cost is what is quoted, and what their schema allows is what the rules allow.

use entity::Mode;
use futures_util::StreamExt;
use reelmeter::customer::key::NewKey;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use crate::wan;

on_both_engines!(
    a_model_is_found_by_its_id_and_its_aliases_with_a_slash_as_it_is_or_escaped,
    models_are_those_that_the_key_may_use_in_its_mode,
    what_has_not_changed_is_not_sent_again,
    typical_times_are_measured_once_there_are_enough_tasks,
);

const MODELS: &str = "/api/ai/models";

async fn list(app: &TestApp, customer: &Customer, query: &str) -> Vec<Value> {
    let page = app.get(customer, &format!("{MODELS}?{query}")).await.expect(200);
    page["data"].as_array().unwrap().clone()
}

fn ids(models: &[Value]) -> Vec<&str> {
    models.iter().map(|model| model["id"].as_str().unwrap()).collect()
}

async fn a_model_is_found_by_its_id_and_its_aliases_with_a_slash_as_it_is_or_escaped(
    app: TestApp,
) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let whole = app.get(&customer, &format!("{MODELS}/kling/v2-1-standard")).await.expect(200);
    assert_eq!(whole["id"], json!("kling/v2-1-standard"));
    let escaped = app.get(&customer, &format!("{MODELS}/kling%2Fv2-1-standard")).await.expect(200);
    assert_eq!(whole, escaped);
    for name in ["kling/v2-1-standard", "kling%2Fv2-1-standard"] {
        let answer = app.get(&customer, &format!("{MODELS}/{name}/schema")).await;
        assert_eq!(answer.header("content-type"), Some("application/schema+json"));
        assert_eq!(answer.expect(200)["title"], json!("kling/v2-1-standard"));
    }
    for model in list(&app, &customer, "").await {
        let id = model["id"].as_str().unwrap();
        for name in model["aliases"].as_array().unwrap() {
            let by_alias =
                app.get(&customer, &format!("{MODELS}/{}", name.as_str().unwrap())).await.expect(200);
            assert_eq!(by_alias["id"], json!(id));
        }
    }
    let unknown = app.get(&customer, &format!("{MODELS}/kling/v2-1-standart")).await.expect(404);
    assert_eq!(unknown["code"], json!("model_not_found"));
    assert!(unknown["detail"].as_str().unwrap().contains("Did you mean kling/v2-1-standard"), "{unknown:#}");
    app.get(&customer, &format!("{MODELS}/kling/v2-1-standart/schema")).await.expect(404);
    let wrong_method = app.post(&customer, &format!("{MODELS}/kling/v2-1-standard"), &json!({})).await;
    assert_eq!(wrong_method.header("allow"), Some("GET, HEAD"));
    wrong_method.expect(405);
    app
}

async fn models_are_those_that_the_key_may_use_in_its_mode(app: TestApp) -> TestApp {
    let (test, live) = (app.customer(Mode::Test, 0).await, app.customer(Mode::Live, 0).await);
    let all = list(&app, &test, "").await;
    assert_eq!(all.len(), app.app.video.catalog.models().len());
    assert!(all.iter().all(|model| model["available"] == json!(true)), "test keys can use every model");
    let offered = list(&app, &live, "available=true").await;
    let refused = list(&app, &live, "available=false").await;
    assert_eq!(offered.len() + refused.len(), all.len());
    let (offered, refused) = (ids(&offered), ids(&refused));
    // Nobody but the fake serves live keys here; the example of the contract is retired.
    assert!(offered.contains(&"wan/2-6-text-to-video") && refused.contains(&"grok-imagine-video"));
    let retired = app.get(&live, &format!("{MODELS}/sora-2-text-to-video")).await.expect(200);
    assert_eq!((&retired["status"], &retired["available"]), (&json!("retired"), &json!(false)));
    let found = list(&app, &test, "family=wan&inputMode=text_to_video").await;
    let fits = |model: &Value| {
        model["family"] == "wan" && model["inputModes"].as_array().unwrap().contains(&json!("text_to_video"))
    };
    assert_eq!(found, all.iter().filter(|model| fits(model)).cloned().collect::<Vec<_>>());
    assert!(!found.is_empty());
    for (query, field) in
        [("family=vann", "family"), ("inputMode=text2video", "inputMode"), ("available=2", "available")]
    {
        let refused = app.get(&test, &format!("{MODELS}?{query}")).await.expect(400);
        assert!(refused["details"]["fieldErrors"][field].is_array(), "{refused:#}");
    }
    let one = NewKey { models: Some(vec!["wan/2-6-text-to-video".into()]), ..NewKey::default() };
    let one = app.customer_with(Mode::Test, 0, one).await;
    assert_eq!(ids(&list(&app, &one, "").await), ["wan/2-6-text-to-video"]);
    for path in ["sora-2-text-to-video", "sora-2-text-to-video/schema"] {
        assert_eq!(
            app.get(&one, &format!("{MODELS}/{path}")).await.expect(403)["code"],
            json!("model_not_allowed")
        );
    }
    app
}

async fn what_has_not_changed_is_not_sent_again(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await;
    for path in ["", "/sora-2-text-to-video", "/sora-2-text-to-video/schema"] {
        let path = format!("{MODELS}{path}");
        let first = app.get(&customer, &path).await;
        assert_eq!(first.header("cache-control"), Some("private, max-age=60"));
        let tag = first.header("etag").unwrap().to_owned();
        let known = format!("\"other\", {tag}");
        for (tags, status) in [(tag.as_str(), 304), (known.as_str(), 304), ("\"other\"", 200)] {
            let again = app
                .send(Some(&customer), reqwest::Method::GET, &path, None, &[("if-none-match", tags)])
                .await;
            assert_eq!(
                (again.status.as_u16(), again.header("etag")),
                (status, Some(tag.as_str())),
                "{path} {tags}"
            );
            assert_eq!(again.body.is_null(), status == 304);
        }
    }
    app
}

async fn typical_times_are_measured_once_there_are_enough_tasks(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 1_000).await;
    let path = format!("{MODELS}/wan/2-6-text-to-video");
    for n in 0..5 {
        app.advance(61);
        assert_eq!(app.get(&customer, &path).await.expect(200)["typicalSeconds"], json!(null), "{n}");
        let id = app.generate(&customer, &wan(json!({}))).await;
        app.finished(&customer, &id).await;
    }
    assert_eq!(
        app.get(&customer, &path).await.expect(200)["typicalSeconds"],
        json!(null),
        "it was measured a moment ago"
    );
    app.advance(61);
    let typical = app.get(&customer, &path).await.expect(200)["typicalSeconds"].clone();
    assert_eq!(typical["samples"], json!(5));
    assert!(typical["p50"].as_f64().unwrap() <= typical["p90"].as_f64().unwrap());
    let test = app.customer(Mode::Test, 0).await;
    assert_eq!(app.get(&test, &path).await.expect(200)["typicalSeconds"], json!(null));
    app
}

const IMAGE: &str = "https://example.com/cat.png";
const VIDEO: &str = "https://example.com/cat.mp4";

/// The least that a model takes in a mode.
fn smallest(model: &Value, mode: &str) -> Value {
    let mut body = json!({ "model": model["id"], "inputMode": mode, "prompt": "a fox" });
    let images = model["media"]["maxImages"].as_u64().unwrap();
    match mode {
        "image_to_video" => body["inputImageUrls"] = json!([IMAGE]),
        "reference_to_video" if images == 0 => body["referenceVideoUrls"] = json!([VIDEO]),
        "reference_to_video" => body["referenceImageUrls"] = json!([IMAGE]),
        "video_to_video" | "video_extend" => body["inputVideoUrls"] = json!([VIDEO]),
        _ => {}
    }
    body
}

fn modes(model: &Value) -> Vec<String> {
    model["inputModes"].as_array().unwrap().iter().map(|mode| mode.as_str().unwrap().to_owned()).collect()
}

/// Sends many bodies to the quote, a few at a time, and answers in their order.
async fn quotes(app: &TestApp, customer: &Customer, bodies: &[Value]) -> Vec<(u16, Value)> {
    let quote = async |body: &Value| {
        let answer = app.post(customer, "/api/ai/video/quote", body).await;
        (answer.status.as_u16(), answer.body)
    };
    futures_util::stream::iter(bodies).map(quote).buffered(8).collect().await
}

/// The schema and the rules do not depend on the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_price_of_every_model_is_what_is_quoted() {
    tests::run(tests::Engine::Sqlite, |app| async move {
        let customer = app.customer(Mode::Test, 0).await;
        let (mut bodies, mut prices) = (Vec::new(), Vec::new());
        for model in list(&app, &customer, "").await {
            assert!(!model["prices"].as_array().unwrap().is_empty(), "{}", model["id"]);
            for (body, price) in sold(&model) {
                bodies.push(body);
                prices.push(price);
            }
        }
        let quoted = quotes(&app, &customer, &bodies).await;
        for ((body, price), (status, quote)) in bodies.iter().zip(prices).zip(quoted) {
            assert_eq!((status, &quote["credits"]), (200, &json!(price)), "{body} {quote:#}");
        }
        app
    })
    .await;
}

/// One body for each price that is listed, with its first values, and the price.
fn sold(model: &Value) -> Vec<(Value, i64)> {
    let mut all = Vec::new();
    for offer in model["prices"].as_array().unwrap() {
        for price in offer["durations"].as_array().unwrap() {
            let mode = offer["inputModes"][0].as_str().unwrap();
            let mut body = smallest(model, mode);
            body["resolution"] = offer["resolutions"][0].clone();
            body["generateAudio"] = offer["audio"][0].clone();
            if let Some(ratio) = offer["aspectRatios"].get(0) {
                body["aspectRatio"] = ratio.clone();
            }
            let with_video = offer["videoInput"][0] == json!(true);
            if mode == "reference_to_video" && with_video {
                body["referenceVideoUrls"] = json!([VIDEO]);
                body.as_object_mut().unwrap().remove("referenceImageUrls");
            }
            let seconds = price["maxSeconds"].as_i64().unwrap();
            body["duration"] = json!(seconds);
            all.push((body, credits(price, seconds, model["priceStep"].as_i64().unwrap())));
        }
    }
    all
}

/// As the answer's description says it is worked out.
fn credits(price: &Value, seconds: i64, step: i64) -> i64 {
    if let Some(credits) = price["credits"].as_i64() {
        return credits;
    }
    assert_eq!(price["unit"], json!("second"));
    let (whole, decimals) = price["unitPrice"]
        .as_str()
        .unwrap()
        .split_once('.')
        .unwrap_or((price["unitPrice"].as_str().unwrap(), ""));
    let thousandths: i64 = format!("{whole}{decimals:0<3}").parse().unwrap();
    (thousandths * seconds + step * 1_000 - 1) / (step * 1_000) * step
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_the_schema_of_a_model_is_quoted_and_what_does_not_is_refused() {
    tests::run(tests::Engine::Sqlite, |app| async move {
        let customer = app.customer(Mode::Test, 0).await;
        let mut cases = Vec::new();
        for model in list(&app, &customer, "").await {
            let id = model["id"].as_str().unwrap();
            let schema = app.get(&customer, &format!("{MODELS}/{id}/schema")).await.expect(200);
            let validator = jsonschema::draft202012::new(&schema).unwrap();
            for mode in modes(&model) {
                let fits = smallest(&model, &mode);
                let mut long = fits.clone();
                long["duration"] = json!(model["durations"]["max"].as_u64().unwrap() + 1);
                cases.extend([fits, long].map(|body| (validator.is_valid(&body), body)));
            }
        }
        assert_eq!(cases.iter().filter(|(valid, _)| *valid).count() * 2, cases.len());
        let bodies: Vec<Value> = cases.iter().map(|(_, body)| body.clone()).collect();
        for ((valid, body), (status, answer)) in cases.iter().zip(quotes(&app, &customer, &bodies).await) {
            assert_eq!(status, if *valid { 200 } else { 400 }, "{body} {answer:#}");
        }
        app
    })
    .await;
}
