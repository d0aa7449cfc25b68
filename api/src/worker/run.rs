//! Following one job: its clips side by side, then the settlement.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use entity::clip::ClipState;
use entity::job::JobState;
use entity::{AccountId, TaskId, Timestamp, attempt, clip, job, task, task_request};
use fail::fail_point;
use futures_util::future::join_all;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::clip::{ClipEnd, Sent, follow_clip};
use super::dock::Dock;
use super::mine::{Following, News};
use super::scribe::{Note, WriteError};
use super::{Context, input, pause, submission};
use crate::ledger::{Done, SettledBy};
use crate::provider::{Failure, Submission, SubmissionMedia};
use crate::video::settle::{Ending, SettleError};

/// A job that this worker has claimed, with what is stored about it.
#[derive(Debug)]
pub struct Owned {
    pub job: job::Model,
    pub task: task::Model,
    pub request: task_request::Model,
    /// Attempts of earlier owners.
    pub taken_over: Vec<attempt::Model>,
    /// Attempts that were written with this claim.
    pub fresh: Vec<attempt::Model>,
}

/// What the clips of one job share while they are followed. A worker has tens of thousands in memory: what is sent is taken
/// from the rows first, and they are let go.
pub struct Shared {
    pub context: Arc<Context>,
    pub task: TaskId,
    pub account: AccountId,
    /// Of the claim by which the job is ours.
    pub fence: i64,
    pub deadline_at: Timestamp,
    clips: i64,
    /// What the task is made from, once it is at hand; or why it never will be.
    inputs: OnceCell<Result<Vec<SubmissionMedia>, Failure>>,
    pub cancel: CancellationToken,
    /// What providers tell us without being asked.
    pub news: Arc<News>,
    pub stop: CancellationToken,
    /// Clips that are made upstream, or failed: with the last one the job is storing.
    made: AtomicI64,
    progress: AtomicI64,
}

/// Why a job is followed no further by this worker.
#[derive(Debug)]
pub enum Leave {
    /// Somebody else has it, or it is settled.
    Lost,
    /// The worker stops; whoever comes next goes on.
    Stopping,
    /// The clip was not made in time.
    Deadline,
}

/// How long a settlement that found the ledger unavailable waits before it is tried again.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_SETTLE_PAUSE: Duration = Duration::from_secs(10);

/// Follows a job to its end, or until it is no longer ours.
pub async fn follow(context: Arc<Context>, owned: Box<Owned>, following: Following, stop: CancellationToken) {
    let span = tracing::info_span!("task", task = %owned.task.id, provider = owned.job.provider, fence = owned.job.fence);
    let clips = match clips(&context, &owned) {
        Ok(clips) => clips,
        Err(error) => {
            return tracing::error!(parent: &span, %error, "what is stored of the task can't be read");
        }
    };
    let cancel = following.cancel.clone();
    if owned.job.cancel_at.is_some() {
        cancel.cancel();
    }
    let shared = Shared {
        context,
        task: owned.task.id,
        account: owned.task.account_id,
        fence: owned.job.fence,
        deadline_at: owned.job.deadline_at,
        clips: owned.task.clips,
        inputs: OnceCell::new(),
        cancel,
        news: following.news.clone(),
        stop,
        made: AtomicI64::new(0),
        progress: AtomicI64::new(0),
    };
    drop(owned);
    let followed = shared.context.tally.follows();
    shared.run(clips).instrument(span).await;
    drop((following, followed));
}

/// The newest attempt of each clip, and what it sends.
fn clips(context: &Context, owned: &Owned) -> anyhow::Result<Vec<Sent>> {
    let Owned { task, request, taken_over, fresh, .. } = owned;
    let taken_over = newest_of_each_clip(taken_over.iter().cloned());
    let attempts = taken_over.into_iter().map(|attempt| (attempt, true));
    let attempts = attempts.chain(fresh.iter().cloned().map(|attempt| (attempt, false)));
    let sent = |(attempt, inherited): (attempt::Model, bool)| {
        let submission = submission::build(&context.app, task, request, &attempt)?;
        let dock = Dock::of(&context.app.providers, &attempt.provider, &attempt.endpoint);
        let dock = dock.with_context(|| format!("the provider {} is not configured", attempt.provider))?;
        Ok(Sent { attempt, submission, dock, inherited })
    };
    attempts.map(sent).collect()
}

impl Shared {
    async fn run(&self, clips: Vec<Sent>) {
        let clips = clips.into_iter().map(|sent| follow_clip(self, Box::new(sent)));
        let ends: Result<Vec<ClipEnd>, Leave> = join_all(clips).await.into_iter().collect();
        match ends {
            Ok(ends) if ends.iter().any(|end| end.late) && !ends.iter().any(ClipEnd::is_delivered) => {
                Box::pin(self.settle(self.by(&ends), Ending::Expired)).await;
            }
            Ok(ends) => Box::pin(self.settle(self.by(&ends), self.ending(ends))).await,
            Err(Leave::Lost) => tracing::info!("the job is no longer this worker's"),
            Err(Leave::Stopping | Leave::Deadline) => tracing::debug!("left for the next worker"),
        }
    }

    fn by(&self, ends: &[ClipEnd]) -> SettledBy {
        SettledBy::Worker { fence: self.fence, attempt: ends.iter().map(|end| end.attempt).max() }
    }

