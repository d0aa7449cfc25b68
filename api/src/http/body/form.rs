//! A body in whichever way clients send objects: JSON, a multipart form, or an urlencoded one.
//!
//! A form's names say where a value belongs, as client libraries write them: `a[b]` is the member `b` of the object `a`, `a[]`
//! or a repeated `a` a list. Its values are texts; whoever reads them takes numbers and flags that are written so.

use std::marker::PhantomData;

use poem::{FromRequest, Request, RequestBody, web::Multipart};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::{Fields, bytes, is_empty, is_json};
use crate::http::auth::app;
use crate::http::error::ApiError;
use crate::video::input::Files;
use crate::video::request::FieldErrors;
use crate::video::upload::Uploads;

const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data";
const URLENCODED: &str = "application/x-www-form-urlencoded";
/// How deep a name may go.
const DEPTH_MAX: usize = 8;

/// Files that a form may have: more than any model takes.
const FILES_MAX: usize = 32;

/// The request's body: an object, described as `S`.
#[derive(Debug)]
pub struct FormObject<S> {
    pub fields: Fields,
    pub files: Files,
    described_as: PhantomData<S>,
}

impl<'a, S: Type> ApiExtractor<'a> for FormObject<S> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        S::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = [JSON, MULTIPART, URLENCODED]
            .map(|content_type| MetaMediaType { content_type, schema: S::schema_ref() });
        Some(MetaRequest { description: None, content: content.into(), required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let (fields, files) = read(request, body).await?;
        Ok(FormObject { fields, files, described_as: PhantomData })
    }
}

async fn read(request: &Request, body: &mut RequestBody) -> Result<(Fields, Files), ApiError> {
    let limit_bytes = app(request)?.config.max_body_bytes;
    let content_type = request.content_type().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if is_json(content_type) {
        return Ok((Fields::parse(&bytes(body, limit_bytes).await?)?, Files::default()));
    }
    if content_type.is_empty() && is_empty(request.headers()) {
        return Ok((Fields::default(), Files::default()));
    }
    let mut form = Form::new(&app(request)?.video.uploads);
    match essence.as_str() {
        MULTIPART => form.multipart(request, body, limit_bytes).await?,
        URLENCODED => {
            for (name, value) in url::form_urlencoded::parse(&bytes(body, limit_bytes).await?) {
                form.put(&name, value.into_owned());
            }
        }
        _ => return Err(ApiError::NoObject),
    }
    Ok((Fields { rest: form.fields, errors: form.errors }, form.files))
}

struct Form<'u> {
    uploads: &'u Uploads,
    fields: Map<String, Value>,
    files: Files,
    errors: FieldErrors,
}

impl<'u> Form<'u> {
    fn new(uploads: &'u Uploads) -> Self {
        Form { uploads, fields: Map::new(), files: Files::default(), errors: FieldErrors::default() }
    }

    async fn multipart(
        &mut self,
        request: &Request,
        body: &mut RequestBody,
        limit_bytes: usize,
    ) -> Result<(), ApiError> {
        let broken = || ApiError::form("The form could not be read");
        let mut parts = <Multipart as FromRequest>::from_request(request, body)
            .await
            .map_err(|_| ApiError::form("The form could not be read: its boundary is missing"))?;
        let mut left = limit_bytes;
        let mut files = 0;
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            let name = part.name().unwrap_or_default().to_owned();
            if part.file_name().is_some() {
                files += 1;
                if files > FILES_MAX {
                    return Err(ApiError::form(format!("A form may have {FILES_MAX} files")));
                }
                // On its way to disk, however large.
                let stream = Box::pin(ReaderStream::new(part.into_async_read()));
                let url = self.files.add(self.uploads.take(stream).await?);
                self.put(&name, url);
                continue;
            }
            let mut text = Vec::new();
            let mut read = part.into_async_read().take(left as u64 + 1);
            read.read_to_end(&mut text).await.map_err(|_| broken())?;
            left = left.checked_sub(text.len()).ok_or(ApiError::TooLarge { limit_bytes })?;
            match String::from_utf8(text) {
                Ok(text) => self.put(&name, text),
                Err(_) => self.errors.push(&name, "Must be text, or a file with a name"),
            }
        }
        Ok(())
    }

    fn put(&mut self, name: &str, text: String) {
        let Some((first, rest)) = path(name) else {
            self.errors.push(name, "Is not a name that can be read");
            return;
        };
        let slot = self.fields.entry(first.to_owned()).or_insert(Value::Null);
        if place(slot, &rest, Value::String(text)).is_none() {
            self.errors.push(first, "Is given in two ways that do not fit together");
        }
    }
}

