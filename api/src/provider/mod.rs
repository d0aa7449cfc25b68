//! ROOM 5, the loading dock: one file an upstream, plus the sandbox.
//!
//! A provider turns a [`Submission`] into somebody else's API and their answers back into ours. It never sees SQL, credits or
//! customers. Its errors are named by what is known, because that decides about money.
//!
//! An adapter is careful: every answer may be wrong. A submission is refused only where that is said in so many words; of a
//! poll only a readable report is a verdict, and a status that nobody knows is none. No key goes to any other host.

mod ark;
mod dashscope;
pub mod failure;
mod fal;
mod google;
pub mod instance;
mod jimeng;
pub mod json;
mod kie;
mod kling;
mod minimax;
mod mulerouter;
mod openai;
mod openrouter;
pub mod registry;
mod replicate;
mod sandbox;
pub mod signed;
mod vertex;
mod vidu;
mod wan;
pub mod wire;
mod xai;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use reqwest::header::HeaderMap;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::media::{Store, StoreError};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

pub use failure::{Failure, FailureCode, ProviderError};
pub use instance::{Endpoint, Instance, Lost, Named};
pub use registry::Registry;

/// What one submission asks for: everything a provider may know. Built only from what was priced.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Ours, unique to the attempt and the same whenever it is sent again.
    pub submit_key: String,
    /// What the provider calls the model.
    pub native_id: String,
    pub model: String,
    pub mode: InputMode,
    /// Empty if there is none.
    pub prompt: String,
    pub negative_prompt: Option<String>,
    pub media: Vec<SubmissionMedia>,
    /// Seconds of one clip.
    pub duration_s: u32,
    /// In lower case, such as `720p` or `4k`.
    pub resolution: String,
    /// Such as `16:9`, or `auto`.
    pub aspect_ratio: String,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    pub audio: bool,
    pub seed: Option<i64>,
    /// Index, within the task, of the first clip wanted.
    pub clip: u32,
    /// How many clips are wanted: one, but of the sandbox.
    pub clips: u32,
    /// By the names of `OptionName`, such as `cfg_scale`.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Keys of the provider's own, sent as they are.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Where the provider may tell us that something has changed: its last part is known to nobody else.
    pub callback_url: Option<String>,
}

impl Submission {
    /// The first medium of a role.
    pub fn one(&self, role: MediaRole) -> Option<&SubmissionMedia> {
        self.all(role).next()
    }

    pub fn all(&self, role: MediaRole) -> impl Iterator<Item = &SubmissionMedia> {
        self.media.iter().filter(move |medium| medium.role == role)
    }

    /// The addresses of all media of a role.
    pub fn urls(&self, role: MediaRole) -> Vec<&str> {
        self.all(role).map(|medium| medium.url.as_str()).collect()
    }
}

/// A picture, video or sound to work from.
#[derive(Clone, Debug)]
pub struct SubmissionMedia {
    pub role: MediaRole,
    /// Where the provider can fetch it, as long as the task runs; without a file only its name.
    pub url: String,
    /// For providers that are sent the bytes. There if [`Abilities::needs_files`].
    pub file: Option<InputFile>,
    /// Who made it, if it is a clip of another task: some go on only from what they have made themselves.
    pub made_by: Option<MadeBy>,
}

/// The submission that a clip came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeBy {
    /// Name of the instance.
    pub provider: String,
    pub id: UpstreamId,
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

/// What a submission cost us, as the provider tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Millionths of a US dollar.
    MicroUsd(i64),
    /// The tokens that are billed; the price book's cost card knows what they cost.
    Tokens(u64),
    /// The seconds that are billed, likewise.
    Seconds(Decimal),
}

impl Cost {
    /// Rounded up to a millionth; `None` for what can't be a cost.
    pub fn usd(usd: Decimal) -> Option<Cost> {
        json::micro_usd(usd).map(Cost::MicroUsd)
    }

    /// Seconds as a task tells them. Those of a submission with a video are left to the price book: what is read may be billed as
    /// well, and its cards count that in their own way.
    pub fn seconds(answer: &Value, pointer: &str, submission: &Submission) -> Option<Cost> {
        let has_video = submission.media.iter().any(|medium| medium.role.is_video());
        let told = json::decimal_at(answer, pointer)
            .filter(|seconds| seconds.is_sign_positive() && !seconds.is_zero());
        told.filter(|_| !has_video).map(Cost::Seconds)
    }
}

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
        cost: Option<Cost>,
    },
    /// Nothing was made, which may have cost something all the same.
    Failed {
        failure: Failure,
        cost: Option<Cost>,
    },
    Canceled,
}

