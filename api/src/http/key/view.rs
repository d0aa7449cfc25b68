//! What is shown of a key. Its secret is only in the answer that makes it.

use std::borrow::Cow;

use entity::{Timestamp, api_key};
use poem_openapi::Object;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::customer::key::read_list;
use crate::customer::keyring::status;
use crate::http::value::{Amount, Moment, Shown};
use crate::ledger::key_usage::{Spent, Usage, open_tasks, windows};

/// An API key.
#[derive(Clone, Debug, Object)]
#[oai(rename = "Key", rename_all = "camelCase")]
pub struct KeyView {
    id: String,
    name: String,
    /// `live` or `test`.
    mode: String,
    /// What may be shown of the secret.
    hint: String,
    /// Some of `videos:write`, `videos:read` and `billing:read` (it generates), or of `keys:manage`, `billing:read` and
    /// `billing:write` (it manages).
    scopes: Vec<String>,
    /// Ids of the models that it may use; null: all.
    #[oai(nullable)]
    models: Option<Vec<String>>,
    /// Networks that it may be used from; null: everywhere.
    #[oai(nullable)]
    ip_ranges: Option<Vec<String>>,
    /// A price group of its own; null: the customer's.
    #[oai(nullable)]
    group: Option<String>,
    /// Requests that it may send in a minute; null: no limit.
    #[oai(nullable)]
    rate_per_minute: Option<i64>,
    /// Tasks that it may have under way at once; null: no limit.
    #[oai(nullable)]
    max_tasks: Option<i64>,
    caps: Caps,
    usage: KeyUsage,
    /// Tasks that are not settled yet.
    open_tasks: i64,
    /// `active`, `expired` or `revoked`.
    status: String,
    created_at: Moment,
    /// The user or the management key that made it; null: an operator.
    #[oai(nullable)]
    created_by: Option<String>,
    #[oai(nullable)]
    expires_at: Option<Moment>,
    /// To a few minutes.
    #[oai(nullable)]
    last_used_at: Option<Moment>,
    #[oai(nullable)]
    revoked_at: Option<Moment>,
    /// After a rotation: until then the secret before it is good as well.
    #[oai(nullable)]
    previous_until: Option<Moment>,
}

/// What a key may spend in a UTC day, a week (from Monday), a month and at all; null: no limit.
#[derive(Clone, Copy, Debug, Object)]
#[oai(rename = "KeyCaps", rename_all = "camelCase")]
struct Caps {
    #[oai(nullable)]
    day: Option<Amount>,
    #[oai(nullable)]
    week: Option<Amount>,
    #[oai(nullable)]
    month: Option<Amount>,
    #[oai(nullable)]
    lifetime: Option<Amount>,
}

/// What a key has spent; holds count.
#[derive(Clone, Copy, Debug, Object)]
#[oai(rename_all = "camelCase")]
struct KeyUsage {
    day: Window,
    week: Window,
    month: Window,
    lifetime: Window,
}

/// What a key has spent in a time.
#[derive(Clone, Copy, Debug, Object)]
#[oai(rename = "KeyUsageWindow", rename_all = "camelCase")]
struct Window {
    spent: Amount,
    /// What the cap leaves; null without one.
    #[oai(nullable)]
    remaining: Option<Amount>,
    /// When it counts from zero again; null: never.
    #[oai(nullable)]
    resets_at: Option<Moment>,
}

impl From<Spent> for Window {
    fn from(spent: Spent) -> Self {
        Window {
            spent: Shown(spent.spent),
            remaining: spent.remaining().map(Shown),
            resets_at: spent.resets_at.map(Shown),
        }
    }
}

/// A key, and the secret that is shown this once.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct KeyWithSecret {
    #[oai(flatten)]
    pub key: KeyView,
    /// Keep it: it is shown this once. Send it as `Authorization: Bearer <secret>`.
    pub secret: Revealed,
    /// What was sent but has no effect.
    pub warnings: Vec<String>,
}

/// A key after a change.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ChangedKey {
    #[oai(flatten)]
    pub key: KeyView,
    /// What was sent but has no effect.
    pub warnings: Vec<String>,
}

pub fn key_view(key: api_key::Model, usage: &Usage, now: Timestamp) -> KeyView {
    let status = status(&key, now).as_str().to_owned();
    let [day, week, month, lifetime] = windows(usage, &key, now).map(Window::from);
    KeyView {
        id: key.id.to_string(),
        mode: key.mode.as_str().to_owned(),
        hint: key.hint,
        scopes: read_list(&key.scopes),
        models: key.models.as_deref().map(read_list),
        ip_ranges: key.ip_ranges.as_deref().map(read_list),
        group: key.price_group,
        rate_per_minute: key.rate_per_minute,
        max_tasks: key.max_tasks,
        caps: Caps {
            day: key.cap_day.map(Shown),
            week: key.cap_week.map(Shown),
            month: key.cap_month.map(Shown),
            lifetime: key.cap_lifetime.map(Shown),
        },
        usage: KeyUsage { day, week, month, lifetime },
        open_tasks: open_tasks(usage, key.id),
        status,
        created_at: Shown(key.created_at),
        created_by: key.created_by,
        expires_at: key.expires_at.map(Shown),
        last_used_at: key.last_used_at.map(Shown),
        revoked_at: key.revoked_at.map(Shown),
        previous_until: key.previous_until.filter(|end| *end > now && key.revoked_at.is_none()).map(Shown),
        name: key.name,
    }
}

/// A secret on its way to whoever owns it: written into the answer, and into nothing else.
#[derive(Clone, Debug)]
pub struct Revealed(pub SecretString);

impl Type for Revealed {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ToJSON for Revealed {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.expose_secret().into())
    }
}

impl ParseFromJSON for Revealed {
    fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
        Err(ParseError::custom("only ever written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_into_its_answer_and_printed_nowhere() {
        let revealed = Revealed(SecretString::from("sk-rm_test_secret"));
        assert!(!format!("{revealed:?}").contains("sk-rm_test_secret"));
        assert_eq!(revealed.to_json(), Some("sk-rm_test_secret".into()));
    }
}
