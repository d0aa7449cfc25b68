//! A JSON body, read field by field.
//!
//! Every wrong type is noted under its field, so that one answer names them all. What a dialect does not read is left over
//! and named in a warning: unknown fields are never an error, so that clients may be newer than we are.

mod alias;
mod change;
mod form;
mod lenient;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use entity::Credits;
use futures_util::StreamExt;
use poem::http::HeaderMap;
use poem::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use poem::{Request, RequestBody};
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};

use super::auth::app;
use super::error::ApiError;
use crate::video::request::FieldErrors;

pub use alias::Named;
pub use form::FormObject;

/// Names of unknown fields that a warning repeats, and how much of each.
const NAMED_MAX: usize = 10;
const NAME_MAX_CHARS: usize = 64;

/// The request's body: a JSON object, described as `S`.
#[derive(Debug)]
pub struct JsonObject<S, const REQUIRED: bool = true> {
    pub fields: Fields,
    described_as: PhantomData<S>,
}

/// A body that may be left out, because everything in it may be.
pub type OptionalJson<S> = JsonObject<S, false>;

impl<'a, S: Type, const REQUIRED: bool> ApiExtractor<'a> for JsonObject<S, REQUIRED> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        S::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content_type = Json::<S>::CONTENT_TYPE;
        let content = vec![MetaMediaType { content_type, schema: S::schema_ref() }];
        Some(MetaRequest { description: None, content, required: REQUIRED })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let is_left_out = !REQUIRED && is_empty(request.headers());
        let fields = if is_left_out { Fields::default() } else { read(request, body).await? };
        Ok(JsonObject { fields, described_as: PhantomData })
    }
}

/// Whether the headers announce no body.
fn is_empty(headers: &HeaderMap) -> bool {
    let is_chunked = headers.contains_key(TRANSFER_ENCODING);
    !is_chunked && headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0")
}

/// The fields of a request's JSON body.
pub async fn read(request: &Request, body: &mut RequestBody) -> Result<Fields, ApiError> {
    let limit_bytes = app(request)?.config.max_body_bytes;
    if !request.content_type().is_some_and(is_json) {
        return Err(ApiError::NotJson);
    }
    Fields::parse(&bytes(body, limit_bytes).await?)
}

/// The whole body, which may have so many bytes.
async fn bytes(body: &mut RequestBody, limit_bytes: usize) -> Result<Bytes, ApiError> {
    let mut parts = pin!(body.take().map_err(ApiError::internal)?.into_bytes_stream());
    let mut whole = BytesMut::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| ApiError::form("The body could not be read"))?;
        if whole.len() + part.len() > limit_bytes {
            return Err(ApiError::TooLarge { limit_bytes });
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

/// `application/json` or `application/<anything>+json`, with any parameters.
pub fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// The fields of an object that are not read yet, and what was wrong with those that are. `null` is as good as absent.
#[derive(Debug, Default)]
pub struct Fields {
    rest: Map<String, Value>,
    errors: FieldErrors,
}

impl Fields {
    pub fn parse(json: &[u8]) -> Result<Fields, ApiError> {
        if json.is_empty() {
            return Err(ApiError::form("The body must be a JSON object"));
        }
        match serde_json::from_slice(json) {
            Ok(Value::Object(rest)) => Ok(Fields { rest, errors: FieldErrors::default() }),
            Ok(_) => Err(ApiError::form("The body must be a JSON object")),
            Err(error) => Err(ApiError::form(format!("The body is not valid JSON: {error}"))),
        }
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, "Must be text", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// A text that stands for a value; `expected` ends the message when it does not.
    pub fn word<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.errors.push(name, format!("Must be {expected}"));
        }
        value
    }

    /// Empty when absent.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let list = self.take(name, "Must be a list of texts", |value| serde_json::from_value(value).ok());
        list.unwrap_or_default()
    }

    /// A whole number, also as `5.0` or `"5"`, within the bounds of `T`.
    pub fn whole<T: TryFrom<i64>>(&mut self, name: &str) -> Option<T> {
        let number = self.take(name, "Must be a whole number", |value| match value {
            Value::Number(number) => integer(&number.to_string()),
            Value::String(text) => integer(&text),
            _ => None,
        })?;
        let fitting = T::try_from(number).ok();
        if fitting.is_none() {
            self.errors.push(name, "Is out of range");
        }
        fitting
    }

    /// Credits above zero.
    pub fn positive_credits(&mut self, name: &str) -> Option<Credits> {
        let number = |value: Value| serde_json::from_value::<Credits>(value).ok();
        let amount = self.take(name, "Must be a number of credits with at most 3 decimals", number)?;
        if amount <= Credits::ZERO {
            self.errors.push(name, "Must be above zero");
            return None;
        }
        Some(amount)
    }

    /// Whether the body has a field of this name, be it null.
    pub fn is_mentioned(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.take(name, "Must be true or false", |value| value.as_bool())
    }

    /// Empty when absent.
    pub fn object(&mut self, name: &str) -> BTreeMap<String, Value> {
        let object = self.take(name, "Must be an object", |value| match value {
            Value::Object(map) => Some(map.into_iter().collect()),
            _ => None,
        });
        object.unwrap_or_default()
    }

    /// Ends the reading: everything that was wrong, or a warning about what nobody read.
    pub fn finish(self) -> Result<Option<String>, FieldErrors> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        Ok(warning(&self.rest))
    }

    fn take<T>(&mut self, name: &str, wrong: &str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let value = self.rest.shift_remove(name).filter(|value| !value.is_null())?;
        let value = read(value);
        if value.is_none() {
            self.errors.push(name, wrong);
        }
        value
    }
}

