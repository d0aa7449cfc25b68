//! Waiting for a task before it is answered.

use std::sync::Arc;
use std::time::Duration;

use entity::{AccountId, TaskId};
use tokio::time::{Instant, sleep_until};

use super::prefer::Wait;
use crate::app::App;
use crate::http::error::ApiError;
use crate::news::Listener;
use crate::video::read::TaskView;

/// Somebody who waits, and the place that they take. Made before what they wait for is asked for, so that no news is missed.
#[derive(Debug)]
pub struct Waiter {
    listener: Listener,
    wait: Duration,
}

impl Waiter {
    /// `None` when too many of the account wait already.
    pub fn new(app: &App, account: AccountId, wait: Wait) -> Option<Waiter> {
        Waiter::lasting(app, account, wait.duration())
    }

    /// The same for as long as a dialect of its own lets its callers wait.
    pub fn lasting(app: &App, account: AccountId, wait: Duration) -> Option<Waiter> {
        app.news.listen(account).map(|listener| Waiter { listener, wait })
    }

    /// The value of `Preference-Applied`.
    pub fn applied(&self) -> String {
        format!("wait={}", self.wait.as_secs())
    }

    /// The task once `is_done` says so of it, or as it is when the time is over or the process stops.
    pub async fn task(
        mut self,
        app: &App,
        account: AccountId,
        id: TaskId,
        is_done: impl Fn(&TaskView) -> bool + Send,
    ) -> Result<Arc<TaskView>, ApiError> {
        let end = Instant::now() + self.wait;
        let mut is_over = false;
        loop {
            let view = find(app, account, id).await?;
            if is_over || is_done(&view) {
                return Ok(view);
            }
            is_over = tokio::select! {
                () = app.stopping.cancelled() => true,
                () = sleep_until(end) => true,
                () = self.listener.look() => false,
            };
        }
    }
}

/// A task of this account.
pub async fn find(app: &App, account: AccountId, id: TaskId) -> Result<Arc<TaskView>, ApiError> {
    app.video.task(account, id).await?.ok_or(ApiError::TaskNotFound)
}
