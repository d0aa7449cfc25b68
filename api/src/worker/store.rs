//! Taking a finished clip home: fetch, look at it, store it under a key that names task, clip, attempt and content.
//!
//! Only what is in our storage and sane counts as delivered. An object that no settlement points to is swept later.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use entity::clip::ClipState;
use entity::{attempt, clip};
use fail::fail_point;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tracing::Instrument;

use super::pause;
use super::run::{Leave, Shared};
use crate::media::{Probe, Stored, clip_key, digest_file, probe_file, spool};
use crate::provider::{ClipSource, Failure, FailureCode, RemoteClip};

/// Tries of a clip that can't be fetched or is no video; after them it counts as failed and is not charged.
const TRIES: u32 = 5;
/// Tries while our own storage does not take it, a quarter of an hour in all: the clip is made and paid for upstream.
const STORAGE_TRIES: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Stores one clip; a failure when it can't be had, is no video, or can't be stored.
pub async fn store_clip(
    shared: &Shared,
    attempt: &attempt::Model,
    remote: &RemoteClip,
) -> Result<Result<clip::Model, Failure>, Leave> {
    let mut tries = 0;
    loop {
        let begun = Instant::now();
        let tried = try_store(shared, attempt, remote).instrument(tracing::debug_span!("store")).await;
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
        let wait = FIRST_PAUSE.saturating_mul(1 << (tries - 1).min(10)).min(LONGEST_PAUSE);
        if !pause(wait, &shared.stop).await {
            return Err(Leave::Stopping);
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum StoreFault {
    #[error("it could not be fetched: {0}")]
    Fetch(String),
    #[error("it is no video: {0}")]
    NoVideo(String),
    #[error("our storage did not take it: {0}")]
    Storage(String),
}

impl StoreFault {
    fn most_tries(&self) -> u32 {
        match self {
            StoreFault::Fetch(_) | StoreFault::NoVideo(_) => TRIES,
            StoreFault::Storage(_) => STORAGE_TRIES,
        }
    }
}

impl From<StoreFault> for Failure {
    fn from(fault: StoreFault) -> Failure {
        let (code, message) = match fault {
            StoreFault::Fetch(_) => (FailureCode::Empty, "The provider's clip could not be fetched"),
            StoreFault::NoVideo(_) => (FailureCode::InvalidClip, "The provider delivered no playable video"),
            StoreFault::Storage(_) => (FailureCode::Storage, "The clip could not be stored"),
        };
        Failure { code, message: message.into() }
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
    if kept.is_ok() || matches!(remote.source, ClipSource::Url(_)) {
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

async fn fetch(
    shared: &Shared,
    attempt: &attempt::Model,
    source: &ClipSource,
) -> Result<(PathBuf, Stored), StoreFault> {
    match source {
        ClipSource::File(path) => {
            let stored = digest_file(path).await.map_err(|error| StoreFault::Fetch(error.to_string()))?;
            Ok((path.clone(), stored))
        }
        ClipSource::Url(url) => {
            let scratch = shared.context.app.config.scratch();
            tokio::fs::create_dir_all(&scratch)
                .await
                .map_err(|error| StoreFault::Storage(error.to_string()))?;
            let name = format!("{}-{}-{}.fetched", attempt.task_id, attempt.n, shared.fence);
            let path = scratch.join(name);
            match download(shared, url, &path).await {
                Ok(stored) => Ok((path, stored)),
                Err(reason) => {
                    // A part of a file in the way would fail every later try.
                    discard(&path).await;
                    Err(StoreFault::Fetch(reason))
                }
            }
        }
    }
}

async fn download(shared: &Shared, url: &str, path: &Path) -> Result<Stored, String> {
    let url = url::Url::parse(url).map_err(|error| error.to_string())?;
    let fetcher = &shared.context.app.fetcher;
    let request = fetcher.request(Method::GET, url).map_err(|error| error.to_string())?;
    let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
    // The body of any other answer is a part, a promise or a page, even where it looks like a video.
    if answer.status() != StatusCode::OK {
        return Err(answer.status().to_string());
    }
    if answer.content_length().is_some_and(|bytes| bytes > fetcher.max_bytes()) {
        return Err("it is too large".into());
    }
    spool(answer.bytes_stream(), path, fetcher.max_bytes()).await.map_err(|error| error.to_string())
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
