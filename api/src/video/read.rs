//! What a customer sees of a task. Ownership is part of the query: somebody else's task is not found.

use entity::hold::HoldState;
use entity::{AccountId, Credits, TaskId, attempt, clip, hold, job, task, task_request};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryTrait};

use super::Video;
use super::price::Explanation;
use super::request::GenerateRequest;
use super::rules::Effective;
use super::state::State;
use crate::ledger::read as ledger;

/// Everything there is to say about a task.
#[derive(Clone, Debug)]
pub struct TaskView {
    pub state: State,
    /// Percent; 100 when it completed.
    pub progress: u8,
    pub cancel_requested: bool,
    pub task: task::Model,
    pub hold: hold::Model,
    pub explanation: Explanation,
    /// As the customer asked.
    pub request: GenerateRequest,
    /// With every default filled in.
    pub effective: Effective,
    pub warnings: Vec<String>,
    /// In order; empty until the task has ended.
    pub clips: Vec<clip::Model>,
    /// In order.
    pub attempts: Vec<attempt::Model>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error("what is stored of the task can't be read")]
    Stored(#[from] serde_json::Error),
}

impl TaskView {
    /// What the task costs: what is held until it ends, then what was captured.
    pub fn credits_used(&self) -> Credits {
        match self.hold.state {
            HoldState::Open => self.hold.amount,
            HoldState::Settled => self.hold.captured,
        }
    }

    /// Whether everything came back.
    pub fn is_refunded(&self) -> bool {
        self.hold.state == HoldState::Settled && self.hold.captured == self.hold.refunded
    }
}

impl Video {
    /// A task of this account; `None` when there is none, when it is somebody else's, or when it was deleted.
    pub async fn task(&self, account: AccountId, id: TaskId) -> Result<Option<TaskView>, ReadError> {
        self.find(id, Some(account)).await
    }

    /// A task that somebody shared by a link. The caller has checked that we signed the link for this very task.
    pub async fn shared_task(&self, id: TaskId) -> Result<Option<TaskView>, ReadError> {
        self.find(id, None).await
    }

    async fn find(&self, id: TaskId, owner: Option<AccountId>) -> Result<Option<TaskView>, ReadError> {
        let db = self.db.read();
        // The job first: if it is gone by the time the task is read, the task has ended and says so.
        let job = job::Entity::find_by_id(id).one(db).await?;
        let task = task::Entity::find_by_id(id)
            .apply_if(owner, |query, owner| query.filter(task::Column::AccountId.eq(owner)))
            .filter(task::Column::DeletedAt.is_null())
            .one(db)
            .await?;
        match task {
            Some(task) => view(db, task, job).await,
            None => Ok(None),
        }
    }
}

async fn view(
    db: &impl ConnectionTrait,
    task: task::Model,
    job: Option<job::Model>,
) -> Result<Option<TaskView>, ReadError> {
    let hold = ledger::hold(db, task.id).await?;
    let request = task_request::Entity::find_by_id(task.id).one(db).await?;
    let (Some(hold), Some(request)) = (hold, request) else { return Ok(None) };
    let clips = clip::Entity::find()
        .filter(clip::Column::TaskId.eq(task.id))
        .order_by_asc(clip::Column::Idx)
        .all(db)
        .await?;
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::TaskId.eq(task.id))
        .order_by_asc(attempt::Column::N)
        .all(db)
        .await?;
    let state = State::of(task.state, job.as_ref().map(|job| job.state));
    let progress = match (&job, state) {
        (_, State::Completed) => 100,
        (Some(job), _) => u8::try_from(job.progress).unwrap_or(0),
        (None, _) => 0,
    };
    Ok(Some(TaskView {
        state,
        progress,
        cancel_requested: job.is_some_and(|job| job.cancel_at.is_some()),
        explanation: serde_json::from_str(&task.explanation)?,
        request: serde_json::from_str(&request.request)?,
        effective: serde_json::from_str(&request.effective)?,
        warnings: serde_json::from_str(&request.warnings)?,
        task,
        hold,
        clips,
        attempts,
    }))
}