/// `5`, `-5` or `5.0`.
fn integer(text: &str) -> Option<i64> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

fn warning(unknown: &Map<String, Value>) -> Option<String> {
    let names = unknown.keys().take(NAMED_MAX).map(|name| name.chars().take(NAME_MAX_CHARS).collect());
    let names: Vec<String> = names.collect();
    let more = if unknown.len() > names.len() { " and more" } else { "" };
    (!names.is_empty()).then(|| format!("Unknown fields are ignored: {}{more}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        Fields::parse(value.to_string().as_bytes()).unwrap()
    }

    fn form_error(json: &str) -> String {
        let error = Fields::parse(json.as_bytes()).unwrap_err();
        error.field_errors().unwrap().form.join(", ")
    }

    #[test]
    fn each_wrong_type_is_filed_under_its_field() {
        let mut fields = fields(json!({
            "prompt": 1, "urls": ["a", 2], "list": "a", "seconds": 2.5, "count": -1, "audio": "yes", "options": [], "mode": "x",
        }));
        assert_eq!(fields.text("prompt"), None);
        assert!(fields.texts("urls").is_empty());
        assert!(fields.texts("list").is_empty());
        assert_eq!(fields.whole::<i64>("seconds"), None);
        assert_eq!(fields.whole::<u32>("count"), None);
        assert_eq!(fields.flag("audio"), None);
        assert!(fields.object("options").is_empty());
        assert_eq!(fields.word("mode", "a or b", |_| None::<u8>), None);
        let errors = fields.finish().unwrap_err();
        for (field, message) in [
            ("prompt", "Must be text"),
            ("urls", "Must be a list of texts"),
            ("list", "Must be a list of texts"),
            ("seconds", "Must be a whole number"),
            ("count", "Is out of range"),
            ("audio", "Must be true or false"),
            ("options", "Must be an object"),
            ("mode", "Must be a or b"),
        ] {
            assert_eq!(errors.of(field), [message], "{field}");
        }
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let mut fields = fields(json!({ "prompt": null, "urls": null, "count": null, "unknown": null }));
        assert_eq!(fields.text("prompt"), None);
        assert!(fields.texts("urls").is_empty());
        assert_eq!(fields.whole::<u32>("count"), None);
        assert_eq!(fields.flag("missing"), None);
        assert!(fields.finish().is_ok());
    }

    #[test]
    fn a_whole_number_may_come_as_text() {
        for value in [json!(5), json!(5.0), json!("5"), json!("5.0")] {
            assert_eq!(fields(json!({ "duration": value })).whole::<u32>("duration"), Some(5), "{value}");
        }
        for value in [json!("5s"), json!(""), json!(" 5"), json!(1e300), json!([5]), json!(true)] {
            assert_eq!(fields(json!({ "duration": value })).whole::<u32>("duration"), None, "{value}");
        }
    }

    #[test]
    fn what_nobody_read_is_named_in_a_warning() {
        let mut few = fields(json!({ "prompt": "x", "promt": 1, "zoom": 2 }));
        few.text("prompt");
        assert_eq!(few.finish().unwrap().as_deref(), Some("Unknown fields are ignored: promt, zoom"));
        let many: Map<String, Value> =
            (0..20).map(|n| (format!("{n:02}{}", "x".repeat(100)), json!(n))).collect();
        let warning = fields(Value::Object(many)).finish().unwrap().unwrap();
        assert!(warning.ends_with("and more") && warning.len() < 1_000, "{warning}");
        assert_eq!(fields(json!({})).finish(), Ok(None));
    }

    #[test]
    fn only_an_object_is_a_body() {
        assert_eq!(form_error("[1]"), "The body must be a JSON object");
        assert_eq!(form_error(""), "The body must be a JSON object");
        assert!(form_error("{\"a\":").starts_with("The body is not valid JSON: "));
        let deep = "[".repeat(1_000);
        assert!(form_error(&format!("{{\"a\":{deep}")).contains("recursion limit"));
    }

    #[test]
    fn only_json_is_read() {
        for content_type in
            ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/ld+json"]
        {
            assert!(is_json(content_type), "{content_type}");
        }
        for content_type in
            ["", "text/json", "application/x-www-form-urlencoded", "application/jsonx", "json"]
        {
            assert!(!is_json(content_type), "{content_type}");
        }
    }
}
