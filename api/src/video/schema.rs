//! The rules of one model as a JSON Schema (2020-12) of the native dialect's body.
//!
//! Written from the same catalog entry as [`super::rules`] reads, and a little stricter than they are: what is accepted in
//! more than one spelling has one here, and a provider's own key that only repeats a field of ours is left out. What fits the
//! schema is accepted; a scenario holds both against each other over the whole catalog.

use serde_json::{Map, Value, json};

use super::catalog::{Audio, Durations, InputMode, Model, OptionName};
use super::request::MediaRole;
use super::rules::{free_keys, takes};

const URL_MAX_CHARS: usize = 2_048;
const LABEL_MAX_CHARS: usize = 255;
const METADATA_MAX_KEYS: usize = 50;
const NOT_BLANK: &str = "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$";
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of every body that this model takes.
pub fn schema(model: &Model) -> Value {
    json!({
        "$schema": DIALECT,
        "title": model.id,
        "description": "The body of POST /api/ai/video/generate and /quote. Fields that are not described are ignored.",
        "type": "object",
        "required": ["model", "inputMode"],
        "properties": properties(model),
        "allOf": model.modes.iter().map(|mode| of_mode(model, *mode)).collect::<Vec<_>>(),
    })
}

fn properties(model: &Model) -> Value {
    let names: Vec<&String> = std::iter::once(&model.id).chain(&model.aliases).collect();
    let ratios: Vec<String> = model.aspect_ratios.iter().map(ToString::to_string).collect();
    let mut properties = json!({
        "model": { "enum": names },
        "inputMode": { "enum": model.modes },
        "prompt": text(model.prompt_max_chars),
        "negativePrompt": taken(model, OptionName::NegativePrompt, text(model.prompt_max_chars)),
        "duration": duration(model),
        "resolution": { "enum": model.resolutions, "default": model.default_resolution },
        "aspectRatio": { "enum": ratios, "default": model.default_aspect_ratio },
        "count": { "type": "integer", "minimum": 1, "maximum": model.count_max, "default": 1 },
        "generateAudio": { "enum": model.audio.choices(), "default": model.audio.default_on() },
        "seed": taken(model, OptionName::Seed, json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })),
        "options": options(model),
        "extra": extra(model),
        "callbackUrl": callback_url(),
        "externalTaskId": label(),
        "metadata": { "type": "object", "maxProperties": METADATA_MAX_KEYS, "description": "At most 16 KiB of JSON" },
        "quoteId": { "type": "string" },
    });
    for role in MediaRole::ALL {
        properties[role.field()] = match role {
            MediaRole::LastFrame => medium(),
            _ => json!({ "type": "array", "items": medium() }),
        };
    }
    if matches!(model.audio, Audio::Optional { .. }) {
        properties["generateAudio"] = json!({ "type": "boolean", "default": model.audio.default_on() });
    }
    properties
}

/// Text without U+0000, which can't be stored.
fn text(max_chars: usize) -> Value {
    json!({ "type": "string", "maxLength": max_chars, "pattern": "^[^\\u0000]*$" })
}

/// A field that every model takes, but not every model makes something of.
fn taken(model: &Model, option: OptionName, mut schema: Value) -> Value {
    if !model.has_option(option) {
        schema["description"] = json!("Accepted with a warning, but this model does not take it");
    }
    schema
}

fn duration(model: &Model) -> Value {
    match &model.durations {
        Durations::List(list) if model.rounds_duration_up => {
            let max = list.last();
            json!({ "type": "integer", "minimum": 1, "maximum": max, "default": model.default_duration_s })
        }
        Durations::List(list) => {
            json!({ "type": "integer", "enum": list, "default": model.default_duration_s })
        }
        Durations::Range { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max, "default": model.default_duration_s })
        }
    }
}

