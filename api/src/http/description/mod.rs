//! The description of the API: an OpenAPI 3.1 document, made from what the framework writes (3.0) by pure functions, one a file.
//!
//! It says what is true and nothing else: an answer that an operation can't give is as wrong as one that is missing. The tests
//! execute every example and hold every answer to its schema.

mod about;
mod bodies;
mod errors;
mod examples;
mod headers;
mod modern;
mod operation;
mod page;
mod routes;
mod samples;
mod webhooks;

use serde_json::Value;

pub use errors::{codes, statuses};
pub use examples::{Example, examples};
pub use routes::{PATHS, routes};
pub use samples::texts;

/// The 3.1 document of a 3.0 one. `public_url` is how customers reach us, when that is known.
pub fn document(old: &str, public_url: Option<&str>) -> anyhow::Result<Value> {
    let mut document: Value = serde_json::from_str(old)?;
    errors::bring_schemas(&mut document)?;
    modern::modernize(&mut document);
    drop_bodies_of_head(&mut document);
    bodies::declare(&mut document);
    errors::declare(&mut document);
    headers::declare(&mut document);
    webhooks::declare(&mut document)?;
    examples::declare(&mut document)?;
    about::declare(&mut document, public_url);
    Ok(about::in_order(document))
}

pub fn json(document: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(document)?)
}

pub fn yaml(document: &Value) -> anyhow::Result<String> {
    Ok(serde_saphyr::to_string(document)?)
}

/// `HEAD` answers as `GET` does, without a body and without ranges, which are defined for `GET` only.
fn drop_bodies_of_head(document: &mut Value) {
    for operation in operation::operations(document).filter(|operation| operation.method == "HEAD") {
        if let Some(responses) = operation.value["responses"].as_object_mut() {
            responses.shift_remove("206");
            for response in responses.values_mut().filter_map(Value::as_object_mut) {
                response.shift_remove("content");
            }
        }
    }
}
