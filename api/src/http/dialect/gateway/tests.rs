use std::path::Path;
use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole::{self, *};

static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| Catalog::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog")).unwrap());

fn read_by(body: Value, route: Route<'_>) -> Folded {
    fold(Fields::parse(body.to_string().as_bytes()).unwrap(), &CATALOG, route)
}

fn read(body: Value) -> Folded {
    read_by(body, Route::default())
}

fn request(body: Value) -> GenerateRequest {
    let Folded { request, errors, .. } = read(body.clone());
    assert!(errors.is_empty(), "{body}: {errors}");
    request
}

/// The field that is wrong, and what is said about it.
fn refusal(body: Value) -> (String, String) {
    let errors = read(body.clone()).errors;
    let (field, messages) =
        errors.fields.into_iter().next().unwrap_or_else(|| panic!("{body} is refused for nothing"));
    (field, messages.join(", "))
}

fn media(body: Value) -> Vec<(MediaRole, String)> {
    request(body).media.into_iter().map(|medium| (medium.role, medium.url)).collect()
}

fn with(mut base: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    base.as_object_mut().unwrap().extend(more);
    base
}

#[test]
fn the_documented_examples_fold_as_they_are_meant() {
    let grok = request(json!({
        "model": "grok-imagine-1.0-video", "prompt": "p", "reference_images": ["https://example.com/ref-1.jpg"],
        "seconds": 10, "aspect_ratio": "16:9", "resolution": "720P",
    }));
    assert_eq!((grok.duration_s, grok.resolution.as_deref()), (Some(10), Some("720p")));
    assert_eq!(grok.media.len(), 1);
    let kling = request(json!({
        "model": "kling-video", "model_name": "kling-v2-6", "mode": "t2v", "prompt": "p", "duration": 5, "aspect_ratio": "16:9",
    }));
    assert_eq!((kling.model.as_str(), kling.input_mode), ("kling-v2-6", Some(InputMode::TextToVideo)));
    let sora = request(json!({ "model": "sora-2", "prompt": "a fox jumps over a creek", "seconds": "4" }));
    assert_eq!((sora.duration_s, sora.input_mode), (Some(4), Some(InputMode::TextToVideo)));
}

#[test]
fn every_alias_means_its_field() {
    let base = || json!({ "model": "doubao-seedance-2-0-260128", "prompt": "p" });
    type Got = fn(&GenerateRequest) -> Value;
    let duration: Got = |request| json!(request.duration_s);
    let ratio: Got = |request| json!(request.aspect_ratio);
    let resolution: Got = |request| json!(request.resolution);
    let audio: Got = |request| json!(request.generate_audio);
    let option: Got = |request| json!(request.options);
    for (given, got, expected) in [
        (json!({ "seconds": "5" }), duration, json!(5)),
        (json!({ "seconds": 5 }), duration, json!(5)),
        (json!({ "duration": 5 }), duration, json!(5)),
        (json!({ "duration": "5" }), duration, json!(5)),
        (json!({ "metadata": { "duration": 5 } }), duration, json!(5)),
        (json!({ "metadata": "{\"duration\": 5}" }), duration, json!(5)),
        (json!({ "aspect_ratio": "9:16" }), ratio, json!("9:16")),
        (json!({ "ratio": "9:16" }), ratio, json!("9:16")),
        (json!({ "size": "9:16" }), ratio, json!("9:16")),
        (json!({ "size": "720x1280" }), ratio, json!("9:16")),
        (json!({ "size": "1024x1792" }), ratio, json!("9:16")),
        (json!({ "width": 720, "height": 1280 }), ratio, json!("9:16")),
        (json!({ "resolution": "1080P" }), resolution, json!("1080p")),
        (json!({ "quality": "1080p" }), resolution, json!("1080p")),
        (json!({ "quality": "high" }), resolution, json!("1080p")),
        (json!({ "size": "1080p" }), resolution, json!("1080p")),
        (json!({ "size": "1920*1080" }), resolution, json!("1080p")),
        (json!({ "width": 1000, "height": 1000 }), resolution, json!("1080p")),
        (json!({ "mode": "pro" }), resolution, json!("1080p")),
        (json!({ "mode": "std" }), resolution, json!("720p")),
        (json!({ "generate_audio": true }), audio, json!(true)),
        (json!({ "sound": "off" }), audio, json!(false)),
        (json!({ "n": 2 }), |request| json!(request.count), json!(2)),
        (json!({ "seed": "7" }), |request| json!(request.seed), json!(7)),
        (json!({ "negative_prompt": "x" }), |request| json!(request.negative_prompt), json!("x")),
        (
            json!({ "metadata": { "negative_prompt": "x" } }),
            |request| json!(request.negative_prompt),
            json!("x"),
        ),
        (json!({ "user": "u" }), |request| json!(request.user), json!("u")),
        (
            json!({ "callback_url": "https://a.b" }),
            |request| json!(request.callback_url),
            json!("https://a.b"),
        ),
        (json!({ "external_task_id": "e" }), |request| json!(request.external_task_id), json!("e")),
        (
            json!({ "extra": { "return_last_frame": true } }),
            |request| json!(request.extra),
            json!({ "return_last_frame": true }),
        ),
        (
            json!({ "metadata": { "return_last_frame": true } }),
            |request| json!(request.extra),
            json!({ "return_last_frame": true }),
        ),
        (json!({ "cfg_scale": "0.5" }), option, json!({ "cfg_scale": 0.5 })),
        (
            json!({ "camera_control": { "type": "simple" } }),
            option,
            json!({ "camera_control": { "type": "simple" } }),
        ),
        (json!({ "watermark_info": { "enabled": true } }), option, json!({ "watermark": true })),
        (json!({ "watermark": "false" }), option, json!({ "watermark": false })),
        (json!({ "keep_audio": true }), option, json!({ "keep_audio": true })),
        (json!({ "multi_shot": "true" }), option, json!({ "multi_shot": true })),
        (json!({ "shot_type": "customize" }), option, json!({ "shot_type": "customize" })),
        (
            json!({ "multi_prompt": [{ "prompt": "a" }] }),
            option,
            json!({ "multi_prompt": [{ "prompt": "a" }] }),
        ),
        (json!({ "elements": [1] }), option, json!({ "elements": [1] })),
        (json!({ "response_format": "url" }), |request| json!(request.prompt), json!("p")),
    ] {
        assert_eq!(got(&request(with(base(), given.clone()))), expected, "{given}");
    }
}