impl Progress {
    /// A failure that cost nothing, as far as we are told.
    pub fn failed(code: FailureCode, detail: impl AsRef<str>) -> Progress {
        Progress::Failed { failure: Failure::new(code, detail), cost: None }
    }

    /// The one clip of a submission, at a public address.
    pub fn delivered(submission: &Submission, url: String, cost: Option<Cost>) -> Progress {
        let clip = RemoteClip { index: submission.clip, source: ClipSource::url(url), millis: None };
        Progress::Succeeded { clips: vec![clip], cost }
    }
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
    /// The headers, which may hold a key, go to the address's own origin and to no other that it leads to.
    Url {
        url: String,
        headers: HeaderMap,
    },
    /// It came with the answer.
    Bytes(Bytes),
}

impl ClipSource {
    /// A public address.
    pub fn url(url: String) -> ClipSource {
        ClipSource::Url { url, headers: HeaderMap::new() }
    }
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
    /// Submissions that may be under way at once, with one key.
    pub slots: usize,
    /// How fast they may follow one another, with one key.
    pub rate: Option<Rate>,
    pub pace: Pace,
    pub can_cancel: bool,
    pub reconcile: Reconcile,
    /// Whether everything that a task is made from must lie in our storage before it is submitted.
    pub needs_files: bool,
}

/// So many submissions in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub submissions: NonZeroU32,
    pub seconds: NonZeroU32,
}

/// A rate of numbers that are not zero; one, if they are.
pub const fn rate(submissions: u32, seconds: u32) -> Rate {
    const ONE: NonZeroU32 = NonZeroU32::MIN;
    Rate {
        submissions: if let Some(number) = NonZeroU32::new(submissions) { number } else { ONE },
        seconds: if let Some(number) = NonZeroU32::new(seconds) { number } else { ONE },
    }
}

/// How often a submission is asked about: often while it is young, and then less and less.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    first: Duration,
    last: Duration,
}

impl Pace {
    /// How long it stays young.
    const YOUNG: Duration = Duration::from_secs(30);

    pub const fn steady(every: Duration) -> Pace {
        Pace { first: every, last: every }
    }

    pub const fn stretching(first: Duration, last: Duration) -> Pace {
        Pace { first, last }
    }

    /// The pause before the next question about a submission of this age.
    pub fn pause(self, age: Duration) -> Duration {
        let times = u32::try_from(age.as_secs() / Self::YOUNG.as_secs()).unwrap_or(u32::MAX);
        self.first.saturating_mul(times.saturating_add(1)).min(self.last)
    }
}

/// What was sent to the address that a submission named.
#[derive(Clone, Debug)]
pub struct Callback {
    /// With the query, if there was one.
    pub path: String,
    /// By their names in lower case.
    pub headers: std::collections::BTreeMap<String, String>,
    pub body: String,
    /// Unix seconds.
    pub received_at: i64,
}

/// What a callback is worth. It is never a verdict: whoever hears something asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Its signature is missing or wrong.
    Forged,
    /// Something has changed, with the submission of this id if it names one.
    News(Option<UpstreamId>),
}

#[async_trait]
pub trait Provider: Send + Sync {
    /// Of the instance.
    fn name(&self) -> &str;

    fn abilities(&self) -> Abilities;

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError>;

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError>;

    /// Asks them to stop; whether they did is what the next poll says. Nothing for those that can't be asked.
    async fn cancel(&self, _: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Looks for a submission whose answer was lost. `heard` are ids that came with callbacks for it: one is believed only if
    /// the upstream itself shows that it is ours.
    async fn find(&self, _: &Submission, _: &[UpstreamId]) -> Result<Found, ProviderError> {
        Ok(Found::Unsure)
    }

    /// Judges a callback.
    fn hear(&self, _: &Callback) -> Heard {
        Heard::News(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_a_submission_the_less_often_it_is_asked_about() {
        let pace = Pace::stretching(Duration::from_secs(3), Duration::from_secs(15));
        for (age, pause) in [(0, 3), (29, 3), (30, 6), (119, 12), (120, 15), (100_000, 15)] {
            assert_eq!(pace.pause(Duration::from_secs(age)), Duration::from_secs(pause), "{age}");
        }
    }
}
