//! The requests that we send: how a task ended, what became of the balance, and tests.

use serde_json::{Value, json};

use super::examples::examples;

/// A type of event, what it says, and the schema of its body.
const EVENTS: [(&str, &str, &str); 8] = [
    ("video.completed", "At least one clip was delivered", "TaskEvent"),
    ("video.failed", "No clip was delivered; everything was given back", "TaskEvent"),
    ("video.canceled", "It was canceled; everything was given back", "TaskEvent"),
    ("video.expired", "It was not finished in time; everything was given back", "TaskEvent"),
    ("credits.low", "Less than the threshold of the alerts can be spent", "CreditsEvent"),
    ("credits.depleted", "Less than one credit can be spent", "CreditsEvent"),
    ("credits.recovered", "As much as the alerts ask for can be spent again", "CreditsEvent"),
    ("webhook.test", "Somebody tests the endpoint", "TestEvent"),
];

const TEXT: &str = "\
Sent to every endpoint that wants to hear of it (`/api/webhooks`), and how a task ended also to the task's `callbackUrl`. Signed \
as Standard Webhooks 1.0 says, and tried again for some three days until it is answered with 2xx; 410 disables the endpoint. \
Redirects are not followed. It may come more than once: `webhook-id` is the same on every try.

Check `webhook-signature` with the endpoint's secret, or for a `callbackUrl` with the account's own, before you believe the \
body, which is signed byte by byte.";

pub fn declare(document: &mut Value) -> serde_json::Result<()> {
    let schemas = &mut document["components"]["schemas"];
    schemas["TaskEvent"] = task_event();
    schemas["CreditsEvent"] = credits_event();
    schemas["TestEvent"] = test_event();
    document["components"]["parameters"] = parameters();
    let task = examples()?.remove("getTask").and_then(|example| example.response).unwrap_or_default();
    let webhook = |(kind, summary, schema): (&str, &str, &str)| {
        (kind.to_owned(), json!({ "post": webhook(kind, summary, schema, &task) }))
    };
    document["webhooks"] = Value::Object(EVENTS.into_iter().map(webhook).collect());
    Ok(())
}

fn webhook(kind: &str, summary: &str, schema: &str, task: &Value) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let parameters = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(reference);
    json!({
        "tags": ["Webhooks"],
        "summary": summary,
        "description": TEXT,
        "operationId": operation_id(kind),
        "parameters": parameters,
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": format!("#/components/schemas/{schema}") },
            "examples": { "example": { "value": example(kind, task) } },
        } } },
        "responses": {
            "2XX": { "description": "Taken: it is not sent again" },
            "410": { "description": "Nobody listens here any more: nothing is sent again" },
            "default": { "description": "Not taken: it is sent again later" },
        },
    })
}

/// `onVideoCompleted` of `video.completed`.
fn operation_id(kind: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    kind.split('.').fold("on".to_owned(), |id, word| id + &capital(word))
}

fn example(kind: &str, task: &Value) -> Value {
    let data = match kind.split_once('.') {
        Some(("video", "completed")) => task.clone(),
        Some(("video", state)) => without_clip(task, state),
        Some(("credits", state)) => balance(state),
        _ => {
            json!({ "webhookId": "whe_01M7WSCV4H8KJ2N9Q5T3X6B7D1", "balance": { "available": 50, "held": 0, "debt": 0 } })
        }
    };
    json!({ "type": kind, "timestamp": "2027-01-31T12:00:41.250Z", "data": data })
}

/// The task if it had ended in another way.
fn without_clip(task: &Value, state: &str) -> Value {
    let mut task = task.clone();
    let code = if state == "failed" { "generation_failed" } else { state };
    for (name, value) in [
        ("status", json!(2)),
        ("state", json!(state)),
        ("progress", json!(0)),
        ("videoUrl", Value::Null),
        ("clips", json!([])),
        ("attempts", json!([])),
        ("errorCode", json!(code)),
        ("creditsUsed", json!(0)),
        ("creditsRefunded", json!(true)),
        ("creditRefunded", json!(true)),
    ] {
        task[name] = value;
    }
    let held = task["charges"]["held"].take();
    task["charges"]["held"] = held.clone();
    task["charges"]["captured"] = json!(0);
    task["charges"]["released"] = held;
    task
}

fn balance(state: &str) -> Value {
    let (available, previous) = match state {
        "low" => (8, "ok"),
        "depleted" => (0, "low"),
        _ => (30, "depleted"),
    };
    json!({
        "available": available, "low": 10, "recover": 13, "previous": previous,
        "balance": { "available": available, "held": 12, "debt": 0 },
    })
}

fn parameters() -> Value {
    let headers = [
        ("webhook-id", "string", "The event's id, the same on every try: drop what you have seen."),
        (
            "webhook-timestamp",
            "integer",
            "When this try was made, in Unix seconds: refuse what is older than some minutes.",
        ),
        (
            "webhook-signature",
            "string",
            "`v1,` and the Base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`; several are separated by spaces.",
        ),
    ];
    let parameter = |(name, kind, description): (&str, &str, &str)| {
        let parameter = json!({
            "name": name, "in": "header", "required": true, "description": description, "schema": { "type": kind },
        });
        (name.to_owned(), parameter)
    };
    Value::Object(headers.map(parameter).into_iter().collect())
}

fn event(title: &str, description: &str, data: Value) -> Value {
    let types = EVENTS.iter().filter(|(_, _, schema)| *schema == title).map(|(kind, ..)| *kind);
    json!({
        "type": "object",
        "title": title,
        "description": description,
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": { "type": "string", "enum": types.collect::<Vec<_>>() },
            "timestamp": { "type": "string", "format": "date-time", "description": "When it happened." },
            "data": data,
        },
    })
}

fn task_event() -> Value {
    let data = json!({
        "description": "The answer to a poll of the task, in the dialect that it was made in; here the native one's.",
        "anyOf": [{ "$ref": "#/components/schemas/Task" }, { "type": "object" }],
    });
    event("TaskEvent", "How a task ended.", data)
}

fn credits_event() -> Value {
    let amount = |description: &str| json!({ "type": "number", "description": description });
    let data = json!({
        "type": "object",
        "required": ["available", "low", "recover", "previous", "balance"],
        "properties": {
            "available": amount("What can be spent."),
            "low": amount("Below it the account is low."),
            "recover": amount("From it on the account is ok again."),
            "previous": { "type": "string", "enum": ["ok", "low", "depleted"], "description": "What was said last." },
            "balance": balance_schema(),
        },
    });
    event("CreditsEvent", "The balance has crossed a threshold of `/api/credits/alerts`.", data)
}

fn test_event() -> Value {
    let data = json!({
        "type": "object",
        "required": ["webhookId", "balance"],
        "properties": {
            "webhookId": { "type": "string", "description": "The endpoint." },
            "balance": balance_schema(),
        },
    });
    event("TestEvent", "Somebody asked for a test of the endpoint.", data)
}

fn balance_schema() -> Value {
    let amount = || json!({ "type": "number" });
    json!({
        "type": "object",
        "description": "The account after it.",
        "required": ["available", "held", "debt"],
        "properties": { "available": amount(), "held": amount(), "debt": amount() },
    })
}
