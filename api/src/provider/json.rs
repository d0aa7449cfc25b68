//! Reading what others wrote: numbers in quotes, texts without them, members that come and go.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

/// A text; a number counts as one. Nothing for an empty one.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text at a path such as `/data/taskId`.
pub fn text_at(value: &Value, path: &str) -> Option<String> {
    text(value.pointer(path)?)
}

/// The first of several paths that holds a text.
pub fn first_text(value: &Value, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| text_at(value, path))
}

/// A number as it is written, exactly; a text that is one counts as well.
pub fn decimal(value: &Value) -> Option<Decimal> {
    let text = text(value)?;
    let text = text.trim();
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

/// The number at a path.
pub fn decimal_at(value: &Value, path: &str) -> Option<Decimal> {
    decimal(value.pointer(path)?)
}

/// The whole number at a path; a fraction is cut off.
pub fn int_at(value: &Value, path: &str) -> Option<i64> {
    decimal_at(value, path)?.trunc().to_i64()
}

/// A percentage at a path, with or without its sign.
pub fn percent_at(value: &Value, path: &str) -> Option<u8> {
    let text = text_at(value, path)?;
    let number: Decimal = text.trim().trim_end_matches('%').trim().parse().ok()?;
    number.trunc().to_u8().map(|percent| percent.min(100))
}

/// The web address at a path.
pub fn url_at(value: &Value, path: &str) -> Option<String> {
    text_at(value, path).filter(|text| text.starts_with("https://") || text.starts_with("http://"))
}

/// Seconds at a path, as milliseconds.
pub fn seconds_at(value: &Value, path: &str) -> Option<u64> {
    decimal_at(value, path)?.checked_mul(Decimal::ONE_THOUSAND)?.round().to_u64()
}

/// US dollars as millionths, rounded up: what we are charged is never told too low.
pub fn micro_usd(usd: Decimal) -> Option<i64> {
    usd.checked_mul(Decimal::from(1_000_000))?.ceil().to_i64().filter(|cost| *cost >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_texts_are_read_in_each_others_clothes() {
        let answer = json!({"id": 7, "n": "5.5", "p": "30%", "e": 1.2e-7, "none": null, "empty": " "});
        assert_eq!(text_at(&answer, "/id").as_deref(), Some("7"));
        assert_eq!(decimal_at(&answer, "/n"), Some(Decimal::new(55, 1)));
        assert_eq!(int_at(&answer, "/n"), Some(5));
        assert_eq!(percent_at(&answer, "/p"), Some(30));
        assert_eq!(decimal_at(&answer, "/e"), Some(Decimal::new(12, 8)));
        assert_eq!(seconds_at(&answer, "/n"), Some(5_500));
        assert_eq!(first_text(&answer, &["/none", "/empty", "/missing", "/id"]).as_deref(), Some("7"));
    }

    #[test]
    fn a_cost_is_exact_and_rounded_up() {
        assert_eq!(micro_usd(Decimal::new(35, 2)), Some(350_000));
        assert_eq!(micro_usd(Decimal::new(1, 7)), Some(1));
        assert_eq!(micro_usd(Decimal::NEGATIVE_ONE), None);
    }
}
