//! A body in whichever way clients send objects: JSON, a multipart form, or an urlencoded one.
//!
//! A form's names say where a value belongs, as client libraries write them: `a[b]` is the member `b` of the object `a`, `a[]`
//! or a repeated `a` a list. Its values are texts; whoever reads them takes numbers and flags that are written so.

use std::marker::PhantomData;

use bytes::Bytes;
use poem::{FromRequest, Request, RequestBody, web::Multipart};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};

use super::{Fields, bytes, is_json};
use crate::http::auth::app;
use crate::http::error::ApiError;
use crate::video::request::FieldErrors;

const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data";
const URLENCODED: &str = "application/x-www-form-urlencoded";
/// How deep a name may go.
const DEPTH_MAX: usize = 8;

/// Stands in a field for a file of the form, followed by its place among them.
const FILE: &str = "file:";

/// A file of a form.
#[derive(Clone, Debug)]
pub struct FilePart {
    /// As its sender calls it.
    pub name: Option<String>,
    pub bytes: Bytes,
}

/// The files of a form. Where one was sent, its field says `file:` and its place here.
#[derive(Clone, Debug, Default)]
pub struct Files(pub Vec<FilePart>);

impl Files {
    /// The file that a field's text stands for.
    pub fn get(&self, text: &str) -> Option<&FilePart> {
        self.0.get(text.strip_prefix(FILE)?.parse::<usize>().ok()?)
    }
}

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
    let mut form = Form::default();
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

#[derive(Default)]
struct Form {
    fields: Map<String, Value>,
    files: Files,
    errors: FieldErrors,
}

impl Form {
    async fn multipart(
        &mut self,
        request: &Request,
        body: &mut RequestBody,
        limit_bytes: usize,
    ) -> Result<(), ApiError> {
        let unreadable = |_| ApiError::form("The form could not be read");
        let mut parts = <Multipart as FromRequest>::from_request(request, body)
            .await
            .map_err(|_| ApiError::form("The form could not be read: its boundary is missing"))?;
        let mut left = limit_bytes;
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.file_name().map(str::to_owned);
            let bytes = part.bytes().await.map_err(|_| ApiError::form("The form could not be read"))?;
            left = left.checked_sub(bytes.len()).ok_or(ApiError::TooLarge { limit_bytes })?;
            match file_name {
                Some(file_name) => self.put_file(&name, file_name, bytes.into()),
                None => match String::from_utf8(bytes) {
                    Ok(text) => self.put(&name, text),
                    Err(_) => self.errors.push(&name, "Must be text, or a file with a name"),
                },
            }
        }
        Ok(())
    }

    fn put_file(&mut self, name: &str, file_name: String, bytes: Bytes) {
        let place = self.files.0.len();
        self.files.0.push(FilePart { name: Some(file_name).filter(|name| !name.is_empty()), bytes });
        self.put(name, format!("{FILE}{place}"));
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

    fn form(pairs: &[(&str, &str)]) -> Form {
        let mut form = Form::default();
        pairs.iter().for_each(|(name, value)| form.put(name, (*value).to_owned()));
        form
    }

    #[test]
    fn names_say_where_a_value_belongs() {
        let form = form(&[
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
        assert!(form.errors.is_empty());
        let expected = json!({
            "prompt": "a", "images": ["x", "y"], "tag": ["1", "2"], "input_reference": { "image_url": "u" },
            "content": [{ "type": "text", "text": "t" }, { "type": "image_url" }],
        });
        assert_eq!(Value::Object(form.fields), expected);
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
            assert!(!form(pairs).errors.is_empty(), "{pairs:?}");
        }
    }

    #[test]
    fn a_file_is_found_by_what_its_field_says() {
        let mut form = Form::default();
        form.put_file("image", "a.png".into(), Bytes::from_static(b"A"));
        form.put_file("image", "b.png".into(), Bytes::from_static(b"B"));
        assert_eq!(form.fields["image"], json!(["file:0", "file:1"]));
        assert_eq!(&form.files.get("file:1").unwrap().bytes[..], b"B");
        assert!(form.files.get("file:2").is_none() && form.files.get("https://a/file:0").is_none());
    }
}
