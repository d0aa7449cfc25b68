//! What of a task's metadata it can be found by: text, numbers and flags, as long as an index takes them.

use std::collections::BTreeMap;

use entity::{AccountId, TaskId, task_metadata};
use serde_json::Value;

/// Longer names and values are kept with the task but can't be searched for.
pub const NAME_MAX_CHARS: usize = 64;
pub const VALUE_MAX_CHARS: usize = 256;

/// The rows that a task is found by.
pub fn rows(
    task_id: TaskId,
    account_id: AccountId,
    metadata: &BTreeMap<String, Value>,
) -> Vec<task_metadata::Model> {
    let row = |(name, value): (&String, &Value)| {
        let value = text_of(value).filter(|value| fits(value, VALUE_MAX_CHARS))?;
        fits(name, NAME_MAX_CHARS).then(|| task_metadata::Model {
            task_id,
            name: name.clone(),
            account_id,
            value,
        })
    };
    metadata.iter().filter_map(row).collect()
}

fn fits(text: &str, max_chars: usize) -> bool {
    text.chars().count() <= max_chars
}

/// Numbers and flags as JSON writes them.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_task_is_found_by_text_numbers_and_flags_that_are_short_enough() {
        let (at_most, too_long) = ("ä".repeat(VALUE_MAX_CHARS), "ä".repeat(VALUE_MAX_CHARS + 1));
        let (name, long_name) = ("n".repeat(NAME_MAX_CHARS), "n".repeat(NAME_MAX_CHARS + 1));
        let metadata = BTreeMap::from([
            ("a".to_owned(), json!("text")),
            ("b".to_owned(), json!(1.50)),
            ("c".to_owned(), json!(true)),
            ("d".to_owned(), json!(null)),
            ("e".to_owned(), json!(["x"])),
            ("f".to_owned(), json!({ "x": 1 })),
            ("g".to_owned(), json!(at_most)),
            ("h".to_owned(), json!(too_long)),
            (name.clone(), json!("")),
            (long_name, json!("x")),
        ]);
        let found = rows(TaskId(Uuid::nil()), AccountId(Uuid::nil()), &metadata);
        let found: Vec<(&str, &str)> =
            found.iter().map(|row| (row.name.as_str(), row.value.as_str())).collect();
        let expected =
            [("a", "text"), ("b", "1.5"), ("c", "true"), ("g", at_most.as_str()), (name.as_str(), "")];
        assert_eq!(found, expected);
    }
}
