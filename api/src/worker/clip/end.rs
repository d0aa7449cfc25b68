//! How an attempt ends, and what is told of it: to customers in our words, to operators in theirs.

use entity::attempt::AttemptState;
use entity::clip::{self, ClipState};
use fail::fail_point;
use futures_util::future::BoxFuture;

use super::super::run::Leave;
use super::super::store::{row_to_json, store_clip};
use super::super::tally::Fate;
use super::{CANCELED, Clip, ClipEnd};
use crate::provider::{Failure, FailureCode, Progress, RemoteClip, UpstreamId};

/// Error code of an attempt that was given up without knowing what became of it.
pub const ORPHANED: &str = "orphaned";

/// Why an attempt did not make its clip.
#[derive(Debug)]
pub struct NotMade {
    pub state: AttemptState,
    pub failure: Failure,
    pub canceled: bool,
    pub next: Next,
    is_orphan: bool,
}

/// What may be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    /// Another provider may make it.
    Another,
    /// The same provider, once more.
    Again,
}

impl NotMade {
    fn of(state: AttemptState, failure: Failure) -> Self {
        NotMade { state, failure, canceled: false, next: Next::Nothing, is_orphan: false }
    }

    pub fn canceled() -> Self {
        let failure =
            Failure { message: "Canceled on request".into(), ..Failure::new(FailureCode::Internal, "") };
        NotMade { canceled: true, ..NotMade::of(AttemptState::Canceled, failure) }
    }

    /// Without the customer's wish it is a failure like any other.
    pub fn canceled_by_provider() -> Self {
        let failure = Failure {
            message: "The provider stopped the generation".into(),
            ..Failure::new(FailureCode::Internal, "canceled upstream")
        };
        NotMade { next: Next::Another, ..NotMade::of(AttemptState::Canceled, failure) }
    }

    /// The provider's verdict on what it had accepted.
    pub fn failed(failure: Failure) -> Self {
        let next = match failure.code {
            FailureCode::Internal | FailureCode::Expired | FailureCode::Timeout => Next::Another,
            code if code.is_upstream_fault() => Next::Another,
            _ => Next::Nothing,
        };
        NotMade { next, ..NotMade::of(AttemptState::Failed, failure) }
    }

    /// A refusal of the submission.
    pub fn rejected(failure: Failure) -> Self {
        let is_theirs = failure.code.is_upstream_fault() || failure.code == FailureCode::Unsupported;
        let next = if is_theirs { Next::Another } else { Next::Nothing };
        NotMade { next, ..NotMade::of(AttemptState::Rejected, failure) }
    }

    /// Not accepted for certain, and not waited for any longer.
    pub fn not_accepted(failure: Failure) -> Self {
        NotMade { next: Next::Another, ..NotMade::of(AttemptState::Absent, failure) }
    }

    pub fn lost() -> Self {
        let failure = Failure {
            message: "The provider did not receive the submission".into(),
            ..Failure::new(FailureCode::Internal, "lost again and again")
        };
        NotMade::of(AttemptState::Absent, failure)
    }

    pub fn orphaned(again: bool) -> Self {
        let failure = Failure {
            message: "The provider did not answer".into(),
            ..Failure::new(FailureCode::Internal, "nobody can say what became of it")
        };
        let next = if again { Next::Again } else { Next::Nothing };
        NotMade { next, is_orphan: true, ..NotMade::of(AttemptState::Abandoned, failure) }
    }

    pub fn without_input(failure: Failure) -> Self {
        NotMade::of(AttemptState::Absent, failure)
    }

    pub fn broken() -> Self {
        let failure = Failure {
            message: "The provider's answer made no sense".into(),
            ..Failure::new(FailureCode::Internal, "an id that another attempt has")
        };
        NotMade::of(AttemptState::Broken, failure)
    }
}

