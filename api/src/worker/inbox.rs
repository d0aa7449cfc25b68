//! What providers told us about this worker's jobs: each callback is judged once and makes its job's follower ask.

use std::collections::BTreeMap;

use entity::{attempt, inbox, job};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;

use super::Context;
use super::dock::Dock;
use crate::provider::{Callback, Heard};

/// Callbacks of one look.
const MOST: u64 = 256;

/// A callback as the front door kept it.
#[derive(Debug, Deserialize)]
struct Kept {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Looks for callbacks about the jobs that this worker follows.
pub async fn read(context: &Context) -> Result<(), DbErr> {
    let db = context.app.db.read();
    let mine = job::Entity::find()
        .select_only()
        .column(job::Column::TaskId)
        .filter(job::Column::Owner.eq(context.me));
    let unread = inbox::Entity::find()
        .filter(inbox::Column::ProcessedAt.is_null())
        .filter(inbox::Column::TaskId.in_subquery(sea_orm::QueryTrait::into_query(mine)))
        .order_by_asc(inbox::Column::ReceivedAt)
        .limit(MOST)
        .all(db)
        .await?;
    if unread.is_empty() {
        return Ok(());
    }
    let attempts = attempts_of(context, &unread).await?;
    for row in &unread {
        let attempt = attempts
            .iter()
            .find(|attempt| Some(attempt.task_id) == row.task_id && Some(attempt.n) == row.attempt_n);
        if let Some(attempt) = attempt {
            judge(context, row, attempt);
        }
    }
    mark(context, &unread).await
}

async fn attempts_of(context: &Context, unread: &[inbox::Model]) -> Result<Vec<attempt::Model>, DbErr> {
    let tasks = unread.iter().filter_map(|row| row.task_id);
    attempt::Entity::find().filter(attempt::Column::TaskId.is_in(tasks)).all(context.app.db.read()).await
}

fn judge(context: &Context, row: &inbox::Model, attempt: &attempt::Model) {
    let Some(dock) = Dock::of(&context.app.providers, &attempt.provider, &attempt.endpoint) else { return };
    let Ok(Kept { path, headers, body }) = serde_json::from_str(&row.body) else { return };
    let callback = Callback { path, headers, body, received_at: row.received_at.seconds() };
    match dock.provider().hear(&callback) {
        Heard::Forged => {
            tracing::warn!(task = %attempt.task_id, provider = dock.name(), "a callback is not from whom it says");
            context.tally.heard(dock.name(), "forged");
        }
        Heard::News(id) => {
            context.tally.heard(dock.name(), "news");
            context.mine.tell(attempt.task_id, attempt.n, id);
        }
    }
}

async fn mark(context: &Context, read: &[inbox::Model]) -> Result<(), DbErr> {
    let each = |row: &inbox::Model| {
        Condition::all()
            .add(inbox::Column::Source.eq(row.source.clone()))
            .add(inbox::Column::DedupKey.eq(row.dedup_key.clone()))
    };
    let these = read.iter().map(each).fold(Condition::any(), Condition::add);
    let tx = context.app.db.begin().await?;
    inbox::Entity::update_many()
        .col_expr(inbox::Column::ProcessedAt, Expr::value(context.app.clock.now()))
        .filter(these)
        .exec(&tx)
        .await?;
    tx.commit().await
}
