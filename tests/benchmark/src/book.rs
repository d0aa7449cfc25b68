//! What has to be true after every measurement: the books balance, and what was acknowledged is in them exactly once.

use std::collections::HashSet;

use anyhow::{Context, bail, ensure};
use entity::{TaskId, hold, task, transfer};
use reelmeter::app::App;
use reelmeter::ledger::check::{Scope, check};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

/// Ids of one look.
const CHUNK: usize = 5_000;

/// Fails unless the books are clean and each acknowledged task has one hold and one transfer that says so. At most
/// `unanswered` other tasks may be there.
pub async fn verify(app: &App, acknowledged: &[String], unanswered: usize) -> anyhow::Result<()> {
    let tasks: Vec<TaskId> =
        acknowledged.iter().map(|id| id.parse().ok().context("a task id")).collect::<anyhow::Result<_>>()?;
    let distinct: HashSet<TaskId> = tasks.iter().copied().collect();
    ensure!(distinct.len() == tasks.len(), "a task was acknowledged to two requests");
    verify_present(app, &tasks).await?;
    let all = task::Entity::find().count(app.db.read()).await?;
    let extra = all.saturating_sub(tasks.len() as u64);
    ensure!(extra <= unanswered as u64, "{extra} tasks are there that nobody was told of");
    clean(app).await
}

/// Fails unless the books are clean.
pub async fn clean(app: &App) -> anyhow::Result<()> {
    let report = check(&app.db, &app.chain, Scope::Everything).await?;
    match report.violations.first() {
        Some(first) => bail!("{} violations, the first: {first}", report.violations.len()),
        None => Ok(()),
    }
}

async fn verify_present(app: &App, tasks: &[TaskId]) -> anyhow::Result<()> {
    let db = app.db.read();
    for chunk in tasks.chunks(CHUNK) {
        let ids = || chunk.iter().copied();
        let wanted = chunk.len() as u64;
        let there = task::Entity::find().filter(task::Column::Id.is_in(ids())).count(db).await?;
        let held = hold::Entity::find().filter(hold::Column::TaskId.is_in(ids())).count(db).await?;
        let posted = transfer::Entity::find()
            .select_only()
            .column(transfer::Column::Seq)
            .filter(transfer::Column::TaskId.is_in(ids()))
            .filter(transfer::Column::Kind.eq(transfer::TransferKind::Hold))
            .count(db)
            .await?;
        ensure!(
            (there, held, posted) == (wanted, wanted, wanted),
            "of {wanted} acknowledged tasks {there} are there, with {held} holds and {posted} transfers"
        );
    }
    Ok(())
}