    fn ending(&self, ends: Vec<ClipEnd>) -> Ending {
        let nothing = ends.iter().all(|end| end.row.state == ClipState::Failed);
        if nothing && ends.iter().any(|end| end.canceled) {
            return Ending::Canceled;
        }
        let mut rows: Vec<clip::Model> = ends.into_iter().map(|end| end.row).collect();
        rows.sort_by_key(|row| row.idx);
        Ending::Made(rows)
    }

    /// Settles, however long the ledger is away: the work is done and nobody else would end it. A worker that stops leaves it
    /// to the next one.
    async fn settle(&self, by: SettledBy, ending: Ending) {
        let mut wait = SETTLE_PAUSE;
        fail_point!("settle.ask");
        while !self.stop.is_cancelled() {
            match self.context.app.video.settle(self.task, by, ending.clone()).await {
                Ok(Done::Settled { state, captured, released, fresh }) => {
                    tracing::info!(?state, %captured, %released, fresh, "settled");
                    return;
                }
                Ok(Done::Stale) => {
                    tracing::info!("the job is no longer this worker's");
                    return;
                }
                Ok(done) => {
                    tracing::error!(?done, "the settlement had no effect");
                    return;
                }
                Err(SettleError::NoTask | SettleError::Stored(_)) => {
                    tracing::error!("the task can't be settled: its rows are missing or unreadable");
                    return;
                }
                Err(error) => tracing::warn!(%error, "the settlement is tried again"),
            }
            if !pause(wait, &self.stop).await {
                return;
            }
            wait = (wait * 2).min(LONGEST_SETTLE_PAUSE);
        }
    }

    /// What the task is made from, brought to where its provider can have it; once for all clips of the task.
    pub async fn inputs(
        &self,
        submission: &Submission,
    ) -> Result<&Result<Vec<SubmissionMedia>, Failure>, Leave> {
        let gather = || input::gather(self, &submission.media, &submission.model);
        self.inputs.get_or_try_init(gather).await
    }

    /// One clip is made upstream (or failed). With the last one, what is left to do is storing.
    pub async fn clip_is_made(&self) -> Result<(), Leave> {
        if self.made.fetch_add(1, Ordering::SeqCst) + 1 == self.clips {
            self.advance(JobState::Storing, 95).await?;
        }
        Ok(())
    }

    /// Notes how far a clip is, in quarters: a write is made when something changes, not whenever somebody asks.
    pub async fn clip_is_at(&self, percent: u8) -> Result<(), Leave> {
        let quarter = i64::from(percent.min(99)) / 25 * 25;
        if self.clips == 1 && self.progress.fetch_max(quarter, Ordering::SeqCst) < quarter {
            self.advance(JobState::Running, quarter).await?;
        }
        Ok(())
    }

    pub async fn advance(&self, state: JobState, progress: i64) -> Result<(), Leave> {
        self.write(None, Some((state, progress))).await.map(drop)
    }

    /// Writes an attempt and, where it changes too, how far the job is. `Ok(false)`: its upstream id is another attempt's.
    pub async fn save(&self, attempt: &attempt::Model, job: Option<(JobState, i64)>) -> Result<bool, Leave> {
        self.write(Some(attempt), job).await
    }

    /// Writes again and again while the database is away.
    async fn write(
        &self,
        attempt: Option<&attempt::Model>,
        job: Option<(JobState, i64)>,
    ) -> Result<bool, Leave> {
        loop {
            // With hundreds of jobs, what is not needed any more would hold up the stop.
            if attempt.is_none() && self.stop.is_cancelled() {
                return Err(Leave::Stopping);
            }
            let note = Note { task: self.task, fence: self.fence, attempt: attempt.cloned(), job };
            match self.context.scribe.write(note).await {
                Ok(job) => {
                    if job.cancel_at.is_some() {
                        self.cancel.cancel();
                    }
                    return Ok(true);
                }
                Err(WriteError::IdTaken) => return Ok(false),
                Err(WriteError::Lost) => return Err(Leave::Lost),
                Err(WriteError::Db(error)) => tracing::warn!(%error, "a write is tried again"),
            }
            if !pause(SETTLE_PAUSE, &self.stop).await {
                return Err(Leave::Stopping);
            }
        }
    }
}

/// Attempts follow one another for the same clip; the newest one counts.
fn newest_of_each_clip(attempts: impl Iterator<Item = attempt::Model>) -> Vec<attempt::Model> {
    let mut newest: BTreeMap<i64, attempt::Model> = BTreeMap::new();
    for attempt in attempts {
        let earlier = newest.get(&attempt.clip_from).map_or(0, |earlier| earlier.n);
        if attempt.n > earlier {
            newest.insert(attempt.clip_from, attempt);
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of what an asynchronous function keeps between its steps.
    fn room<A, B, C, D, F: Future>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    fn room_of_clip<'a, F: Future>(_: impl FnOnce(&'a Shared, Box<Sent>) -> F) -> usize {
        size_of::<F>()
    }

    /// Tens of thousands are in memory at once.
    #[test]
    fn what_follows_a_job_and_its_clip_is_small() {
        let (job, clip) = (room(follow), room_of_clip(follow_clip));
        assert!(job <= 1_024 && clip <= 1_024, "a job {job}, a clip {clip} bytes");
    }
}
