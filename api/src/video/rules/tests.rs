mod general;
mod key;
mod media;

use serde_json::json;

use super::*;
use crate::video::request::MediaRole;

const CATALOG: &str = r#"
[[provider]]
name = "north"
mode = "live"
[[provider]]
name = "south"
mode = "live"

[[model]]
id = "walker-2"
aliases = ["walker"]
family = "walker"
modes = ["text_to_video", "image_to_video"]
last_frame = true
durations = [5, 10]
default_duration = 5
resolutions = ["720p", "1080p"]
default_resolution = "720p"
aspect_ratios = ["16:9", "9:16"]
default_aspect_ratio = "9:16"
audio = "optional"
default_audio = true
max_images = 2
max_videos = 0
max_audios = 1
prompt_max = 10
count_max = 4
options = ["cfg_scale", "shot_type", "multi_shot", "keep_audio", "watermark", "camera_control", "elements", "multi_prompt", "negative_prompt", "seed"]
lifecycle = { deprecated_at = "2026-08-15", sunset_at = "2026-09-15", replacement = "plain" }
routes = [
  { provider = "north", native_id = "w", passthrough = ["style", "north_only"], priced = { sound = "generateAudio", secs = "duration", mode = "resolution", ratio = "aspectRatio", n = "count", cfg = "cfgScale", seeds = "seed", not = "negativePrompt" } },
  { provider = "south", native_id = "w", passthrough = ["style", "south_only"] },
]

[[model]]
id = "plain"
family = "plain"
modes = ["text_to_video"]
duration_range = [4, 8]
default_duration = 8
resolutions = ["720p"]
default_resolution = "720p"
aspect_ratios = ["16:9"]
default_aspect_ratio = "16:9"
audio = "none"
max_images = 0
max_videos = 0
max_audios = 0
prompt_max = 100
prompt_required = false

[[model]]
id = "editor"
family = "plain"
modes = ["image_to_video", "reference_to_video", "video_to_video", "video_extend"]
durations = [5]
default_duration = 5
resolutions = ["720p"]
default_resolution = "720p"
aspect_ratios = ["auto"]
default_aspect_ratio = "auto"
audio = "always"
max_images = 2
max_videos = 1
max_audios = 0
prompt_max = 100
routes = [ { provider = "north", native_id = "e", priced = { ratio = "aspectRatio", mark = "watermark" } } ]

[[model]]
id = "movers"
family = "plain"
modes = ["image_to_video"]
durations = [5]
default_duration = 5
resolutions = ["720p"]
default_resolution = "720p"
aspect_ratios = ["auto"]
default_aspect_ratio = "auto"
audio = "none"
max_images = 1
max_videos = 0
max_audios = 0
prompt_max = 100

[[model]]
id = "mover"
family = "plain"
modes = ["reference_to_video"]
durations = [5]
default_duration = 5
resolutions = ["720p"]
default_resolution = "720p"
aspect_ratios = ["auto"]
default_aspect_ratio = "auto"
audio = "none"
max_images = 0
max_videos = 1
max_audios = 0
prompt_max = 100
"#;

/// Before anything in the catalog is deprecated.
const EARLY: i64 = 1_780_000_000;
/// Between deprecation and sunset: 2026-09-01.
const LATE: i64 = 1_788_220_800;
/// After the sunset: 2026-10-01.
const GONE: i64 = 1_790_812_800;

fn check_at(request: &GenerateRequest, mode: Mode, now: i64) -> Result<Checked, Refused> {
    let catalog = Catalog::parse([("catalog.toml", CATALOG)]).unwrap();
    check(request, &catalog, mode, now)
}

fn accepted(request: &GenerateRequest) -> Checked {
    check_at(request, Mode::Live, EARLY).unwrap()
}

fn text() -> GenerateRequest {
    GenerateRequest {
        model: "walker".into(),
        input_mode: Some(InputMode::TextToVideo),
        prompt: Some("a cat".into()),
        ..Default::default()
    }
}

fn medium(role: MediaRole) -> Media {
    Media { role, url: "https://example.com/a".into() }
}

fn with_media(model: &str, mode: InputMode, roles: &[MediaRole]) -> GenerateRequest {
    GenerateRequest {
        model: model.into(),
        input_mode: Some(mode),
        media: roles.iter().copied().map(medium).collect(),
        ..text()
    }
}

/// Runs a change of a valid request and expects exactly one error: on this field, with these words.
fn refused(change: impl FnOnce(&mut GenerateRequest), field: &str, words: &str) {
    let mut request = text();
    change(&mut request);
    one_error(&request, field, words);
}

fn one_error(request: &GenerateRequest, field: &str, words: &str) {
    let refused = check_at(request, Mode::Live, EARLY).expect_err(words);
    let errors = refused.errors();
    assert_eq!(errors.fields.keys().collect::<Vec<_>>(), [field], "{errors}");
    assert_eq!(errors.of(field).len(), 1, "{errors}");
    assert!(errors.of(field)[0].contains(words), "{errors}");
}

