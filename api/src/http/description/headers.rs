//! Headers of answers that mean something to a program, declared once and referred to.

use serde_json::{Map, Value, json};

use super::operation::{Operation, SUBMITTING, operations};

struct Header {
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    /// Statuses and operations; see [`Operation::is_any_of`].
    on: &'static [(&'static [u16], &'static [&'static str])],
    /// Refusals with these statuses.
    errors: &'static [u16],
}

const GENERATE: &str = "POST /api/ai/video/generate";
const PRICED: [&str; 2] = [GENERATE, "POST /api/ai/video/quote"];
const FILES: [&str; 3] =
    ["* /api/ai/tasks/{id}/content", "* /v1/videos/{id}/content", "* /api/uploads/{id}/content"];
const LISTS: [&str; 5] = [
    "GET /api/ai/credits/ledger",
    "GET /api/ai/tasks",
    "GET /api/keys",
    "GET /api/webhooks",
    "GET /api/webhooks/{id}/deliveries",
];
const WAITING: [&str; 3] = [GENERATE, "GET /api/ai/tasks/{id}", "POST /api/ai/tasks/{id}/cancel"];
const TAGGED: [&str; 5] = [
    "GET /api/ai/tasks/{id}",
    "GET /api/ai/models*",
    "* /api/ai/tasks/{id}/content",
    "* /v1/videos/{id}/content",
    "* /api/uploads/{id}/content",
];
const STREAMS: [&str; 3] = ["GET /api/events", "GET /api/ai/tasks/{id}/events", "GET /api/webhooks/stream"];
/// What begins a session, gives it a new token, or ends it.
const SIGNING: [&str; 10] = [
    "POST /api/auth/register",
    "POST /api/auth/login",
    "POST /api/auth/logout",
    "POST /api/auth/mode",
    "POST /api/auth/password",
    "* /api/auth/totp*",
    "POST /api/beta/redeem",
    "GET /api/auth/me",
    "DELETE /api/auth/sessions",
    "DELETE /api/auth/sessions/{id}",
];
const SENT: [u16; 2] = [200, 206];
const KNOWN: [u16; 3] = [200, 206, 304];

const HEADERS: &[Header] = &[
    Header {
        name: "X-Request-Id",
        kind: "string",
        description: "The name of this request, yours if you sent one of 1 to 64 letters, digits, `-`, `_` and `.`. Tell it when you ask for help.",
        on: &[(&[], &["* /*"])],
        errors: &[400, 401, 402, 403, 404, 409, 410, 413, 415, 416, 422, 429, 500, 503],
    },
    Header {
        name: "Retry-After",
        kind: "integer",
        description: "Seconds after which to ask again.",
        on: &[
            (
                &[200, 304],
                &[
                    "GET /api/ai/tasks/{id}",
                    "GET /v1/videos/{id}",
                    "GET /v1/video/generations/{id}",
                    "GET /kling/v1/videos/{kind}/{id}",
                    "POST /jimeng",
                ],
            ),
            (&[200], &["POST /api/actions/{name}", "GET /api/v1/jobs/recordInfo"]),
            (&[202], &["POST /api/ai/tasks/{id}/cancel"]),
        ],
        errors: &[404, 409, 429, 503],
    },
    Header {
        name: "RateLimit",
        kind: "string",
        description: "What is left of the key's rate, when it has one: `\"requests\";r=41;t=23` are 41 requests in the next 23 seconds.",
        on: &[],
        errors: &[429],
    },
    Header {
        name: "RateLimit-Policy",
        kind: "string",
        description: "The key's rate, when it has one: `\"requests\";q=60;w=60` are 60 requests in 60 seconds.",
        on: &[],
        errors: &[429],
    },
    Header {
        name: "WWW-Authenticate",
        kind: "string",
        description: "How to say who you are.",
        on: &[],
        errors: &[401],
    },
    Header {
        name: "Location",
        kind: "string",
        description: "Where the new task, key or endpoint is.",
        on: &[(&[200], &SUBMITTING), (&[201], &["POST /api/keys", "POST /api/webhooks"])],
        errors: &[],
    },
    Header {
        name: "Idempotent-Replayed",
        kind: "string",
        description: "`true` when the `Idempotency-Key` was seen before and this is its task; otherwise absent.",
        on: &[(&[200], &SUBMITTING)],
        errors: &[],
    },
    Header {
        name: "x-should-retry",
        kind: "string",
        description: "`false`: the same request again would be of no use, or is one that was accepted.",
        on: &[(&[200], &SUBMITTING)],
        errors: &[400, 401, 402, 403, 404, 409, 410, 413, 415, 416, 422, 503],
    },
    Header {
        name: "Deprecation",
        kind: "string",
        description: "Since when the model is on its way out (RFC 9745): `@` and Unix seconds. Absent otherwise.",
        on: &[(&[200], &PRICED)],
        errors: &[],
    },
    Header {
        name: "Sunset",
        kind: "string",
        description: "When the model goes away (RFC 8594). Absent when that is not known.",
        on: &[(&[200], &PRICED)],
        errors: &[],
    },
    Header {
        name: "Link",
        kind: "string",
        description: "`rel=\"next\"`: the next page. `rel=\"successor-version\"`: the model to use instead.",
        on: &[(&[200], &PRICED), (&[200], &LISTS)],
        errors: &[],
    },
    Header {
        name: "ETag",
        kind: "string",
        description: "Changes when the answer does. Send it as `If-None-Match`.",
        on: &[(&KNOWN, &TAGGED)],
        errors: &[],
    },
    Header {
        name: "Preference-Applied",
        kind: "string",
        description: "`wait=N`: the wait that was asked for by `Prefer` took place. Absent otherwise.",
        on: &[(&[200, 202, 304], &WAITING)],
        errors: &[],
    },
    Header {
        name: "Set-Cookie",
        kind: "string",
        description: "The session's cookie, when it is new, has changed or is over.",
        on: &[(&[200, 204], &SIGNING)],
        errors: &[],
    },
    Header {
        name: "Vary",
        kind: "string",
        description: "What of the request the answer's form depends on.",
        on: &[(&[200], &["GET /api/usage"])],
        errors: &[],
    },
    Header {
        name: "X-Accel-Buffering",
        kind: "string",
        description: "`no`: a proxy passes events on as they come.",
        on: &[(&[200], &STREAMS)],
        errors: &[],
    },
    Header {
        name: "Last-Modified",
        kind: "string",
        description: "When the file was stored.",
        on: &[(&KNOWN, &FILES)],
        errors: &[],
    },
    Header {
        name: "Cache-Control",
        kind: "string",
        description: "How long the answer may be kept, by one person's browser only.",
        on: &[(&KNOWN, &TAGGED)],
        errors: &[],
    },
    Header {
        name: "Accept-Ranges",
        kind: "string",
        description: "`bytes`: parts of the file can be asked for.",
        on: &[(&SENT, &FILES)],
        errors: &[],
    },
    Header {
        name: "Content-Disposition",
        kind: "string",
        description: "The name of the file.",
        on: &[(&SENT, &FILES), (&[200], &["GET /api/usage"])],
        errors: &[],
    },
    Header {
        name: "Repr-Digest",
        kind: "string",
        description: "The SHA-256 of the whole file, also with a part of it (RFC 9530).",
        on: &[(&SENT, &FILES)],
        errors: &[],
    },
    Header {
        name: "Content-Range",
        kind: "string",
        description: "Which part of the file this is, or how long the file is.",
        on: &[(&[206], &FILES)],
        errors: &[416],
    },
];

