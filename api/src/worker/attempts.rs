//! The rows that say what is to be sent to whom.

use entity::attempt::AttemptState;
use entity::job::JobState;
use entity::{Mode, TaskId, Timestamp, attempt, job, task};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect,
};

use super::Context;
use super::dock::Dock;
use super::scribe::WriteError;

/// Intents for the clips that no attempt has tried yet: one attempt a clip.
pub fn missing(
    task: &task::Model,
    dock: &Dock,
    earlier: &[attempt::Model],
    now: Timestamp,
) -> Vec<attempt::Model> {
    let tried = |clip: i64| {
        earlier
            .iter()
            .any(|attempt| (attempt.clip_from..attempt.clip_from + attempt.clip_count).contains(&clip))
    };
    let next = earlier.iter().map(|attempt| attempt.n).max().unwrap_or(0) + 1;
    let clips = (0..task.clips).filter(|clip| !tried(*clip));
    let intent = |(n, clip)| intent((task.id, task.mode), dock, (n, clip), now);
    (next..).zip(clips).map(intent).collect()
}

fn intent(
    (task, mode): (TaskId, Mode),
    dock: &Dock,
    (n, clip): (i64, i64),
    now: Timestamp,
) -> attempt::Model {
    attempt::Model {
        task_id: task,
        n,
        mode,
        clip_from: clip,
        clip_count: 1,
        provider: dock.name().to_owned(),
        endpoint: dock.endpoint.id.clone(),
        submit_key: format!("{task}-{n}"),
        upstream_id: None,
        state: AttemptState::Intent,
        sends: 0,
        error_code: None,
        error_message: None,
        outcome: None,
        cost_micro_usd: None,
        created_at: now,
        accepted_at: None,
        ended_at: None,
    }
}

impl Context {
    /// Ends an attempt, and writes the intent of the one that takes its place, in one commit.
    pub async fn succeed(
        &self,
        ended: &attempt::Model,
        dock: &Dock,
        fence: i64,
    ) -> Result<attempt::Model, WriteError> {
        let now = self.app.clock.now();
        let tx = self.app.db.begin().await?;
        let mine =
            job::Entity::find_by_id(ended.task_id).filter(job::Column::Fence.eq(fence)).lock_exclusive();
        let Some(job) = mine.one(&tx).await? else { return Err(WriteError::Lost) };
        let last: Option<i64> = attempt::Entity::find()
            .select_only()
            .column_as(attempt::Column::N.max(), "n")
            .filter(attempt::Column::TaskId.eq(ended.task_id))
            .into_tuple()
            .one(&tx)
            .await?
            .flatten();
        let n = last.unwrap_or(ended.n) + 1;
        let next = intent((ended.task_id, ended.mode), dock, (n, ended.clip_from), now);
        ended.clone().into_active_model().reset_all().update(&tx).await?;
        attempt::Entity::insert(next.clone().into_active_model()).exec_without_returning(&tx).await?;
        let runs = attempt::Entity::find()
            .filter(attempt::Column::TaskId.eq(ended.task_id))
            .filter(attempt::Column::State.eq(AttemptState::Accepted))
            .count(&tx)
            .await?;
        // With several clips others may be running.
        let state = if runs > 0 { job.state } else { JobState::Submitting };
        job::Entity::update_many()
            .col_expr(job::Column::Provider, Expr::value(dock.name()))
            .col_expr(job::Column::Route, Expr::col(job::Column::Route).add(1))
            .col_expr(job::Column::State, Expr::value(state))
            .filter(job::Column::TaskId.eq(ended.task_id))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        self.app.news.tell([job.account_id]);
        Ok(next)
    }

    /// Keeps with an attempt what a provider delivered after the task had ended, for whoever compares their bills with our
    /// books. False when there is nothing to note: the job is another worker's, who hears of it as well.
    pub async fn note_late(&self, attempt: &attempt::Model) -> bool {
        match self.write_late(attempt).await {
            Ok(noted) => noted,
            Err(error) => {
                tracing::error!(%error, cost_micro_usd = attempt.cost_micro_usd, "a late delivery could not be noted");
                false
            }
        }
    }

    async fn write_late(&self, attempt: &attempt::Model) -> Result<bool, DbErr> {
        let tx = self.app.db.begin().await?;
        let noted = attempt::Entity::update_many()
            .col_expr(attempt::Column::CostMicroUsd, Expr::value(attempt.cost_micro_usd))
            .col_expr(attempt::Column::ErrorCode, Expr::value("too_late"))
            .col_expr(attempt::Column::ErrorMessage, Expr::value("Delivered after the task had ended"))
            .filter(attempt::Column::TaskId.eq(attempt.task_id))
            .filter(attempt::Column::N.eq(attempt.n))
            .filter(attempt::Column::State.eq(AttemptState::Abandoned))
            .filter(attempt::Column::ErrorCode.is_null())
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(noted.rows_affected > 0)
    }
}
