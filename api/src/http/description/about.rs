//! What the document says about the API as a whole.

use serde_json::{Value, json};

use super::operation::operations;

const DIALECT: &str = "https://spec.openapis.org/oas/3.1/dialect/base";

const TEXT: &str = "\
Video generation, metered in credits. A task's price is held when it is accepted, captured for what is delivered, and given \
back otherwise.

**Keys.** Send `Authorization: Bearer <key>`, or the key alone in `X-Api-Key`; never in an address. Keys that begin with \
`sk-rm_test_` buy test videos with test credits, those with `sk-rm_live_` real ones with paid credits. A browser that has signed \
in needs no key: its cookie does; what changes something then comes from this site, or carries `X-CSRF-Token`.

**Waiting.** `Prefer: wait=60` answers when a task has ended; `/events` streams what happens; a `callbackUrl` is told.

**Values.** Amounts are numbers of credits with at most 3 decimals; times are RFC 3339 in UTC. Unknown fields of a body are \
ignored and named in `warnings`; new fields may appear in answers at any time.

**Errors** have one shape, with a stable `code` for programs; `Accept: application/problem+json` gets the same as RFC 9457. \
`retryable` says whether the very same request may succeed later without risk of paying twice. A path that does not exist is \
404 `not_found`; a method that a path does not have is 405 `method_not_allowed`, and `Allow` names those it has.";

/// `public_url` is how customers reach us; without it the document works wherever it is read from.
pub fn declare(document: &mut Value, public_url: Option<&str>) {
    document["jsonSchemaDialect"] = json!(DIALECT);
    document["info"]["summary"] = json!("A credit-metered API for AI video generation");
    document["info"]["description"] = json!(TEXT);
    document["info"]["contact"] = json!({ "name": "Reelmeter" });
    document["info"]["license"] = json!({ "name": "Apache License 2.0", "identifier": "Apache-2.0" });
    document["servers"] = json!([{ "url": public_url.unwrap_or("/") }]);
    document["components"]["securitySchemes"]["bearer"]["bearerFormat"] = json!("sk-rm_…");
    order_tags(document);
}

/// As the operations come, rather than by the alphabet.
fn order_tags(document: &mut Value) {
    let used: Vec<Value> = operations(document).map(|operation| operation.value["tags"][0].clone()).collect();
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| used.iter().position(|name| *name == tag["name"]));
    }
}

/// The members of the document in the order in which people look for them.
pub fn in_order(mut document: Value) -> Value {
    let names = [
        "openapi",
        "info",
        "jsonSchemaDialect",
        "servers",
        "tags",
        "paths",
        "webhooks",
        "components",
        "security",
    ];
    let member = |name: &str| Some((name.to_owned(), document.as_object_mut()?.shift_remove(name)?));
    let mut ordered: serde_json::Map<String, Value> = names.into_iter().filter_map(member).collect();
    ordered.extend(document.as_object().cloned().unwrap_or_default());
    Value::Object(ordered)
}
