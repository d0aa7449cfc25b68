//! Alibaba Model Studio (DashScope): Wan and HappyHorse. Facts from Alibaba's own reference, the sources of its clients and
//! MuleRouter's definitions of the same models, 2026.
//!
//! Nothing of ours is shown in what it says of a task, and it calls nobody: a submission whose answer was lost can't be found
//! again.

mod body;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use super::instance::{Adapter, Opening};
use super::json::{text_at, url_at};
use super::wire::{Reply, Wire, segment};
use super::{
    Abilities, Cost, FailureCode, Pace, Progress, Provider, ProviderError, Reconcile, Submission, UpstreamId,
    rate,
};

pub const ADAPTER: Adapter = Adapter { name: "dashscope", key: "key", settings: &[], challenge: None, open };

#[derive(Debug)]
struct DashScope {
    name: String,
    wire: Wire,
    key: SecretString,
}

fn open(Opening { name, wire, key, .. }: Opening) -> Result<Arc<dyn Provider>, String> {
    Ok(Arc::new(DashScope { name, wire, key }))
}

#[async_trait]
impl Provider for DashScope {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 20,
            rate: Some(rate(5, 1)),
            pace: Pace::steady(Duration::from_secs(15)),
            can_cancel: true,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let (path, body) = body::order(submission)
            .map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        // Without it they refuse everything.
        let call = self.wire.post(path).header("x-dashscope-async", "enable").json(&body);
        let reply = call.bearer(&self.key).submit().await?;
        let id = text_at(&judged(&reply)?, "/output/task_id");
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let call = self.wire.get(&format!("api/v1/tasks/{}", segment(&id.0)));
        let reply = call.bearer(&self.key).ask().await?;
        let answer = judged(&reply)?;
        let status = text_at(&answer, "/output/task_status");
        Ok(match status.ok_or_else(|| ProviderError::Broken(reply.excerpt()))?.as_str() {
            "PENDING" => Progress::Queued,
            "SUCCEEDED" => match url_at(&answer, "/output/video_url") {
                Some(url) => {
                    let cost = Cost::seconds(&answer, "/usage/duration", submission);
                    Progress::delivered(submission, url, cost)
                }
                None => Progress::Succeeded { clips: Vec::new(), cost: None },
            },
            "FAILED" => failed(&answer),
            "CANCELED" => Progress::Canceled,
            // No such task, or an old one.
            "UNKNOWN" => Progress::failed(FailureCode::Expired, reply.excerpt()),
            _ => Progress::Running { percent: None },
        })
    }

    /// Only what waits is stopped, and what runs goes on: that is no error of anybody's.
    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        let call = self.wire.post(&format!("api/v1/tasks/{}/cancel", segment(&id.0)));
        let reply = call.bearer(&self.key).ask().await?;
        match text_at(&reply.json_or_null(), "/code").as_deref() {
            Some("UnsupportedOperation") => Ok(()),
            _ => judged(&reply).map(|_| ()),
        }
    }
}

fn failed(answer: &Value) -> Progress {
    let code = text_at(answer, "/output/code").unwrap_or_default();
    let reason = format!("{code} {}", text_at(answer, "/output/message").unwrap_or_default());
    let class = match class_of(&code, &reason) {
        // Told under the same code, whichever it was.
        Some(FailureCode::ModerationInput) if !reason.to_lowercase().contains("input") => {
            FailureCode::ModerationOutput
        }
        None | Some(FailureCode::Transient) => FailureCode::Internal,
        Some(class) => class,
    };
    Progress::failed(class, reason)
}

/// The answer, if it is no refusal.
fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    // A task's own code is inside of `output`.
    let code = text_at(&reply.json_or_null(), "/code").unwrap_or_default();
    // What they stopped waiting for may have been taken.
    if has_run_out(&code) {
        return Err(ProviderError::Unknown(reply.excerpt()));
    }
    match class_of(&code, &reply.excerpt()) {
        Some(class) => Err(reply.refused(class)),
        None if reply.is_success() => reply.json(),
        None => Err(reply.by_status()),
    }
}

fn has_run_out(code: &str) -> bool {
    ["InternalError.Timeout", "RequestTimeOut"].iter().any(|start| code.starts_with(start))
}

/// The class of a code, of which there are more than are written down: by how it begins.
fn class_of(code: &str, said: &str) -> Option<FailureCode> {
    const CLASSES: [(&str, FailureCode); 19] = [
        ("DataInspectionFailed", FailureCode::ModerationInput),
        ("IPInfringementSuspect", FailureCode::ModerationInput),
        ("InvalidParameter", FailureCode::InvalidInput),
        ("InvalidURL", FailureCode::InvalidInput),
        ("InvalidImage", FailureCode::InvalidInput),
        ("Arrearage", FailureCode::Balance),
        ("AllocationQuota", FailureCode::Balance),
        ("InvalidApiKey", FailureCode::Auth),
        ("AccessDenied", FailureCode::Auth),
        ("Model.AccessDenied", FailureCode::Auth),
        ("ModelNotFound", FailureCode::ModelUnavailable),
        ("Throttling", FailureCode::RateLimited),
        ("LimitRequests", FailureCode::RateLimited),
        // A limit of tokens a minute, not of money.
        ("insufficient_quota", FailureCode::RateLimited),
        ("InternalError", FailureCode::Transient),
        ("ModelServingError", FailureCode::Transient),
        ("ModelUnavailable", FailureCode::Transient),
        ("ServiceUnavailable", FailureCode::Transient),
        ("SystemError", FailureCode::Transient),
    ];
    let (_, class) = CLASSES.iter().find(|(start, _)| code.starts_with(start))?;
    // What was given for nothing is used up, which no waiting mends.
    let said = said.to_lowercase();
    let is_used_up =
        ["free allocated quota", "free quota", "free tier"].iter().any(|word| said.contains(word));
    Some(if *class == FailureCode::RateLimited && is_used_up { FailureCode::Balance } else { *class })
}
