//! OpenRouter's videos. Facts from its documentation and client library, 2026.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::instance::{Adapter, Opening, Setting};
use super::json::{decimal_at, first_text, int_at, text_at, url_at};
use super::signed::hmac_sha256;
use super::wire::{Reply, Wire, segment};
use super::{
    Abilities, Callback, ClipSource, Cost, Failure, FailureCode, Heard, Pace, Progress, Provider,
    ProviderError, Reconcile, RemoteClip, Submission, UpstreamId,
};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

pub const ADAPTER: Adapter = Adapter {
    name: "openrouter",
    key: "key",
    settings: &[Setting {
        name: "webhook_secret",
        is_required: false,
        about: "the secret of its webhooks; with it, callbacks without a valid signature are refused",
    }],
    challenge: None,
    open,
};

#[derive(Debug)]
struct OpenRouter {
    name: String,
    wire: Wire,
    key: SecretString,
    webhook_secret: Option<SecretString>,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let webhook_secret = opening.setting("webhook_secret").cloned();
    let Opening { name, wire, key, .. } = opening;
    Ok(Arc::new(OpenRouter { name, wire, key, webhook_secret }))
}

#[async_trait]
impl Provider for OpenRouter {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 50,
            rate: None,
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(30)),
            can_cancel: false,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let body = order(submission)
            .map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let reply = self.wire.post("videos").bearer(&self.key).json(&body).submit().await?;
        let id = text_at(&judged(&reply)?, "/id");
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let reply = self.wire.get(&format!("videos/{}", segment(&id.0))).bearer(&self.key).ask().await?;
        if reply.status == 404 && is_theirs(&reply.json_or_null()) {
            return Ok(Progress::failed(FailureCode::Expired, reply.excerpt()));
        }
        let answer = judged(&reply)?;
        let status = text_at(&answer, "/status").ok_or_else(|| ProviderError::Broken(reply.excerpt()))?;
        let cost = decimal_at(&answer, "/usage/cost").and_then(Cost::usd);
        // What was not made may have cost something all the same.
        let failed = |class, reason: &str| Progress::Failed { failure: Failure::new(class, reason), cost };
        Ok(match status.as_str() {
            "pending" => Progress::Queued,
            "completed" => {
                let source = self.source(id, url_at(&answer, "/unsigned_urls/0"));
                let clip = RemoteClip { index: submission.clip, source, millis: None };
                Progress::Succeeded { clips: vec![clip], cost }
            }
            "failed" => {
                let reason = first_text(&answer, &["/error/message", "/error"]).unwrap_or_default();
                let class = match is_moderation(&reason) {
                    true => FailureCode::ModerationOutput,
                    false => FailureCode::Internal,
                };
                failed(class, &reason)
            }
            "cancelled" => Progress::Canceled,
            "expired" => failed(FailureCode::Expired, "expired"),
            _ => Progress::Running { percent: None },
        })
    }

    fn hear(&self, callback: &Callback) -> Heard {
        if self.webhook_secret.as_ref().is_some_and(|secret| !is_signed(secret, callback)) {
            return Heard::Forged;
        }
        let said: Value = serde_json::from_str(&callback.body).unwrap_or_default();
        Heard::News(first_text(&said, &["/data/id", "/id"]).map(UpstreamId))
    }
}

impl OpenRouter {
    /// An address without a signature needs the key where it is its own.
    fn source(&self, id: &UpstreamId, url: Option<String>) -> ClipSource {
        match url {
            Some(url) => self.wire.clip_at(url, &self.key),
            None => self.wire.clip(&format!("videos/{}/content?index=0", segment(&id.0)), &self.key),
        }
    }
}

