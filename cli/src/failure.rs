//! Why a command failed: a sentence, what to do next, and the exit code.

use std::fmt::Display;
use std::process::ExitCode;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::{Value, json};

use crate::output::harmless;

/// Exit codes; part of what scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Other = 1,
    Usage = 2,
    TaskFailed = 3,
    Auth = 4,
    NotFound = 5,
    Credits = 6,
    RateLimited = 7,
    Timeout = 8,
    Conflict = 9,
    Moderation = 10,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Told to people on stderr; boxed where it would make results large.
#[derive(Debug)]
pub struct Failure(Box<Inner>);

#[derive(Debug)]
pub struct Inner {
    pub exit: Exit,
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The server's stable code.
    pub code: Option<String>,
    pub request_id: Option<String>,
    /// Whether the very same request may be sent again.
    pub is_retryable: bool,
    pub retry_after_s: Option<u64>,
}

impl std::ops::Deref for Failure {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure(Box::new(Inner {
            exit,
            message: message.into(),
            hint: None,
            code: None,
            request_id: None,
            is_retryable: false,
            retry_after_s: None,
        }))
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same failure in other words.
    pub fn say(mut self, message: String) -> Failure {
        self.0.message = message;
        self
    }

    fn retryable(mut self) -> Failure {
        self.0.is_retryable = true;
        self
    }

    /// For what goes wrong on this machine: `local("could not write the clip")`.
    pub fn local<E: Display>(what: impl Display) -> impl FnOnce(E) -> Failure {
        move |error| Failure::new(Exit::Other, format!("{what}: {error}"))
    }

    /// A request that got no answer. The address is left out of the text: it may hold a signature.
    pub fn network(error: reqwest::Error, host: &str) -> Failure {
        let what = match () {
            () if error.is_connect() => format!("{host} can't be reached"),
            () if error.is_timeout() => format!("{host} did not answer in time"),
            () => format!("the connection to {host} broke"),
        };
        let mut reasons: Vec<String> = Vec::new();
        let error = error.without_url();
        let mut source: Option<&dyn std::error::Error> = std::error::Error::source(&error);
        while let Some(reason) = source {
            reasons.push(reason.to_string());
            source = reason.source();
        }
        let why = reasons.pop().map(|reason| format!(" ({reason})")).unwrap_or_default();
        Failure::new(Exit::Other, format!("{what}{why}"))
            .hint("Check the host (`reel config get`) and your network; `reel doctor` looks at both.")
            .retryable()
    }

    /// An answer that is no success, in whichever dialect it is.
    pub fn answered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let inner = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
        let text = |names: &[&str]| {
            names.iter().find_map(|name| inner[*name].as_str().or(body[*name].as_str())).map(str::to_owned)
        };
        let code = text(&["errorCode", "code", "type"]);
        let message = described(inner)
            .or_else(|| text(&["detail", "message", "error", "title"]))
            .unwrap_or_else(|| format!("the server answered {status}"));
        let exit = exit_of(status, code.as_deref());
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut failure = Failure::new(exit, message);
        failure.0.hint = hint_of(code.as_deref(), exit, &body);
        failure.0.request_id = text(&["requestId"]).or_else(|| header("x-request-id"));
        failure.0.is_retryable = body["retryable"].as_bool().unwrap_or_else(|| may_pass(status));
        failure.0.retry_after_s = header(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
        failure.0.code = code;
        failure
    }

    /// Tells it on stderr: to people, or to programs as one line.
    pub fn report(&self, as_json: bool, in_color: bool) {
        if as_json {
            let Inner { exit, message, hint, code, request_id, .. } = &*self.0;
            let error = json!({
                "error": { "message": message, "hint": hint, "code": code, "requestId": request_id, "exitCode": *exit as u8 },
            });
            eprintln!("{error}");
            return;
        }
        let in_color = in_color && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let label = if in_color { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
        eprintln!("{label} {}", harmless(&self.message));
        if let Some(hint) = &self.hint {
            eprintln!("       {}", harmless(hint));
        }
        if let Some(id) = &self.request_id {
            eprintln!("       Request {id}");
        }
    }
}

/// Field by field, when the server says so.
fn described(body: &Value) -> Option<String> {
    let fields = body["details"]["fieldErrors"].as_object().filter(|fields| !fields.is_empty())?;
    let say = |(field, messages): (&String, &Value)| {
        let messages: Vec<&str> = messages.as_array()?.iter().filter_map(Value::as_str).collect();
        Some(format!("{field}: {}", messages.join("; ")))
    };
    Some(fields.iter().filter_map(say).collect::<Vec<_>>().join("\n       "))
}

fn may_pass(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn exit_of(status: StatusCode, code: Option<&str>) -> Exit {
    match (status.as_u16(), code) {
        (_, Some("idempotency_key_reused" | "quote_used" | "quote_mismatch" | "quote_expired")) => {
            Exit::Conflict
        }
        (401 | 403, _) => Exit::Auth,
        (402, _) => Exit::Credits,
        (404, _) => Exit::NotFound,
        (409 | 410, _) => Exit::Conflict,
        (429, _) => Exit::RateLimited,
        (400 | 405 | 413 | 415 | 422, _) => Exit::Usage,
        _ => Exit::Other,
    }
}

fn hint_of(code: Option<&str>, exit: Exit, body: &Value) -> Option<String> {
    let hint = match (code, exit) {
        (Some("insufficient_credits"), _) => match (&body["required"], &body["available"]) {
            (required, available) if required.is_number() && available.is_number() => {
                return Some(format!(
                    "It takes {required} credits, and {available} are available. `reel balance` shows what is held."
                ));
            }
            _ => "`reel balance` shows what is available and what is held.",
        },
        (Some("key_limit_reached"), _) => {
            "The key's own limit: `reel whoami` shows what is left of it and when it starts again."
        }
        (Some("insufficient_scope"), _) => "`reel whoami` shows what this key may do.",
        (Some("key_required" | "session_required"), _) => "",
        (Some("unknown_model" | "model_not_found"), _) => "`reel models list` names those that there are.",
        (Some("action_not_found"), _) => "`reel actions list` names those that there are.",
        (Some("outcome_unknown"), _) => "`reel video resume` finds out, without paying twice.",
        (_, Exit::Auth) => "`reel whoami` asks the server about the key; `reel login` stores another one.",
        (_, Exit::RateLimited) => "Wait a little and try again; `reel whoami` shows the key's limits.",
        _ => "",
    };
    (!hint.is_empty()).then(|| hint.to_owned())
}
