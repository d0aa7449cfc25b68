//! The one shape every dialect turns into.
//!
//! A dialect folds its own words and aliases into a [`GenerateRequest`] and notes what it could not read in
//! [`FieldErrors`]. It fills in no defaults: those come from the catalog, in [`super::rules`], so that the content of
//! a keyed request is what its caller wrote and stays the same when a default changes.

use std::collections::BTreeMap;
use std::fmt;

use entity::MediaKind;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::catalog::InputMode;

/// What a customer asks for, before defaults. Absent and empty mean the same.
///
/// The fields stand in the order of their names: the content hash is over what is written, whose keys are in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aspect_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// Clips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Whole seconds of one clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
    /// The customer's own name for the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_task_id: Option<String>,
    /// Keys of a provider's own, allowed model by model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "in_order")]
    pub extra: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate_audio: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_mode: Option<InputMode>,
    /// In the order given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// Kept and given back; never sent to a provider.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "in_order")]
    pub metadata: BTreeMap<String, Value>,
    /// Id or alias.
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// Typed wishes of some families; the keys are those of [`super::catalog::OptionName`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "in_order")]
    pub options: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The only provider that may make it; any of the model's when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// The customer's own name for their end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A picture, video or sound to work from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    pub role: MediaRole,
    /// As a dialect hands it over: a web address, a file inside a text (a `data:` URL or base64), one that came with the
    /// request ([`super::input::Files`]), or the id of an upload or a task. As it is stored: a web address, `upl_…` or `tsk_…`.
    pub url: String,
}

/// What a medium is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaRole {
    FirstFrame,
    LastFrame,
    ReferenceImage,
    SourceVideo,
    ReferenceVideo,
    Audio,
}

impl MediaRole {
    pub const ALL: [MediaRole; 6] = [
        MediaRole::FirstFrame,
        MediaRole::LastFrame,
        MediaRole::ReferenceImage,
        MediaRole::SourceVideo,
        MediaRole::ReferenceVideo,
        MediaRole::Audio,
    ];

    /// The field of the native dialect that gives it; errors are filed under this name.
    pub fn field(self) -> &'static str {
        match self {
            MediaRole::FirstFrame => "inputImageUrls",
            MediaRole::LastFrame => "lastFrameUrl",
            MediaRole::ReferenceImage => "referenceImageUrls",
            MediaRole::SourceVideo => "inputVideoUrls",
            MediaRole::ReferenceVideo => "referenceVideoUrls",
            MediaRole::Audio => "inputAudioUrls",
        }
    }

    /// Of the file that it is.
    pub fn kind(self) -> MediaKind {
        match self {
            MediaRole::FirstFrame | MediaRole::LastFrame | MediaRole::ReferenceImage => MediaKind::Image,
            MediaRole::SourceVideo | MediaRole::ReferenceVideo => MediaKind::Video,
            MediaRole::Audio => MediaKind::Audio,
        }
    }

    pub fn is_image(self) -> bool {
        self.kind() == MediaKind::Image
    }

    pub fn is_video(self) -> bool {
        self.kind() == MediaKind::Video
    }
}

/// Changes whenever the bytes that are hashed change for the same request: a stored hash of another version can't
/// be compared.
pub const HASH_VERSION: u8 = 1;

impl GenerateRequest {
    /// Identifies the content of a request for its idempotency key: two requests are the same when they reach the
    /// same route family with the same folded fields. Order of keys does not count; order of media does.
    pub fn content_hash(&self, route_family: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update([HASH_VERSION]);
        hash.update(route_family);
        hash.update([0]);
        hash.update(self.to_json());
        hash.finalize().into()
    }

    /// The request as it is stored, with the keys of every object in order.
    #[expect(clippy::expect_used, reason = "strings, numbers and maps with string keys always become JSON")]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a request is plain data")
    }
}

/// Writes objects with their keys in order at any depth. Whether `serde_json` keeps them so is up to any dependency
/// (`preserve_order`), and a hash that decides about money must not move with it.
fn in_order<S: Serializer>(map: &BTreeMap<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(key, value)| (key, InOrder(value))))
}

struct InOrder<'v>(&'v Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => {
                let ordered: BTreeMap<_, _> = map.iter().map(|(key, value)| (key, InOrder(value))).collect();
                serializer.collect_map(ordered)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(InOrder)),
            plain => plain.serialize(serializer),
        }
    }
}

/// What is wrong with a request, field by field, in words for the customer. Field names are the native dialect's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FieldErrors {
    /// About the request as a whole.
    #[serde(rename = "formErrors")]
    pub form: Vec<String>,
    #[serde(rename = "fieldErrors")]
    pub fields: BTreeMap<String, Vec<String>>,
}

impl FieldErrors {
    pub fn push(&mut self, field: &str, message: impl Into<String>) {
        self.fields.entry(field.to_owned()).or_default().push(message.into());
    }

    pub fn push_form(&mut self, message: impl Into<String>) {
        self.form.push(message.into());
    }

    pub fn is_empty(&self) -> bool {
        self.form.is_empty() && self.fields.is_empty()
    }

    pub fn merge(&mut self, other: FieldErrors) {
        self.form.extend(other.form);
        for (field, messages) in other.fields {
            self.fields.entry(field).or_default().extend(messages);
        }
    }

    /// The same under other names: `name` says what a field is called instead, if it is.
    pub fn renamed<'n>(self, name: impl Fn(&str) -> Option<&'n str>) -> FieldErrors {
        let mut renamed = FieldErrors { form: self.form, ..FieldErrors::default() };
        for (field, messages) in self.fields {
            let field = name(&field).map_or(field, str::to_owned);
            renamed.fields.entry(field).or_default().extend(messages);
        }
        renamed
    }

    /// The messages of one field; empty when it is fine.
    pub fn of(&self, field: &str) -> &[String] {
        self.fields.get(field).map_or(&[], Vec::as_slice)
    }

    /// One field with a message, for dialects that have room for a single one (`param`).
    pub fn first_field(&self) -> Option<&str> {
        self.fields.keys().next().map(String::as_str)
    }
}

/// All messages in one line: `duration: Must be one of 5, 10; prompt: Required`.
impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self
            .fields
            .iter()
            .flat_map(|(field, messages)| messages.iter().map(move |message| format!("{field}: {message}")));
        let all: Vec<String> = self.form.iter().cloned().chain(fields).collect();
        f.write_str(&all.join("; "))
    }
}

#[cfg(test)]
mod tests;
