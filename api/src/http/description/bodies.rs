//! What a body's reader takes beyond what its structure says: [`crate::http::body::Fields`] reads `null` as absent, and whole
//! numbers that are written as text.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::modern::{allow_null, members};
use super::operation::operations;

/// Describes every JSON body, and the objects in it, as it is read.
pub fn declare(document: &mut Value) {
    let body = |operation: &Value| name(operation.pointer("/requestBody/content/application~1json/schema")?);
    let mut waiting: Vec<String> =
        operations(document).filter_map(|operation| body(operation.value)).collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(schema) = document["components"]["schemas"].get_mut(&name) {
            waiting.extend(members(schema, "properties").filter_map(|property| self::name(property)));
            loosen(schema);
        }
    }
}

/// The schema that is referred to.
fn name(schema: &Value) -> Option<String> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/").map(str::to_owned)
}

fn loosen(schema: &mut Value) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(|names| serde_json::from_value(names.clone()).ok())
        .unwrap_or_default();
    members(schema, "properties").filter_map(Value::as_object_mut).for_each(take_text);
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, property) in properties.filter(|(name, _)| !required.contains(name)) {
        property.as_object_mut().into_iter().for_each(allow_null);
    }
}

fn take_text(property: &mut Map<String, Value>) {
    if property.get("type") == Some(&json!("integer")) {
        property.insert("type".to_owned(), json!(["integer", "string"]));
        property.insert("pattern".to_owned(), json!("^-?[0-9]+(\\.0)?$"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_optional_may_be_null_and_a_whole_number_may_be_text() {
        let mut schema = json!({ "required": ["a"], "properties": {
            "a": { "type": "string" }, "b": { "type": "integer" }, "c": { "$ref": "#/x" },
        } });
        loosen(&mut schema);
        assert_eq!(schema["properties"]["a"], json!({ "type": "string" }));
        assert_eq!(schema["properties"]["b"]["type"], json!(["integer", "string", "null"]));
        assert_eq!(schema["properties"]["c"]["anyOf"], json!([{ "$ref": "#/x" }, { "type": "null" }]));
    }
}
