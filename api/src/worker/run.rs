//! Following one job: its clips side by side, then the settlement.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use entity::clip::ClipState;
use entity::job::JobState;
use entity::{attempt, clip, job, task, task_request};
use fail::fail_point;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::attempts::WriteError;
use super::clip::{ClipEnd, failed_row, follow_clip};
use super::mine::Following;
use super::{Context, pause};
use crate::ledger::{Done, SettledBy};
use crate::provider::Provider;
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

/// What the clips of one job share while they are followed.
pub struct Shared {
    pub context: Context,
    pub provider: Arc<dyn Provider>,
    pub job: job::Model,
    pub task: task::Model,
    pub request: task_request::Model,
    pub cancel: CancellationToken,
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
pub async fn follow(
    context: Context,
    provider: Arc<dyn Provider>,
    owned: Owned,
    following: Following,
    stop: CancellationToken,
) {
    let span = tracing::info_span!("task", task = %owned.task.id, provider = provider.name(), fence = owned.job.fence);
    let Owned { job, task, request, taken_over, fresh } = owned;
    let cancel = following.cancel.clone();
    if job.cancel_at.is_some() {
        cancel.cancel();
    }
    let shared = Shared {
        context,
        provider,
        job,
        task,
        request,
        cancel,
        stop,
        made: AtomicI64::new(0),
        progress: AtomicI64::new(0),
    };
    let followed = shared.context.tally.follows();
    shared.run(taken_over, fresh).instrument(span).await;
    drop((following, followed));
}

impl Shared {
    async fn run(&self, taken_over: Vec<attempt::Model>, fresh: Vec<attempt::Model>) {
        let attempts = newest_of_each_clip(taken_over.into_iter().map(|attempt| (attempt, true)))
            .into_iter()
            .chain(fresh.into_iter().map(|attempt| (attempt, false)));
        let attempts: Vec<(attempt::Model, bool)> = attempts.collect();
        let late = attempts.iter().map(|(attempt, _)| too_late(attempt)).collect::<Vec<_>>();
        let clips = attempts.into_iter().map(|(attempt, inherited)| follow_clip(self, attempt, inherited));
        let ends: Result<Vec<ClipEnd>, Leave> = join_all(clips)
            .await
            .into_iter()
            .zip(late)
            .map(|(end, late)| match end {
                Err(Leave::Deadline) => Ok(late),
                other => other,
            })
            .collect();
        match ends {
            Ok(ends) if ends.iter().any(|end| end.late) && !ends.iter().any(ClipEnd::is_delivered) => {
                self.settle(self.by(&ends), Ending::Expired).await;
            }
            Ok(ends) => self.settle(self.by(&ends), self.ending(ends)).await,
            Err(Leave::Lost) => tracing::info!("the job is no longer this worker's"),
            Err(Leave::Stopping | Leave::Deadline) => tracing::debug!("left for the next worker"),
        }
    }

    fn by(&self, ends: &[ClipEnd]) -> SettledBy {
        SettledBy::Worker { fence: self.job.fence, attempt: ends.iter().map(|end| end.attempt).max() }
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
            match self.context.app.video.settle(self.task.id, by, ending.clone()).await {
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

    /// One clip is made upstream (or failed). With the last one, what is left to do is storing.
    pub async fn clip_is_made(&self) -> Result<(), Leave> {
        if self.made.fetch_add(1, Ordering::SeqCst) + 1 == self.task.clips {
            self.advance(JobState::Storing, 95).await?;
        }
        Ok(())
    }

    /// Notes how far a clip is, in quarters: a write is made when something changes, not whenever somebody asks.
    pub async fn clip_is_at(&self, percent: u8) -> Result<(), Leave> {
        let quarter = i64::from(percent.min(99)) / 25 * 25;
        if self.task.clips == 1 && self.progress.fetch_max(quarter, Ordering::SeqCst) < quarter {
            self.advance(JobState::Running, quarter).await?;
        }
        Ok(())
    }

    pub async fn advance(&self, state: JobState, progress: i64) -> Result<(), Leave> {
        loop {
            // With hundreds of jobs, what is not needed any more would hold up the stop.
            if self.stop.is_cancelled() {
                return Err(Leave::Stopping);
            }
            match self.context.advance(self.task.id, self.job.fence, state, progress).await {
                Ok(()) => return Ok(()),
                Err(error) => self.after(error).await?,
            }
        }
    }

    /// Writes an attempt, again and again while the database is away. `Ok(false)`: its upstream id is another attempt's.
    pub async fn save(&self, attempt: &attempt::Model) -> Result<bool, Leave> {
        loop {
            match self.context.save(attempt, self.job.fence).await {
                Ok(job) => {
                    if job.cancel_at.is_some() {
                        self.cancel.cancel();
                    }
                    return Ok(true);
                }
                Err(WriteError::IdTaken) => return Ok(false),
                Err(error) => self.after(error).await?,
            }
        }
    }

    async fn after(&self, error: WriteError) -> Result<(), Leave> {
        if matches!(error, WriteError::Lost) {
            return Err(Leave::Lost);
        }
        tracing::warn!(%error, "a write is tried again");
        if pause(SETTLE_PAUSE, &self.stop).await { Ok(()) } else { Err(Leave::Stopping) }
    }
}

/// What becomes of a clip that was not made in time, when others of its task were.
fn too_late(attempt: &attempt::Model) -> ClipEnd {
    let row = clip::Model {
        error_code: Some("expired".to_owned()),
        error_message: Some("Not finished within its deadline".to_owned()),
        ..failed_row(attempt)
    };
    ClipEnd { row, attempt: attempt.n, canceled: false, late: true }
}

/// Attempts follow one another for the same clip; the newest one counts.
fn newest_of_each_clip(
    attempts: impl Iterator<Item = (attempt::Model, bool)>,
) -> Vec<(attempt::Model, bool)> {
    let mut newest: std::collections::BTreeMap<i64, (attempt::Model, bool)> =
        std::collections::BTreeMap::new();
    for (attempt, inherited) in attempts {
        let earlier = newest.get(&attempt.clip_from).map_or(0, |(earlier, _)| earlier.n);
        if attempt.n > earlier {
            newest.insert(attempt.clip_from, (attempt, inherited));
        }
    }
    newest.into_values().collect()
}
