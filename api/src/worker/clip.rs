//! Following one clip: submit, find out, poll, store.

mod poll;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use entity::attempt::AttemptState;
use entity::clip::ClipState;
use entity::job::JobState;
use entity::{attempt, clip};
use fail::fail_point;
use tracing::Instrument;

use super::run::{Leave, Shared};
use super::store::store_clip;
use super::tally::Fate;
use super::{call, jittered, pause};
use crate::provider::{
    Failure, FailureCode, Found, ProviderError, Reconcile, RemoteClip, Submission, UpstreamId,
};

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
/// Submissions that a provider may lose before the clip is given up.
const MOST_LOST: u32 = 5;
/// The longest pause between tries of something that did not work.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// An attempt at a clip, and what it sends.
#[derive(Debug)]
pub struct Sent {
    pub attempt: attempt::Model,
    pub submission: Submission,
    /// Written by an earlier owner of the job, who may have sent it.
    pub inherited: bool,
}

/// Follows one clip to its end, which may be that its time is over.
pub async fn follow_clip(shared: &Shared, sent: Box<Sent>) -> Result<ClipEnd, Leave> {
    let (task, provider) = (sent.attempt.task_id, shared.provider.name());
    let span = tracing::debug_span!("attempt", %task, provider, attempt = sent.attempt.n);
    let mut clip = Clip { shared, sent, lost: 0 };
    match clip.run().instrument(span).await {
        Err(Leave::Deadline) => Ok(clip.too_late()),
        end => end,
    }
}

/// Why a clip will not be made.
struct NotMade {
    state: AttemptState,
    failure: Failure,
    canceled: bool,
}

