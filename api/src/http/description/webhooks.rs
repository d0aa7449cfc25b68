//! The requests that we send: how a task ended, to its `callbackUrl`.

use serde_json::{Map, Value, json};

const ENDINGS: [(&str, &str); 4] = [
    ("completed", "At least one clip was delivered"),
    ("failed", "No clip was delivered; everything was given back"),
    ("canceled", "It was canceled; everything was given back"),
    ("expired", "It was not finished in time; everything was given back"),
];

const TEXT: &str = "\
Sent to the task's `callbackUrl`, signed as Standard Webhooks 1.0 says, and tried again for some three days until it is \
answered with 2xx; 410 ends it. Redirects are not followed. It may come more than once: `webhook-id` is the same on every try.

Check `webhook-signature` with your account's signing secret before you believe the body, which is signed byte by byte.";

pub fn declare(document: &mut Value) {
    document["components"]["schemas"]["TaskEvent"] = event_schema();
    document["components"]["schemas"]["TaskEventData"] = data_schema();
    document["components"]["parameters"] = parameters();
    let webhooks = ENDINGS
        .map(|(state, summary)| (format!("video.{state}"), json!({ "post": webhook(state, summary) })));
    document["webhooks"] = Value::Object(webhooks.into_iter().collect());
}

fn webhook(state: &str, summary: &str) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let parameters = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(reference);
    json!({
        "tags": ["Videos"],
        "summary": summary,
        "description": TEXT,
        "operationId": format!("onVideo{}{}", &state[..1].to_uppercase(), &state[1..]),
        "parameters": parameters,
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/TaskEvent" },
            "examples": { "example": { "value": example(state) } },
        } } },
        "responses": {
            "2XX": { "description": "Taken: it is not sent again" },
            "410": { "description": "Nobody listens here any more: it is not sent again" },
            "default": { "description": "Not taken: it is sent again later" },
        },
    })
}

fn example(state: &str) -> Value {
    let (captured, released) = if state == "completed" { (12, 0) } else { (0, 12) };
    let error_code = match state {
        "failed" => json!("generation_failed"),
        _ => Value::Null,
    };
    json!({
        "type": format!("video.{state}"),
        "timestamp": "2027-01-31T12:00:41.250Z",
        "data": {
            "taskId": "tsk_01M7WSAGF0EX2SYNNJ55KBJDD3", "state": state, "model": "sora-2-text-to-video",
            "captured": captured, "released": released, "errorCode": error_code,
        },
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

fn event_schema() -> Value {
    let types = ENDINGS.map(|(state, _)| format!("video.{state}"));
    json!({
        "type": "object",
        "title": "TaskEvent",
        "description": "How a task ended.",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": { "type": "string", "enum": types },
            "timestamp": { "type": "string", "format": "date-time", "description": "When it ended." },
            "data": { "$ref": "#/components/schemas/TaskEventData" },
        },
    })
}

fn data_schema() -> Value {
    let states = ENDINGS.map(|(state, _)| state);
    let properties = [
        (
            "taskId",
            json!({ "type": "string", "description": "Read the task for its clips: `GET /api/ai/tasks/{id}`." }),
        ),
        ("state", json!({ "type": "string", "enum": states })),
        ("model", json!({ "type": "string" })),
        ("captured", json!({ "type": "number", "description": "Charged for what was delivered." })),
        ("released", json!({ "type": "number", "description": "Given back because it was not delivered." })),
        ("errorCode", json!({ "type": ["string", "null"], "description": "Why there is no video." })),
    ];
    let required = properties.clone().map(|(name, _)| name);
    let properties: Map<String, Value> =
        properties.map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect();
    json!({
        "type": "object",
        "title": "TaskEventData",
        "required": required,
        "properties": properties,
    })
}
