//! Reading what sets or lifts a limit: there absent and null differ, and what is out of bounds is said beside its field.

use std::collections::BTreeSet;

use chrono::DateTime;
use entity::{Credits, Timestamp};
use serde_json::Value;

use super::Fields;
use crate::video::request::FieldErrors;

impl Fields {
    /// Notes that a field is wrong for a reason of its own.
    pub fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(name, message);
    }

    /// Keeps a value that is fine; notes what is allowed when it is not.
    pub fn checked<T>(
        &mut self,
        name: &str,
        value: Option<T>,
        is_fine: impl FnOnce(&T) -> bool,
        allowed: &str,
    ) -> Option<T> {
        let value = value?;
        if is_fine(&value) {
            return Some(value);
        }
        self.wrong(name, format!("Must be {allowed}"));
        None
    }

    /// Whether a field is there, also as null.
    pub fn names(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// Notes that a field is missing, if it is: null is as good as absent.
    pub fn require(&mut self, name: &str) {
        if self.rest.get(name).is_none_or(Value::is_null) {
            self.wrong(name, "Required");
        }
    }

    /// Of a change: `None` when the field is absent, `Some(None)` when it is null, which clears what was set.
    pub fn change<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Fields, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.rest.get(name)?.is_null() {
            self.rest.shift_remove(name);
            return Some(None);
        }
        Some(read(self, name))
    }

    /// A list of different texts, in their order; unlike [`Fields::texts`] it tells an empty one from none.
    pub fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let list: Vec<String> =
            self.take(name, "Must be a list of texts", |value| serde_json::from_value(value).ok())?;
        let mut seen = BTreeSet::new();
        Some(list.into_iter().filter(|item| seen.insert(item.clone())).collect())
    }

    /// Credits from zero on, as a number or as text.
    pub fn credits(&mut self, name: &str) -> Option<Credits> {
        self.take(name, "Must be credits: zero or more, with at most 3 decimals", |value| {
            let amount = match value {
                Value::Number(number) => Credits::parse(&number.to_string()),
                Value::String(text) => Credits::parse(&text),
                _ => None,
            };
            amount.filter(|amount| !amount.is_negative())
        })
    }

    /// An instant as RFC 3339.
    pub fn instant(&mut self, name: &str) -> Option<Timestamp> {
        self.word(name, "an instant such as 2027-01-31T12:00:00Z", |text| {
            let instant = DateTime::parse_from_rfc3339(text).ok()?;
            Some(Timestamp::from_micros(instant.timestamp_micros()))
        })
    }

    /// An object whose fields are read like these, all of them: one that nobody reads is an error of `name.field`.
    pub fn part<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields) -> T) -> Option<T> {
        let rest = self.take(name, "Must be an object", |value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        })?;
        let mut part = Fields { rest, errors: FieldErrors::default() };
        let value = read(&mut part);
        for (field, messages) in part.errors.fields {
            messages.into_iter().for_each(|message| self.wrong(&format!("{name}.{field}"), message));
        }
        for field in part.rest.keys().take(super::NAMED_MAX) {
            let field: String = field.chars().take(super::NAME_MAX_CHARS).collect();
            self.wrong(&format!("{name}.{field}"), "There is no such field");
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_change_tells_absent_from_null() {
        let mut fields = fields(json!({ "set": 5, "cleared": null, "wrong": "x" }));
        assert_eq!(fields.change("set", Fields::whole::<u32>), Some(Some(5)));
        assert_eq!(fields.change("cleared", Fields::whole::<u32>), Some(None));
        assert_eq!(fields.change("absent", Fields::whole::<u32>), None);
        fields.change("wrong", Fields::whole::<u32>);
        assert_eq!(fields.finish().unwrap_err().of("wrong"), ["Must be a whole number"]);
    }

    #[test]
    fn credits_are_exact_and_never_below_zero() {
        let read = |value: Value| fields(json!({ "cap": value })).credits("cap").map(|cap| cap.thousandths());
        for (value, thousandths) in [
            (json!(0), 0),
            (json!(12), 12_000),
            (json!(0.1), 100),
            (json!("7.125"), 7_125),
            (json!(5.0), 5_000),
        ] {
            assert_eq!(read(value.clone()), Some(thousandths), "{value}");
        }
        for value in [json!(-1), json!(0.0001), json!("1,5"), json!(1e30), json!([1]), json!(true)] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn a_part_files_its_errors_under_its_own_name() {
        let mut fields = fields(json!({ "caps": { "day": -1, "daily": 5, "week": 7 }, "other": 1 }));
        let read = |caps: &mut Fields| (caps.credits("day"), caps.credits("week"));
        assert_eq!(fields.part("caps", read), Some((None, Credits::from_whole(7))));
        assert_eq!(fields.part("absent", |_| ()), None);
        assert_eq!(fields.part("other", |_| ()), None);
        let errors = fields.finish().unwrap_err();
        assert_eq!(errors.of("caps.daily"), ["There is no such field"]);
        assert_eq!((errors.of("caps.day").len(), errors.of("other").len()), (1, 1));
    }

    #[test]
    fn an_instant_has_a_zone() {
        let read = |text: &str| fields(json!({ "at": text })).instant("at").map(|at| at.to_string());
        assert_eq!(read("2027-01-01T01:00:00+02:00").as_deref(), Some("2026-12-31T23:00:00.000Z"));
        for text in ["", "tomorrow", "2027-01-31", "2027-01-31T12:00:00"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_list_keeps_its_order_and_nothing_twice() {
        let list = fields(json!({ "list": ["b", "a", "b"] })).list("list");
        assert_eq!(list.as_deref(), Some(&["b".to_owned(), "a".to_owned()][..]));
        assert_eq!(fields(json!({ "list": [] })).list("list"), Some(Vec::new()));
        assert_eq!(fields(json!({ "list": [1] })).list("list"), None);
    }
}