struct Clip<'a> {
    shared: &'a Shared,
    sent: Box<Sent>,
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
        let accepted = match self.attempt.state {
            AttemptState::Accepted => Ok(()),
            AttemptState::Intent if !self.inherited => Box::pin(self.submit()).await?,
            AttemptState::Absent => Box::pin(self.submit()).await?,
            _ => Box::pin(self.reconcile()).await?,
        };
        match accepted {
            Ok(()) => self.follow().await,
            Err(end) => Box::pin(self.failed(end)).await,
        }
    }

    /// What an earlier owner found out already.
    fn recorded(&self) -> Option<ClipEnd> {
        self.attempt.ended_at?;
        let stored = self.attempt.outcome.as_deref().and_then(super::store::row_from_json);
        let row = stored.unwrap_or_else(|| self.failed_row());
        Some(ClipEnd {
            row,
            attempt: self.attempt.n,
            canceled: self.attempt.error_code.as_deref() == Some(CANCELED),
            late: false,
        })
    }

    /// Sends the attempt, as often as it is certainly not accepted, until the deadline.
    async fn submit(&mut self) -> Result<Result<(), NotMade>, Leave> {
        if let Err(not_made) = Box::pin(self.bring_inputs()).await? {
            return Ok(Err(not_made));
        }
        for tries in 0.. {
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
            let submitted = call::submit(self.shared, &self.submission).await;
            fail_point!("submit.reply");
            match submitted {
                Ok(id) => return self.accept(id).await,
                Err(ProviderError::Rejected(failure)) => return Ok(Err(NotMade::rejected(failure))),
                Err(ProviderError::Unavailable { retry_after_ms }) => {
                    self.attempt.state = AttemptState::Absent;
                    self.save().await?;
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

    /// Before anything is sent, so that a file that can't be had is nobody's fault but its customer's.
    async fn bring_inputs(&mut self) -> Result<Result<(), NotMade>, Leave> {
        let is_ready = self.submission.media.iter().all(|medium| medium.file.is_some());
        if is_ready || !self.shared.provider.abilities().needs_files {
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
    async fn accept(&mut self, id: UpstreamId) -> Result<Result<(), NotMade>, Leave> {
        self.attempt.state = AttemptState::Accepted;
        self.attempt.upstream_id = Some(id.0);
        self.attempt.accepted_at = Some(self.shared.context.app.clock.now());
        if !self.shared.save(&self.attempt, Some((JobState::Running, 0))).await? {
            tracing::error!("the provider gave an id that another attempt has");
            self.shared.context.tally.id_taken(self.shared.provider.name());
            self.attempt.upstream_id = None;
            let failure = Failure {
                code: FailureCode::Internal,
                message: "The provider's answer made no sense".into(),
            };
            return Ok(Err(NotMade { state: AttemptState::Broken, failure, canceled: false }));
        }
        fail_point!("submit.recorded");
        Ok(Ok(()))
    }

    /// Finds out what became of a submission whose answer nobody has: found, or proved absent and sent again under the same
    /// key.
    async fn reconcile(&mut self) -> Result<Result<(), NotMade>, Leave> {
        self.shared.advance(JobState::Reconciling, 0).await?;
        if self.inherited && self.shared.provider.abilities().reconcile != Reconcile::Keyed {
            self.wait_for_zombies().await?;
        }
        for tries in 0.. {
            match call::find(self.shared, &self.submission).await {
                Ok(Found::Accepted(id)) => return self.accept(id).await,
                Ok(Found::Absent) => return self.send_again().await,
                Ok(Found::Unsure) | Err(_) => self.back_off(tries, None).await?,
            }
        }
        Err(Leave::Deadline)
    }

    /// What was proved absent is sent again under its key. A provider that says so too often may be taking every one.
    async fn send_again(&mut self) -> Result<Result<(), NotMade>, Leave> {
        self.attempt.state = AttemptState::Absent;
        self.save().await?;
        fail_point!("reconcile.absent");
        self.lost += 1;
        if self.lost == MOST_LOST {
            return Ok(Err(NotMade::lost()));
        }
        self.back_off(self.lost, None).await?;
        Box::pin(self.submit()).await
    }

    /// An earlier owner may only have been slow: what it sent last has arrived after this time.
    async fn wait_for_zombies(&self) -> Result<(), Leave> {
        let limit = Duration::from_secs(u64::from(self.shared.context.app.config.heartbeat_limit_s));
        self.pause(limit + call::SUBMIT_TIMEOUT).await
    }

    /// Stores what was delivered. A provider that succeeded without our clip did not.
    async fn delivered(&mut self, clips: Vec<RemoteClip>) -> Result<ClipEnd, Leave> {
        let wanted = self.submission.clip;
        let Some(remote) = clips.into_iter().find(|remote| remote.index == wanted) else {
            let failure =
                Failure { code: FailureCode::Empty, message: "The provider delivered no clip".into() };
            return self.failed(NotMade::failed(failure)).await;
        };
        self.shared.clip_is_made().await?;
        fail_point!("poll.success");
        match store_clip(self.shared, &self.attempt, &remote).await? {
            Ok(row) => {
                fail_point!("store.kept");
                self.attempt.outcome = super::store::row_to_json(&row);
                self.end(AttemptState::Delivered).await?;
                self.count_cost(Fate::Delivered);
                Ok(ClipEnd { row, attempt: self.attempt.n, canceled: false, late: false })
            }
            Err(failure) => {
                self.note(&failure);
                self.end(AttemptState::Failed).await?;
                self.count_cost(Fate::Lost);
                Ok(ClipEnd { row: self.failed_row(), attempt: self.attempt.n, canceled: false, late: false })
            }
        }
    }

    async fn failed(&mut self, end: NotMade) -> Result<ClipEnd, Leave> {
        fail_point!("poll.verdict");
        self.shared.clip_is_made().await?;
        if end.canceled {
            self.attempt.error_code = Some(CANCELED.to_owned());
            self.attempt.error_message = Some(end.failure.message);
        } else {
            self.note(&end.failure);
        }
        self.end(end.state).await?;
        Ok(ClipEnd { row: self.failed_row(), attempt: self.attempt.n, canceled: end.canceled, late: false })
    }

    /// What was never sent says nothing about the provider.
    fn note(&mut self, failure: &Failure) {
        if self.attempt.sends > 0 {
            self.shared.context.tally.failed(self.shared.provider.name(), failure);
        }
        self.attempt.error_code = Some(failure.code.as_str().to_owned());
        self.attempt.error_message = Some(failure.message.clone());
    }

    fn count_cost(&self, fate: Fate) {
        let cost = self.attempt.cost_micro_usd;
        self.shared.context.tally.cost(self.shared.provider.name(), cost, fate);
    }

    async fn end(&mut self, state: AttemptState) -> Result<(), Leave> {
        self.attempt.state = state;
        self.attempt.ended_at = Some(self.shared.context.app.clock.now());
        self.save().await.map(|_| ())
    }

    async fn save(&self) -> Result<bool, Leave> {
        self.shared.save(&self.attempt, None).await
    }

    /// The row of a clip that its attempt did not deliver.
    fn failed_row(&self) -> clip::Model {
        clip::Model {
            task_id: self.attempt.task_id,
            idx: self.attempt.clip_from,
            state: ClipState::Failed,
            attempt_n: Some(self.attempt.n),
            storage_key: None,
            millis: None,
            bytes: None,
            width: None,
            height: None,
            sha256: None,
            error_code: self.attempt.error_code.clone().or_else(|| Some("generation_failed".into())),
            error_message: self.attempt.error_message.clone(),
        }
    }

    /// What becomes of a clip that was not made in time.
    fn too_late(&self) -> ClipEnd {
        let row = clip::Model {
            error_code: Some("expired".to_owned()),
            error_message: Some("Not finished within its deadline".to_owned()),
            ..self.failed_row()
        };
        ClipEnd { row, attempt: self.attempt.n, canceled: false, late: true }
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

impl NotMade {
    fn canceled() -> Self {
        let failure = Failure { code: FailureCode::Internal, message: "Canceled on request".into() };
        NotMade { state: AttemptState::Canceled, failure, canceled: true }
    }

    /// Without the customer's wish it is a failure like any other.
    fn canceled_by_provider() -> Self {
        let failure =
            Failure { code: FailureCode::Internal, message: "The provider stopped the generation".into() };
        NotMade { state: AttemptState::Canceled, failure, canceled: false }
    }

    fn failed(failure: Failure) -> Self {
        NotMade { state: AttemptState::Failed, failure, canceled: false }
    }

    fn lost() -> Self {
        let failure = Failure {
            code: FailureCode::Internal,
            message: "The provider did not receive the submission".into(),
        };
        NotMade { state: AttemptState::Absent, failure, canceled: false }
    }

    fn without_input(failure: Failure) -> Self {
        NotMade { state: AttemptState::Absent, failure, canceled: false }
    }

    fn rejected(failure: Failure) -> Self {
        NotMade { state: AttemptState::Rejected, failure, canceled: false }
    }
}

fn unclear(error: &ProviderError) -> AttemptState {
    match error {
        ProviderError::Broken(_) => AttemptState::Broken,
        _ => AttemptState::Unknown,
    }
}
