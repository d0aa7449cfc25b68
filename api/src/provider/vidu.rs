//! Vidu. Facts from platform.vidu.com, 2026.
//!
//! `payload` is sent back in polls and callbacks, so an id that a callback brings is ours where it shows our submit key; there
//! is no list to look in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::instance::{Adapter, Opening, Setting};
use super::json::{decimal_at, first_text, text_at, url_at};
use super::signed::hmac_sha256;
use super::wire::{Call, Reply, Wire, segment};
use super::{
    Abilities, Callback, ClipSource, Cost, FailureCode, Found, Heard, Pace, Progress, Provider,
    ProviderError, Reconcile, RemoteClip, Submission, UpstreamId, rate,
};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

pub const ADAPTER: Adapter = Adapter {
    name: "vidu",
    key: "key",
    settings: &[Setting {
        name: "verify",
        is_required: false,
        about: "yes refuses callbacks without a valid signature; they are signed with the key",
    }],
    challenge: None,
    open,
};

/// The list price of a credit in thousandths of a US dollar.
const CREDIT_MILLS: i64 = 5;
const ACCESS_KEY: &str = "vidu";

#[derive(Debug)]
struct Vidu {
    name: String,
    wire: Wire,
    key: SecretString,
    verifies: bool,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let verifies = match opening.text("verify") {
        None | Some("no") => false,
        Some("yes") => true,
        Some(_) => return Err("verify must be yes or no".to_owned()),
    };
    let Opening { name, wire, key, .. } = opening;
    Ok(Arc::new(Vidu { name, wire, key, verifies }))
}

#[async_trait]
impl Provider for Vidu {
    fn name(&self) -> &str {
        &self.name
    }

    /// Five at once for an account that nobody has raised: the others would wait there instead of here.
    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 5,
            rate: Some(rate(60, 60)),
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(20)),
            can_cancel: true,
            reconcile: Reconcile::Callback,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let (path, body) = order(submission)
            .map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let reply = self.signed(self.wire.post(path)).json(&body).submit().await?;
        let id = text_at(&judged(&reply)?, "/task_id");
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let reply = self.look(id).await?;
        if is_gone(&reply) {
            return Ok(Progress::failed(FailureCode::Expired, reply.excerpt()));
        }
        let answer = judged(&reply)?;
        progress(&answer, submission).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    /// Only what waits is stopped.
    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        let call = self.wire.post(&format!("ent/v2/tasks/{}/cancel", segment(&id.0)));
        judged(&self.signed(call).json(&json!({ "id": id.0 })).ask().await?).map(|_| ())
    }

    async fn find(&self, submission: &Submission, heard: &[UpstreamId]) -> Result<Found, ProviderError> {
        for id in heard {
            let reply = self.look(id).await?;
            // What can't be looked at may be ours all the same, but so may the next.
            let payload = judged(&reply).ok().and_then(|answer| text_at(&answer, "/payload"));
            if payload.as_deref() == Some(&submission.submit_key) {
                return Ok(Found::Accepted(id.clone()));
            }
        }
        Ok(Found::Unsure)
    }

    fn hear(&self, callback: &Callback) -> Heard {
        if self.verifies && !is_signed(&self.key, callback) {
            return Heard::Forged;
        }
        let said: Value = serde_json::from_str(&callback.body).unwrap_or_default();
        Heard::News(first_text(&said, &["/id", "/task_id"]).map(UpstreamId))
    }
}

impl Vidu {
    fn signed(&self, call: Call) -> Call {
        call.authorization("Token", &self.key)
    }

    async fn look(&self, id: &UpstreamId) -> Result<Reply, ProviderError> {
        let path = format!("ent/v2/tasks/{}/creations", segment(&id.0));
        self.signed(self.wire.get(&path)).ask().await
    }
}

