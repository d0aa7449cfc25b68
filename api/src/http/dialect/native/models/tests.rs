//! Every model's schema held against the rules: what fits it they accept, and what does not they refuse.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use entity::Mode;
use poem_openapi::types::ToJSON;
use serde_json::{Value, json};

use super::super::fold::fold;
use super::super::model_view::model_body;
use super::*;
use crate::http::body::Fields;
use crate::media::Allow;
use crate::video::catalog::Catalog;
use crate::video::input::Reference;
use crate::video::offer::Status;
use crate::video::price::PriceBook;
use crate::video::request::Media;
use crate::video::rules::check;
use crate::video::upload::Terms;

fn real() -> (Catalog, PriceBook) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let prices = std::fs::read_to_string(root.join("pricing.toml")).unwrap();
    (Catalog::load_dir(&root.join("catalog")).unwrap(), PriceBook::parse(&prices).unwrap())
}

/// As customers see it.
fn shown(model: &Arc<crate::video::catalog::Model>) -> Value {
    let view = ModelView {
        model: model.clone(),
        status: Status::Active,
        available: true,
        offers: Arc::default(),
        price_version: 1,
        price_step: 1,
        typical: None,
    };
    model_body(view).to_json().unwrap()
}

/// The widest terms for files.
fn anything() -> Terms {
    let (max_image_bytes, max_video_bytes, max_audio_bytes) = (u64::MAX, u64::MAX, u64::MAX);
    Terms {
        max_image_bytes,
        max_video_bytes,
        max_audio_bytes,
        kept_s: 1,
        http: true,
        allow: Allow::default(),
    }
}

/// Whether a body would be taken, up to the money.
fn is_taken(body: &Value, catalog: &Catalog, book: &PriceBook) -> bool {
    let Ok(folded) = fold(Fields::parse(body.to_string().as_bytes()).unwrap(), None) else { return false };
    let request = &folded.submission.request;
    let is_medium = |medium: &Media| Reference::read(&medium.url, &anything()).is_ok();
    let checked = check(request, catalog, Mode::Test, 0);
    request.media.iter().all(is_medium)
        && checked.is_ok_and(|checked| book.quote(1, &checked.effective.dimensions(), "default").is_ok())
}

