//! From the words of OpenAPI 3.0, which is what the framework writes, to those of 3.1, whose schemas are JSON Schema 2020-12.

use serde_json::{Map, Value, json};

use super::operation::{Operation, operations};

/// Rewrites a whole document.
pub fn modernize(document: &mut Value) {
    document["openapi"] = json!("3.1.0");
    if let Some(components) = document.get_mut("components") {
        members(components, "schemas").for_each(modernize_schema);
    }
    for Operation { value, .. } in operations(document) {
        modernize_operation(value);
    }
}

fn modernize_operation(operation: &mut Value) {
    items(operation, "parameters").for_each(modernize_parameter);
    operation.get_mut("requestBody").into_iter().for_each(modernize_content);
    for response in members(operation, "responses") {
        modernize_content(response);
        members(response, "headers").for_each(modernize_parameter);
    }
}

/// Also a header. What is said is no more than what goes without saying is left out.
fn modernize_parameter(parameter: &mut Value) {
    parameter.get_mut("schema").into_iter().for_each(modernize_schema);
    let Some(parameter) = parameter.as_object_mut() else { return };
    parameter.retain(|key, value| {
        !matches!(
            (key.as_str(), &*value),
            ("deprecated", Value::Bool(false)) | ("explode", Value::Bool(true))
        )
    });
}

/// The charset of JSON is not a choice, and tools look for the plain name.
fn modernize_content(body: &mut Value) {
    if let Some(content) = body.get_mut("content").and_then(Value::as_object_mut) {
        for (media_type, mut value) in std::mem::take(content) {
            let plain = media_type.split(';').next().unwrap_or_default().trim().to_owned();
            if let Some(schema) = value.get_mut("schema") {
                modernize_schema(schema);
                set_media_type(schema, &plain);
                describe_event(schema);
            }
            content.insert(plain, value);
        }
    }
}

/// Bytes as they are: the media type says what 3.0 called a binary string.
fn set_media_type(schema: &mut Value, media_type: &str) {
    if schema.get("contentMediaType").is_some() {
        schema["contentMediaType"] = json!(media_type);
    }
}

/// A stream is described by one of its events: what stands in its lines, and what the data is.
fn describe_event(schema: &mut Value) {
    if schema["format"] != "event-stream" {
        return;
    }
    let data = schema["items"].take();
    *schema = json!({
        "type": "object",
        "description": "One event of the stream",
        "required": ["data"],
        "properties": {
            "id": { "type": "string", "description": "Send the last one as `Last-Event-ID` to go on from there." },
            "event": { "type": "string", "description": "As `type` in the data." },
            "data": { "type": "string", "contentMediaType": "application/json", "contentSchema": data },
        },
    });
}

fn modernize_schema(schema: &mut Value) {
    for part in ["properties", "patternProperties"] {
        members(schema, part).for_each(modernize_schema);
    }
    for part in ["items", "additionalProperties", "not"] {
        schema.get_mut(part).into_iter().for_each(modernize_schema);
    }
    for part in ["allOf", "anyOf", "oneOf"] {
        items(schema, part).for_each(modernize_schema);
    }
    let Some(schema) = schema.as_object_mut() else { return };
    join_reference(schema);
    whole_bounds(schema);
    exclusive_bound(schema, "minimum", "exclusiveMinimum");
    exclusive_bound(schema, "maximum", "exclusiveMaximum");
    replace_format(schema);
    if let Some(example) = schema.remove("example") {
        schema.insert("examples".to_owned(), json!([example]));
    }
    if schema.remove("nullable") == Some(Value::Bool(true)) {
        allow_null(schema);
    }
}

/// `allOf: [{$ref}, {description}]` was how to say something about a reference; now it may stand beside it.
fn join_reference(schema: &mut Map<String, Value>) {
    let Some([reference, Value::Object(about)]) =
        schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice)
    else {
        return;
    };
    let says_only =
        |key: &String| ["description", "deprecated", "readOnly", "writeOnly"].contains(&key.as_str());
    if let Some(target) = reference.get("$ref").cloned()
        && about.keys().all(says_only)
    {
        let about = about.clone();
        schema.remove("allOf");
        schema.insert("$ref".to_owned(), target);
        schema.extend(about);
    }
}

/// The framework keeps every bound as a float.
fn whole_bounds(schema: &mut Map<String, Value>) {
    for bound in ["minimum", "maximum", "multipleOf"] {
        if let Some(whole) = schema.get(bound).and_then(as_whole) {
            schema.insert(bound.to_owned(), whole.into());
        }
    }
}

fn as_whole(number: &Value) -> Option<i64> {
    number.to_string().strip_suffix(".0")?.parse().ok()
}

/// A flag beside the bound became the bound.
fn exclusive_bound(schema: &mut Map<String, Value>, bound: &str, exclusive: &str) {
    let Some(Value::Bool(is_exclusive)) = schema.get(exclusive).cloned() else { return };
    schema.remove(exclusive);
    if is_exclusive && let Some(value) = schema.remove(bound) {
        schema.insert(exclusive.to_owned(), value);
    }
}

