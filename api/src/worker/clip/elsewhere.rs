//! What one provider did not make may be made by another, at the price that was quoted; and what was lost, once more.

use std::collections::BTreeSet;

use entity::attempt::{self, AttemptState};
use entity::{task, task_request};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::super::choice::Order;
use super::super::dock::Dock;
use super::super::run::Leave;
use super::super::scribe::WriteError;
use super::super::submission;
use super::end::{Next, ORPHANED};
use super::{Clip, NotMade};
use crate::provider::{Cost, FailureCode, Submission};

/// What is stored of a clip's task, for a decision that is seldom made.
struct Stored {
    task: task::Model,
    request: task_request::Model,
    order: Order,
    /// Of this clip.
    attempts: Vec<attempt::Model>,
}

impl Stored {
    /// Providers that are not asked again, this one among them.
    fn tried(&self) -> BTreeSet<&str> {
        self.attempts.iter().map(|attempt| attempt.provider.as_str()).collect()
    }

    /// Keys of a provider that are not tried again.
    fn tried_keys(&self, provider: &str) -> BTreeSet<&str> {
        let there = self.attempts.iter().filter(|attempt| attempt.provider == provider);
        there.map(|attempt| attempt.endpoint.as_str()).collect()
    }

    /// Whether the clip failed at a provider before, for no reason that it told: it is tried once more, not for ever.
    fn has_failed(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.state == AttemptState::Failed)
    }

    fn was_orphaned(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.error_code.as_deref() == Some(ORPHANED))
    }
}

/// What is wrong with one key of a provider and may not be with another.
fn is_of_key(code: FailureCode) -> bool {
    matches!(code, FailureCode::Auth | FailureCode::Balance | FailureCode::RateLimited)
}

impl Clip<'_> {
    /// Goes on with another attempt, if there is a place for one. Otherwise that is how the clip ended.
    pub(super) async fn go_elsewhere(&mut self, not_made: NotMade) -> Result<Result<(), NotMade>, Leave> {
        if not_made.next == Next::Nothing || self.shared.cancel.is_cancelled() || self.is_late() {
            return Ok(Err(not_made));
        }
        let stored = match self.stored().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "what is stored of the task can't be read: the clip is not tried elsewhere");
                return Ok(Err(not_made));
            }
        };
        let Some(dock) = self.next_dock(&stored, &not_made).await else { return Ok(Err(not_made)) };
        tracing::info!(
            from = self.dock.name(),
            to = dock.name(),
            class = not_made.failure.code.class(),
            "goes on elsewhere"
        );
        self.shared.context.tally.went_elsewhere(self.dock.name(), not_made.failure.code.class());
        self.note(&not_made);
        self.attempt.ended_at = Some(self.shared.context.app.clock.now());
        let attempt = self.written(&dock).await?;
        self.take_up(&stored, attempt, dock)?;
        Ok(Ok(()))
    }

    async fn next_dock(&self, stored: &Stored, not_made: &NotMade) -> Option<Dock> {
        let context = &self.shared.context;
        let choosing = context.choosing().await.ok()?;
        match not_made.next {
            Next::Nothing => None,
            // What was lost goes to the same place: only there is it known to be makeable at this price.
            Next::Again => (!stored.was_orphaned()).then(|| self.dock.clone()),
            // Another key of the same account's provider may have what this one lacks.
            Next::Another if is_of_key(not_made.failure.code) => {
                let keys = stored.tried_keys(self.dock.name());
                let other = context.other_key(&choosing, &self.dock, &keys);
                other.or_else(|| context.next_dock(&choosing, &stored.task, &stored.order, &stored.tried()))
            }
            Next::Another => {
                let once = not_made.failure.code == FailureCode::Internal;
                let may = !(once && stored.has_failed());
                may.then(|| context.next_dock(&choosing, &stored.task, &stored.order, &stored.tried()))?
            }
        }
    }

    /// Whether somebody else could be asked instead of waiting here.
    pub(super) async fn has_another(&self, code: FailureCode) -> bool {
        let not_made = NotMade::not_accepted(crate::provider::Failure::new(code, ""));
        match self.stored().await {
            Ok(stored) => {
                self.next_dock(&stored, &not_made).await.is_some_and(|dock| !dock.is_same(&self.dock))
            }
            Err(_) => false,
        }
    }

    /// What this attempt may cost us by the price book, in millionths of a US dollar.
    pub(super) async fn expected_cost(&self) -> Option<i64> {
        let (stored, choosing) = (self.stored().await.ok()?, self.shared.context.choosing().await.ok()?);
        choosing.cost_micro_usd(&stored.order, self.dock.name())
    }

    /// What the provider told of its cost, in millionths of a US dollar; `None` for units that no cost card has a price of.
    pub(super) async fn in_micro_usd(&self, cost: Option<Cost>) -> Option<i64> {
        let cost = cost?;
        if let Cost::MicroUsd(cost) = cost {
            return Some(cost);
        }
        let (stored, choosing) = (self.stored().await.ok()?, self.shared.context.choosing().await.ok()?);
        choosing.charged_micro_usd(&stored.order, self.dock.name(), cost)
    }

    async fn stored(&self) -> anyhow::Result<Stored> {
        let (db, id) = (self.shared.context.app.db.read(), self.attempt.task_id);
        let gone = || DbErr::RecordNotFound(id.to_string());
        let task = task::Entity::find_by_id(id).one(db).await?.ok_or_else(gone)?;
        let request = task_request::Entity::find_by_id(id).one(db).await?.ok_or_else(gone)?;
        let attempts = attempt::Entity::find()
            .filter(attempt::Column::TaskId.eq(id))
            .filter(attempt::Column::ClipFrom.eq(self.attempt.clip_from))
            .all(db)
            .await?;
        Ok(Stored { order: Order::of(&request)?, task, request, attempts })
    }

    /// Ends this attempt and writes the next one, however long the database is away.
    async fn written(&self, dock: &Dock) -> Result<attempt::Model, Leave> {
        for tries in 0.. {
            match self.shared.context.succeed(&self.attempt, dock, self.shared.fence).await {
                Ok(attempt) => return Ok(attempt),
                Err(WriteError::Lost) => return Err(Leave::Lost),
                Err(error) => tracing::warn!(%error, "the next attempt is written again"),
            }
            self.back_off(tries, None).await?;
        }
        Err(Leave::Deadline)
    }

    /// Nothing is sent of a request that can't be read any more: whoever takes the job over says so.
    fn take_up(&mut self, stored: &Stored, attempt: attempt::Model, dock: Dock) -> Result<(), Leave> {
        let app = &self.shared.context.app;
        let submission =
            submission::build(app, &stored.task, &stored.request, &attempt).map_err(|error| {
                tracing::error!(%error, "the request can't be read");
                Leave::Lost
            })?;
        // Files are at hand already, if any were needed before.
        let media = std::mem::take(&mut self.submission.media);
        self.submission = Submission { media, ..submission };
        (self.attempt, self.dock, self.inherited) = (attempt, dock, false);
        Ok(())
    }
}
