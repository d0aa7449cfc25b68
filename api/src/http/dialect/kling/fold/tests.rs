//! Every field of Kling's bodies has an effect or a refusal.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::http::query::Word;

const URL: &str = "https://example.com/a.png";
const OTHER: &str = "https://example.com/b.png";

fn catalog() -> Catalog {
    Catalog::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog")).unwrap()
}

fn read(kind: &str, body: &Value) -> Folded {
    let kind = Kind::all().iter().copied().find(|known| known.as_str() == kind).unwrap();
    from_scratch(kind, Fields::parse(body.to_string().as_bytes()).unwrap(), &catalog())
}

fn medium(role: &str, url: &str) -> Value {
    json!({ "role": role, "url": url })
}

/// The path, what is sent there, and what becomes of it beside the mode.
fn effects() -> Vec<(&'static str, Value, Value)> {
    let frames = json!([medium("first_frame", URL), medium("last_frame", OTHER)]);
    vec![
        ("text2video", json!({}), json!({ "model": "kling-v1" })),
        (
            "image2video",
            json!({ "image": URL }),
            json!({ "model": "kling-v1", "media": [medium("first_frame", URL)] }),
        ),
        ("text2video", json!({ "model_name": "kling-v2-6" }), json!({ "model": "kling-v2-6" })),
        ("text2video", json!({ "model": "kling-v2-6" }), json!({ "model": "kling-v2-6" })),
        ("text2video", json!({ "prompt": "a fox" }), json!({ "prompt": "a fox" })),
        ("text2video", json!({ "negative_prompt": "people" }), json!({ "negative_prompt": "people" })),
        ("text2video", json!({ "cfg_scale": 0.7 }), json!({ "options": { "cfg_scale": 0.7 } })),
        ("text2video", json!({ "mode": "std" }), json!({ "resolution": "720p" })),
        ("text2video", json!({ "mode": "pro" }), json!({ "resolution": "1080p" })),
        ("text2video", json!({ "mode": "4k" }), json!({ "resolution": "4k" })),
        ("text2video", json!({ "duration": "10" }), json!({ "duration_s": 10 })),
        ("text2video", json!({ "duration": 10 }), json!({ "duration_s": 10 })),
        (
            "text2video",
            json!({ "duration": 10.0, "metadata": { "duration": "10.0" } }),
            json!({ "duration_s": 10 }),
        ),
        ("text2video", json!({ "aspect_ratio": "9:16" }), json!({ "aspect_ratio": "9:16" })),
        ("text2video", json!({ "sound": "on" }), json!({ "generate_audio": true })),
        ("text2video", json!({ "sound": "off" }), json!({ "generate_audio": false })),
        ("text2video", json!({ "seed": 7 }), json!({ "seed": 7 })),
        ("text2video", json!({ "seed": -1 }), json!({ "seed": null })),
        ("text2video", json!({ "n": 2 }), json!({ "count": 2 })),
        ("text2video", json!({ "user": "u" }), json!({ "user": "u" })),
        ("text2video", json!({ "response_format": "url" }), json!({})),
        (
            "text2video",
            json!({ "width": 1280, "height": 720 }),
            json!({ "resolution": "720p", "aspect_ratio": "16:9" }),
        ),
        (
            "text2video",
            json!({ "metadata": { "negative_prompt": "x", "quality_level": "high" } }),
            json!({ "negative_prompt": "x", "resolution": "1080p" }),
        ),
        (
            "text2video",
            json!({ "callback_url": URL, "external_task_id": "a" }),
            json!({ "callback_url": URL, "external_task_id": "a" }),
        ),
        (
            "text2video",
            json!({ "camera_control": { "type": "simple", "config": { "zoom": 5 } } }),
            json!({ "options": { "camera_control": { "type": "simple", "config": { "zoom": 5 } } } }),
        ),
        (
            "text2video",
            json!({ "watermark_info": { "enabled": true } }),
            json!({ "options": { "watermark": true } }),
        ),
        (
            "text2video",
            json!({ "multi_shot": true, "shot_type": "customize", "multi_prompt": [{ "index": 1 }] }),
            json!({ "options": { "multi_shot": true, "shot_type": "customize", "multi_prompt": [{ "index": 1 }] } }),
        ),
        ("image2video", json!({ "image": URL, "image_tail": OTHER }), json!({ "media": frames })),
        (
            "image2video",
            json!({ "image": URL, "static_mask": OTHER }),
            json!({ "extra": { "static_mask": OTHER } }),
        ),
        (
            "image2video",
            json!({ "image": URL, "dynamic_masks": [{ "mask": OTHER }] }),
            json!({ "extra": { "dynamic_masks": [{ "mask": OTHER }] } }),
        ),
        (
            "multi-image2video",
            json!({ "image_list": [{ "image": URL }, { "image": OTHER }] }),
            json!({ "model": "kling-v1-6", "input_mode": "reference_to_video",
                "media": [medium("reference_image", URL), medium("reference_image", OTHER)] }),
        ),
        ("omni-video", json!({}), json!({ "model": "kling-video-o1", "input_mode": "text_to_video" })),
        (
            "omni-video",
            json!({ "image_list": [{ "image_url": URL, "type": "first_frame" }, { "image_url": OTHER, "type": "end_frame" }] }),
            json!({ "input_mode": "image_to_video", "media": frames }),
        ),
        (
            "omni-video",
            json!({ "image_list": [{ "image_url": URL }] }),
            json!({ "input_mode": "reference_to_video", "media": [medium("reference_image", URL)] }),
        ),
        (
            "omni-video",
            json!({ "video_list": [{ "video_url": URL, "refer_type": "base", "keep_original_sound": "yes" }] }),
            json!({ "input_mode": "video_to_video", "media": [medium("source_video", URL)], "options": { "keep_audio": true } }),
        ),
        (
            "omni-video",
            json!({ "video_list": [{ "video_url": URL }] }),
            json!({ "input_mode": "video_to_video", "media": [medium("source_video", URL)] }),
        ),
        (
            "omni-video",
            json!({ "video_list": [{ "video_url": URL, "refer_type": "feature" }] }),
            json!({ "input_mode": "reference_to_video", "media": [medium("reference_video", URL)] }),
        ),
        (
            "omni-video",
            json!({ "element_list": [{ "element_id": 1 }] }),
            json!({ "options": { "elements": [{ "element_id": 1 }] } }),
        ),
    ]
}