#[test]
fn every_way_to_give_an_image_a_video_or_a_sound_is_read() {
    let base = || json!({ "model": "doubao-seedance-2-0-260128", "prompt": "p" });
    let image = |given: Value, role| (given, vec![(role, "https://a/i")]);
    let both = |given: Value| (given, vec![(FirstFrame, "https://a/1"), (LastFrame, "https://a/2")]);
    for (given, expected) in [
        image(json!({ "image": "https://a/i" }), FirstFrame),
        image(json!({ "image_url": "https://a/i" }), FirstFrame),
        image(json!({ "image_url": { "url": "https://a/i" } }), FirstFrame),
        image(json!({ "image_urls": ["https://a/i"] }), FirstFrame),
        image(json!({ "images": ["https://a/i"] }), FirstFrame),
        image(json!({ "images": "[\"https://a/i\"]" }), FirstFrame),
        image(json!({ "first_frame": "https://a/i" }), FirstFrame),
        image(json!({ "input_reference": "https://a/i" }), FirstFrame),
        image(json!({ "input_reference": { "image_url": "https://a/i" } }), FirstFrame),
        image(json!({ "input_reference": ["https://a/i"] }), FirstFrame),
        image(json!({ "image": "https://a/i", "images": ["https://a/i"] }), FirstFrame),
        image(json!({ "metadata": { "image": "https://a/i" } }), FirstFrame),
        image(json!({ "reference_images": ["https://a/i"] }), ReferenceImage),
        image(json!({ "image_list": [{ "image": "https://a/i" }] }), ReferenceImage),
        image(json!({ "mode": "r2v", "image": "https://a/i" }), ReferenceImage),
        image(
            json!({ "content": [{ "type": "image_url", "image_url": { "url": "https://a/i" } }] }),
            FirstFrame,
        ),
        image(
            json!({ "content": [{ "type": "image_url", "image_url": { "url": "https://a/i" }, "role": "reference_image" }] }),
            ReferenceImage,
        ),
        both(json!({ "image": "https://a/1", "last_frame": "https://a/2" })),
        both(json!({ "image": "https://a/1", "image_tail": "https://a/2" })),
        both(json!({ "image": "https://a/1", "end_image_url": "https://a/2" })),
        both(json!({ "image": "https://a/1", "last_image_url": "https://a/2" })),
        both(json!({ "mode": "i2v_first_last", "images": ["https://a/1", "https://a/2"] })),
        both(json!({ "content": [
            { "type": "image_url", "image_url": { "url": "https://a/1" }, "role": "first_frame" },
            { "type": "image_url", "image_url": { "url": "https://a/2" }, "role": "last_frame" },
        ] })),
        (json!({ "video": "https://a/v" }), vec![(SourceVideo, "https://a/v")]),
        (json!({ "video": { "id": "video_1" } }), vec![(SourceVideo, "video_1")]),
        (json!({ "video_url": "https://a/v" }), vec![(SourceVideo, "https://a/v")]),
        (json!({ "videos": ["https://a/v"] }), vec![(SourceVideo, "https://a/v")]),
        (json!({ "video_id": "video_1", "mode": "extend" }), vec![(SourceVideo, "video_1")]),
        (json!({ "task_id": "task_1", "mode": "extend" }), vec![(SourceVideo, "task_1")]),
        (
            json!({ "video_urls": ["https://a/v"], "mode": "reference_material" }),
            vec![(ReferenceVideo, "https://a/v")],
        ),
        (
            json!({ "audio_urls": ["https://a/s"], "mode": "reference_material" }),
            vec![(Audio, "https://a/s")],
        ),
        (
            json!({ "mode": "edit", "video": "https://a/v", "image": "https://a/i" }),
            vec![(SourceVideo, "https://a/v"), (ReferenceImage, "https://a/i")],
        ),
        (json!({ "image": "" }), vec![]),
    ] {
        let got = media(with(base(), given.clone()));
        let got: Vec<(MediaRole, &str)> = got.iter().map(|(role, url)| (*role, url.as_str())).collect();
        assert_eq!(got, expected, "{given}");
    }
}

