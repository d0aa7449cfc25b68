//! The sandbox: the provider of test mode. It renders real, playable clips on this machine, so that everything from
//! submission to download can be tried without an upstream, a key or a cost.
//!
//! It never fetches a URL, never blocks a runtime thread, and keeps its work bounded: the queue, the remembered jobs and
//! the size of a picture all have limits.
//!
//! Invariant: a job is determined by its submission. The upstream id is derived from the submit key and the clip from
//! the request, so a job that was forgotten (a restart, a deleted file) is simply drawn again under the same id.
//!
//! Words in the prompt steer it (see `directive.rs`): `[sandbox:fail]`, `[sandbox:fail=CLIP]`, `[sandbox:moderation]`,
//! `[sandbox:slow=SECONDS]`, `[sandbox:hang]`, `[sandbox:short=SECONDS]`, `[sandbox:flaky=POLLS]`, `[sandbox:lost]`.

mod canvas;
mod card;
mod clip;
mod directive;
mod encode;
mod job;
mod landscape;
mod queue;
mod scene;
#[cfg(test)]
mod tests;
mod text;

#[cfg(test)]
use tests::sample;

use crate::provider::{
    Abilities, Failure, FailureCode, Found, Pace, Progress, Provider, ProviderError, Reconcile, Submission,
    UpstreamId,
};
use clip::Plan;
use directive::Directives;
use fail::fail_point;
use job::{Job, Jobs, Stage, Ticket};
use queue::{Full, RenderQueue, Work};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a caller should wait when the queue is full: about one short render.
const RETRY_AFTER_MS: u64 = 2_000;
const POLL_EVERY: Duration = Duration::from_millis(500);

/// The embedded provider of test mode.
#[derive(Debug)]
pub struct Sandbox {
    dir: PathBuf,
    queue_limit: usize,
    queue: RenderQueue,
    jobs: Mutex<Jobs>,
}

impl Sandbox {
    /// A sandbox that writes its clips into the folder `dir` (created when needed) and lets `queue_limit` jobs, at least
    /// one, wait for its render thread. Dropping it stops the render at the next frame.
    ///
    /// Whoever polls may delete a delivered file once it is stored elsewhere.
    pub fn new(dir: PathBuf, queue_limit: usize) -> Arc<Self> {
        Arc::new(Self::with_queue(dir, queue_limit, RenderQueue::start(queue_limit)))
    }

    fn with_queue(dir: PathBuf, queue_limit: usize, queue: RenderQueue) -> Self {
        Self { dir, queue_limit, queue, jobs: Mutex::default() }
    }

    /// Accepts a job under `id` unless it is known. Returns whether it is new.
    fn accept(&self, id: &UpstreamId, submission: &Submission) -> Result<bool, Full> {
        let mut jobs = self.jobs();
        if jobs.get(&id.0).is_some() {
            return Ok(false);
        }
        let directives = Directives::parse(&submission.prompt);
        let clips = clip::plan(&self.dir, &id.0, submission, &directives);
        let delivered = clips.iter().map(Plan::delivered).collect();
        let ticket = Ticket::new(first_stage(&directives, &clips));
        if ticket.stage() == Stage::Waiting {
            self.queue.offer(Work::new(&ticket, clips))?;
        }
        let stale = jobs.insert(&id.0, Job::new(ticket, delivered, &directives, Instant::now()));
        remove_later(stale);
        Ok(true)
    }

    /// The table stays usable if a holder of the lock panicked: every change to it is one insert or remove.
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the poll and says how far a known job is.
    fn progress(&self, id: &UpstreamId) -> Result<Progress, ProviderError> {
        let mut jobs = self.jobs();
        let Some(job) = jobs.get(&id.0) else {
            return Ok(Progress::Queued);
        };
        if !job.answers_poll() {
            return Err(ProviderError::unavailable("as the prompt asked"));
        }
        Ok(job.progress(Instant::now()))
    }

    fn files(&self, id: &UpstreamId) -> Vec<PathBuf> {
        self.jobs().get(&id.0).map(|job| job.files()).unwrap_or_default()
    }
}