#[test]
fn what_is_left_out_comes_from_the_catalog() {
    let checked = accepted(&text());
    let made = &checked.effective;
    assert_eq!(made.model_id, "walker-2");
    assert_eq!((made.duration_s, made.count, made.audio), (5, 1, true));
    assert_eq!((made.resolution.as_str(), made.aspect_ratio.to_string().as_str()), ("720p", "9:16"));
    assert_eq!((made.seed, &made.negative_prompt), (None, &None));
    assert!(checked.warnings.is_empty() && checked.passthrough.is_empty());
}

#[test]
fn what_is_asked_for_is_what_is_made() {
    let checked = accepted(&GenerateRequest {
        duration_s: Some(10),
        resolution: Some("1080P".into()),
        aspect_ratio: Some("16:9".into()),
        generate_audio: Some(false),
        count: Some(4),
        seed: Some(i64::from(u32::MAX)),
        negative_prompt: Some("dogs".into()),
        options: [("cfg_scale".to_owned(), json!(1))].into(),
        ..text()
    });
    let made = checked.effective;
    assert_eq!((made.duration_s, made.count, made.audio), (10, 4, false));
    assert_eq!((made.resolution.as_str(), made.aspect_ratio.to_string().as_str()), ("1080p", "16:9"));
    assert_eq!((made.seed, made.negative_prompt.as_deref()), (Some(u32::MAX), Some("dogs")));
    assert_eq!(made.options["cfg_scale"], json!(1));
}

#[test]
fn the_effective_request_reads_back_and_is_priced_as_it_is_made() {
    let made = accepted(&with_media("editor", InputMode::VideoToVideo, &[MediaRole::SourceVideo])).effective;
    let json = serde_json::to_string(&made).unwrap();
    assert_eq!(serde_json::from_str::<Effective>(&json).unwrap(), made);
    let dims = made.dimensions();
    assert_eq!((dims.model, dims.mode, dims.duration_s), ("editor", InputMode::VideoToVideo, 5));
    assert_eq!((dims.width, dims.height, dims.audio, dims.video_input), (1280, 720, true, true));
}

#[test]
fn a_model_is_required() {
    for name in ["", " "] {
        let request = GenerateRequest { model: name.into(), ..text() };
        let Err(Refused::Invalid(errors)) = check_at(&request, Mode::Live, EARLY) else {
            panic!("{name:?} is accepted");
        };
        assert_eq!(errors.of("model"), ["Required"]);
    }
}

#[test]
fn a_model_must_be_one_of_the_catalog() {
    for (name, message) in [
        ("walkr-2", "Unknown model. Did you mean walker-2?"),
        ("Plain", "Unknown model. Did you mean plain?"),
        ("mover1", "Unknown model. Did you mean mover, movers?"),
        ("something-else-entirely", "Unknown model"),
        ("walker-2-stable", "The group belongs to the key, not to the model id. Send walker-2"),
        ("walker-official", "The group belongs to the key, not to the model id. Send walker"),
        ("walker@vip", "The group belongs to the key, not to the model id. Send walker"),
        ("nothing@vip", "The group belongs to the key, not to the model id"),
    ] {
        let request = GenerateRequest { model: name.into(), ..text() };
        let Err(Refused::UnknownModel(errors)) = check_at(&request, Mode::Live, EARLY) else {
            panic!("{name} is accepted");
        };
        assert_eq!(errors.of("model"), [message], "{name}");
    }
    let endless = GenerateRequest { model: "walker-2".repeat(100_000), ..text() };
    let refused = check_at(&endless, Mode::Live, EARLY).unwrap_err();
    assert_eq!(refused.errors().of("model"), ["Unknown model"]);
}

#[test]
fn an_unknown_model_comes_before_a_retired_one_before_other_errors_and_all_are_named() {
    let broken = |model: &str| GenerateRequest {
        model: model.into(),
        input_mode: None,
        callback_url: Some("nowhere".into()),
        duration_s: Some(99),
        ..text()
    };
    let unknown = check_at(&broken("nobody"), Mode::Live, GONE).unwrap_err();
    assert!(matches!(unknown, Refused::UnknownModel(_)));
    assert_eq!(unknown.errors().fields.len(), 3, "{unknown}");
    let retired = check_at(&broken("walker"), Mode::Live, GONE).unwrap_err();
    assert!(matches!(retired, Refused::Retired(_)));
    assert_eq!(retired.errors().fields.len(), 3, "{retired}");
    let invalid = check_at(&broken("walker"), Mode::Live, EARLY).unwrap_err();
    assert!(matches!(invalid, Refused::Invalid(_)));
    assert_eq!(invalid.errors().fields.keys().collect::<Vec<_>>(), ["callbackUrl", "duration", "inputMode"]);
}

