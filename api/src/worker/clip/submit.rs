//! Sending an attempt, as often as it is certainly not accepted.

use std::time::Duration;

use entity::attempt::AttemptState;
use entity::job::JobState;
use fail::fail_point;

use super::super::call;
use super::super::dock::share;
use super::super::health::Sign;
use super::super::run::Leave;
use super::{Clip, NotMade};
use crate::provider::{Failure, FailureCode, ProviderError, UpstreamId};
use std::sync::atomic::Ordering;

/// Tries at one provider that were not accepted before another one is asked, if there is one.
const TRIES_BEFORE_ANOTHER: u32 = 3;
/// How often a submission that waits for its turn looks whether it still has to.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

impl Clip<'_> {
    /// Sends the attempt, as often as it is certainly not accepted, until the deadline.
    pub(super) async fn submit(&mut self) -> Result<Result<(), NotMade>, Leave> {
        if let Err(not_made) = Box::pin(self.bring_inputs()).await? {
            return Ok(Err(not_made));
        }
        for tries in 0.. {
            if let Err(not_made) = self.wait_for_turn().await? {
                return Ok(Err(not_made));
            }
            self.wait_until_trusted().await?;
            if self.shared.stop.is_cancelled() {
                return Err(Leave::Stopping);
            }
            if self.is_late() {
                return Err(Leave::Deadline);
            }
            self.attempt.state = AttemptState::Intent;
            self.attempt.sends += 1;
            self.save().await?;
            // Saving has read the job: a wish to cancel that came until then is known.
            if self.shared.cancel.is_cancelled() {
                self.attempt.sends -= 1;
                return Ok(Err(NotMade::canceled()));
            }
            // The machine may have slept while it was written.
            if !self.shared.context.is_trusted() {
                self.attempt.sends -= 1;
                continue;
            }
            fail_point!("submit.call");
            let submitted = call::submit(&self.shared.context, &self.dock, &self.submission).await;
            fail_point!("submit.reply");
            self.shared.context.learn(&self.dock, Sign::of(&submitted)).await;
            match submitted {
                Ok(id) => return self.accept(id).await,
                Err(ProviderError::Rejected(failure)) => return Ok(Err(NotMade::rejected(failure))),
                Err(ProviderError::Unavailable { failure, retry_after_ms }) => {
                    self.attempt.state = AttemptState::Absent;
                    self.save().await?;
                    if tries + 1 >= TRIES_BEFORE_ANOTHER && self.has_another(failure.code).await {
                        return Ok(Err(NotMade::not_accepted(failure)));
                    }
                    self.seat = None;
                    self.back_off(tries, retry_after_ms).await?;
                }
                Err(error) => {
                    self.attempt.state = unclear(&error);
                    tracing::warn!(%error, "the outcome of a submission is unknown");
                    self.save().await?;
                    fail_point!("submit.unclear");
                    self.inherited = false;
                    return self.reconcile().await;
                }
            }
        }
        Err(Leave::Deadline)
    }

    /// Waits for a seat, and until the key may be used. While its key rests, a clip goes elsewhere if it can.
    async fn wait_for_turn(&mut self) -> Result<Result<(), NotMade>, Leave> {
        let context = self.shared.context.clone();
        if self.seat.is_none() {
            let most = share(self.dock.abilities(), context.alive.load(Ordering::Relaxed));
            let seat = tokio::select! {
                () = self.shared.cancel.cancelled() => return Ok(Err(NotMade::canceled())),
                () = self.shared.stop.cancelled() => return Err(Leave::Stopping),
                () = self.until_deadline() => return Err(Leave::Deadline),
                seat = context.seats.wait(&self.dock, most) => seat,
            };
            self.seat = Some(seat);
        }
        while let Some(wait) = context.must_wait(&self.dock).await {
            if self.shared.cancel.is_cancelled() {
                return Ok(Err(NotMade::canceled()));
            }
            if wait > LONGEST_LOOK && self.has_another(FailureCode::Transient).await {
                let failure = Failure::new(FailureCode::Transient, "the key rests");
                return Ok(Err(NotMade::not_accepted(failure)));
            }
            self.pause(wait.min(LONGEST_LOOK)).await?;
        }
        Ok(Ok(()))
    }

    async fn until_deadline(&self) {
        while !self.is_late() {
            tokio::time::sleep(LONGEST_LOOK).await;
        }
    }

    /// Before anything is sent, so that a file that can't be had is nobody's fault but its customer's.
    async fn bring_inputs(&mut self) -> Result<Result<(), NotMade>, Leave> {
        let is_ready = self.submission.media.iter().all(|medium| medium.file.is_some());
        if is_ready || !self.dock.abilities().needs_files {
            return Ok(Ok(()));
        }
        let shared = self.shared;
        let inputs = tokio::select! {
            () = shared.cancel.cancelled() => return Ok(Err(NotMade::canceled())),
            () = shared.stop.cancelled() => return Err(Leave::Stopping),
            inputs = shared.inputs(&self.submission) => inputs?,
        };
        match inputs {
            Ok(media) => self.submission.media.clone_from(media),
            Err(failure) => return Ok(Err(NotMade::without_input(failure.clone()))),
        }
        Ok(Ok(()))
    }

    /// Notes the provider's id. One that another attempt already has is nobody's: this attempt is broken.
    pub(super) async fn accept(&mut self, id: UpstreamId) -> Result<Result<(), NotMade>, Leave> {
        self.attempt.state = AttemptState::Accepted;
        self.attempt.upstream_id = Some(id.0);
        self.attempt.accepted_at = Some(self.shared.context.app.clock.now());
        if !self.shared.save(&self.attempt, Some((JobState::Running, 0))).await? {
            tracing::error!("the provider gave an id that another attempt has");
            self.shared.context.tally.id_taken(self.dock.name());
            self.attempt.upstream_id = None;
            return Ok(Err(NotMade::broken()));
        }
        fail_point!("submit.recorded");
        Ok(Ok(()))
    }
}

fn unclear(error: &ProviderError) -> AttemptState {
    match error {
        ProviderError::Broken(_) => AttemptState::Broken,
        _ => AttemptState::Unknown,
    }
}
