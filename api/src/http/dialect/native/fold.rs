//! From the native body to the one request of the video room.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use poem_openapi::Object;
use serde_json::Value;

use super::DIALECT;
use crate::http::body::Fields;
use crate::video::catalog::{InputMode, join};
use crate::video::input::Files;
use crate::video::request::{FieldErrors, GenerateRequest, Media, MediaRole};
use crate::video::submit::Submission;

// Only describes the body: `fold` reads it, so that one answer can name everything that is wrong with it.
/// What to generate. Unknown fields are ignored and named in `warnings`.
#[derive(Debug, Object)]
#[oai(rename = "GenerateVideo", rename_all = "camelCase")]
pub struct GenerateBody {
    /// Id or alias of a model, such as `sora-2-text-to-video`.
    model: String,
    /// `text_to_video`, `image_to_video`, `reference_to_video`, `video_to_video` or `video_extend`. Must be one of the
    /// model's.
    input_mode: String,
    /// What to show. Most models require it.
    prompt: Option<String>,
    /// What not to show; models that don't take it ignore it with a warning.
    negative_prompt: Option<String>,
    /// The image to animate; only the first one is used. Like every file here it is given as a public https URL, a `data:`
    /// URL, base64, the id of an upload (`POST /api/uploads`), or the id of a completed task of yours, whose clip it is then.
    input_image_urls: Option<Vec<String>>,
    /// The image to end with.
    last_frame_url: Option<String>,
    /// Images of what should appear.
    reference_image_urls: Option<Vec<String>>,
    /// The video to change or to extend.
    input_video_urls: Option<Vec<String>>,
    /// Videos of what should appear or how it should move.
    reference_video_urls: Option<Vec<String>>,
    /// Sound to go by.
    input_audio_urls: Option<Vec<String>>,
    /// Seconds of one clip; the model says which are allowed. Also taken as text.
    duration: Option<u32>,
    /// Such as `720p` or `1080p`.
    resolution: Option<String>,
    /// Such as `16:9` or `9:16`.
    aspect_ratio: Option<String>,
    /// Clips to make from this request; each is paid for.
    count: Option<u32>,
    /// Whether the clip gets sound.
    generate_audio: Option<bool>,
    /// The same seed and request tend to give similar clips.
    seed: Option<u32>,
    /// Typed wishes of some model families, such as `cfg_scale`.
    options: Option<BTreeMap<String, Value>>,
    /// Keys of a provider's own, allowed model by model.
    extra: Option<BTreeMap<String, Value>>,
    /// Where to tell that the task has ended; https. A POST of `{type, timestamp, data}`, signed as Standard Webhooks
    /// says (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`) and tried for some three days until it is
    /// answered with 2xx. The operator has your account's signing secret.
    callback_url: Option<String>,
    /// Your own name for the task.
    external_task_id: Option<String>,
    /// Kept and given back with the task; at most 50 keys and 16 KiB.
    metadata: Option<BTreeMap<String, Value>>,
    /// From `POST /api/ai/video/quote`: buys exactly what was quoted, at that price, once.
    quote_id: Option<String>,
}

/// A body that was read.
#[derive(Debug)]
pub struct Folded {
    pub submission: Submission,
    pub warnings: Vec<String>,
}

/// What was wrong with a body's types, and what could be read of it all the same.
#[derive(Debug)]
pub struct Misread {
    pub errors: FieldErrors,
    pub request: Box<GenerateRequest>,
}

/// Reads a body; fills in no defaults.
pub fn fold(mut body: Fields, idempotency_key: Option<String>) -> Result<Folded, Misread> {
    let quote_id = body.text("quoteId");
    let request = request(&mut body);
    match body.finish() {
        Ok(warning) => {
            let submission = Submission {
                request,
                dialect: DIALECT,
                idempotency_key,
                quote_id,
                is_repeated: false,
                files: Files::default(),
            };
            Ok(Folded { submission, warnings: warning.into_iter().collect() })
        }
        Err(errors) => Err(Misread { errors, request: Box::new(request) }),
    }
}

