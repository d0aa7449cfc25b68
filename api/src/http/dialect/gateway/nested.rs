//! Bodies whose wishes lie one level down, in `options` or `input`: what is in there counts as if it stood beside it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::super::body::Fields;
use super::{Folded, LIFTED, Route, fold};
use crate::video::catalog::{Catalog, KnownField, Model};

/// Fields that are found here, but not in `metadata`, where they may be a customer's own.
const ALSO: [&str; 6] = ["video", "videos", "video_id", "task_id", "audio_url", "count"];

/// How a dialect writes what lies one level down.
#[derive(Clone, Copy, Debug)]
pub struct Nested {
    /// The object that it lies in.
    pub field: &'static str,
    /// Names of the dialect's own, and what each is called here.
    pub spellings: &'static [(&'static str, &'static str)],
    /// What errors put in front of such a name.
    pub prefix: &'static str,
}

/// By the name of this vocabulary, the one that was sent.
pub type Sent = BTreeMap<String, String>;

/// Reads a body. `sent` says what is known of names already: those of fields beside the object, and what to call those that
/// are missing.
pub fn fold_nested(
    mut body: Fields,
    nested: Nested,
    mut sent: Sent,
    catalog: &Catalog,
    route: Route<'_>,
) -> Folded {
    let name = body.peek("model").and_then(Value::as_str).or(route.model);
    let model = name.and_then(|name| catalog.model(name));
    let mut extra = body.members("extra");
    let mut own = Vec::new();
    for (key, value) in body.members(nested.field).into_iter().filter(|(_, value)| !value.is_null()) {
        let shown = format!("{}{key}", nested.prefix);
        let field = model.and_then(|model| known_as(model, &key));
        if field == Some(KnownField::Seed) && asks_for_any(&value) {
            continue;
        }
        own.extend(field.map(|field| (field, shown.clone())));
        let name = nested.name(&key);
        if field.is_some() || !(LIFTED.contains(&name) || ALSO.contains(&name)) {
            extra.insert(key, value);
        } else {
            if !body.lay(name, &value) {
                body.wrong(name, "Contradicts what else is said of it: send it once");
            }
            sent.insert(name.to_owned(), shown);
        }
    }
    body.lay("extra", &Value::Object(extra.into_iter().collect()));
    let mut folded = fold(body, catalog, route);
    folded.names.respell(&sent);
    folded.names.say("extra", nested.field);
    folded.names.say("options", nested.field);
    own.into_iter().for_each(|(field, shown)| folded.names.say(field.field(), shown));
    folded.errors = folded.errors.renamed(|field| sent.get(field).map(String::as_str));
    folded
}

impl Nested {
    fn name<'k>(&self, key: &'k str) -> &'k str {
        self.spellings.iter().find(|(theirs, _)| *theirs == key).map_or(key, |(_, ours)| *ours)
    }
}

/// What a key of a provider's own means. The model knows better than we do: `size` is a quality there, `mode` a size.
fn known_as(model: &Model, key: &str) -> Option<KnownField> {
    model.routes.iter().find_map(|route| route.priced.get(key)).copied()
}

fn asks_for_any(seed: &Value) -> bool {
    seed.as_i64() == Some(-1)
}
