//! What differs between two price books, line by line.
//!
//! Works on the canonical form: whatever is stored of a book is compared, also what is added to the format later.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::video::price::PriceBook;

/// One number or word of a book that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Such as `price of sora-2, 5 s 720p`.
    place: String,
    /// `None`: it is added.
    old: Option<String>,
    /// `None`: it is removed.
    new: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, "~ {place}: {old} → {new}"),
            (Some(old), None) => write!(f, "- {place}: {old}"),
            (None, new) => write!(f, "+ {place}: {}", new.as_deref().unwrap_or_default()),
        }
    }
}

/// Every change from the old book (`None`: there is none) to the new one, sorted by place.
pub fn changes(old: Option<&PriceBook>, new: &PriceBook) -> serde_json::Result<Vec<Change>> {
    let old = old.map_or(Ok(BTreeMap::new()), lines)?;
    let new = lines(new)?;
    let places: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |place: &String| Change {
        place: place.clone(),
        old: old.get(place).cloned(),
        new: new.get(place).cloned(),
    };
    Ok(places.into_iter().map(change).filter(|change| change.old != change.new).collect())
}

/// Every value of a book by its place.
fn lines(book: &PriceBook) -> serde_json::Result<BTreeMap<String, String>> {
    let book: Map<String, Value> = serde_json::from_str(&book.to_json())?;
    let mut lines = BTreeMap::new();
    for (name, value) in &book {
        match value {
            Value::Array(cards) => cards.iter().for_each(|card| card_lines(name, card, &mut lines)),
            value => insert(&mut lines, name.clone(), value),
        }
    }
    Ok(lines)
}

fn card_lines(kind: &str, card: &Value, lines: &mut BTreeMap<String, String>) {
    let text = |name: &str| card.get(name).and_then(Value::as_str);
    let mut place = format!("{kind} of {}", text("model").unwrap_or("?"));
    if let Some(provider) = text("provider") {
        place.push_str(&format!(" at {provider}"));
    }
    for (name, value) in card.as_object().into_iter().flatten() {
        match value {
            Value::Array(rates) => rates.iter().for_each(|rate| rate_line(&place, rate, lines)),
            _ if name == "model" || name == "provider" => {}
            value => insert(lines, format!("{place}, {name}"), value),
        }
    }
}

fn rate_line(place: &str, rate: &Value, lines: &mut BTreeMap<String, String>) {
    let is_amount = |name: &str| name == "credits" || name == "usd";
    let rate: Vec<_> = rate.as_object().into_iter().flatten().collect();
    let when: Vec<String> = rate
        .iter()
        .filter(|(name, _)| !is_amount(name))
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect();
    let when = if when.is_empty() { "any".to_owned() } else { when.join(" ") };
    for (name, value) in rate.into_iter().filter(|(name, _)| is_amount(name)) {
        lines.insert(format!("{place}, {when}"), format!("{} {name}", plain(value)));
    }
}

fn insert(lines: &mut BTreeMap<String, String>, place: String, value: &Value) {
    lines.insert(place, plain(value));
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
credit_usd = "0.05"
step = 1
[[price]]
model = "a"
unit = "second"
rates = [{ resolution = "720p", credits = "2" }, { resolution = "1080p", credits = "3" }]
[[price]]
model = "b"
unit = "clip"
rates = [{ credits = "10" }]
[[cost]]
model = "a"
provider = "kie"
unknown = true
"#;

    fn differences(new: &str) -> Vec<String> {
        let (old, new) = (PriceBook::parse(OLD).unwrap(), PriceBook::parse(new).unwrap());
        changes(Some(&old), &new).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_same_book_written_otherwise_has_no_changes() {
        assert_eq!(differences(&OLD.replace("\"2\"", "\"2.00\"")), [""; 0]);
    }

    #[test]
    fn a_changed_rate_shows_old_and_new() {
        assert_eq!(
            differences(&OLD.replace("\"2\"", "\"2.4\"")),
            ["~ price of a, resolution=720p: 2 credits → 2.4 credits"]
        );
        assert_eq!(differences(&OLD.replace("0.05", "0.06")), ["~ credit_usd: 0.05 → 0.06"]);
    }

    #[test]
    fn what_comes_and_goes_shows_whole() {
        let new = OLD.replace(r#", { resolution = "1080p", credits = "3" }"#, "").replace("\"b\"", "\"c\"");
        assert_eq!(
            differences(&new),
            [
                "- price of a, resolution=1080p: 3 credits",
                "- price of b, any: 10 credits",
                "- price of b, unit: clip",
                "+ price of c, any: 10 credits",
                "+ price of c, unit: clip",
            ]
        );
    }

    #[test]
    fn a_cost_that_becomes_known_shows() {
        let known = "unit = \"clip\"\nsource = \"https://example.com\"\nas_of = \"2026-11-01\"\nrates = [{ usd = \"0.2\" }]";
        let shown = differences(&OLD.replace("unknown = true", known));
        assert!(shown.contains(&"+ cost of a at kie, any: 0.2 usd".to_owned()), "{shown:?}");
        assert!(shown.contains(&"- cost of a at kie, unknown: true".to_owned()), "{shown:?}");
    }

    #[test]
    fn against_nothing_everything_is_new() {
        let book = PriceBook::parse(OLD).unwrap();
        let all = changes(None, &book).unwrap();
        assert!(!all.is_empty() && all.iter().all(|change| change.old.is_none()));
    }
}