#[test]
fn text_among_the_parts_of_content_is_the_prompt() {
    let body = json!({ "model": "doubao-seedance-2-0-260128", "content": [
        { "type": "text", "text": "a" }, { "type": "text", "text": "b" },
    ] });
    assert_eq!(request(body).prompt.as_deref(), Some("a\nb"));
}

#[test]
fn each_mode_has_what_it_needs_or_says_what_is_missing() {
    let image = "https://a/i";
    for (mode, model, enough, field) in [
        ("t2v", "gemini-omni", json!({}), None),
        ("i2v", "kling-v2-6", json!({ "image": image }), Some("image")),
        (
            "i2v_first_last",
            "kling-v2-6",
            json!({ "image_url": image, "end_image_url": "https://a/e" }),
            Some("image_url"),
        ),
        ("reference_images", "veo3_fast", json!({ "reference_images": [image] }), Some("reference_images")),
        (
            "reference_material",
            "doubao-seedance-2-0-260128",
            json!({ "audio_urls": ["https://a/s"] }),
            Some("image_urls"),
        ),
        ("multi_i2v", "kling-v1-6", json!({ "image_list": [{ "image": image }] }), Some("image_list")),
        ("r2v", "gemini-omni", json!({ "images": [image] }), Some("image_urls")),
        ("extend", "kling-v1-6", json!({ "video_id": "task_1" }), Some("video_id")),
        ("edit", "gemini-omni", json!({ "video": "https://a/v" }), Some("video")),
    ] {
        let base = json!({ "model": model, "prompt": "p", "mode": mode });
        let folded = request(with(base.clone(), enough));
        assert_eq!(
            folded.input_mode,
            Wish::ALL.iter().find(|wish| wish.as_str() == mode).map(|wish| wish.input_mode())
        );
        if let Some(field) = field {
            let (wrong, message) = refusal(base);
            assert_eq!(wrong, field, "{mode}");
            assert!(message.contains(mode) && message.starts_with("Required"), "{mode}: {message}");
        }
    }
    let half = json!({ "model": "kling-v2-6", "prompt": "p", "mode": "i2v_first_last", "image_url": image });
    assert_eq!(refusal(half).0, "end_image_url");
}

#[test]
fn a_mode_that_is_left_out_is_the_model_s_own_or_what_the_inputs_fit() {
    for (body, mode) in [
        (json!({ "model": "sora-2-image-to-video" }), InputMode::ImageToVideo),
        (json!({ "model": "sora-2" }), InputMode::TextToVideo),
        (json!({ "model": "sora-2", "image": "https://a/i" }), InputMode::ImageToVideo),
        (json!({ "model": "sora-2", "video": "https://a/v" }), InputMode::VideoToVideo),
        (json!({ "model": "veo3_fast", "reference_images": ["https://a/i"] }), InputMode::ReferenceToVideo),
        (json!({ "model": "kling-v1-6", "video_id": "task_1" }), InputMode::VideoExtend),
        (json!({ "model": "grok-imagine/extend", "video": "https://a/v" }), InputMode::VideoExtend),
    ] {
        assert_eq!(read(body.clone()).request.input_mode, Some(mode), "{body}");
    }
}