#[test]
fn every_field_has_its_effect() {
    for (kind, body, expected) in effects() {
        let folded = read(kind, &body);
        assert!(folded.errors.is_empty(), "{kind} {body}: {}", folded.errors);
        assert_eq!(folded.warnings, [""; 0], "{kind} {body}");
        let request = serde_json::to_value(&folded.request).unwrap();
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(request[field], *value, "{kind} {body}: {field}");
        }
    }
}

/// The path, what is sent there, and the field that is wrong with it.
fn refusals() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("text2video", json!({ "model": "kling-v1", "model_name": "kling-v3" }), "model_name"),
        (
            "text2video",
            json!({ "metadata": { "model_name": "kling-v3" }, "model": "kling-v1" }),
            "model_name",
        ),
        ("text2video", json!({ "mode": "turbo" }), "mode"),
        ("text2video", json!({ "mode": "pro", "resolution": "720p" }), "mode"),
        ("text2video", json!({ "mode": "i2v" }), "mode"),
        ("text2video", json!({ "duration": "long" }), "duration"),
        ("text2video", json!({ "duration": 5, "seconds": 10 }), "duration"),
        ("text2video", json!({ "duration": 5, "metadata": { "duration": 10 } }), "metadata"),
        ("text2video", json!({ "duration": 5, "metadata": { "seconds": 10 } }), "duration"),
        ("text2video", json!({ "mode": "std", "metadata": { "mode": "pro" } }), "metadata"),
        ("text2video", json!({ "width": 1280 }), "height"),
        ("text2video", json!({ "width": 100, "height": 1000 }), "width"),
        ("text2video", json!({ "response_format": "b64_json" }), "response_format"),
        ("text2video", json!({ "fps": 24 }), "fps"),
        ("text2video", json!({ "sound": "loud" }), "sound"),
        ("text2video", json!({ "cfg_scale": "much" }), "cfg_scale"),
        ("text2video", json!({ "watermark_info": { "enabled": "x" } }), "watermark_info"),
        ("text2video", json!({ "voice_list": [{ "voice_id": "1" }] }), "voice_list"),
        ("image2video", json!({}), "image"),
        ("image2video", json!({ "image": 5 }), "image"),
        (
            "image2video",
            json!({ "image": URL, "model_name": "kling-v2-6", "static_mask": URL }),
            "static_mask",
        ),
        (
            "image2video",
            json!({ "image": URL, "model_name": "kling-v2-6", "dynamic_masks": [] }),
            "dynamic_masks",
        ),
        ("multi-image2video", json!({}), "image_list"),
        ("omni-video", json!({ "image_list": [{ "image_url": URL, "type": "middle" }] }), "image_list"),
        (
            "omni-video",
            json!({ "first_frame": OTHER, "image_list": [{ "image_url": URL, "type": "first_frame" }] }),
            "image_list",
        ),
        ("omni-video", json!({ "video_list": [{ "video_url": URL, "refer_type": "copy" }] }), "video_list"),
        (
            "omni-video",
            json!({ "video_list": [{ "video_url": URL, "refer_type": "base" }, { "video_url": OTHER, "refer_type": "feature" }] }),
            "video_list",
        ),
    ]
}

#[test]
fn what_has_no_effect_is_refused_by_its_name() {
    for (kind, body, field) in refusals() {
        let errors = read(kind, &body).errors;
        assert!(!errors.of(field).is_empty(), "{kind} {body}: {errors}");
    }
}

#[test]
fn errors_call_the_model_as_the_sender_does() {
    let mut errors = crate::video::request::FieldErrors::default();
    errors.push("model", "x");
    let named = |body: Value| read("text2video", &body).names.translate(errors.clone());
    assert_eq!(named(json!({})).of("model_name"), ["x"]);
    assert_eq!(named(json!({ "model": "m" })).of("model"), ["x"]);
}
