//! The rows that say what is to be sent to whom.

use entity::attempt::AttemptState;
use entity::{Timestamp, attempt, job, task};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::Context;

/// Intents for the clips that no attempt has tried yet: one attempt a clip.
pub fn missing(
    task: &task::Model,
    job: &job::Model,
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
    (next..).zip(clips).map(|(n, clip)| intent(task, job, n, clip, now)).collect()
}

fn intent(task: &task::Model, job: &job::Model, n: i64, clip: i64, now: Timestamp) -> attempt::Model {
    attempt::Model {
        task_id: task.id,
        n,
        mode: task.mode,
        clip_from: clip,
        clip_count: 1,
        provider: job.provider.clone(),
        endpoint: "default".to_owned(),
        submit_key: format!("{}-{n}", task.id),
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