fn options(model: &Model) -> Value {
    let listed =
        model.options.iter().filter_map(|option| Some((option.key()?.to_owned(), option_value(*option))));
    let properties: Map<String, Value> = listed.collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn option_value(option: OptionName) -> Value {
    match option {
        OptionName::CfgScale => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        OptionName::ShotType => json!({ "type": "string" }),
        OptionName::CameraControl => json!({ "type": "object" }),
        OptionName::Elements => json!({ "type": "array" }),
        OptionName::MultiPrompt => json!({ "type": "array", "items": { "type": "object" } }),
        OptionName::KeepAudio | OptionName::MultiShot | OptionName::Watermark => json!({ "type": "boolean" }),
        OptionName::NegativePrompt | OptionName::Seed => json!(false),
    }
}

/// Keys are forwarded by one route, so they must be one route's together.
fn extra(model: &Model) -> Value {
    let routes: Vec<Value> = free_keys(model)
        .into_iter()
        .map(|keys| {
            let properties: Map<String, Value> = keys.into_iter().map(|key| (key, json!(true))).collect();
            json!({ "properties": properties, "additionalProperties": false })
        })
        .collect();
    match routes.is_empty() {
        true => json!({ "type": "object", "maxProperties": 0 }),
        false => json!({ "type": "object", "anyOf": routes }),
    }
}

fn web_address() -> Value {
    json!({
        "type": "string", "format": "uri", "maxLength": URL_MAX_CHARS,
        "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s\\u0000-\\u001f\\u007f-\\u009f/?#]+[^\\s\\u0000-\\u001f\\u007f-\\u009f]*$",
    })
}

/// A file in any of the forms that it can be given in.
fn medium() -> Value {
    let of_ours = json!({ "pattern": "^(upl|tsk|video|task)_[0-9A-Za-z]{26}$" });
    let data_url = json!({ "pattern": "^[Dd][Aa][Tt][Aa]:[^,]*;[Bb][Aa][Ss][Ee]64," });
    let base64 = json!({ "minLength": 64, "pattern": "^[A-Za-z0-9+/_=\\s-]*$" });
    json!({ "type": "string", "anyOf": [web_address(), of_ours, data_url, base64] })
}

/// Plain http stays on the machine.
fn callback_url() -> Value {
    let mut url = web_address();
    url["anyOf"] = json!([
        { "pattern": "^[Hh][Tt][Tt][Pp][Ss]://" },
        { "pattern": "^[Hh][Tt][Tt][Pp]://(localhost|127\\.[0-9]+\\.[0-9]+\\.[0-9]+|\\[::1\\])([:/?#]|$)" },
    ]);
    url
}

fn label() -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": LABEL_MAX_CHARS,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    })
}

/// What holds in one input mode: which media it takes, how many, and which it needs.
fn of_mode(model: &Model, mode: InputMode) -> Value {
    let counts: Map<String, Value> =
        MediaRole::ALL.into_iter().map(|role| (role.field().to_owned(), amount(model, mode, role))).collect();
    let mut then = vec![json!({ "properties": counts })];
    then.extend(needed(model, mode));
    if model.needs_prompt(mode) {
        then.push(json!({ "required": ["prompt"], "properties": { "prompt": { "pattern": NOT_BLANK } } }));
    }
    if mode == InputMode::VideoToVideo {
        then.push(videos_together(model.max_videos));
    }
    json!({ "if": { "properties": { "inputMode": { "const": mode } } }, "then": { "allOf": then } })
}

fn amount(model: &Model, mode: InputMode, role: MediaRole) -> Value {
    let limit = if takes(mode, role) { limit(model, role) } else { 0 };
    match role {
        // Beside the first frame.
        MediaRole::LastFrame => json!(model.last_frame && limit >= 2),
        // The first is used, the others are left out with a warning.
        MediaRole::FirstFrame if limit > 0 => json!(true),
        _ => json!({ "maxItems": limit }),
    }
}

fn limit(model: &Model, role: MediaRole) -> usize {
    match role {
        role if role.is_image() => model.max_images,
        role if role.is_video() => model.max_videos,
        _ => model.max_audios,
    }
}

fn needed(model: &Model, mode: InputMode) -> Option<Value> {
    let some = |role: MediaRole| json!({ "required": [role.field()], "properties": { role.field(): { "minItems": 1 } } });
    match mode {
        InputMode::TextToVideo => None,
        InputMode::ImageToVideo => Some(some(MediaRole::FirstFrame)),
        InputMode::VideoToVideo | InputMode::VideoExtend => Some(some(MediaRole::SourceVideo)),
        InputMode::ReferenceToVideo => {
            let roles = [MediaRole::ReferenceImage, MediaRole::ReferenceVideo];
            let usable = roles.into_iter().filter(|role| limit(model, *role) > 0);
            Some(json!({ "anyOf": usable.map(some).collect::<Vec<_>>() }))
        }
    }
}

/// Videos to change and videos to go by are limited together: every way to share the limit.
fn videos_together(max: usize) -> Value {
    let shares = (1..=max).map(|sources| {
        let (source, reference) = (MediaRole::SourceVideo.field(), MediaRole::ReferenceVideo.field());
        json!({ "properties": { source: { "maxItems": sources }, reference: { "maxItems": max - sources } } })
    });
    json!({ "anyOf": shares.collect::<Vec<_>>() })
}