/// Formats that are no annotations of JSON Schema say what they mean.
fn replace_format(schema: &mut Map<String, Value>) {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default().to_owned();
    let unsigned_max = match format.as_str() {
        "uint8" => u64::from(u8::MAX),
        "uint16" => u64::from(u16::MAX),
        "uint32" => u64::from(u32::MAX),
        "uint64" => u64::MAX,
        "binary" => {
            schema.remove("format");
            schema.insert("contentMediaType".to_owned(), json!("application/octet-stream"));
            return;
        }
        "byte" | "base64" => {
            schema.remove("format");
            schema.insert("contentEncoding".to_owned(), json!("base64"));
            return;
        }
        _ => return,
    };
    schema.remove("format");
    schema.entry("minimum").or_insert(json!(0));
    schema.entry("maximum").or_insert(json!(unsigned_max));
}

/// Lets a schema take `null` too.
pub fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    match schema.get_mut("type") {
        Some(Value::Array(types)) if types.contains(&json!("null")) => {}
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(name) => *name = json!([name.take(), "null"]),
        None => or_null(schema),
    }
}

/// What has no type of its own is wrapped; what is said about it stays outside.
fn or_null(schema: &mut Map<String, Value>) {
    let composed = ["$ref", "allOf", "anyOf", "oneOf"];
    let inner: Map<String, Value> =
        composed.into_iter().filter_map(|key| Some((key.to_owned(), schema.remove(key)?))).collect();
    if !inner.is_empty() {
        schema.insert("anyOf".to_owned(), json!([inner, { "type": "null" }]));
    }
}

/// The values of a member that is an object; none of anything else.
pub fn members<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(key).and_then(Value::as_object_mut).into_iter().flat_map(|object| object.values_mut())
}

/// The items of a member that is a list; none of anything else.
pub fn items<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_old_schemas_has_its_new_one() {
        let reference = json!({ "$ref": "#/x" });
        for (old, new) in [
            (json!({ "type": "string", "nullable": true }), json!({ "type": ["string", "null"] })),
            (json!({ "type": "string", "nullable": false }), json!({ "type": "string" })),
            (
                json!({ "type": "string", "nullable": true, "enum": ["a"] }),
                json!({ "type": ["string", "null"], "enum": ["a", null] }),
            ),
            (
                json!({ "$ref": "#/x", "nullable": true, "description": "d" }),
                json!({ "description": "d", "anyOf": [reference, { "type": "null" }] }),
            ),
            (
                json!({ "oneOf": [reference], "nullable": true }),
                json!({ "anyOf": [{ "oneOf": [reference] }, { "type": "null" }] }),
            ),
            (
                json!({ "allOf": [reference, { "description": "d" }] }),
                json!({ "$ref": "#/x", "description": "d" }),
            ),
            (
                json!({ "allOf": [reference, { "description": "d" }], "nullable": true }),
                json!({ "description": "d", "anyOf": [reference, { "type": "null" }] }),
            ),
            (
                json!({ "allOf": [reference, { "type": "object" }] }),
                json!({ "allOf": [reference, { "type": "object" }] }),
            ),
            (json!({ "minimum": 1.0, "exclusiveMinimum": true }), json!({ "exclusiveMinimum": 1 })),
            (json!({ "maximum": 1.5, "exclusiveMaximum": false }), json!({ "maximum": 1.5 })),
            (json!({ "example": 1 }), json!({ "examples": [1] })),
            (
                json!({ "type": "string", "format": "binary" }),
                json!({ "type": "string", "contentMediaType": "application/octet-stream" }),
            ),
            (json!({ "format": "byte" }), json!({ "contentEncoding": "base64" })),
            (json!({ "format": "uint8" }), json!({ "minimum": 0, "maximum": 255 })),
            (json!({ "format": "date-time" }), json!({ "format": "date-time" })),
        ] {
            let mut schema = old.clone();
            modernize_schema(&mut schema);
            assert_eq!(schema, new, "{old}");
            let mut nested = json!({ "properties": { "nullable": { "items": old } } });
            modernize_schema(&mut nested);
            assert_eq!(nested["properties"]["nullable"]["items"], new);
        }
    }

    #[test]
    fn schemas_are_found_wherever_an_operation_has_them() {
        let schema = json!({ "type": "string", "nullable": true });
        let binary = json!({ "type": "string", "format": "binary" });
        let mut document = json!({ "components": { "schemas": { "A": schema } }, "paths": { "/a": { "get": {
            "parameters": [{ "name": "n", "schema": schema, "deprecated": false, "explode": true }],
            "requestBody": { "content": { "application/json; charset=utf-8": { "schema": schema } } },
            "responses": { "200": {
                "headers": { "H": { "schema": schema } },
                "content": { "video/mp4": { "schema": binary } },
            } },
        } } } });
        modernize(&mut document);
        let new = json!({ "type": ["string", "null"] });
        let operation = &document["paths"]["/a"]["get"];
        assert_eq!(document["components"]["schemas"]["A"], new);
        assert_eq!(operation["parameters"], json!([{ "name": "n", "schema": new }]));
        assert_eq!(operation["requestBody"]["content"]["application/json"]["schema"], new);
        assert_eq!(operation["responses"]["200"]["headers"]["H"]["schema"], new);
        let clip = &operation["responses"]["200"]["content"]["video/mp4"]["schema"];
        assert_eq!(*clip, json!({ "type": "string", "contentMediaType": "video/mp4" }));
    }
}
