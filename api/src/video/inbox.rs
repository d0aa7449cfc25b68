//! What providers tell us without being asked, kept before they are answered: whoever follows the task looks at it.

use entity::{TaskId, Timestamp, inbox, job};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
};
use sha2::{Digest, Sha256};

use super::Video;

/// More about one task is made up by somebody.
const PER_TASK_MAX: u64 = 256;

/// A callback, once it is known which attempt it is for.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub provider: String,
    pub task: TaskId,
    pub attempt: i64,
    /// Everything that was sent, as JSON.
    pub content: String,
}

impl Video {
    /// Keeps a callback. The same one again, and one of a task that has ended, changes nothing.
    pub async fn arrived(&self, arrived: Arrived) -> Result<(), DbErr> {
        let db = self.db.read();
        let is_live = job::Entity::find_by_id(arrived.task).one(db).await?.is_some();
        let kept = inbox::Entity::find().filter(inbox::Column::TaskId.eq(arrived.task)).count(db).await?;
        if !is_live || kept >= PER_TASK_MAX {
            tracing::debug!(task = %arrived.task, is_live, kept, "a callback is not kept");
            return Ok(());
        }
        let hash = hex::encode(&Sha256::digest(arrived.content.as_bytes())[..16]);
        let row = inbox::Model {
            source: arrived.provider,
            dedup_key: format!("{}-{}-{hash}", arrived.task, arrived.attempt),
            task_id: Some(arrived.task),
            attempt_n: Some(arrived.attempt),
            body: arrived.content,
            received_at: self.clock.now(),
            processed_at: None,
        };
        let once =
            OnConflict::columns([inbox::Column::Source, inbox::Column::DedupKey]).do_nothing().to_owned();
        let tx = self.db.begin().await?;
        inbox::Entity::insert(row.into_active_model()).on_conflict(once).exec_without_returning(&tx).await?;
        tx.commit().await
    }

    /// Callbacks that came too late are done with, and old ones are forgotten.
    pub async fn tidy_inbox(&self, older_than: Timestamp) -> Result<(), DbErr> {
        let live = job::Entity::find().select_only().column(job::Column::TaskId).into_query();
        let tx = self.db.begin().await?;
        inbox::Entity::update_many()
            .col_expr(inbox::Column::ProcessedAt, Expr::value(self.clock.now()))
            .filter(inbox::Column::ProcessedAt.is_null())
            .filter(inbox::Column::TaskId.not_in_subquery(live))
            .exec(&tx)
            .await?;
        inbox::Entity::delete_many().filter(inbox::Column::ReceivedAt.lt(older_than)).exec(&tx).await?;
        tx.commit().await
    }
}
