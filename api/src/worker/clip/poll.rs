//! Asking about a clip that was accepted, until the provider has a verdict or its time is over.

use std::time::Duration;

use fail::fail_point;

use super::super::health::Sign;
use super::super::run::Leave;
use super::super::tally::Fate;
use super::super::{call, jittered};
use super::{Clip, ClipEnd, NotMade};
use crate::provider::{FailureCode, Progress, ProviderError, RemoteClip, UpstreamId};

impl Clip<'_> {
    /// Polls until the provider has a verdict. An error of a poll is none.
    pub(super) async fn follow(&mut self) -> Result<Result<ClipEnd, NotMade>, Leave> {
        let Some(id) = self.attempt.upstream_id.clone().map(UpstreamId) else { return Err(Leave::Lost) };
        let (mut asked_to_cancel, mut errors, mut leave_alone_ms) = (false, 0, None);
        loop {
            if self.shared.cancel.is_cancelled() && !asked_to_cancel {
                asked_to_cancel = true;
                Box::pin(self.ask_to_cancel(&id)).await;
            }
            match Box::pin(self.poll(&id)).await? {
                Ok(said) => {
                    if let Some(end) = Box::pin(self.hear(said)).await? {
                        return Ok(end);
                    }
                    errors = 0;
                }
                Err(error) => {
                    tracing::debug!(%error, "a poll did not work");
                    errors += 1;
                    leave_alone_ms = error.retry_after_ms();
                    // What is wrong with the key is for a person to mend, whatever it was used for.
                    if let ProviderError::Rejected(failure) = &error
                        && matches!(failure.code, FailureCode::Auth | FailureCode::Balance)
                    {
                        let sign = Sign::of(&Err::<(), _>(error));
                        Box::pin(self.shared.context.learn(&self.dock, sign)).await;
                    }
                }
            }
            let waited = match errors {
                0 => self.wait(jittered(self.pace()), asked_to_cancel).await,
                _ => self.back_off(errors, leave_alone_ms).await,
            };
            match waited {
                Err(Leave::Deadline) => return Box::pin(self.last_word(&id)).await,
                waited => waited?,
            }
        }
    }

    pub(super) async fn poll(&self, id: &UpstreamId) -> Result<Result<Progress, ProviderError>, Leave> {
        let at = (&*self.shared.context, &self.dock);
        tokio::select! {
            () = self.shared.stop.cancelled() => Err(Leave::Stopping),
            polled = call::poll(at, id, &self.submission) => Ok(polled),
        }
    }

    /// The pause before the next poll, by how old the submission is.
    fn pace(&self) -> Duration {
        let now = self.shared.context.app.clock.now();
        let since = self.attempt.accepted_at.map_or(0, |at| now.millis() - at.millis());
        self.dock.abilities().pace.pause(Duration::from_millis(u64::try_from(since).unwrap_or(0)))
    }

    /// How the clip ends by what the provider says; nothing while they are at it.
    async fn hear(&mut self, said: Progress) -> Result<Option<Result<ClipEnd, NotMade>>, Leave> {
        let not_made = match said {
            Progress::Succeeded { clips, cost } => {
                self.attempt.cost_micro_usd = self.in_micro_usd(cost).await;
                return self.succeeded(clips).await.map(Some);
            }
            Progress::Failed { failure, cost } => {
                self.attempt.cost_micro_usd = self.in_micro_usd(cost).await;
                self.count_cost(Fate::Lost);
                NotMade::failed(failure)
            }
            Progress::Canceled if self.shared.cancel.is_cancelled() => NotMade::canceled(),
            Progress::Canceled => NotMade::canceled_by_provider(),
            Progress::Running { percent } => {
                self.shared.clip_is_at(percent.unwrap_or(0)).await?;
                return Ok(None);
            }
            Progress::Queued => return Ok(None),
        };
        Ok(Some(Err(not_made)))
    }

    /// The time is over: the provider is told to stop, and asked a last time, since they may have been quicker.
    async fn last_word(&mut self, id: &UpstreamId) -> Result<Result<ClipEnd, NotMade>, Leave> {
        self.ask_to_cancel(id).await;
        match self.poll(id).await? {
            // Stopped by us, unless the customer wanted it as well.
            Ok(Progress::Canceled) if !self.shared.cancel.is_cancelled() => Err(Leave::Deadline),
            Ok(said) => self.hear(said).await?.ok_or(Leave::Deadline),
            Err(_) => Err(Leave::Deadline),
        }
    }

    async fn succeeded(&mut self, clips: Vec<RemoteClip>) -> Result<Result<ClipEnd, NotMade>, Leave> {
        let end = self.delivered(clips).await;
        if matches!(end, Err(Leave::Lost)) && self.shared.context.note_late(&self.attempt).await {
            tracing::error!("the provider delivered after the task had ended; it is not charged");
            self.count_cost(Fate::Lost);
        }
        end
    }

    async fn ask_to_cancel(&self, id: &UpstreamId) {
        let at = (&*self.shared.context, &self.dock);
        if self.dock.abilities().can_cancel
            && let Err(error) = call::cancel(at, id, &self.submission).await
        {
            tracing::info!(%error, "the provider did not cancel");
        }
        fail_point!("cancel.reply");
    }

    /// Waits for the next poll; a fresh wish to cancel is not kept waiting.
    async fn wait(&self, time: Duration, asked_to_cancel: bool) -> Result<(), Leave> {
        if asked_to_cancel {
            return self.pause(time).await;
        }
        tokio::select! {
            () = self.shared.cancel.cancelled() => Ok(()),
            () = self.shared.news.come() => Ok(()),
            waited = self.pause(time) => waited,
        }
    }
}
