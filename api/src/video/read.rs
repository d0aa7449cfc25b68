//! What a customer sees of tasks. Ownership is part of the query: somebody else's task is not found.
//!
//! One task and a page of them are loaded alike, set by set: the number of queries does not depend on how many there are.

use std::collections::HashMap;
use std::hash::Hash;

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
        Ok(load(self.db.read(), &[id], Some(account)).await?.pop())
    }

    /// A task that somebody shared by a link. The caller has checked that we signed the link for this very task.
    pub async fn shared_task(&self, id: TaskId) -> Result<Option<TaskView>, ReadError> {
        Ok(load(self.db.read(), &[id], None).await?.pop())
    }
}

/// Those of the tasks that are there and, with an owner, theirs; in the order of `ids`.
pub(super) async fn load(
    db: &impl ConnectionTrait,
    ids: &[TaskId],
    owner: Option<AccountId>,
) -> Result<Vec<TaskView>, ReadError> {
    // The jobs first: if one is gone by the time its task is read, the task has ended and says so.
    let jobs = job::Entity::find().filter(job::Column::TaskId.is_in(ids.iter().copied())).all(db).await?;
    let tasks = task::Entity::find()
        .filter(task::Column::Id.is_in(ids.iter().copied()))
        .apply_if(owner, |query, owner| query.filter(task::Column::AccountId.eq(owner)))
        .filter(task::Column::DeletedAt.is_null())
        .all(db)
        .await?;
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts = Parts::load(db, tasks.iter().map(|task| task.id).collect(), jobs).await?;
    let mut tasks = by_key(tasks, |task| task.id);
    let views = ids.iter().filter_map(|id| parts.view(tasks.remove(id)?)).collect::<Result<Vec<_>, _>>();
    Ok(views?)
}

/// What belongs to some tasks, by task.
struct Parts {
    jobs: HashMap<TaskId, job::Model>,
    holds: HashMap<TaskId, hold::Model>,
    requests: HashMap<TaskId, task_request::Model>,
    clips: HashMap<TaskId, Vec<clip::Model>>,
    attempts: HashMap<TaskId, Vec<attempt::Model>>,
}

impl Parts {
    async fn load(
        db: &impl ConnectionTrait,
        ids: Vec<TaskId>,
        jobs: Vec<job::Model>,
    ) -> Result<Parts, DbErr> {
        let of = || ids.iter().copied();
        let requests = task_request::Entity::find().filter(task_request::Column::TaskId.is_in(of()));
        let clips = clip::Entity::find()
            .filter(clip::Column::TaskId.is_in(of()))
            .order_by_asc(clip::Column::TaskId)
            .order_by_asc(clip::Column::Idx);
        let attempts = attempt::Entity::find()
            .filter(attempt::Column::TaskId.is_in(of()))
            .order_by_asc(attempt::Column::TaskId)
            .order_by_asc(attempt::Column::N);
        Ok(Parts {
            jobs: by_key(jobs, |job| job.task_id),
            holds: by_key(ledger::holds(db, &ids).await?, |hold| hold.task_id),
            requests: by_key(requests.all(db).await?, |request| request.task_id),
            clips: grouped(clips.all(db).await?, |clip| clip.task_id),
            attempts: grouped(attempts.all(db).await?, |attempt| attempt.task_id),
        })
    }

    fn view(&mut self, task: task::Model) -> Option<Result<TaskView, serde_json::Error>> {
        let (hold, request) = (self.holds.remove(&task.id)?, self.requests.remove(&task.id)?);
        let job = self.jobs.remove(&task.id);
        let clips = self.clips.remove(&task.id).unwrap_or_default();
        let attempts = self.attempts.remove(&task.id).unwrap_or_default();
        Some(view(task, hold, request, job, (clips, attempts)))
    }
}

fn view(
    task: task::Model,
    hold: hold::Model,
    request: task_request::Model,
    job: Option<job::Model>,
    (clips, attempts): (Vec<clip::Model>, Vec<attempt::Model>),
) -> Result<TaskView, serde_json::Error> {
    let state = State::of(task.state, job.as_ref().map(|job| job.state));
    let progress = match (&job, state) {
        (_, State::Completed) => 100,
        (Some(job), _) => u8::try_from(job.progress).unwrap_or(0),
        (None, _) => 0,
    };
    Ok(TaskView {
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
    })
}

fn by_key<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, T> {
    rows.into_iter().map(|row| (key(&row), row)).collect()
}

/// Keeps the order of the rows within each group.
fn grouped<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
