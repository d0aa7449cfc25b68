//! MuleRouter, and MuleRun, which is the same with more models. Facts from its skill definitions and the cli2api source, 2026.
//!
//! A model's native id is the path that takes its submissions, and a task is asked about below it; so an id of ours is the path
//! with the task's own id, encoded, at its end. Nothing of ours is shown in what it says of a task.

mod body;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::instance::{Adapter, Opening, Setting};
use super::json::{first_text, int_at, text_at, url_at};
use super::signed::hmac_sha256;
use super::wire::{Reply, Wire, segment};
use super::{
    Abilities, Callback, FailureCode, Heard, Pace, Progress, Provider, ProviderError, Reconcile, Submission,
    UpstreamId,
};

pub const ADAPTER: Adapter = Adapter {
    name: "mulerouter",
    key: "key",
    settings: &[Setting {
        name: "webhook_secret",
        is_required: false,
        about: "the secret of the webhooks of its console; with it, callbacks without a valid signature are refused",
    }],
    challenge: None,
    open,
};

#[derive(Debug)]
struct MuleRouter {
    name: String,
    wire: Wire,
    key: SecretString,
    webhook_secret: Option<SecretString>,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let webhook_secret = opening.setting("webhook_secret").cloned();
    let Opening { name, wire, key, .. } = opening;
    Ok(Arc::new(MuleRouter { name, wire, key, webhook_secret }))
}

#[async_trait]
impl Provider for MuleRouter {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 20,
            rate: None,
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(20)),
            can_cancel: false,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let body = body::body(submission)
            .map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let path = submission.native_id.trim_matches('/');
        let reply = self.wire.post(path).bearer(&self.key).json(&body).submit().await?;
        let id = text_at(&judged(&reply)?, "/task_info/id");
        let id = id.map(|id| UpstreamId(format!("{path}/{}", segment(&id))));
        id.ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let reply = self.wire.get(&id.0).bearer(&self.key).ask().await?;
        if reply.status == 404 && is_theirs(&reply.json_or_null()) {
            return Ok(Progress::failed(FailureCode::Expired, reply.excerpt()));
        }
        let answer = judged(&reply)?;
        progress(&answer, submission).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    /// A webhook names a task, but not the path below which it can be asked about.
    fn hear(&self, callback: &Callback) -> Heard {
        match &self.webhook_secret {
            Some(secret) if !is_signed(secret, callback) => Heard::Forged,
            _ => Heard::News(None),
        }
    }
}

fn progress(answer: &Value, submission: &Submission) -> Option<Progress> {
    Some(match text_at(answer, "/task_info/status")?.as_str() {
        "pending" | "queued" => Progress::Queued,
        "completed" | "succeeded" => {
            let url = url_at(answer, "/videos/0").or_else(|| url_at(answer, "/videos/0/url"));
            match url {
                Some(url) => Progress::delivered(submission, url, None),
                None => Progress::Succeeded { clips: Vec::new(), cost: None },
            }
        }
        "failed" => {
            let error = &answer["task_info"]["error"];
            let reason = first_text(error, &["/detail", "/title"]).unwrap_or_default();
            let code = int_at(error, "/code");
            let class = match code {
                Some(4002 | 4008) => FailureCode::Transient,
                _ if is_moderation(&reason) => FailureCode::ModerationOutput,
                _ => FailureCode::Internal,
            };
            Progress::failed(class, format!("{} {reason}", code.unwrap_or_default()))
        }
        _ => Progress::Running { percent: None },
    })
}

/// The answer, if it is no refusal.
fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    if reply.is_success() {
        return reply.json();
    }
    let said = reply.json_or_null();
    let detail = first_text(&said, &["/detail", "/title"]).unwrap_or_default().to_lowercase();
    Err(match reply.status {
        429 if detail.contains("quota") || detail.contains("daily spend") => {
            reply.refused(FailureCode::Balance)
        }
        500 | 502 if is_theirs(&said) => reply.refused(FailureCode::Transient),
        _ => reply.by_status(),
    })
}

/// Whether an error is told in their form, and by no one who stands in front of them.
fn is_theirs(said: &Value) -> bool {
    said.get("code").is_some()
}

fn is_moderation(text: &str) -> bool {
    let text = text.to_lowercase();
    ["moderation", "policy", "sensitive", "safety"].iter().any(|word| text.contains(word))
}

/// Over the id, the time and the body; the secret is used as it is.
fn is_signed(secret: &SecretString, callback: &Callback) -> bool {
    let header = |name: &str| callback.header(&format!("x-mulerouter-webhook-{name}")).to_owned();
    let (id, at, signature) = (header("id"), header("timestamp"), header("signature"));
    let given = signature.strip_prefix("v1=").and_then(|given| hex::decode(given).ok());
    let text = format!("{id}.{at}.{}", callback.body);
    let is_own = |given: Vec<u8>| hmac_sha256(secret.expose_secret().as_bytes(), text.as_bytes(), &given);
    callback.is_fresh(&at) && given.is_some_and(is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_believed_if_it_is_signed_and_fresh() {
        let secret = SecretString::from("whsec_test");
        let callback = |signature: &str, received_at| Callback {
            path: "/callbacks/x/y".to_owned(),
            headers: [("id", "evt_1"), ("timestamp", "1770000000"), ("signature", signature)]
                .map(|(name, value)| (format!("x-mulerouter-webhook-{name}"), value.to_owned()))
                .into(),
            body: r#"{"id":"evt_1"}"#.to_owned(),
            received_at,
        };
        let signature = "v1=348048d60be82aeb7d4c5bfd5d2a884c8ddb775699c99591ce9f8e73c69c06fd";
        assert!(is_signed(&secret, &callback(signature, 1_770_000_000)));
        assert!(!is_signed(&secret, &callback(signature, 1_770_000_301)));
        assert!(!is_signed(&secret, &callback("v1=00", 1_770_000_000)));
        assert!(!is_signed(&secret, &callback("", 1_770_000_000)));
    }
}