#[test]
fn the_schema_of_every_model_and_the_rules_agree() {
    let (catalog, book) = real();
    let (mut taken, mut refused) = (0, 0);
    for model in catalog.models() {
        let schema = schema(model);
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let model = shown(model);
        for body in modes(&model).iter().flat_map(|mode| variations(&model, mode)) {
            let is_taken = is_taken(&body, &catalog, &book);
            assert_eq!(validator.is_valid(&body), is_taken, "{body}");
            *(if is_taken { &mut taken } else { &mut refused }) += 1;
        }
    }
    assert!(taken > 5_000 && refused > 5_000, "{taken} taken, {refused} refused");
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

/// The least that fits, and everything that it can be changed into by one field.
fn variations(model: &Value, mode: &str) -> Vec<Value> {
    let base = smallest(model, mode);
    let mut all = vec![base.clone()];
    for (field, value) in changes(model) {
        let mut body = base.clone();
        match value {
            Some(value) => body[field] = value,
            None => drop(body.as_object_mut().unwrap().remove(field)),
        }
        all.push(body);
    }
    let together = [(1, 1, 1), (2, 2, 0), (0, 2, 2), (1, 0, 1)];
    all.extend(together.map(|(images, sources, references)| {
        let mut body = base.clone();
        body["referenceImageUrls"] = json!(vec![IMAGE; images]);
        body["inputVideoUrls"] = json!(vec![VIDEO; sources]);
        body["referenceVideoUrls"] = json!(vec![VIDEO; references]);
        body
    }));
    all
}

fn changes(model: &Value) -> Vec<(&'static str, Option<Value>)> {
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let mut changes: Vec<(&'static str, Option<Value>)> = Vec::new();
    let prompt_max = number(&model["promptMax"]);
    let long = "x".repeat(prompt_max);
    for prompt in [
        None,
        Some(json!("ä".repeat(prompt_max))),
        Some(json!(long.clone() + "x")),
        Some(json!("a\0b")),
        Some(json!(7)),
    ] {
        changes.push(("prompt", prompt));
    }
    if model["promptRequired"] == json!(true) {
        changes.push(("prompt", Some(json!(" \n"))));
    }
    changes.extend([("negativePrompt", Some(json!("blur"))), ("negativePrompt", Some(json!(long + "xy")))]);
    let seconds: BTreeSet<u64> = match model["durations"]["values"].as_array() {
        Some(list) => list.iter().map(|value| value.as_u64().unwrap()).collect(),
        None => BTreeSet::from([
            number(&model["durations"]["min"]) as u64,
            number(&model["durations"]["max"]) as u64,
        ]),
    };
    let beside = seconds.iter().flat_map(|value| [value - 1, *value, value + 1]);
    changes.extend(beside.map(|seconds| ("duration", Some(json!(seconds)))));
    changes.extend(
        [json!(0), json!(-5), json!(5.5), json!("long"), json!([])].map(|value| ("duration", Some(value))),
    );
    for (field, list) in [("resolution", "resolutions"), ("aspectRatio", "aspectRatios")] {
        changes.extend(model[list].as_array().unwrap().iter().map(|value| (field, Some(value.clone()))));
        changes.extend([json!("7:3"), json!("9p"), json!(720), json!("")].map(|value| (field, Some(value))));
    }
    for name in std::iter::once(&model["id"]).chain(model["aliases"].as_array().unwrap()) {
        changes.push(("model", Some(name.clone())));
    }
    changes.extend([("model", None), ("model", Some(json!("no-such-model"))), ("inputMode", None)]);
    for mode in
        ["text_to_video", "image_to_video", "reference_to_video", "video_to_video", "video_extend", "x"]
    {
        changes.push(("inputMode", Some(json!(mode))));
    }
    let count = number(&model["countMax"]);
    changes.extend([0, 1, count, count + 1].map(|count| ("count", Some(json!(count)))));
    changes.extend([json!(true), json!(false), json!("yes")].map(|value| ("generateAudio", Some(value))));
    changes.extend(
        [json!(0), json!(u32::MAX), json!(1u64 << 32), json!(-1), json!("x")]
            .map(|value| ("seed", Some(value))),
    );
    changes.extend(media_changes(model));
    changes.extend(option_changes(model));
    changes.extend(labels());
    changes
}

fn media_changes(model: &Value) -> Vec<(&'static str, Option<Value>)> {
    let limit = |name: &str| model["media"][name].as_u64().unwrap() as usize;
    let mut changes = Vec::new();
    for (field, url, max) in [
        ("inputImageUrls", IMAGE, limit("maxImages")),
        ("referenceImageUrls", IMAGE, limit("maxImages")),
        ("inputVideoUrls", VIDEO, limit("maxVideos")),
        ("referenceVideoUrls", VIDEO, limit("maxVideos")),
        ("inputAudioUrls", "https://example.com/cat.mp3", limit("maxAudios")),
    ] {
        changes.push((field, None));
        changes.extend([0, 1, max, max + 1].map(|n| (field, Some(json!(vec![url; n])))));
        changes.extend(
            [json!(["cat.png"]), json!([""]), json!(url), json!([7])].map(|value| (field, Some(value))),
        );
    }
    let last = [json!(IMAGE), json!("ftp://example.com/x"), json!("https://exa mple.com/x"), json!([IMAGE])];
    changes.extend(last.map(|value| ("lastFrameUrl", Some(value))));
    changes
}

fn option_changes(model: &Value) -> Vec<(&'static str, Option<Value>)> {
    let values =
        [json!(true), json!(0.5), json!(1.5), json!("x"), json!({}), json!([]), json!([{}]), json!([1])];
    let names = [
        "camera_control",
        "cfg_scale",
        "elements",
        "keep_audio",
        "multi_prompt",
        "multi_shot",
        "negative_prompt",
        "seed",
        "shot_type",
        "watermark",
        "zoom",
    ];
    let mut changes: Vec<(&'static str, Option<Value>)> = Vec::new();
    for name in names {
        changes.extend(values.iter().map(|value| ("options", Some(json!({ name: value })))));
    }
    changes.extend([json!({}), json!([]), json!("x")].map(|value| ("options", Some(value))));
    let groups: Vec<Vec<String>> = serde_json::from_value(model["extra"].clone()).unwrap();
    let mut together = serde_json::Map::new();
    for group in &groups {
        let all: serde_json::Map<String, Value> = group.iter().map(|key| (key.clone(), json!("x"))).collect();
        together.extend(all.clone());
        changes.push(("extra", Some(Value::Object(all))));
    }
    changes.push(("extra", Some(Value::Object(together))));
    changes.extend([json!({}), json!({ "turbo": true }), json!([])].map(|value| ("extra", Some(value))));
    changes
}

/// What is the same for every model.
fn labels() -> Vec<(&'static str, Option<Value>)> {
    let many: serde_json::Map<String, Value> = (0..51).map(|n| (n.to_string(), json!(n))).collect();
    vec![
        ("externalTaskId", Some(json!("order-1"))),
        ("externalTaskId", Some(json!(""))),
        ("externalTaskId", Some(json!("x".repeat(256)))),
        ("externalTaskId", Some(json!("a\nb"))),
        ("metadata", Some(json!({ "order": 1 }))),
        ("metadata", Some(Value::Object(many))),
        ("metadata", Some(json!([]))),
        ("callbackUrl", Some(json!("https://example.com/hook"))),
        ("callbackUrl", Some(json!("http://example.com/hook"))),
        ("callbackUrl", Some(json!("http://localhost:8080/hook"))),
        ("callbackUrl", Some(json!("http://127.0.0.1/hook"))),
        ("callbackUrl", Some(json!("http://[::1]:80/hook"))),
        ("callbackUrl", Some(json!("hook"))),
        ("promt", Some(json!("ignored"))),
    ]
}