/// Where a submission goes, and as what; or why the route can't express it.
fn order(submission: &Submission) -> Result<(&'static str, Value), &'static str> {
    let frames = [submission.urls(MediaRole::FirstFrame), submission.urls(MediaRole::LastFrame)].concat();
    let is_2k = submission.resolution == "2k";
    let (path, images) = match submission.mode {
        InputMode::ImageToVideo if frames.len() == 1 => ("ent/v2/img2video", frames),
        _ if is_2k => return Err("2K is made from one first frame only"),
        InputMode::TextToVideo => ("ent/v2/text2video", Vec::new()),
        InputMode::ImageToVideo => ("ent/v2/start-end2video", frames),
        InputMode::ReferenceToVideo => ("ent/v2/reference2video", submission.urls(MediaRole::ReferenceImage)),
        InputMode::VideoToVideo | InputMode::VideoExtend => {
            return Err("clips are made from texts and pictures");
        }
    };
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("model", json!(submission.native_id));
    if !submission.prompt.is_empty() {
        set("prompt", json!(submission.prompt));
    }
    if !images.is_empty() {
        set("images", json!(images));
    }
    set("duration", json!(submission.duration_s));
    set("resolution", json!(if is_2k { "2K" } else { &submission.resolution }));
    // Frames decide about the shape.
    if submission.mode != InputMode::ImageToVideo && submission.aspect_ratio != "auto" {
        set("aspect_ratio", json!(submission.aspect_ratio));
    }
    set("seed", json!(submission.seed.map_or(0, |seed| seed & i64::from(i32::MAX))));
    // The third generation has sound unless it is told not to; the others have none.
    if submission.native_id.starts_with("viduq3") {
        set("audio", json!(submission.audio));
    } else if submission.audio {
        return Err("the model has no sound");
    }
    for (name, value) in &submission.options {
        match name.as_str() {
            "watermark" => drop(set("watermark", value.clone())),
            _ => return Err("an option that it has no field for"),
        }
    }
    set("off_peak", json!(false));
    set("payload", json!(submission.submit_key));
    if let Some(url) = &submission.callback_url {
        set("callback_url", json!(url));
    }
    for (name, value) in &submission.extra {
        body.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Ok((path, Value::Object(body)))
}

fn progress(answer: &Value, submission: &Submission) -> Option<Progress> {
    let credits = decimal_at(answer, "/credits");
    let cost = credits.and_then(|credits| Cost::usd(credits.checked_mul(Decimal::new(CREDIT_MILLS, 3))?));
    Some(match text_at(answer, "/state")?.as_str() {
        "created" | "queueing" => Progress::Queued,
        "success" => {
            // A watermark is not on the clip but on another one beside it.
            let is_marked = submission.options.get("watermark") == Some(&Value::Bool(true));
            let marked = url_at(answer, "/creations/0/watermarked_url").filter(|_| is_marked);
            let url = marked.or_else(|| url_at(answer, "/creations/0/url"));
            let clip = url.map(|url| RemoteClip {
                index: submission.clip,
                source: ClipSource::url(url),
                millis: None,
            });
            Progress::Succeeded { clips: clip.into_iter().collect(), cost }
        }
        "failed" => match text_at(answer, "/err_code").unwrap_or_default() {
            code if code == "UserCancelled" => Progress::Canceled,
            code => {
                let class = class_of(&code).filter(|class| !class.is_upstream_fault());
                Progress::failed(class.unwrap_or(FailureCode::Internal), code)
            }
        },
        _ => Progress::Running { percent: None },
    })
}

/// There is no such task, in so many words: who stands in front of it answers 404 as well.
fn is_gone(reply: &Reply) -> bool {
    reply.status == 404 && class_in(&reply.json_or_null()) == Some(FailureCode::Expired)
}

/// The answer, if it is no refusal.
fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    if reply.is_success() {
        return reply.json();
    }
    let class = class_in(&reply.json_or_null());
    Err(class.map_or_else(|| reply.by_status(), |class| reply.refused(class)))
}

/// The class of an error by its code word, wherever that stands: which member holds it differs. A sentence is none.
fn class_in(said: &Value) -> Option<FailureCode> {
    match said {
        Value::String(word) if word.contains(' ') => None,
        Value::String(word) => class_of(word),
        Value::Object(members) => members.values().find_map(class_in),
        _ => None,
    }
}

fn class_of(code: &str) -> Option<FailureCode> {
    Some(match code {
        "BadRequest" | "Conflict" | "PageSizeOutOfRange" => FailureCode::InvalidInput,
        _ if code.starts_with("Field") || code.starts_with("Image") => FailureCode::InvalidInput,
        "TaskPromptPolicyViolation" | "AuditSubmitIllegal" => FailureCode::ModerationInput,
        "CreationPolicyViolation" => FailureCode::ModerationOutput,
        "CreditInsufficient" => FailureCode::Balance,
        "ModelUnavailable" => FailureCode::ModelUnavailable,
        "Unauthorized" | "Forbidden" => FailureCode::Auth,
        "QuotaExceeded" | "TooManyRequests" | "SystemThrottling" => FailureCode::RateLimited,
        "InternalServiceFailure" | "OperationInProcess" => FailureCode::Transient,
        "TaskNotFound" | "CreationNotFound" => FailureCode::Expired,
        _ => return None,
    })
}

/// In the style of HTTP signatures: method, path, query, their name, and the headers that are signed. The body is not.
fn is_signed(key: &SecretString, callback: &Callback) -> bool {
    let (path, query) = callback.path.split_once('?').unwrap_or((&callback.path, ""));
    let mut text = format!("POST\n{path}\n{query}\n{ACCESS_KEY}\n{}\n", callback.header("date"));
    for name in callback.header("x-hmac-signed-headers").split(';').filter(|name| !name.is_empty()) {
        text += &format!("{name}:{}\n", callback.header(&name.to_lowercase()));
    }
    let Ok(given) = BASE64_STANDARD.decode(callback.header("x-hmac-signature")) else { return false };
    let sent = httpdate::parse_http_date(callback.header("date")).ok();
    let sent = sent.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let is_fresh = sent.is_some_and(|at| callback.is_fresh(&at.as_secs().to_string()));
    is_fresh && hmac_sha256(key.expose_secret().as_bytes(), text.as_bytes(), &given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_believed_if_it_is_signed_and_fresh() {
        let key = SecretString::from("vda_test_token");
        let callback = |signature: &str, received_at| Callback {
            path: "/vidu/callback?name=james&age=36".to_owned(),
            headers: [
                ("date", "Tue, 06 May 2025 12:09:42 GMT"),
                ("x-request-nonce", "123e4567-e89b-12d3-a456-426614174000"),
                ("x-hmac-signed-headers", "Date;x-request-nonce"),
                ("x-hmac-signature", signature),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            body: "{}".to_owned(),
            received_at,
        };
        let (signature, at) = ("UaF2428J2BgkBzPJa4M0McqJGOlQGXJ6UXuQZnsbcsk=", 1_746_533_382);
        assert!(is_signed(&key, &callback(signature, at)));
        assert!(!is_signed(&key, &callback(signature, at + 301)));
        assert!(!is_signed(&key, &callback("UaF2", at)));
        assert!(!is_signed(&SecretString::from("other"), &callback(signature, at)));
    }
}