fn request(body: &mut Fields) -> GenerateRequest {
    GenerateRequest {
        model: body.text("model").unwrap_or_default(),
        input_mode: body.word("inputMode", &INPUT_MODES, |text| text.parse().ok()),
        prompt: body.text("prompt"),
        negative_prompt: body.text("negativePrompt"),
        media: media(body),
        duration_s: body.whole("duration"),
        resolution: body.text("resolution"),
        aspect_ratio: body.text("aspectRatio"),
        seed: body.whole("seed"),
        count: body.whole("count"),
        generate_audio: body.flag("generateAudio"),
        options: body.object("options"),
        extra: body.object("extra"),
        callback_url: body.text("callbackUrl"),
        external_task_id: body.text("externalTaskId"),
        user: None,
        provider: None,
        metadata: body.object("metadata"),
    }
}

static INPUT_MODES: LazyLock<String> = LazyLock::new(|| format!("one of {}", join(InputMode::ALL)));

fn media(body: &mut Fields) -> Vec<Media> {
    let mut media = Vec::new();
    for role in MediaRole::ALL {
        let urls = match role {
            MediaRole::LastFrame => body.text(role.field()).into_iter().collect(),
            _ => body.texts(role.field()),
        };
        media.extend(urls.into_iter().map(|url| Media { role, url }));
    }
    media
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem_openapi::registry::Registry;
    use poem_openapi::types::Type;
    use serde_json::{Map, json};

    fn folded(body: Value) -> Result<Folded, FieldErrors> {
        fold(Fields::parse(body.to_string().as_bytes()).unwrap(), None).map_err(|misread| misread.errors)
    }

    #[test]
    fn the_published_example_folds_without_warnings() {
        let Folded { submission, warnings } = folded(json!({
            "prompt": "A slow cinematic dolly around a ceramic coffee cup",
            "model": "sora-2-text-to-video",
            "inputMode": "text_to_video",
            "aspectRatio": "16:9",
            "duration": 5,
        }))
        .unwrap();
        assert!(warnings.is_empty());
        let expected = GenerateRequest {
            model: "sora-2-text-to-video".into(),
            input_mode: Some(InputMode::TextToVideo),
            prompt: Some("A slow cinematic dolly around a ceramic coffee cup".into()),
            aspect_ratio: Some("16:9".into()),
            duration_s: Some(5),
            ..GenerateRequest::default()
        };
        assert_eq!(submission.request, expected);
        assert_eq!((submission.dialect, submission.quote_id), ("native", None));
    }

    #[test]
    fn media_keep_their_roles_and_order() {
        let body = json!({
            "inputVideoUrls": ["v"], "referenceImageUrls": ["r1", "r2"], "inputImageUrls": ["i1", "i2"], "lastFrameUrl": "l",
        });
        let media = folded(body).unwrap().submission.request.media;
        let listed: Vec<(MediaRole, &str)> =
            media.iter().map(|medium| (medium.role, medium.url.as_str())).collect();
        use MediaRole::*;
        let expected = [
            (FirstFrame, "i1"),
            (FirstFrame, "i2"),
            (LastFrame, "l"),
            (ReferenceImage, "r1"),
            (ReferenceImage, "r2"),
        ];
        assert_eq!(listed, [&expected[..], &[(SourceVideo, "v")]].concat());
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let body = json!({ "prompt": 1, "inputMode": "text2video", "duration": "long", "seed": 0.5, "metadata": "x" });
        let errors = folded(body).unwrap_err();
        let named: Vec<&str> = errors.fields.keys().map(String::as_str).collect();
        assert_eq!(named, ["duration", "inputMode", "metadata", "prompt", "seed"]);
        assert!(errors.of("inputMode")[0].contains("text_to_video"));
    }

    #[test]
    fn an_unknown_field_is_a_warning() {
        let warnings = folded(json!({ "model": "m", "aspect_ratio": "16:9" })).unwrap().warnings;
        assert_eq!(warnings, ["Unknown fields are ignored: aspect_ratio"]);
    }

    #[test]
    fn exactly_the_described_fields_are_read() {
        let mut registry = Registry::new();
        GenerateBody::register(&mut registry);
        let described: Vec<&str> =
            registry.schemas["GenerateVideo"].properties.iter().map(|(name, _)| *name).collect();
        let body: Map<String, Value> =
            described.iter().map(|name| ((*name).to_owned(), json!(["x", 1]))).collect();
        let errors = folded(Value::Object(body)).unwrap_err();
        let mut read: Vec<&str> = errors.fields.keys().map(String::as_str).collect();
        let mut described = described;
        read.sort_unstable();
        described.sort_unstable();
        assert_eq!(read, described);
    }
}
