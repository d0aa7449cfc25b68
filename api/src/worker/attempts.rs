//! The rows that say what was sent to whom. Each write checks the fence first: a worker that lost its job changes nothing.

use entity::attempt::AttemptState;
use entity::job::JobState;
use entity::{TaskId, Timestamp, attempt, job, task};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, SqlErr,
};

use super::Context;

/// Why a worker's write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The job is somebody else's now, or settled.
    #[error("the job is no longer this worker's")]
    Lost,
    /// Another attempt has this upstream id already.
    #[error("the upstream id is taken by another attempt")]
    IdTaken,
    #[error(transparent)]
    Db(#[from] DbErr),
}

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
    /// Writes an attempt as it is now, if the job is still ours, and answers with the job as it is now.
    pub async fn save(&self, attempt: &attempt::Model, fence: i64) -> Result<job::Model, WriteError> {
        let tx = self.app.db.begin().await?;
        let job = fenced(&tx, attempt.task_id, fence).await?;
        let result = attempt.clone().into_active_model().reset_all().update(&tx).await;
        match result {
            Ok(_) => {
                tx.commit().await?;
                self.app.news.tell([job.account_id]);
                Ok(job)
            }
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                Err(WriteError::IdTaken)
            }
            Err(error) => Err(error.into()),
        }
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

    /// Writes how far a job is, if it is still ours. Progress never goes back.
    pub async fn advance(
        &self,
        task: TaskId,
        fence: i64,
        state: JobState,
        progress: i64,
    ) -> Result<(), WriteError> {
        let tx = self.app.db.begin().await?;
        let job = fenced(&tx, task, fence).await?;
        let (account, progress) = (job.account_id, progress.max(job.progress));
        let mut job = job.into_active_model();
        job.state = sea_orm::Set(state);
        job.progress = sea_orm::Set(progress);
        job.update(&tx).await?;
        tx.commit().await?;
        self.app.news.tell([account]);
        Ok(())
    }
}

/// Locks a job that is still ours.
async fn fenced(tx: &DatabaseTransaction, task: TaskId, fence: i64) -> Result<job::Model, WriteError> {
    let job = job::Entity::find_by_id(task).lock_exclusive().one(tx).await?;
    job.filter(|job| job.fence == fence).ok_or(WriteError::Lost)
}
