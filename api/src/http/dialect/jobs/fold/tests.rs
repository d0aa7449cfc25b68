use std::path::Path;

use serde_json::json;

use super::*;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

fn catalog() -> Catalog {
    Catalog::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog")).unwrap()
}

fn folded(model: &str, input: &Value) -> Folded {
    let body = json!({ "model": model, "input": input });
    let folded = fold(Fields::parse(body.to_string().as_bytes()).unwrap(), &catalog());
    assert!(folded.errors.is_empty(), "{model} {input}: {}", folded.errors);
    folded
}

#[test]
fn each_name_of_an_input_is_understood() {
    use MediaRole::*;
    let url = "https://example.com/a";
    let one = |name: &str| json!({ name: url });
    let list = |name: &str| json!({ name: [url] });
    let both = json!([url, "https://example.com/b"]);
    for (model, input, mode, roles) in [
        ("kling/v2-1-pro", one("image_url"), InputMode::ImageToVideo, &[FirstFrame][..]),
        (
            "kling/v2-1-pro",
            json!({ "image_url": url, "tail_image_url": url }),
            InputMode::ImageToVideo,
            &[FirstFrame, LastFrame],
        ),
        ("kling-2.6/image-to-video", list("image_urls"), InputMode::ImageToVideo, &[FirstFrame]),
        ("veo3_fast", list("imageUrls"), InputMode::ImageToVideo, &[FirstFrame]),
        ("bytedance/seedance-1.5-pro", list("input_urls"), InputMode::ImageToVideo, &[FirstFrame]),
        (
            "bytedance/seedance-1.5-pro",
            json!({ "input_urls": both }),
            InputMode::ImageToVideo,
            &[FirstFrame, LastFrame],
        ),
        ("kling-3.0/video", json!({ "image_urls": both }), InputMode::ImageToVideo, &[FirstFrame, LastFrame]),
        ("bytedance/seedance-2", one("first_frame_url"), InputMode::ImageToVideo, &[FirstFrame]),
        (
            "bytedance/seedance-2",
            json!({ "first_frame_url": url, "last_frame_url": url }),
            InputMode::ImageToVideo,
            &[FirstFrame, LastFrame],
        ),
        (
            "bytedance/seedance-2",
            list("reference_image_urls"),
            InputMode::ReferenceToVideo,
            &[ReferenceImage],
        ),
        (
            "happyhorse/reference-to-video",
            list("reference_image"),
            InputMode::ReferenceToVideo,
            &[ReferenceImage],
        ),
        ("wan/2-7-videoedit", one("video_url"), InputMode::VideoToVideo, &[SourceVideo]),
        (
            "wan/2-7-videoedit",
            json!({ "video_url": url, "reference_image": url }),
            InputMode::VideoToVideo,
            &[SourceVideo, ReferenceImage],
        ),
        (
            "bytedance/seedance-2",
            json!({ "first_frame_url": url, "reference_audio_urls": [url] }),
            InputMode::ImageToVideo,
            &[FirstFrame, Audio],
        ),
        ("bytedance/seedance-2", json!({}), InputMode::TextToVideo, &[]),
    ] {
        let request = folded(model, &input).request;
        let given: Vec<MediaRole> = request.media.iter().map(|medium| medium.role).collect();
        assert_eq!((request.input_mode, given.as_slice()), (Some(mode), roles), "{model} {input}");
    }
}

#[test]
fn a_model_s_own_names_are_left_to_it_and_the_others_are_ours() {
    let request =
        folded("sora-2-pro-text-to-video", &json!({ "n_frames": "10", "size": "high", "seed": 5 })).request;
    assert_eq!(
        request.extra,
        [("n_frames".to_owned(), json!("10")), ("size".to_owned(), json!("high"))].into()
    );
    assert_eq!((request.seed, request.duration_s), (Some(5), None));
    let request = folded("kling-v2-6", &json!({ "aspectRatio": "16:9", "audio": true, "wobble": 1 })).request;
    assert_eq!((request.aspect_ratio.as_deref(), request.generate_audio), (Some("16:9"), Some(true)));
    assert_eq!(request.extra, [("wobble".to_owned(), json!(1))].into());
}

#[test]
fn a_seed_that_asks_for_any_is_none() {
    let request = folded("bytedance/v1-pro-text-to-video", &json!({ "seed": -1 })).request;
    assert_eq!((request.seed, request.extra.len()), (None, 0));
}
