//! What happened to an account and its tasks, for those who follow it: events in order, and how far live tasks are.
//!
//! Only read here: an event is written by the vault, in the commit of what it tells of. An account's events are numbered
//! without gaps in the order in which they were committed, so whoever asks for what comes after a number misses none.

use entity::{AccountId, TaskId, event, job, task};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use serde_json::{Value, json};

use super::Video;
use super::read::ReadError;
use super::state::State;
use crate::ledger::read as ledger;

/// Tasks of an account whose progress is followed: its newest.
const FOLLOWED_TASKS: u64 = 100;

/// The numbers of an account's events that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `None` when all are forgotten, or there never was one.
    pub oldest: Option<i64>,
    /// The last one that was given, forgotten or not; 0 before the first.
    pub newest: i64,
}

/// How far a live task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub task: TaskId,
    pub state: State,
    /// Percent.
    pub progress: u8,
}

impl Step {
    /// Where every task begins, which its first event says already.
    pub fn first(task: TaskId) -> Step {
        Step { task, state: State::Queued, progress: 0 }
    }
}

impl Video {
    /// Up to `limit` events of an account after number `n`, in order; only those of one task, if one is named.
    pub async fn events_after(
        &self,
        account: AccountId,
        n: i64,
        task: Option<TaskId>,
        limit: u64,
    ) -> Result<Vec<event::Model>, ReadError> {
        let events = event::Entity::find()
            .filter(event::Column::AccountId.eq(account))
            .filter(event::Column::N.gt(n))
            .apply_if(task, |query, task| query.filter(event::Column::TaskId.eq(task)))
            .order_by_asc(event::Column::N)
            .limit(limit);
        Ok(events.all(self.db.read()).await?)
    }

    /// Which events of an account there are to read.
    pub async fn kept_events(&self, account: AccountId) -> Result<Kept, ReadError> {
        let oldest = self.events_after(account, 0, None, 1).await?.first().map(|event| event.n);
        let newest = ledger::account(self.db.read(), account).await?.map_or(0, |account| account.event_seq);
        Ok(Kept { oldest, newest })
    }

    /// How far one task of an account is, or its newest ones; those that have ended are left out.
    pub async fn steps(&self, account: AccountId, one: Option<TaskId>) -> Result<Vec<Step>, ReadError> {
        let newest = task::Entity::find()
            .select_only()
            .column(task::Column::Id)
            .filter(task::Column::AccountId.eq(account))
            .order_by_desc(task::Column::CreatedAt)
            .limit(FOLLOWED_TASKS);
        let jobs = job::Entity::find().filter(job::Column::AccountId.eq(account));
        let jobs = match one {
            Some(one) => jobs.filter(job::Column::TaskId.eq(one)),
            None => jobs.filter(job::Column::TaskId.in_subquery(newest.into_query())),
        };
        let jobs = jobs.order_by_asc(job::Column::TaskId).all(self.db.read()).await?;
        Ok(jobs.iter().map(step).collect())
    }
}

fn step(job: &job::Model) -> Step {
    Step {
        task: job.task_id,
        state: State::of(task::TaskState::Live, Some(job.state)),
        progress: u8::try_from(job.progress).unwrap_or(0),
    }
}

/// An event as it is told on streams of events.
pub fn told(event: &event::Model) -> Value {
    message(&event.r#type, event.at, event.task_id, body(event))
}

/// What was written of an event when it happened.
pub fn body(event: &event::Model) -> Value {
    serde_json::from_str(&event.body).unwrap_or_default()
}

/// The form in which something is told on streams of events.
pub fn message(kind: &str, at: entity::Timestamp, task: Option<TaskId>, data: Value) -> Value {
    let mut message = json!({ "type": kind, "timestamp": at });
    if let (Some(members), Some(task)) = (message.as_object_mut(), task) {
        members.insert("taskId".to_owned(), json!(task));
    }
    message["data"] = data;
    message
}

/// Whether an event of this type is the last one of its task.
pub fn ends_task(kind: &str) -> bool {
    ["video.completed", "video.failed", "video.canceled", "video.expired"].contains(&kind)
}

/// Whether an event of this type tells of money alone.
pub fn is_about_credits(kind: &str) -> bool {
    kind.starts_with("credits.")
}
