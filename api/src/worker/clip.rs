//! Following one clip: submit, find out, poll, store; and once more elsewhere, if that may help.

mod elsewhere;
mod end;
mod poll;
mod reconcile;
mod submit;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use entity::attempt;
use entity::attempt::AttemptState;
use entity::clip::{self, ClipState};
use tracing::Instrument;

use super::dock::{Dock, Seat};
use super::run::{Leave, Shared};
use super::{jittered, pause};
use crate::provider::{Failure, FailureCode, Submission};
use end::NotMade;

/// How a clip ended, and by which attempt.
#[derive(Debug)]
pub struct ClipEnd {
    pub row: clip::Model,
    pub attempt: i64,
    pub canceled: bool,
    /// Its time was over.
    pub late: bool,
}

impl ClipEnd {
    pub fn is_delivered(&self) -> bool {
        self.row.state == ClipState::Delivered
    }
}

/// Error code of an attempt that the customer wanted stopped.
const CANCELED: &str = "canceled";
/// The longest pause between tries of something that did not work.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// An attempt at a clip, and what it sends.
#[derive(Debug)]
pub struct Sent {
    pub attempt: attempt::Model,
    pub submission: Submission,
    pub dock: Dock,
    /// Written by an earlier owner of the job, who may have sent it.
    pub inherited: bool,
}

/// Follows one clip to its end, which may be that its time is over.
pub async fn follow_clip(shared: &Shared, sent: Box<Sent>) -> Result<ClipEnd, Leave> {
    let mut clip = Clip { shared, sent, seat: None, lost: 0 };
    match clip.run().await {
        Err(Leave::Deadline) => Ok(clip.too_late()),
        end => end,
    }
}

struct Clip<'a> {
    shared: &'a Shared,
    sent: Box<Sent>,
    /// At the provider, while something may be under way there.
    seat: Option<Seat>,
    /// Submissions that got no answer and were not found.
    lost: u32,
}

impl Deref for Clip<'_> {
    type Target = Sent;

    fn deref(&self) -> &Sent {
        &self.sent
    }
}

impl DerefMut for Clip<'_> {
    fn deref_mut(&mut self) -> &mut Sent {
        &mut self.sent
    }
}

impl Clip<'_> {
    /// What takes little of a clip's life is boxed: it would take its room in memory all the time.
    async fn run(&mut self) -> Result<ClipEnd, Leave> {
        if let Some(end) = self.recorded() {
            Box::pin(self.shared.clip_is_made()).await?;
            return Ok(end);
        }
        loop {
            let (task, n) = (self.attempt.task_id, self.attempt.n);
            let span = tracing::debug_span!("attempt", %task, provider = self.dock.name(), attempt = n);
            let not_made = match self.attempt().instrument(span).await? {
                Ok(end) => return Ok(end),
                Err(not_made) => not_made,
            };
            self.seat = None;
            if let Err(not_made) = Box::pin(self.go_elsewhere(not_made)).await? {
                return Box::pin(self.failed(not_made)).await;
            }
        }
    }

    /// One attempt, from wherever it is.
    async fn attempt(&mut self) -> Result<Result<ClipEnd, NotMade>, Leave> {
        let accepted = match self.attempt.state {
            AttemptState::Accepted => Ok(()),
            AttemptState::Intent if !self.inherited => Box::pin(self.submit()).await?,
            AttemptState::Absent => Box::pin(self.submit()).await?,
            _ => Box::pin(self.reconcile()).await?,
        };
        match accepted {
            Ok(()) => {
                self.sit_down();
                self.follow().await
            }
            Err(not_made) => Ok(Err(not_made)),
        }
    }

    /// What is under way has its seat, even if there is none left.
    fn sit_down(&mut self) {
        if self.seat.is_none() {
            self.seat = Some(self.shared.context.seats.take(&self.dock));
        }
    }

    /// What an earlier owner found out already.
    fn recorded(&self) -> Option<ClipEnd> {
        self.attempt.ended_at?;
        let stored = self.attempt.outcome.as_deref().and_then(super::store::row_from_json);
        let failed = || {
            let class = self.attempt.error_code.as_deref().and_then(FailureCode::of_class);
            self.failed_row(&Failure::new(class.unwrap_or(FailureCode::Internal), ""))
        };
        Some(ClipEnd {
            row: stored.unwrap_or_else(failed),
            attempt: self.attempt.n,
            canceled: self.attempt.error_code.as_deref() == Some(CANCELED),
            late: false,
        })
    }

    async fn save(&self) -> Result<bool, Leave> {
        self.shared.save(&self.attempt, None).await
    }

    /// A worker whose last heartbeat is old must not send anything: its jobs may be somebody else's.
    async fn wait_until_trusted(&self) -> Result<(), Leave> {
        while !self.shared.context.is_trusted() {
            self.pause(Duration::from_millis(200)).await?;
        }
        Ok(())
    }

    async fn back_off(&self, tries: u32, at_least_ms: Option<u64>) -> Result<(), Leave> {
        let exponential = Duration::from_millis(250).saturating_mul(1 << tries.min(10)).min(MAX_BACKOFF);
        let wanted = Duration::from_millis(at_least_ms.unwrap_or(0));
        self.pause(jittered(exponential.max(wanted))).await
    }

    fn is_late(&self) -> bool {
        self.shared.context.app.clock.now() >= self.shared.deadline_at
    }

    async fn pause(&self, time: Duration) -> Result<(), Leave> {
        if self.is_late() {
            return Err(Leave::Deadline);
        }
        if pause(time, &self.shared.stop).await { Ok(()) } else { Err(Leave::Stopping) }
    }
}
