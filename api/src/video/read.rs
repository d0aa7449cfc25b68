//! What a customer sees of tasks. Ownership is part of the query: somebody else's task is not found.

use std::sync::Arc;

use entity::attempt::AttemptState;
use entity::hold::HoldState;
use entity::{AccountId, Credits, TaskId, attempt, clip, hold, task};
use sea_orm::DbErr;

use super::Video;
use super::price::Explanation;
use super::request::GenerateRequest;
use super::rules::Effective;
use super::state::State;

/// Everything there is to say about a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    pub state: State,
    /// Percent; 100 when it completed.
    pub progress: u8,
    pub cancel_requested: bool,
    pub task: task::Model,
    pub hold: hold::Model,
    pub terms: Arc<Terms>,
    /// In order; empty until the task has ended.
    pub clips: Vec<clip::Model>,
    /// In order.
    pub attempts: Vec<attempt::Model>,
}

/// What was asked and agreed. Never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    pub explanation: Explanation,
    /// As the customer asked.
    pub request: GenerateRequest,
    /// With every default filled in.
    pub effective: Effective,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error("what is stored of the task can't be read")]
    Stored(#[source] Arc<serde_json::Error>),
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        ReadError::Stored(Arc::new(error))
    }
}

impl TaskView {
    /// What the task costs: what is held until it ends, then what was captured.
    pub fn credits_used(&self) -> Credits {
        match self.hold.state {
            HoldState::Open => self.hold.amount,
            HoldState::Settled => self.hold.captured,
        }
    }

    /// The provider that made what was delivered, or that was tried last.
    pub fn provider(&self) -> Option<&str> {
        let delivered = self.attempts.iter().find(|attempt| attempt.state == AttemptState::Delivered);
        delivered.or(self.attempts.last()).map(|attempt| attempt.provider.as_str())
    }

    /// Whether everything came back.
    pub fn is_refunded(&self) -> bool {
        self.hold.state == HoldState::Settled && self.hold.captured == self.hold.refunded
    }
}

impl Video {
    /// A task of this account; `None` when there is none, when it is somebody else's, or when it was deleted.
    pub async fn task(&self, account: AccountId, id: TaskId) -> Result<Option<Arc<TaskView>>, ReadError> {
        self.views.of_account(account, id).await
    }

    /// A task that somebody shared by a link. The caller has checked that we signed the link for this very task.
    pub async fn shared_task(&self, id: TaskId) -> Result<Option<Arc<TaskView>>, ReadError> {
        self.views.of_anybody(id).await
    }
}
