//! One example of every operation, from `examples.json`: shown in the document, made into code, and executed by the tests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::operation::{Operation, operations};
use super::samples::samples;

const FILE: &str = include_str!("examples.json");

/// A request of one operation and the answer to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Values of parameters by name. Those of the path must be there.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    #[serde(default)]
    pub body: Option<Value>,
    /// Of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// Absent when the answer is no JSON.
    #[serde(default)]
    pub response: Option<Value>,
}

fn ok() -> u16 {
    200
}

/// By operation id.
pub fn examples() -> serde_json::Result<BTreeMap<String, Example>> {
    serde_json::from_str(FILE)
}

/// Shows each operation's example, and how to send it from a few languages.
pub fn declare(document: &mut Value) -> serde_json::Result<()> {
    let examples = examples()?;
    for operation in operations(document) {
        if let Some(example) = examples.get(operation.id()) {
            show(operation, example);
        }
    }
    Ok(())
}

fn show(operation: Operation<'_>, example: &Example) {
    let samples = samples(&operation, example);
    let operation = operation.value;
    operation["x-code-samples"] = samples;
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let value = parameter["name"].as_str().and_then(|name| example.parameters.get(name));
        set(parameter, value);
    }
    if let Some(content) = operation.get_mut("requestBody").and_then(json_content) {
        set(content, example.body.as_ref());
    }
    if let Some(content) =
        operation.pointer_mut(&format!("/responses/{}", example.status)).and_then(json_content)
    {
        set(content, example.response.as_ref());
    }
}

/// The JSON of a body: `application/json`, or what calls itself a kind of it.
fn json_content(body: &mut Value) -> Option<&mut Value> {
    let contents = body.get_mut("content")?.as_object_mut()?;
    let is_json = |media_type: &str| media_type == "application/json" || media_type.ends_with("+json");
    contents.iter_mut().find(|(media_type, _)| is_json(media_type)).map(|(_, content)| content)
}

fn set(place: &mut Value, example: Option<&Value>) {
    if let Some(value) = example {
        place["examples"] = json!({ "example": { "value": value } });
    }
}