/// The body of a submission, or why the route can't express it.
fn order(submission: &Submission) -> Result<Value, &'static str> {
    if matches!(submission.mode, InputMode::VideoToVideo | InputMode::VideoExtend) {
        return Err("clips are made from texts and pictures");
    }
    let unknown =
        [MediaRole::ReferenceVideo, MediaRole::Audio].iter().any(|role| submission.one(*role).is_some());
    if unknown || submission.negative_prompt.is_some() || !submission.options.is_empty() {
        return Err("a wish that it has no field for");
    }
    let mut body = json!({
        "model": submission.native_id,
        "prompt": submission.prompt,
        "duration": submission.duration_s,
        "resolution": resolution(&submission.resolution),
        "generate_audio": submission.audio,
    });
    if submission.aspect_ratio != "auto" {
        body["aspect_ratio"] = json!(submission.aspect_ratio);
    }
    let image = |url: &str| json!({ "type": "image_url", "image_url": { "url": url } });
    let frames = [(MediaRole::FirstFrame, "first_frame"), (MediaRole::LastFrame, "last_frame")];
    let frames: Vec<Value> = frames
        .iter()
        .filter_map(|(role, kind)| {
            let mut frame = image(&submission.one(*role)?.url);
            frame["frame_type"] = json!(kind);
            Some(frame)
        })
        .collect();
    if !frames.is_empty() {
        body["frame_images"] = json!(frames);
    }
    let references: Vec<Value> = submission.urls(MediaRole::ReferenceImage).into_iter().map(image).collect();
    if !references.is_empty() {
        body["input_references"] = json!(references);
    }
    if let Some(seed) = submission.seed {
        body["seed"] = json!(seed);
    }
    if let Some(url) = &submission.callback_url {
        body["callback_url"] = json!(url);
    }
    Ok(body)
}

fn resolution(ours: &str) -> String {
    if ours.ends_with('k') { ours.to_uppercase() } else { ours.to_owned() }
}

/// The answer, if it is no refusal.
fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    let said = if reply.is_success() { reply.json()? } else { reply.json_or_null() };
    // A job that failed has an error as well.
    let is_job = text_at(&said, "/id").is_some() || text_at(&said, "/status").is_some();
    if reply.is_success() && (is_job || !is_theirs(&said)) {
        return Ok(said);
    }
    let code = int_at(&said, "/error/code").filter(|_| is_theirs(&said));
    Err(match (code, reply.status) {
        (Some(403), _) => reply.refused(FailureCode::ModerationInput),
        // The provider behind it may have been at work before the time was over.
        (Some(408), _) | (_, 408) => ProviderError::Unknown(reply.excerpt()),
        (Some(502 | 503), _) => reply.refused(FailureCode::Transient),
        (Some(402), _) => reply.refused(FailureCode::Balance),
        (Some(401), _) => reply.refused(FailureCode::Auth),
        (Some(429), _) => reply.refused(FailureCode::RateLimited),
        (Some(400), _) => reply.refused(FailureCode::InvalidInput),
        _ => reply.by_status(),
    })
}

/// Whether an error is told in its own form: a wall that stands in front of it answers with the same statuses.
fn is_theirs(said: &Value) -> bool {
    said.get("error").is_some_and(Value::is_object)
}

fn is_moderation(text: &str) -> bool {
    let text = text.to_lowercase();
    ["moderation", "policy", "safety", "flagged"].iter().any(|word| text.contains(word))
}

/// `t=UNIX,v1=HEX` over the time, a comma and the body.
fn is_signed(secret: &SecretString, callback: &Callback) -> bool {
    let header = callback.header("x-openrouter-signature");
    let part =
        |name: &str| header.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(at), Some(given)) = (part("t"), part("v1").and_then(|given| hex::decode(given).ok())) else {
        return false;
    };
    let text = format!("{at},{}", callback.body);
    callback.is_fresh(at) && hmac_sha256(secret.expose_secret().as_bytes(), text.as_bytes(), &given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_believed_if_it_is_signed_and_fresh() {
        let secret = SecretString::from("or_secret");
        let callback = |signature: &str, received_at| Callback {
            path: "/callbacks/x/y".to_owned(),
            headers: [("x-openrouter-signature".to_owned(), signature.to_owned())].into(),
            body: r#"{"id":"job_1"}"#.to_owned(),
            received_at,
        };
        let signature = "t=1770000000,v1=f1ac8129a5fb615616e2d6d6f7d22eb4a47df473ab3dd3ebfaa18f3ec9e798b0";
        assert!(is_signed(&secret, &callback(signature, 1_770_000_100)));
        assert!(!is_signed(&secret, &callback(signature, 1_770_000_301)));
        assert!(!is_signed(&secret, &callback(&signature.replace("v1=f", "v1=e"), 1_770_000_100)));
        assert!(!is_signed(&secret, &callback("", 1_770_000_100)));
    }
}
