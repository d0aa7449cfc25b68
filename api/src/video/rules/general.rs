//! Rules that hold for every model: text, addresses, the customer's own labels.

use std::collections::BTreeMap;

use serde_json::Value;
use url::{Host, Url};

use crate::video::request::{FieldErrors, GenerateRequest};

const URL_MAX_CHARS: usize = 2_048;
const LABEL_MAX_CHARS: usize = 255;
const METADATA_MAX_KEYS: usize = 50;
const METADATA_MAX_BYTES: usize = 16 * 1_024;

pub fn check(request: &GenerateRequest, errors: &mut FieldErrors) {
    if request.input_mode.is_none() {
        errors.push("inputMode", "Required");
    }
    nul_characters(request, errors);
    callback_url(request, errors);
    label("externalTaskId", request.external_task_id.as_deref(), errors);
    label("user", request.user.as_deref(), errors);
    metadata(&request.metadata, errors);
}

/// PostgreSQL stores U+0000 neither in text nor in JSON, and no provider has a use for it.
fn nul_characters(request: &GenerateRequest, errors: &mut FieldErrors) {
    let texts = [
        ("model", Some(&request.model)),
        ("prompt", request.prompt.as_ref()),
        ("negativePrompt", request.negative_prompt.as_ref()),
        ("resolution", request.resolution.as_ref()),
        ("aspectRatio", request.aspect_ratio.as_ref()),
        ("callbackUrl", request.callback_url.as_ref()),
    ];
    let media = request.media.iter().map(|medium| (medium.role.field(), Some(&medium.url)));
    for (field, text) in texts.into_iter().chain(media) {
        if text.is_some_and(|text| text.contains('\0')) {
            errors.push(field, "Must not contain U+0000");
        }
    }
    let maps = [("options", &request.options), ("extra", &request.extra), ("metadata", &request.metadata)];
    for (field, map) in maps {
        if map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)) {
            errors.push(field, "Must not contain U+0000");
        }
    }
}

/// The depth of a value is bounded by the JSON reader.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Syntax only: nothing is fetched or resolved while a customer waits.
pub fn web_address(text: &str) -> Result<Url, &'static str> {
    if text.chars().count() > URL_MAX_CHARS {
        return Err("Must be at most 2048 characters");
    }
    // The parser forgives blanks, line breaks and missing slashes, and would make another address of them.
    let tidy = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let web = starts_with(text, "http://") || starts_with(text, "https://");
    match Url::parse(text) {
        Ok(url) if tidy && web && url.has_host() => Ok(url),
        _ => Err("Must be an absolute http or https URL"),
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn callback_url(request: &GenerateRequest, errors: &mut FieldErrors) {
    let Some(text) = &request.callback_url else {
        return;
    };
    if let Err(message) = callback_address(text) {
        errors.push("callbackUrl", message);
    }
}

/// Whether a customer can be told something at this address, as far as the address itself says.
pub fn callback_address(text: &str) -> Result<(), &'static str> {
    let url = web_address(text)?;
    if url.scheme() == "https" || is_loopback(&url) { Ok(()) } else { Err("Must be https") }
}

/// Plain http stays on the machine there, which is how people try webhooks out.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn label(field: &str, text: Option<&str>, errors: &mut FieldErrors) {
    let Some(text) = text else { return };
    let length = text.chars().count();
    if length == 0 || length > LABEL_MAX_CHARS {
        errors.push(field, format!("Must be 1 to {LABEL_MAX_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        errors.push(field, "Must not contain control characters");
    }
}

fn metadata(map: &BTreeMap<String, Value>, errors: &mut FieldErrors) {
    if map.len() > METADATA_MAX_KEYS {
        errors.push("metadata", format!("Must have at most {METADATA_MAX_KEYS} keys"));
    }
    let bytes = serde_json::to_vec(map).map_or(usize::MAX, |json| json.len());
    if bytes > METADATA_MAX_BYTES {
        errors.push("metadata", "Must be at most 16 KiB of JSON");
    }
}
