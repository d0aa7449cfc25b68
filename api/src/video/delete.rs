//! Deleting a task that has ended: everything its customer said, and was told, is blanked in one commit.
//!
//! What stays are ids, keys, hashes and amounts: the books balance as before, a request that is repeated with its
//! idempotency key buys nothing twice, and streams of events can still be counted through. Storage is emptied after the
//! commit by the caller; what a crash leaves there, the sweeper finds.

use entity::delivery::DeliveryState;
use entity::task::TaskState;
use entity::{
    AccountId, TaskId, attempt, clip, delivery, event, inbox, task, task_input, task_metadata, task_request,
};
use sea_orm::sea_query::{CaseStatement, Expr};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use serde_json::json;

use super::Video;
use crate::media::{Variant, picture_key};

/// Why a task was not deleted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("no such task")]
    NoTask,
    #[error("the task has not ended")]
    NotEnded,
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl Video {
    /// Deletes a task of this account and answers with the keys of the objects that nobody needs any more.
    pub async fn delete(&self, account: AccountId, id: TaskId) -> Result<Vec<String>, DeleteError> {
        let tx = self.db.begin().await?;
        if !self.mark_deleted(&tx, account, id).await? {
            let there = task::Entity::find_by_id(id)
                .filter(task::Column::AccountId.eq(account))
                .filter(task::Column::DeletedAt.is_null());
            let there = there.one(&tx).await?;
            return Err(there.map_or(DeleteError::NoTask, |_| DeleteError::NotEnded));
        }
        blank_request(&tx, id).await?;
        blank_work(&tx, id).await?;
        blank_news(&tx, account, id).await?;
        let clips = clip::Entity::find().filter(clip::Column::TaskId.eq(id)).all(&tx).await?;
        tx.commit().await?;
        tracing::info!(task = %id, "deleted");
        let keys = clips.into_iter().filter_map(|clip| clip.storage_key);
        let with_pictures = |key: String| {
            let pictures =
                [Variant::Thumbnail, Variant::Spritesheet].map(|variant| picture_key(&key, variant));
            std::iter::once(key).chain(pictures)
        };
        Ok(keys.flat_map(with_pictures).collect())
    }

    /// False when there is nothing of theirs to delete, or not yet. The condition holds when the row is written, whatever
    /// the vault does meanwhile: it never writes a task again that has ended.
    async fn mark_deleted(
        &self,
        tx: &DatabaseTransaction,
        account: AccountId,
        id: TaskId,
    ) -> Result<bool, DbErr> {
        let marked = task::Entity::update_many()
            .col_expr(task::Column::DeletedAt, Expr::value(self.clock.now()))
            .col_expr(task::Column::ErrorMessage, null())
            .filter(task::Column::Id.eq(id))
            .filter(task::Column::AccountId.eq(account))
            .filter(task::Column::DeletedAt.is_null())
            .filter(task::Column::State.ne(TaskState::Live))
            .exec(tx)
            .await?;
        Ok(marked.rows_affected == 1)
    }
}

/// What was asked for.
async fn blank_request(tx: &DatabaseTransaction, id: TaskId) -> Result<(), DbErr> {
    task_request::Entity::update_many()
        .col_expr(task_request::Column::Request, Expr::value("{}"))
        .col_expr(task_request::Column::Effective, Expr::value("{}"))
        .col_expr(task_request::Column::Warnings, Expr::value("[]"))
        .filter(task_request::Column::TaskId.eq(id))
        .exec(tx)
        .await?;
    task_metadata::Entity::delete_many().filter(task_metadata::Column::TaskId.eq(id)).exec(tx).await?;
    task_input::Entity::delete_many().filter(task_input::Column::TaskId.eq(id)).exec(tx).await?;
    Ok(())
}

/// What providers said.
async fn blank_work(tx: &DatabaseTransaction, id: TaskId) -> Result<(), DbErr> {
    attempt::Entity::update_many()
        .col_expr(attempt::Column::ErrorMessage, null())
        .col_expr(attempt::Column::Outcome, null())
        .filter(attempt::Column::TaskId.eq(id))
        .exec(tx)
        .await?;
    clip::Entity::update_many()
        .col_expr(clip::Column::ErrorMessage, null())
        .filter(clip::Column::TaskId.eq(id))
        .exec(tx)
        .await?;
    inbox::Entity::update_many()
        .col_expr(inbox::Column::Body, Expr::value("{}"))
        .filter(inbox::Column::TaskId.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// What was told, and what is still to be told.
async fn blank_news(tx: &DatabaseTransaction, account: AccountId, id: TaskId) -> Result<(), DbErr> {
    use delivery::Column as D;
    let events =
        event::Entity::find().select_only().column(event::Column::N).filter(event::Column::TaskId.eq(id));
    let given_up = CaseStatement::new()
        .case(D::State.eq(DeliveryState::Pending), DeliveryState::Failed)
        .finally(Expr::col(D::State));
    delivery::Entity::update_many()
        .col_expr(D::State, given_up.into())
        .col_expr(D::Url, Expr::value(""))
        .col_expr(D::LastError, null())
        .filter(D::AccountId.eq(account))
        .filter(D::EventN.in_subquery(events.into_query()))
        .exec(tx)
        .await?;
    event::Entity::update_many()
        .col_expr(event::Column::Body, Expr::value(json!({ "taskId": id, "deleted": true }).to_string()))
        .filter(event::Column::TaskId.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

fn null() -> Expr {
    Expr::value(None::<String>)
}