#[test]
fn names_that_stand_for_several_models_say_which() {
    let model = |body: Value| request(body).model;
    assert_eq!(model(json!({ "model": "veo" })), "veo-3.1");
    assert_eq!(model(json!({ "model": "veo", "extra": { "model": "veo-3.1-fast" } })), "veo-3.1-fast");
    assert_eq!(model(json!({ "model_name": "kling-v1" })), "kling-v1");
    assert_eq!(refusal(json!({ "model": "kling-video" })).0, "model_name");
    assert_eq!(refusal(json!({ "model": "kling-v1", "model_name": "kling-v3" })).0, "model_name");
    let route = Route { model: Some("sora-2"), wish: None };
    assert_eq!(read_by(json!({}), route).request.model, "sora-2");
}

#[test]
fn what_contradicts_itself_is_refused_by_name() {
    let base = || json!({ "model": "kling-v2-6", "prompt": "p" });
    for (given, field, part) in [
        (json!({ "seconds": 5, "duration": 10 }), "duration", "Contradicts seconds"),
        (
            json!({ "duration": 5, "metadata": { "duration": 10 } }),
            "metadata",
            "duration contradicts duration",
        ),
        (json!({ "size": "1280x720", "aspect_ratio": "9:16" }), "aspect_ratio", "16:9"),
        (json!({ "size": "1280x720", "resolution": "1080p" }), "resolution", "720p"),
        (json!({ "mode": "pro", "resolution": "720p" }), "mode", "1080p"),
        (json!({ "size": "1280x720", "width": 1280, "height": 720 }), "size", "width and height"),
        (json!({ "width": 1280 }), "height", "Required with width"),
        (json!({ "width": 1000, "height": 700 }), "width", "1000x700"),
        (json!({ "size": "3840x2160" }), "size", "larger"),
        (json!({ "size": "large" }), "size", "1280x720"),
        (json!({ "mode": "magic" }), "mode", "i2v_first_last"),
        (json!({ "function_mode": "magic" }), "function_mode", "i2v_first_last"),
        (json!({ "mode": "t2v", "function_mode": "i2v" }), "function_mode", "t2v"),
        (json!({ "response_format": "b64_json" }), "response_format", "url"),
        (json!({ "fps": 24 }), "fps", "frame rate but its own"),
        (json!({ "image": 5 }), "image", "Must be a URL"),
        (json!({ "images": [{ "caption": "x" }] }), "images", "Must be a URL"),
        (json!({ "content": [{ "type": "smell" }] }), "content", "Each part"),
        (json!({ "seconds": "long" }), "seconds", "whole number"),
        (json!({ "sound": "loud" }), "sound", "true or false"),
    ] {
        let (wrong, message) = refusal(with(base(), given.clone()));
        assert_eq!(wrong, field, "{given}: {message}");
        assert!(message.contains(part), "{given}: {message}");
    }
}

#[test]
fn what_decides_the_price_can_t_hide_in_metadata() {
    let cheap = json!({ "model": "kling-v2-6", "prompt": "p", "duration": 5 });
    for hidden in [
        json!({ "duration": "10" }),
        json!({ "seconds": 10 }),
        json!({ "mode": "pro", "resolution": "720p" }),
    ] {
        let body = with(cheap.clone(), json!({ "metadata": hidden }));
        assert!(!read(body.clone()).errors.is_empty(), "{body}");
    }
    let dearer = with(
        json!({ "model": "kling-v2-6", "prompt": "p" }),
        json!({ "metadata": { "duration": 10, "mode": "pro" } }),
    );
    let request = request(dearer);
    assert_eq!((request.duration_s, request.resolution.as_deref()), (Some(10), Some("1080p")));
}

#[test]
fn errors_of_the_rules_are_told_in_the_words_that_were_sent() {
    let folded = read(
        json!({ "model": "kling-v2-6", "prompt": "p", "seconds": 5, "end_image_url": "https://a/e", "n": 2 }),
    );
    let mut errors = FieldErrors::default();
    for field in ["duration", "lastFrameUrl", "count", "aspectRatio"] {
        errors.push(field, "no");
    }
    let named: Vec<String> = folded.names.translate(errors).fields.into_keys().collect();
    assert_eq!(named, ["aspect_ratio", "end_image_url", "n", "seconds"]);
}