#[test]
fn a_retired_model_is_refused_live_and_served_in_test_mode() {
    let refused = check_at(&text(), Mode::Live, GONE).unwrap_err();
    let message = "walker-2 is retired since 2026-09-15; use plain";
    assert_eq!(refused.errors().of("model"), [message]);
    let warning = "model: walker-2 is deprecated and ends on 2026-09-15; use plain";
    let gone = "model: walker-2 is retired since 2026-09-15; use plain; only test keys can still use it";
    assert_eq!(check_at(&text(), Mode::Test, GONE).unwrap().warnings, [gone]);
    assert_eq!(check_at(&text(), Mode::Live, LATE).unwrap().warnings, [warning]);
}

#[test]
fn the_input_mode_is_required_and_one_of_the_models() {
    refused(|r| r.input_mode = None, "inputMode", "Required");
    refused(
        |r| r.input_mode = Some(InputMode::VideoExtend),
        "inputMode",
        "walker-2 takes text_to_video, image_to_video",
    );
}

#[test]
fn prompts_are_counted_in_characters() {
    refused(|r| r.prompt = None, "prompt", "Required");
    refused(|r| r.prompt = Some(" \n".into()), "prompt", "Required");
    refused(|r| r.prompt = Some("12345678901".into()), "prompt", "at most 10 characters");
    refused(|r| r.negative_prompt = Some("12345678901".into()), "negativePrompt", "at most 10");
    accepted(&GenerateRequest { prompt: Some("é猫🐈é猫🐈é猫🐈é".into()), ..text() });
    let silent = accepted(&GenerateRequest { model: "plain".into(), prompt: None, ..text() });
    assert_eq!(silent.effective.prompt, None);
}

#[test]
fn values_outside_the_catalog_are_refused_with_the_allowed_ones() {
    refused(|r| r.duration_s = Some(7), "duration", "Allowed for walker-2: 5, 10 seconds");
    refused(|r| r.resolution = Some("4k".into()), "resolution", "Allowed for walker-2: 720p, 1080p");
    refused(|r| r.resolution = Some("big".into()), "resolution", "720p, 1080p");
    refused(|r| r.aspect_ratio = Some("1:1".into()), "aspectRatio", "Allowed for walker-2: 16:9, 9:16");
    refused(|r| r.aspect_ratio = Some("32:18".into()), "aspectRatio", "16:9, 9:16");
    refused(|r| (r.model, r.duration_s) = ("plain".into(), Some(9)), "duration", "4 to 8 seconds");
}

#[test]
fn sound_is_only_asked_for_where_there_is_a_choice() {
    let plain = |wish| GenerateRequest { model: "plain".into(), generate_audio: wish, ..text() };
    let editor = |wish| GenerateRequest {
        generate_audio: wish,
        ..with_media("editor", InputMode::VideoExtend, &[MediaRole::SourceVideo])
    };
    one_error(&plain(Some(true)), "generateAudio", "plain makes no sound");
    one_error(&editor(Some(false)), "generateAudio", "editor always makes sound");
    assert!(!accepted(&plain(Some(false))).effective.audio);
    assert!(!accepted(&plain(None)).effective.audio);
    assert!(accepted(&editor(Some(true))).effective.audio);
    assert!(accepted(&editor(None)).effective.audio);
}

#[test]
fn the_count_is_bounded_by_the_model() {
    refused(|r| r.count = Some(0), "count", "1 to 4");
    refused(|r| r.count = Some(5), "count", "1 to 4");
    refused(|r| r.count = Some(65_537), "count", "1 to 4");
    refused(|r| (r.model, r.count) = ("plain".into(), Some(2)), "count", "1 to 1");
}

#[test]
fn a_seed_is_a_u32() {
    refused(|r| r.seed = Some(-1), "seed", "0 to 4294967295");
    refused(|r| r.seed = Some(4_294_967_296), "seed", "0 to 4294967295");
    refused(|r| (r.model, r.seed) = ("plain".into(), Some(-1)), "seed", "0 to 4294967295");
    assert_eq!(accepted(&GenerateRequest { seed: Some(0), ..text() }).effective.seed, Some(0));
}

#[test]
fn seed_and_negative_prompt_are_left_out_with_a_warning_where_a_model_has_none() {
    let checked = accepted(&GenerateRequest {
        model: "plain".into(),
        seed: Some(1),
        negative_prompt: Some("dogs".into()),
        ..text()
    });
    assert_eq!((checked.effective.seed, checked.effective.negative_prompt), (None, None));
    assert_eq!(
        checked.warnings,
        ["seed: not sent, plain does not take it", "negativePrompt: not sent, plain does not take it"]
    );
}
