//! `external_task_id`: the sender's own name for a task, in place of its id. At Kling each name is good for one task.

use std::sync::Arc;

use entity::AccountId;
use poem::http::HeaderMap;

use super::super::accept::{Taken, accept};
use super::super::gateway::Folded;
use crate::app::App;
use crate::http::auth::{Caller, VideosWrite};
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::video::list::{Direction, Filter};
use crate::video::read::TaskView;

/// Stands before a name that serves as idempotency key where none was sent, so that one of two requests at once is refused.
/// No key of a sender's has a blank in it.
const NAMED: &str = "external_task_id ";
/// Tasks of one name that are looked at: other dialects give a name as often as they like.
const NAMESAKES_MAX: usize = 100;

/// The newest task of this name.
pub async fn find(app: &App, account: AccountId, name: &str) -> Result<Option<Arc<TaskView>>, ApiError> {
    Ok(named(app, account, name, 1).await?.into_iter().next())
}

async fn named(
    app: &App,
    account: AccountId,
    name: &str,
    limit: usize,
) -> Result<Vec<Arc<TaskView>>, ApiError> {
    // No task is named so, and PostgreSQL does not even compare it.
    if name.contains('\0') {
        return Ok(Vec::new());
    }
    let filter = Filter { external_id: Some(name.to_owned()), ..Filter::default() };
    Ok(app.video.tasks(account, &filter, None, (limit, Direction::Desc)).await?.tasks)
}

/// Accepts what was read, unless its name is that of another task.
pub async fn accept_once(
    app: &App,
    caller: &Caller<VideosWrite>,
    dialect: &'static str,
    key: IdempotencyKey,
    headers: &HeaderMap,
    folded: Folded,
) -> Result<Taken, ApiError> {
    let name = folded.request.external_task_id.clone().filter(|name| !name.chars().any(char::is_control));
    let Some(name) = name else { return accept(app, caller, dialect, key, headers, folded).await };
    let namesakes = named(app, caller.account, &name, NAMESAKES_MAX).await?;
    let is_again = key.0.is_some() && namesakes.iter().any(|view| view.task.idempotency_key == key.0);
    if !namesakes.is_empty() && !is_again {
        return Err(taken_before());
    }
    if key.0.is_some() {
        return accept(app, caller, dialect, key, headers, folded).await;
    }
    let key = IdempotencyKey(Some(format!("{NAMED}{name}")));
    match accept(app, caller, dialect, key, headers, folded).await {
        Ok(taken) if !taken.replayed => Ok(taken),
        Ok(_) | Err(ApiError::KeyReused | ApiError::TaskDeleted) => Err(taken_before()),
        refused => refused,
    }
}

fn taken_before() -> ApiError {
    ApiError::field(
        "external_task_id",
        "Is the name of another task of yours: read that one by it, or send another name",
    )
}
