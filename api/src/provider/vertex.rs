//! Veo by Vertex AI. Facts from Google's API descriptions and python-genai, 2026.
//!
//! The same bodies as by the other door, with a service account in the place of a key, whose token is minted, used and minted
//! again. Clips come with the last answer, so that one may be large.

mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::google::refusal::judged;
use super::google::veo::{self, Said, Source};
use super::instance::{Adapter, Opening, Setting};
use super::json::text_at;
use super::wire::{Wire, segment};
use super::{
    Abilities, ClipSource, FailureCode, Pace, Progress, Provider, ProviderError, Reconcile, RemoteClip,
    Submission, UpstreamId,
};
use token::Account;

pub const ADAPTER: Adapter = Adapter {
    name: "vertex",
    key: "credentials_file",
    settings: &[
        Setting {
            name: "credentials_file",
            is_required: true,
            about: "the JSON file of a service account that may use Vertex AI, or several separated by commas",
        },
        Setting {
            name: "project",
            is_required: false,
            about: "the project, if not that of the service account",
        },
        Setting {
            name: "location",
            is_required: false,
            about: "the region, if not us-central1; the url has to be that region's",
        },
        Setting {
            name: "token_url",
            is_required: false,
            about: "where tokens come from, if not as the file says",
        },
    ],
    challenge: None,
    open,
};

/// The most that is read of an answer which holds a clip, in bytes.
const CLIP_ANSWER_MAX: usize = 160 * 1024 * 1024;

#[derive(Debug)]
struct Vertex {
    name: String,
    wire: Wire,
    account: Account,
    /// `projects/…/locations/…/publishers/google/models`.
    models: String,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let account = Account::open(&opening)?;
    let project = opening.text("project").unwrap_or(account.project());
    let location = opening.text("location").unwrap_or("us-central1");
    let models =
        format!("projects/{}/locations/{}/publishers/google/models", segment(project), segment(location));
    let Opening { name, wire, .. } = opening;
    Ok(Arc::new(Vertex { name, wire, account, models }))
}

#[async_trait]
impl Provider for Vertex {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 10,
            rate: None,
            pace: Pace::stretching(Duration::from_secs(10), Duration::from_secs(20)),
            can_cancel: false,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let body = veo::body(submission, true).await?;
        let token = self.account.token().await?;
        let path = format!("{}/{}:predictLongRunning", self.models, segment(&submission.native_id));
        let reply = self.wire.post(&path).bearer(&token).json(&body).submit().await?;
        self.account.heed(&reply).await;
        let id = text_at(&judged(&reply)?, "/name");
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let token = self.account.token().await?;
        let path = format!("{}/{}:fetchPredictOperation", self.models, segment(model(id, submission)));
        let call = self.wire.post(&path).bearer(&token).json(&json!({ "operationName": id.0 }));
        let reply = call.read_up_to(CLIP_ANSWER_MAX).ask().await?;
        self.account.heed(&reply).await;
        if reply.is_missing("error") {
            return Ok(Progress::failed(FailureCode::Expired, reply.excerpt()));
        }
        match veo::read(&judged(&reply)?) {
            None => Err(ProviderError::Broken(reply.excerpt())),
            Some(Said::Progress(progress)) => Ok(progress),
            Some(Said::Made(source)) => {
                let source = match source {
                    Source::Bytes(bytes) => ClipSource::Bytes(bytes),
                    Source::Url(url) => ClipSource::url(url),
                };
                let clip = RemoteClip { index: submission.clip, source, millis: None };
                Ok(Progress::Succeeded { clips: vec![clip], cost: None })
            }
        }
    }
}

/// An operation's name holds the model that it is of.
fn model<'a>(id: &'a UpstreamId, submission: &'a Submission) -> &'a str {
    let after = id.0.split_once("/models/").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    after.filter(|model| !model.is_empty()).unwrap_or(&submission.native_id)
}