#[async_trait::async_trait]
impl Provider for Sandbox {
    fn name(&self) -> &str {
        "sandbox"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: self.queue_limit,
            rate: None,
            pace: Pace::steady(POLL_EVERY),
            can_cancel: true,
            reconcile: Reconcile::Keyed,
            needs_files: false,
        }
    }

    /// The same submit key always gets the same id; a second submission changes nothing.
    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let id = upstream_id(&submission.submit_key);
        let is_new = self.accept(&id, submission).map_err(|Full| {
            ProviderError::refused(FailureCode::RateLimited, "the queue is full", Some(RETRY_AFTER_MS))
        })?;
        fail_point!("sandbox.accepted");
        if is_new && Directives::parse(&submission.prompt).lost {
            return Err(ProviderError::Unknown("the sandbox lost its reply, as the prompt asked".to_owned()));
        }
        Ok(id)
    }

    /// An unknown job is accepted again; while the queue is full it counts as queued.
    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        if *id != upstream_id(&submission.submit_key) {
            return Err(ProviderError::Broken(format!("{} is not the id of this submission", id.0)));
        }
        if self.accept(id, submission).is_err() {
            return Ok(Progress::Queued);
        }
        let progress = self.progress(id)?;
        if matches!(progress, Progress::Succeeded { .. }) && !all_exist(&self.files(id)).await {
            self.jobs().forget_done(&id.0);
            return Ok(Progress::Queued);
        }
        Ok(progress)
    }

    /// Takes effect at the next frame. An id that is not known (a restart) is remembered as canceled.
    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        let now = Instant::now();
        let mut jobs = self.jobs();
        if let Some(job) = jobs.get(&id.0) {
            job.cancel(now);
            return Ok(());
        }
        let canceled = Job::new(Ticket::new(Stage::Canceled), Vec::new(), &Directives::default(), now);
        remove_later(jobs.insert(&id.0, canceled));
        Ok(())
    }

    async fn find(&self, submission: &Submission, _: &[UpstreamId]) -> Result<Found, ProviderError> {
        let id = upstream_id(&submission.submit_key);
        if self.jobs().get(&id.0).is_some() {
            return Ok(Found::Accepted(id));
        }
        let directives = Directives::parse(&submission.prompt);
        let clips = clip::plan(&self.dir, &id.0, submission, &directives);
        let files: Vec<PathBuf> = clips.into_iter().map(|clip| clip.path).collect();
        let drawn = !files.is_empty() && all_exist(&files).await;
        Ok(if drawn { Found::Accepted(id) } else { Found::Absent })
    }
}

/// Where a job begins: most wait for the render thread, the others need no drawing.
fn first_stage(directives: &Directives, clips: &[Plan]) -> Stage {
    if directives.moderation {
        return refused(
            FailureCode::ModerationInput,
            "The prompt was refused by moderation (asked for in the prompt).",
        );
    }
    if directives.hang {
        return Stage::Hanging;
    }
    if clips.is_empty() {
        return refused(
            FailureCode::Internal,
            "The sandbox failed this generation (asked for in the prompt).",
        );
    }
    Stage::Waiting
}

fn refused(code: FailureCode, message: &str) -> Stage {
    Stage::Failed(Failure { code, message: message.to_owned(), detail: None })
}

/// 128 bits of the submit key's hash: the same in every process, and nothing of the key can be read from it.
fn upstream_id(submit_key: &str) -> UpstreamId {
    let hash = Sha256::digest(submit_key.as_bytes());
    UpstreamId(format!("sbx_{}", hex::encode(&hash[..16])))
}

async fn all_exist(files: &[PathBuf]) -> bool {
    for file in files {
        if !tokio::fs::try_exists(file).await.unwrap_or(false) {
            return false;
        }
    }
    true
}

/// Removes files in the background. Failing to costs disk space, nothing else.
fn remove_later(files: Vec<PathBuf>) {
    if !files.is_empty() {
        tokio::task::spawn_blocking(move || files.iter().for_each(|file| drop(std::fs::remove_file(file))));
    }
}
