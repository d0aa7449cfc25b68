//! A JSON Schema for people: a row for each field.

use serde_json::Value;

use crate::output::{cell, harmless};

/// The longest list of words that is shown whole.
const WORDS: usize = 6;
const DEPTH: usize = 3;

pub const HEADER: [&str; 4] = ["field", "type", "needed", "what"];

/// A row for each field, and for each of what is in it: `options.duration`.
pub fn rows(schema: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    gather(schema, schema, "", DEPTH, &mut found);
    found
}

fn gather(root: &Value, schema: &Value, before: &str, depth: usize, found: &mut Vec<Vec<String>>) {
    let needed = schema["required"].as_array();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let field = resolved(root, field);
        let path = format!("{before}{}", harmless(name));
        let is_needed = needed.is_some_and(|needed| needed.iter().any(|other| other == name));
        let needed = if is_needed { "yes" } else { "" };
        found.push(vec![path.clone(), kind(field), needed.to_owned(), what(field)]);
        if depth > 0 {
            gather(root, field, &format!("{path}."), depth - 1, found);
        }
    }
}

/// Follows `#/$defs/…`.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn kind(field: &Value) -> String {
    let several = ["anyOf", "oneOf"].iter().find_map(|name| field[*name].as_array());
    match (&field["type"], several) {
        (Value::Null, Some(kinds)) => {
            let mut kinds: Vec<String> = kinds.iter().map(kind).filter(|kind| !kind.is_empty()).collect();
            kinds.dedup();
            kinds.join(", ")
        }
        (kind, _) => cell(kind),
    }
}

fn what(field: &Value) -> String {
    let limit = |name: &str, sign: &str| {
        field.get(name).map(|value| format!("{sign} {}", cell(value))).unwrap_or_default()
    };
    let parts = [
        words(field),
        limit("const", "="),
        limit("minimum", "≥"),
        limit("maximum", "≤"),
        field.get("default").map(|value| format!("default {}", cell(value))).unwrap_or_default(),
        cell(&field["description"]),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn words(field: &Value) -> String {
    let Some(words) = field["enum"].as_array() else { return String::new() };
    let shown: Vec<String> = words.iter().take(WORDS).map(cell).collect();
    let more = words.len().saturating_sub(WORDS);
    let rest = if more > 0 { format!(" … {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_within_fields_are_rows_of_their_own() {
        let schema = json!({
            "required": ["model"],
            "properties": {
                "model": { "enum": ["a", "b"] },
                "options": { "$ref": "#/$defs/options" },
                "seed": { "anyOf": [{ "type": "integer" }, { "type": "null" }], "default": 3 },
            },
            "$defs": { "options": { "type": "object", "properties": { "length": { "type": "integer", "minimum": 4 } } } },
        });
        let rows = rows(&schema);
        assert_eq!(rows[0], ["model", "", "yes", "a, b"]);
        assert_eq!(rows[1][..2], ["options", "object"]);
        assert_eq!(rows[2], ["options.length", "integer", "", "≥ 4"]);
        assert_eq!(rows[3], ["seed", "integer, null", "", "default 3"]);
    }
}
