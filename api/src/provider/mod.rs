//! ROOM 5, the loading dock: one file an upstream, plus the sandbox.
//!
//! A provider turns a [`Submission`] into somebody else's API and their answers back into ours. It never sees SQL, credits or
//! customers. Its errors are named by what is known, because that decides about money.

mod sandbox;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::media::{Store, StoreError};

/// What one submission asks for: everything a provider may know. Built only from what was priced.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Ours, unique to the attempt and the same whenever it is sent again.
    pub submit_key: String,
    /// What the provider calls the model.
    pub native_id: String,
    pub model: String,
    /// The input mode, such as `text_to_video`.
    pub mode: String,
    pub prompt: String,
    pub negative_prompt: Option<String>,
    pub media: Vec<SubmissionMedia>,
    /// Seconds of one clip.
    pub duration_s: u32,
    pub resolution: String,
    pub aspect_ratio: String,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    pub audio: bool,
    pub seed: Option<i64>,
    /// Index, within the task, of the first clip wanted.
    pub clip: u32,
    /// How many clips are wanted.
    pub clips: u32,
    pub options: serde_json::Map<String, serde_json::Value>,
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// A picture, video or sound to work from.
#[derive(Clone, Debug)]
pub struct SubmissionMedia {
    pub role: String,
    /// Where the provider can fetch it, as long as the task runs; without a file only its name.
    pub url: String,
    /// For providers that are sent the bytes. There if [`Abilities::needs_files`].
    pub file: Option<InputFile>,
}

/// A file in our storage.
#[derive(Clone, Debug)]
pub struct InputFile {
    pub content_type: String,
    pub bytes: u64,
    pub key: String,
    pub store: Store,
}

impl InputFile {
    /// Its bytes in chunks.
    pub async fn read(&self) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        self.store.read(&self.key, 0..self.bytes).await
    }
}

/// A provider's own name for a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamId(pub String);

/// What a provider says of a submission.
#[derive(Clone, Debug)]
pub enum Progress {
    Queued,
    Running {
        percent: Option<u8>,
    },
    /// Clips that are missing from the list failed.
    Succeeded {
        clips: Vec<RemoteClip>,
        cost_micro_usd: Option<i64>,
    },
    Failed {
        failure: Failure,
    },
    Canceled,
}

#[derive(Clone, Debug)]
pub struct RemoteClip {
    /// Within the task.
    pub index: u32,
    pub source: ClipSource,
    /// As the provider states it.
    pub millis: Option<u64>,
}

/// Where a finished clip is fetched from.
#[derive(Clone, Debug)]
pub enum ClipSource {
    File(PathBuf),
    Url(String),
}

/// Why a provider did not deliver. The message is safe to show to customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: FailureCode,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCode {
    InvalidInput,
    Moderation,
    Internal,
    Timeout,
    InputUnreachable,
    Empty,
    /// What was delivered is no playable video.
    InvalidClip,
    /// Ours: the clip could not be kept.
    Storage,
}

impl FailureCode {
    /// The stable code that customers see.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureCode::InvalidInput => "invalid_input",
            FailureCode::Moderation => "moderation",
            FailureCode::Internal => "generation_failed",
            FailureCode::Timeout => "timeout",
            FailureCode::InputUnreachable => "input_unreachable",
            FailureCode::Empty => "empty_result",
            FailureCode::InvalidClip => "invalid_clip",
            FailureCode::Storage => "storage_error",
        }
    }
}

/// What is known after a call that did not go well. "Maybe" is an answer of its own: what was sent may be billed.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Refused: nothing runs, nothing will be billed.
    #[error("rejected: {}", .0.message)]
    Rejected(Failure),
    /// Not accepted for certain; the same again may work.
    #[error("unavailable")]
    Unavailable { retry_after_ms: Option<u64> },
    /// Sent, no answer: it may be running.
    #[error("no answer: {0}")]
    Unknown(String),
    /// An answer that makes no sense.
    #[error("unreadable answer: {0}")]
    Broken(String),
}

/// What looking for a submission without knowing its id came to.
#[derive(Clone, Debug)]
pub enum Found {
    Accepted(UpstreamId),
    Absent,
    Unsure,
}

/// How a submission can be found again whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconcile {
    /// By our own key.
    Keyed,
    /// In a list, by what we planted.
    Listable,
    /// A callback carries our key.
    Callback,
    /// Not at all.
    Opaque,
}

#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Submissions that may be under way at once.
    pub slots: usize,
    pub poll_every: Duration,
    pub can_cancel: bool,
    pub reconcile: Reconcile,
    /// Whether everything that a task is made from must lie in our storage before it is submitted.
    pub needs_files: bool,
}

#[async_trait]
pub trait Provider: Send + Sync {
    fn name(&self) -> &str;

    fn abilities(&self) -> Abilities;

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError>;

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError>;

    async fn cancel(&self, id: &UpstreamId) -> Result<(), ProviderError>;

    /// Looks for a submission whose answer was lost.
    async fn find(&self, submission: &Submission) -> Result<Found, ProviderError>;
}

/// The providers that are configured, by name.
#[derive(Clone, Default)]
pub struct Registry {
    by_name: BTreeMap<String, Arc<dyn Provider>>,
}

/// How many submissions the sandbox takes at once. Waiting ones cost a few kilobytes each.
const SANDBOX_QUEUE: usize = 1_024;

impl Registry {
    /// Everything that can be used with the given settings. `scratch` is where unfinished clips may lie.
    pub fn new(scratch: PathBuf) -> Self {
        let mut registry = Registry::default();
        registry.add(sandbox::Sandbox::new(scratch, SANDBOX_QUEUE));
        registry
    }

    pub fn add(&mut self, provider: Arc<dyn Provider>) {
        self.by_name.insert(provider.name().to_owned(), provider);
    }

    pub fn get(&self, name: &str) -> Option<Arc<dyn Provider>> {
        self.by_name.get(name).cloned()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
