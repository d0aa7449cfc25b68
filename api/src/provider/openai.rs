//! The OpenAI shape: its own Videos API, and the gateways that speak it (new-api, its resellers, cli2api). Facts from OpenAI's
//! API description of 2026-08-21 and the sources and documents of those gateways, 2026.
//!
//! Two adapters share this file: `openai` sends OpenAI's own fields and nothing else, `new-api` the wider set that gateways
//! take for the models of others. What comes back is read in every form that any of them uses.

mod answer;
mod body;
mod metadata;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use super::instance::{Adapter, Opening, Setting};
use super::signed::standard;
use super::wire::{Wire, segment};
use super::{
    Abilities, Callback, ClipSource, FailureCode, Heard, Pace, Progress, Provider, ProviderError, Reconcile,
    RemoteClip, Submission, UpstreamId,
};
use answer::{Place, Said};

pub const ADAPTER: Adapter = Adapter {
    name: "openai",
    key: "key",
    settings: &[Setting {
        name: "webhook_secret",
        is_required: false,
        about: "the secret of its webhooks (whsec_…); with it, callbacks without a valid signature are refused",
    }],
    challenge: None,
    open: |opening| open(opening, Flavor::OpenAi),
};

pub const GATEWAY: Adapter = Adapter {
    name: "new-api",
    key: "key",
    settings: &[],
    challenge: None,
    open: |opening| open(opening, Flavor::Gateway),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavor {
    OpenAi,
    Gateway,
}

#[derive(Debug)]
struct OpenAi {
    name: String,
    flavor: Flavor,
    wire: Wire,
    key: SecretString,
    webhook_secret: Option<SecretString>,
}

fn open(opening: Opening, flavor: Flavor) -> Result<Arc<dyn Provider>, String> {
    let webhook_secret = opening.setting("webhook_secret").cloned();
    let Opening { name, wire, key, .. } = opening;
    Ok(Arc::new(OpenAi { name, flavor, wire, key, webhook_secret }))
}

#[async_trait]
impl Provider for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 50,
            rate: None,
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(20)),
            can_cancel: false,
            // There is a list, but nothing of ours in it.
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let order = match self.flavor {
            Flavor::OpenAi => body::own(submission, &self.name),
            Flavor::Gateway => body::wide(submission),
        };
        let (path, body) =
            order.map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let reply = self.wire.post(&path).bearer(&self.key).json(&body).submit().await?;
        let answer = answer::judged(&reply)?;
        answer::id(&answer).map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let reply = self.wire.get(&format!("videos/{}", segment(&id.0))).bearer(&self.key).ask().await?;
        if reply.status == 404 && answer::is_theirs(&reply) {
            return Ok(Progress::failed(FailureCode::Expired, reply.excerpt()));
        }
        Ok(match answer::read(&answer::judged(&reply)?) {
            Said::Queued => Progress::Queued,
            Said::Running(percent) => Progress::Running { percent },
            Said::Failed(code, reason) => Progress::failed(code, reason),
            Said::Done(place) => {
                let clip =
                    RemoteClip { index: submission.clip, source: self.source(id, place), millis: None };
                Progress::Succeeded { clips: vec![clip], cost: None }
            }
            Said::Nothing => return Err(ProviderError::Broken(reply.excerpt())),
        })
    }

    fn hear(&self, callback: &Callback) -> Heard {
        if self.webhook_secret.as_ref().is_some_and(|secret| !standard(secret, callback)) {
            return Heard::Forged;
        }
        let said: serde_json::Value = serde_json::from_str(&callback.body).unwrap_or_default();
        Heard::News(super::json::first_text(&said, &["/data/id", "/id", "/task_id"]).map(UpstreamId))
    }
}

impl OpenAi {
    /// OpenAI's own clips, and those that a gateway names no address for, come with the key. So do those whose address is the
    /// gateway's own `/content`, which it may give under a name that only others know it by.
    fn source(&self, id: &UpstreamId, place: Place) -> ClipSource {
        let content = format!("videos/{}/content", segment(&id.0));
        match place {
            Place::Url(url) if self.flavor == Flavor::Gateway && !leads_to(&url, &content) => {
                self.wire.clip_at(url, &self.key)
            }
            _ => self.wire.clip(&content, &self.key),
        }
    }
}

fn leads_to(url: &str, path: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.path().ends_with(&format!("/{path}")))
}
