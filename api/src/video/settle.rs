//! USE CASE 2, settle: one lane command that captures what was delivered, gives back the rest and ends the task.
//!
//! Polls, callbacks, cancels, deadlines and operators all end here. The second one changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use entity::clip::ClipState;
use entity::{AccountId, Credits, TaskId, clip, task, task_request};
use sea_orm::{DbErr, Value};
use serde::Deserialize;
use tracing::Instrument;

use super::Video;
use super::price::{Explanation, settle_price};
use crate::db::lookup::Lookup;
use crate::db::{Db, bulk};
use crate::ledger::{Cancel, Command, Done, Outcome, Refund, Refusal, Settle, SettledBy};

/// How a task's work ended, before it is priced.
#[derive(Clone, Debug)]
pub enum Ending {
    /// Every clip is delivered or failed, and the rows say which. With none delivered the task failed.
    Made(Vec<clip::Model>),
    Failed {
        code: String,
        message: String,
    },
    Canceled,
    Expired,
}

#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error("no such task")]
    NoTask,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error("what is stored of the task can't be read")]
    Stored(#[from] serde_json::Error),
}

impl Video {
    /// Ends a task, whoever says so. Idempotent: the answer to a second call is what was recorded.
    pub async fn settle(&self, id: TaskId, by: SettledBy, ending: Ending) -> Result<Done, SettleError> {
        let span = tracing::debug_span!("settle", task = %id);
        self.end(id, by, ending).instrument(span).await
    }

    async fn end(&self, id: TaskId, by: SettledBy, ending: Ending) -> Result<Done, SettleError> {
        let Closing { task, callback_url } =
            self.closings.get(id).await?.map(Arc::unwrap_or_clone).ok_or(SettleError::NoTask)?;
        let account = task.account_id;
        let command = Settle { account, task: id, by, outcome: outcome(&task, ending)?, callback_url };
        Ok(self.ledger.send(Command::Settle(Box::new(command))).await?)
    }

    /// The customer's wish to stop a task of theirs.
    pub async fn cancel(&self, account: AccountId, id: TaskId) -> Result<Done, SettleError> {
        let closing = self.closings.get(id).await?;
        let callback_url = closing.and_then(|closing| closing.callback_url.clone());
        match self.ledger.send(Command::Cancel(Cancel { account, task: id, callback_url })).await {
            Err(Refusal::NoTask) => Err(SettleError::NoTask),
            answer => Ok(answer?),
        }
    }

    /// Gives captured credits of a task back, by a person's decision.
    pub async fn refund(
        &self,
        account: AccountId,
        task: TaskId,
        amount: Credits,
        reference: String,
    ) -> Result<Done, SettleError> {
        Ok(self.ledger.send(Command::Refund(Refund { account, task, amount, reference })).await?)
    }
}

/// What there is to know of a task when it ends.
#[derive(Clone, Debug)]
pub struct Closing {
    task: task::Model,
    /// Where to tell about it.
    callback_url: Option<String>,
}

/// The look-ups of tasks that end. Cheap to clone.
pub type Closings = Lookup<TaskId, Arc<Closing>>;

pub fn closings(db: Db) -> Closings {
    Lookup::new(move |ids| load(db.clone(), ids))
}

async fn load(db: Db, ids: Vec<TaskId>) -> Result<HashMap<TaskId, Arc<Closing>>, DbErr> {
    let mut reader = db.reader().await?;
    let keys = || ids.iter().map(|id| vec![Value::from(*id)]).collect::<Vec<_>>();
    let tasks = bulk::find::<task::Entity>(&mut reader, &[task::Column::Id], keys(), "").await?;
    let by = [task_request::Column::TaskId];
    let requests = bulk::find::<task_request::Entity>(&mut reader, &by, keys(), "").await?;
    let mut urls: HashMap<TaskId, String> =
        requests.into_iter().filter_map(|row| Some((row.task_id, callback_url(&row)?))).collect();
    let closing =
        |task: task::Model| (task.id, Arc::new(Closing { callback_url: urls.remove(&task.id), task }));
    Ok(tasks.into_iter().map(closing).collect())
}

fn callback_url(row: &task_request::Model) -> Option<String> {
    /// The one field of a request that is looked at.
    #[derive(Deserialize)]
    struct Asked {
        callback_url: Option<String>,
    }
    // Nobody's credits wait for a request that can't be read any more.
    serde_json::from_str::<Asked>(&row.request).map_or_else(
        |error| {
            tracing::error!(task = %row.task_id, %error, "the request can't be read: nobody is told how the task ended");
            None
        },
        |asked| asked.callback_url,
    )
}

fn outcome(task: &task::Model, ending: Ending) -> Result<Outcome, SettleError> {
    let clips = match ending {
        Ending::Made(clips) => clips,
        Ending::Failed { code, message } => return Ok(Outcome::Failed { code, message, clips: Vec::new() }),
        Ending::Canceled => return Ok(Outcome::Canceled),
        Ending::Expired => return Ok(Outcome::Expired),
    };
    if clips.iter().all(|clip| clip.state == ClipState::Failed) {
        let first = clips.first();
        let code =
            first.and_then(|clip| clip.error_code.clone()).unwrap_or_else(|| "generation_failed".into());
        let message =
            first.and_then(|clip| clip.error_message.clone()).unwrap_or_else(|| "No clip was made".into());
        return Ok(Outcome::Failed { code, message, clips });
    }
    let explanation: Explanation = serde_json::from_str(&task.explanation)?;
    let delivered: Vec<Option<u64>> =
        clips.iter().map(|clip| clip.millis.and_then(|millis| u64::try_from(millis).ok())).collect();
    let capture = settle_price(&explanation, &delivered).min(task.credits);
    Ok(Outcome::Delivered { capture, clips })
}