impl Clip<'_> {
    /// Stores what was delivered. A provider that succeeded without our clip did not.
    pub(super) async fn delivered(
        &mut self,
        clips: Vec<RemoteClip>,
    ) -> Result<Result<ClipEnd, NotMade>, Leave> {
        let Some(remote) = self.ours(clips) else {
            return Ok(Err(NotMade::failed(Failure::new(FailureCode::Empty, "no clip"))));
        };
        self.shared.clip_is_made().await?;
        fail_point!("poll.success");
        let ask_again = || -> BoxFuture<'_, _> { Box::pin(self.ask_again()) };
        let stored = store_clip(self.shared, &self.attempt, remote, ask_again).await?;
        match stored {
            Ok(row) => {
                fail_point!("store.kept");
                self.attempt.outcome = row_to_json(&row);
                self.end(AttemptState::Delivered).await?;
                self.count_cost(Fate::Delivered);
                Ok(Ok(ClipEnd { row, attempt: self.attempt.n, canceled: false, late: false }))
            }
            Err(failure) => {
                let not_made = NotMade::of(AttemptState::Failed, failure);
                self.note(&not_made);
                self.end(AttemptState::Failed).await?;
                self.count_cost(Fate::Lost);
                let row = self.failed_row(&not_made.failure);
                Ok(Ok(ClipEnd { row, attempt: self.attempt.n, canceled: false, late: false }))
            }
        }
    }

    fn ours(&self, clips: Vec<RemoteClip>) -> Option<RemoteClip> {
        clips.into_iter().find(|remote| remote.index == self.submission.clip)
    }

    /// The clip as it is told now: addresses of clips grow old.
    async fn ask_again(&self) -> Option<RemoteClip> {
        let id = UpstreamId(self.attempt.upstream_id.clone()?);
        match self.poll(&id).await {
            Ok(Ok(Progress::Succeeded { clips, .. })) => self.ours(clips),
            _ => None,
        }
    }

    pub(super) async fn failed(&mut self, end: NotMade) -> Result<ClipEnd, Leave> {
        fail_point!("poll.verdict");
        self.shared.clip_is_made().await?;
        self.note(&end);
        self.end(end.state).await?;
        let row = self.failed_row(&end.failure);
        Ok(ClipEnd { row, attempt: self.attempt.n, canceled: end.canceled, late: false })
    }

    /// What was never sent says nothing about the provider.
    pub(super) fn note(&mut self, end: &NotMade) {
        let name = self.dock.name();
        if self.attempt.sends > 0 && !end.canceled {
            self.shared.context.tally.failed(name, &end.failure);
        }
        let code = match end {
            NotMade { canceled: true, .. } => CANCELED,
            NotMade { is_orphan: true, .. } => ORPHANED,
            _ => end.failure.code.class(),
        };
        let Failure { message, detail, .. } = &end.failure;
        let message = detail.clone().unwrap_or_else(|| message.clone());
        self.attempt.state = end.state;
        self.attempt.error_code = Some(code.to_owned());
        self.attempt.error_message = Some(message);
    }

    pub(super) fn count_cost(&self, fate: Fate) {
        self.shared.context.tally.cost(self.dock.name(), self.attempt.cost_micro_usd, fate);
    }

    async fn end(&mut self, state: AttemptState) -> Result<(), Leave> {
        self.attempt.state = state;
        self.attempt.ended_at = Some(self.shared.context.app.clock.now());
        self.save().await.map(|_| ())
    }

    /// The row of a clip that its attempt did not deliver.
    pub(super) fn failed_row(&self, failure: &Failure) -> clip::Model {
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
            error_code: Some(failure.code.as_str().to_owned()),
            error_message: Some(failure.message.clone()),
        }
    }

    /// What becomes of a clip that was not made in time.
    pub(super) fn too_late(&self) -> ClipEnd {
        let row = clip::Model {
            error_code: Some("expired".to_owned()),
            error_message: Some("Not finished within its deadline".to_owned()),
            ..self.failed_row(&Failure::new(FailureCode::Timeout, ""))
        };
        ClipEnd { row, attempt: self.attempt.n, canceled: false, late: true }
    }
}