/// Declares every header that somebody sends, and refers to it where it is sent.
pub fn declare(document: &mut Value) {
    for operation in operations(document) {
        let keyed = operation.takes("bearer");
        let sent: Vec<(String, Map<String, Value>)> = answers(&operation)
            .map(|status| {
                (status.to_string(), references(|header| header.is_sent(&operation, keyed, status)))
            })
            .collect();
        for (status, headers) in sent {
            add(&mut operation.value["responses"][status], headers);
        }
    }
    let declared = HEADERS.iter().map(|header| (header.name.to_owned(), header.declaration()));
    document["components"]["headers"] = Value::Object(declared.collect());
}

/// The headers of a refusal with this status.
pub fn of_error(status: u16) -> Value {
    Value::Object(references(|header| header.errors.contains(&status)))
}

/// The statuses of an operation's own answers.
fn answers(operation: &Operation<'_>) -> impl Iterator<Item = u16> {
    let responses = operation.value["responses"].as_object().into_iter().flatten();
    responses.filter_map(|(status, _)| status.parse().ok()).filter(|status| *status < 400)
}

fn references(sent: impl Fn(&Header) -> bool) -> Map<String, Value> {
    let reference = |header: &Header| json!({ "$ref": format!("#/components/headers/{}", header.name) });
    HEADERS
        .iter()
        .filter(|header| sent(header))
        .map(|header| (header.name.to_owned(), reference(header)))
        .collect()
}

/// What the framework said about a header of ours is replaced.
fn add(response: &mut Value, headers: Map<String, Value>) {
    if !headers.is_empty() {
        let known = response["headers"].take();
        let own = known
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !headers.keys().any(|ours| ours.eq_ignore_ascii_case(name)));
        let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        response["headers"] = Value::Object(headers.into_iter().chain(own).collect());
    }
}

impl Header {
    fn is_sent(&self, operation: &Operation<'_>, keyed: bool, status: u16) -> bool {
        let by_key = self.name.starts_with("RateLimit") && keyed;
        let named = |(statuses, patterns): &(&[u16], &[&str])| {
            (statuses.is_empty() || statuses.contains(&status)) && operation.is_any_of(patterns)
        };
        by_key || self.on.iter().any(named)
    }

    fn declaration(&self) -> Value {
        json!({ "description": self.description, "schema": { "type": self.kind } })
    }
}
