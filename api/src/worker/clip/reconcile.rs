//! Finding out what became of a submission whose answer nobody has.

use std::time::Duration;

use entity::attempt::AttemptState;
use entity::job::JobState;
use fail::fail_point;

use super::super::call;
use super::super::run::Leave;
use super::{Clip, NotMade};
use crate::provider::{Found, Lost, Reconcile};

/// Submissions that a provider may lose before the clip is given up.
const MOST_LOST: u32 = 5;
/// Seconds for which a submission is looked for in a list that proves nothing by what is not in it.
const LIST_PATIENCE_S: i64 = 600;
/// Seconds for which a callback is waited for that may carry the id.
const CALLBACK_PATIENCE_S: i64 = 300;
/// Seconds for which a submission is left alone that nothing will ever tell about.
const OPAQUE_PATIENCE_S: i64 = 30;

impl Clip<'_> {
    /// Finds out what became of a submission: found, or proved absent and sent again under the same key. What can't be found
    /// out is decided by the instance's policy.
    pub(super) async fn reconcile(&mut self) -> Result<Result<(), NotMade>, Leave> {
        let begun = self.shared.context.app.clock.now();
        self.sit_down();
        self.shared.advance(JobState::Reconciling, 0).await?;
        let by = self.dock.abilities().reconcile;
        if self.inherited && by != Reconcile::Keyed {
            self.wait_for_zombies().await?;
        }
        for tries in 0.. {
            let heard = self.shared.news.ids(self.attempt.n);
            let found = call::find((&self.shared.context, &self.dock), &self.submission, &heard).await;
            let leave_alone_ms = match found {
                Ok(Found::Accepted(id)) => return self.accept(id).await,
                Ok(Found::Absent) => return self.send_again().await,
                Ok(Found::Unsure) => None,
                Err(error) => error.retry_after_ms(),
            };
            let patience = match by {
                Reconcile::Keyed => None,
                Reconcile::Listable => Some(LIST_PATIENCE_S),
                Reconcile::Callback => Some(CALLBACK_PATIENCE_S),
                Reconcile::Opaque => Some(OPAQUE_PATIENCE_S),
            };
            let now = self.shared.context.app.clock.now();
            if patience.is_some_and(|seconds| now >= begun.plus_seconds(seconds)) {
                return Ok(Err(self.give_up().await));
            }
            tokio::select! {
                () = self.shared.news.come() => {}
                waited = self.back_off(tries, leave_alone_ms) => waited?,
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

    /// Nothing can tell: whatever it cost is our loss. Whether the clip is tried once more is the instance's policy.
    async fn give_up(&self) -> NotMade {
        let cost_micro_usd = self.expected_cost().await;
        tracing::error!(cost_micro_usd, "nobody can say what became of a submission: it may be billed to us");
        self.shared.context.tally.orphaned(self.dock.name(), cost_micro_usd);
        NotMade::orphaned(self.dock.instance.lost == Lost::Resubmit)
    }

    /// An earlier owner may only have been slow: what it sent last has arrived after this time.
    async fn wait_for_zombies(&self) -> Result<(), Leave> {
        let limit = Duration::from_secs(u64::from(self.shared.context.app.config.heartbeat_limit_s));
        self.pause(limit + call::SUBMIT_TIMEOUT).await
    }
}
