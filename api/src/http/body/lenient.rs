//! Values as clients of many APIs write them: a flag as a word, an object or a list as JSON in a text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Fields;

impl Fields {
    /// Whatever is there.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.rest.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Whatever is there, left where it is.
    pub fn peek(&self, name: &str) -> Option<&Value> {
        self.rest.get(name).filter(|value| !value.is_null())
    }

    /// Notes that a field is missing, under the first of its names, if none of them is there.
    pub fn require_any(&mut self, names: &[&str]) {
        if let [first, ..] = names
            && names.iter().all(|name| self.peek(name).is_none())
        {
            self.wrong(first, "Required");
        }
    }

    /// Puts a value where none is yet; `false` when another one is there. A number is the same one as text.
    pub fn lay(&mut self, name: &str, value: &Value) -> bool {
        let slot = self.rest.entry(name).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value.clone();
        }
        slot == value || (plain(slot).is_some() && plain(slot) == plain(value))
    }

    /// A flag, also as `"true"`, `"on"`, `"yes"` or their opposites.
    pub fn switch(&mut self, name: &str) -> Option<bool> {
        self.take(name, "Must be true or false", |value| match value {
            Value::Bool(on) => Some(on),
            Value::String(text) => switch(&text),
            _ => None,
        })
    }

    /// A number, also as text.
    pub fn number(&mut self, name: &str) -> Option<Value> {
        self.take(name, "Must be a number", |value| match value {
            Value::Number(_) => Some(value),
            Value::String(text) => text.parse::<serde_json::Number>().ok().map(Value::Number),
            _ => None,
        })
    }

    /// An object, also as JSON in a text; empty when absent.
    pub fn members(&mut self, name: &str) -> BTreeMap<String, Value> {
        let members = self.take(name, "Must be an object", |value| match unquoted(value)? {
            Value::Object(map) => Some(map.into_iter().collect()),
            _ => None,
        });
        members.unwrap_or_default()
    }

    /// A list, also as JSON in a text.
    pub fn items(&mut self, name: &str) -> Option<Vec<Value>> {
        self.take(name, "Must be a list", |value| match unquoted(value)? {
            Value::Array(items) => Some(items),
            _ => None,
        })
    }
}

/// What a text, a number or a flag says.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Some(true),
        "false" | "off" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// What a text says in JSON; anything else as it is.
fn unquoted(value: Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(&text).ok(),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_s_texts_are_read_as_what_they_say() {
        let json = r#"{"a": "on", "b": false, "c": "0.5", "d": "{\"x\": 1}", "e": "[1]", "f": "perhaps"}"#;
        let mut fields = Fields::parse(json.as_bytes()).unwrap();
        assert_eq!((fields.switch("a"), fields.switch("b")), (Some(true), Some(false)));
        assert_eq!(fields.number("c").map(|number| number.to_string()).as_deref(), Some("0.5"));
        assert_eq!(fields.members("d")["x"], 1);
        assert_eq!(fields.items("e").unwrap(), [1]);
        assert_eq!(fields.switch("f"), None);
        assert_eq!(fields.finish().unwrap_err().of("f"), ["Must be true or false"]);
    }

    #[test]
    fn what_lies_in_the_way_is_told() {
        let mut fields = Fields::parse(br#"{"a": 1, "n": null}"#).unwrap();
        assert!(fields.lay("a", &1.into()) && fields.lay("b", &2.into()) && fields.lay("n", &3.into()));
        assert!(!fields.lay("a", &2.into()));
        assert!(fields.lay("a", &"1".into()) && !fields.lay("a", &"2".into()));
        assert_eq!(fields.value("a"), Some(1.into()));
    }
}
