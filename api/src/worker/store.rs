//! Taking a finished clip home: fetch, look at it, store it under a key that names task, clip, attempt and content.
//!
//! Only what is in our storage and sane counts as delivered. An object that no settlement points to is swept later.

mod collect;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use entity::clip::ClipState;
use entity::{attempt, clip};
use fail::fail_point;
use futures_util::future::BoxFuture;
use serde_json::json;
use tracing::Instrument;

use collect::Missed;
pub use collect::collect;

use super::pause;
use super::run::{Leave, Shared};
use crate::media::{Probe, Stored, clip_key, digest_file, probe_file};
use crate::provider::{ClipSource, Failure, FailureCode, RemoteClip};

/// Tries of a clip that can't be fetched or is no video; after them it counts as failed and is not charged.
const TRIES: u32 = 5;
/// Tries while our own storage does not take it, a quarter of an hour in all: the clip is made and paid for upstream.
const STORAGE_TRIES: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Stores one clip; a failure when it can't be had, is no video, or can't be stored.
///
/// Addresses of clips grow old: between two tries the provider is asked again where it is now.
pub async fn store_clip<'f>(
    shared: &Shared,
    attempt: &attempt::Model,
    mut remote: RemoteClip,
    ask_again: impl Fn() -> BoxFuture<'f, Option<RemoteClip>>,
) -> Result<Result<clip::Model, Failure>, Leave> {
    let mut tries = 0;
    loop {
        let begun = Instant::now();
        let tried = try_store(shared, attempt, &remote).instrument(tracing::debug_span!("store")).await;
        let size = tried.as_ref().ok().and_then(|row| row.bytes);
        shared.context.tally.stored(size, begun);
        let fault = match tried {
            Ok(row) => return Ok(Ok(row)),
            Err(fault) => fault,
        };
        tries += 1;
        tracing::warn!(tries, %fault, "a clip is not stored yet");
        if tries >= fault.most_tries() {
            let failure = Failure::from(fault);
            tracing::error!(code = failure.code.as_str(), "a clip that the provider delivered is given up");
            return Ok(Err(failure));
        }
        let is_gone = matches!(fault, StoreFault::Gone(_));
        let wait = FIRST_PAUSE.saturating_mul(1 << (tries - 1).min(10)).min(LONGEST_PAUSE);
        if !pause(wait, &shared.stop).await {
            return Err(Leave::Stopping);
        }
        if is_gone && let Some(fresh) = ask_again().await {
            remote = fresh;
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum StoreFault {
    #[error("it could not be fetched: {0}")]
    Fetch(String),
    /// Its address leads nowhere any more.
    #[error("it is not there: {0}")]
    Gone(String),
    #[error("it is no video: {0}")]
    NoVideo(String),
    #[error("our storage did not take it: {0}")]
    Storage(String),
}

impl StoreFault {
    fn most_tries(&self) -> u32 {
        match self {
            StoreFault::Fetch(_) | StoreFault::Gone(_) | StoreFault::NoVideo(_) => TRIES,
            StoreFault::Storage(_) => STORAGE_TRIES,
        }
    }
}

impl From<StoreFault> for Failure {
    fn from(fault: StoreFault) -> Failure {
        let detail = fault.to_string();
        match fault {
            StoreFault::Fetch(_) | StoreFault::Gone(_) => {
                let message = "The provider's clip could not be fetched".into();
                Failure { message, ..Failure::new(FailureCode::Empty, detail) }
            }
            StoreFault::NoVideo(_) => Failure::new(FailureCode::InvalidClip, detail),
            StoreFault::Storage(_) => Failure::new(FailureCode::Storage, detail),
        }
    }
}

async fn try_store(
    shared: &Shared,
    attempt: &attempt::Model,
    remote: &RemoteClip,
) -> Result<clip::Model, StoreFault> {
    let (path, stored) = fetch(shared, attempt, &remote.source).await?;
    let kept = keep(shared, attempt, &path, &stored).await;
    fail_point!("store.copied");
    // What was fetched can be fetched again; the only copy of what was made here stays until it is kept.
    if kept.is_ok() || !matches!(remote.source, ClipSource::File(_)) {
        discard(&path).await;
    }
    kept
}

async fn keep(
    shared: &Shared,
    attempt: &attempt::Model,
    path: &Path,
    stored: &Stored,
) -> Result<clip::Model, StoreFault> {
    let probe = look_at(path.to_owned()).await?;
    let index = u32::try_from(attempt.clip_from).unwrap_or(0);
    let n = u32::try_from(attempt.n).unwrap_or(0);
    let key = clip_key(attempt.task_id.0, index, n, &stored.sha256);
    let copied = shared.context.app.store.put_file(&key, path).await;
    let copied = copied.map_err(|error| StoreFault::Storage(error.to_string()))?;
    if copied.sha256 != stored.sha256 {
        return Err(StoreFault::Fetch("the file changed while it was stored".into()));
    }
    Ok(row(attempt, key, stored, &probe))
}

async fn discard(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a file stays in the scratch folder");
    }
}

/// A local file with what there is, and what it holds.
async fn fetch(
    shared: &Shared,
    attempt: &attempt::Model,
    source: &ClipSource,
) -> Result<(PathBuf, Stored), StoreFault> {
    if let ClipSource::File(path) = source {
        let stored = digest_file(path).await.map_err(|error| StoreFault::Fetch(error.to_string()))?;
        return Ok((path.clone(), stored));
    }
    let scratch = shared.context.app.config.scratch();
    tokio::fs::create_dir_all(&scratch).await.map_err(|error| StoreFault::Storage(error.to_string()))?;
    let path = scratch.join(format!("{}-{}-{}.fetched", attempt.task_id, attempt.n, shared.fence));
    let app = &shared.context.app;
    match collect((&app.clip_fetcher, &app.fetcher), source, &path).await {
        Ok(stored) => Ok((path, stored)),
        Err(missed) => {
            // A part of a file in the way would fail every later try.
            discard(&path).await;
            Err(match missed {
                Missed::Gone(status) => StoreFault::Gone(status),
                Missed::Other(reason) => StoreFault::Fetch(reason),
            })
        }
    }
}

async fn look_at(path: PathBuf) -> Result<Probe, StoreFault> {
    let probed = tokio::task::spawn_blocking(move || probe_file(&path)).await;
    let probed = probed.map_err(|error| StoreFault::Storage(error.to_string()))?;
    match probed {
        Ok(probe) if probe.millis > 0 && probe.width > 0 && probe.height > 0 => Ok(probe),
        Ok(_) => Err(StoreFault::NoVideo("no length or no picture".into())),
        Err(error) => Err(StoreFault::NoVideo(error.to_string())),
    }
}

fn row(attempt: &attempt::Model, key: String, stored: &Stored, probe: &Probe) -> clip::Model {
    clip::Model {
        task_id: attempt.task_id,
        idx: attempt.clip_from,
        state: ClipState::Delivered,
        attempt_n: Some(attempt.n),
        storage_key: Some(key),
        millis: i64::try_from(probe.millis).ok(),
        bytes: i64::try_from(stored.bytes).ok(),
        width: Some(i64::from(probe.width)),
        height: Some(i64::from(probe.height)),
        sha256: Some(stored.sha256.to_vec()),
        error_code: None,
        error_message: None,
    }
}

/// A stored clip, as its attempt remembers it until the task is settled.
pub fn row_to_json(row: &clip::Model) -> Option<String> {
    let json = json!({
        "task": row.task_id.0, "idx": row.idx, "attempt": row.attempt_n, "key": row.storage_key, "millis": row.millis,
        "bytes": row.bytes, "width": row.width, "height": row.height, "sha256": row.sha256.as_ref().map(hex::encode),
    });
    Some(json.to_string())
}

/// The reverse of [`row_to_json`].
pub fn row_from_json(text: &str) -> Option<clip::Model> {
    #[derive(serde::Deserialize)]
    struct Outcome {
        task: uuid::Uuid,
        idx: i64,
        attempt: Option<i64>,
        key: String,
        millis: Option<i64>,
        bytes: Option<i64>,
        width: Option<i64>,
        height: Option<i64>,
        sha256: Option<String>,
    }
    let outcome: Outcome = serde_json::from_str(text).ok()?;
    Some(clip::Model {
        task_id: entity::TaskId(outcome.task),
        idx: outcome.idx,
        state: ClipState::Delivered,
        attempt_n: outcome.attempt,
        storage_key: Some(outcome.key),
        millis: outcome.millis,
        bytes: outcome.bytes,
        width: outcome.width,
        height: outcome.height,
        sha256: outcome.sha256.and_then(|text| hex::decode(text).ok()),
        error_code: None,
        error_message: None,
    })
}