/// `a[b][]` is `a`, then `b`, then one of a list.
fn path(name: &str) -> Option<(&str, Vec<&str>)> {
    let Some((first, rest)) = name.split_once('[') else { return Some((name, Vec::new())) };
    let parts: Vec<&str> = rest.strip_suffix(']')?.split("][").collect();
    let fits = parts.len() < DEPTH_MAX && parts.iter().all(|part| !part.contains(['[', ']']));
    (fits && !first.is_empty()).then_some((first, parts))
}

/// Puts a value where its path leads; `None` when something else is in the way.
fn place(slot: &mut Value, path: &[&str], value: Value) -> Option<()> {
    match path {
        // The same name again makes a list of it.
        [] => match slot {
            Value::Null => *slot = value,
            Value::Array(items) => items.push(value),
            Value::String(_) => {
                let first = slot.take();
                *slot = Value::Array(vec![first, value]);
            }
            _ => return None,
        },
        ["", rest @ ..] => {
            let items = list(slot)?;
            items.push(Value::Null);
            place(items.last_mut()?, rest, value)?;
        }
        [name, rest @ ..] => match name.parse::<usize>() {
            Ok(index) => {
                let items = list(slot)?;
                // In order and without holes, which is how they are written.
                if index == items.len() {
                    items.push(Value::Null);
                }
                place(items.get_mut(index)?, rest, value)?;
            }
            Err(_) => {
                if slot.is_null() {
                    *slot = Value::Object(Map::new());
                }
                let inner = slot.as_object_mut()?.entry((*name).to_owned()).or_insert(Value::Null);
                place(inner, rest, value)?;
            }
        },
    }
    Some(())
}

fn list(slot: &mut Value) -> Option<&mut Vec<Value>> {
    if slot.is_null() {
        *slot = Value::Array(Vec::new());
    }
    slot.as_array_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The fields of a form, if all of its names fit together.
    fn fields(pairs: &[(&str, &str)]) -> Option<Value> {
        let mut fields = Map::new();
        for (name, value) in pairs {
            let (first, rest) = path(name)?;
            let slot = fields.entry(first.to_owned()).or_insert(Value::Null);
            place(slot, &rest, json!(value))?;
        }
        Some(Value::Object(fields))
    }

    #[test]
    fn names_say_where_a_value_belongs() {
        let fields = fields(&[
            ("prompt", "a"),
            ("images[]", "x"),
            ("images[]", "y"),
            ("tag", "1"),
            ("tag", "2"),
            ("input_reference[image_url]", "u"),
            ("content[0][type]", "text"),
            ("content[0][text]", "t"),
            ("content[1][type]", "image_url"),
        ]);
        let expected = json!({
            "prompt": "a", "images": ["x", "y"], "tag": ["1", "2"], "input_reference": { "image_url": "u" },
            "content": [{ "type": "text", "text": "t" }, { "type": "image_url" }],
        });
        assert_eq!(fields, Some(expected));
    }

    #[test]
    fn names_that_contradict_each_other_or_go_too_deep_are_errors() {
        for pairs in [
            &[("a", "1"), ("a[b]", "2")][..],
            &[("a[b]", "1"), ("a", "2")],
            &[("a[5]", "1")],
            &[("a[b", "1")],
            &[("[b]", "1")],
            &[("a[1][2][3][4][5][6][7][8][9]", "1")],
        ] {
            assert_eq!(fields(pairs), None, "{pairs:?}");
        }
    }
}
