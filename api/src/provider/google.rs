//! Google by the Gemini API: Veo, and Gemini Omni's interactions. Facts from ai.google.dev, python-genai and Google's API
//! descriptions, 2026.
//!
//! Pictures go in the body, videos are uploaded before. A finished clip is a file of theirs that needs the key. Nothing of ours is
//! shown in what it says of a task, and there is no list. An id of ours is the path that it is asked about with.

pub(super) mod files;
mod omni;
pub(super) mod refusal;
mod upload;
pub(super) mod veo;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::instance::{Adapter, Opening};
use super::json::text_at;
use super::wire::{Call, Reply, Wire, segment};
use super::{
    Abilities, ClipSource, FailureCode, Pace, Progress, Provider, ProviderError, Reconcile, RemoteClip,
    Submission, UpstreamId,
};
use crate::video::request::MediaRole;
use refusal::judged;

pub const ADAPTER: Adapter = Adapter { name: "google", key: "key", settings: &[], challenge: None, open };

const KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const INTERACTIONS: &str = "interactions";
/// The most that is read of an answer, in bytes: an interaction shows the pictures that it was given.
const INTERACTION_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug)]
struct Google {
    name: String,
    wire: Wire,
    key: SecretString,
}

fn open(Opening { name, wire, key, .. }: Opening) -> Result<Arc<dyn Provider>, String> {
    Ok(Arc::new(Google { name, wire, key }))
}

#[async_trait]
impl Provider for Google {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 10,
            rate: None,
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(20)),
            can_cancel: true,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let is_omni = submission.native_id.starts_with("gemini-omni");
        let (path, body) = match is_omni {
            true => (INTERACTIONS.to_owned(), self.interaction(submission).await?),
            false => {
                let path = format!("models/{}:predictLongRunning", segment(&submission.native_id));
                (path, veo::body(submission, false).await?)
            }
        };
        let reply = self.signed(self.wire.post(&path)).json(&body).submit().await?;
        let answer = judged(&reply)?;
        let id = match is_omni {
            true => text_at(&answer, "/id").map(|id| format!("{INTERACTIONS}/{id}")),
            false => text_at(&answer, "/name"),
        };
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let call = self.signed(self.wire.get(&path(&id.0)));
        let reply = call.read_up_to(INTERACTION_MAX).ask().await?;
        if is_gone(&reply) {
            return Ok(Progress::failed(FailureCode::Expired, reply.excerpt()));
        }
        let answer = judged(&reply)?;
        let said = if is_interaction(id) { omni::read(&answer) } else { veo::read(&answer) };
        Ok(match said.ok_or_else(|| ProviderError::Broken(reply.excerpt()))? {
            veo::Said::Progress(progress) => progress,
            veo::Said::Made(source) => {
                let clip = RemoteClip { index: submission.clip, source: self.source(source), millis: None };
                Progress::Succeeded { clips: vec![clip], cost: omni::cost(&answer) }
            }
        })
    }

    /// Only interactions can be stopped.
    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        if !is_interaction(id) {
            return Ok(());
        }
        let call = self.wire.post(&format!("{}/cancel", path(&id.0)));
        judged(&self.signed(call).json(&serde_json::json!({})).ask().await?).map(|_| ())
    }
}

impl Google {
    fn signed(&self, call: Call) -> Call {
        call.secret(KEY, &self.key)
    }

    async fn interaction(&self, submission: &Submission) -> Result<Value, ProviderError> {
        let earlier = self.earlier(submission);
        let videos = self.uploaded(omni::videos(submission, earlier)?).await?;
        omni::body(submission, earlier, videos).await
    }

    /// The interaction that made the video that this one goes on from.
    fn earlier<'a>(&self, submission: &'a Submission) -> Option<&'a str> {
        let made_by = submission.one(MediaRole::SourceVideo)?.made_by.as_ref()?;
        let ours = (made_by.provider == self.name).then_some(made_by)?;
        ours.id.0.strip_prefix(INTERACTIONS)?.strip_prefix('/')
    }

    /// The key goes with a file of theirs, and nowhere else.
    fn source(&self, source: veo::Source) -> ClipSource {
        let url = match source {
            veo::Source::Url(url) => url,
            veo::Source::Bytes(bytes) => return ClipSource::Bytes(bytes),
        };
        let own = self.wire.base().origin();
        let mut headers = HeaderMap::new();
        if Url::parse(&url).is_ok_and(|url| url.origin() == own)
            && let Ok(mut value) = HeaderValue::from_str(self.key.expose_secret())
        {
            value.set_sensitive(true);
            headers.insert(KEY, value);
        }
        ClipSource::Url { url, headers }
    }
}

fn is_interaction(id: &UpstreamId) -> bool {
    id.0.starts_with(INTERACTIONS)
}

/// Each part as one segment, whatever is in it.
fn path(id: &str) -> String {
    id.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// An interaction that is not known is a bad name.
fn is_gone(reply: &Reply) -> bool {
    reply.is_missing("error") || (reply.status == 400 && reply.excerpt().contains("Invalid interaction name"))
}
