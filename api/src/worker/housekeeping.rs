//! What has to happen because time passes: deadlines, expiring grants, promotions that are owed, old events, uploads that are
//! over, objects that nobody points to, and the hourly root over the journal's chains.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::delivery::DeliveryState;
use entity::job::JobState;
use entity::{AccountId, TaskId, attempt, clip, delivery, event, job, task};
use futures_util::StreamExt;
use futures_util::future::join_all;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use tokio_util::sync::CancellationToken;

use super::{Context, claim, pause, scratch, uploads};
use crate::customer::promotion::Cashier;
use crate::ledger::check::{Scope, check};
use crate::ledger::{Command, SettledBy, audit, read};
use crate::media::clip_of;
use crate::provider::FailureCode;
use crate::video::settle::Ending;

/// Soon after the start, because a process that died before may have left something.
const FIRST: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_secs(10);
/// Rounds between two runs of what is not urgent: an hour.
const HOURLY: u64 = 360;
/// A task whose worker did not expire it in time is expired from here, so many seconds later: a worker asks upstream twice
/// and tells them to stop before it does, and may be in its longest pause.
const DEADLINE_GRACE_SECONDS: i64 = 150;
/// A task whose clip is made but still not stored, so many seconds after the deadline, is given up: it is our loss.
const STORING_GRACE_SECONDS: i64 = 7_200;
const PAGE: u64 = 500;
/// How long events can be read, in days.
const EVENT_DAYS: i64 = 30;
/// An object younger than this may belong to a task that is about to be settled, in seconds.
pub const ORPHAN_AGE_SECONDS: i64 = 6 * 3_600;
/// Where clips lie in storage.
const CLIPS: &str = "clips/";

pub async fn run(context: Context, stop: CancellationToken) {
    let mut round: u64 = 0;
    while pause(if round == 0 { FIRST } else { EVERY }, &stop).await {
        report("orphans", claim::free_orphans(&context).await.map_err(Into::into));
        report("deadlines", expire_tasks(&context).await);
        report("storing", give_up_storing(&context).await);
        report("grants", expire_grants(&context).await);
        report("promotions", give_promotions(&context).await);
        report("uploads", uploads::sweep(&context).await);
        let (db, now) = (&context.app.db, context.app.clock.now());
        report("book deltas", audit::compact_deltas(db, now).await.map_err(Into::into));
        if round.is_multiple_of(HOURLY) {
            report("check", check_books(&context).await);
            report("audit root", audit::write_root(db, now).await.map_err(Into::into));
            report("events", forget_events(&context).await);
            report("inbox", tidy_inbox(&context).await);
            report("sessions", context.app.reception.tidy_up().await.map_err(Into::into));
            report("objects", sweep_objects(&context).await);
            report("lost uploads", uploads::sweep_objects(&context).await);
            report("scratch", scratch::sweep(&context).await);
        }
        round += 1;
    }
}

fn report(what: &str, result: anyhow::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, what, "housekeeping did not get through");
    }
}

/// Ends tasks whose time is over and whose worker did not: it died, or there never was one with room. Not while storing:
/// the clip exists by then.
pub async fn expire_tasks(context: &Context) -> anyhow::Result<()> {
    let not_storing = job::Column::State.ne(JobState::Storing);
    end_all(context, overdue(context, not_storing, DEADLINE_GRACE_SECONDS).await?, &Ending::Expired).await;
    Ok(())
}

/// Ends tasks whose clips nobody gets stored, so that no hold stays open for ever: the customer pays nothing.
async fn give_up_storing(context: &Context) -> anyhow::Result<()> {
    let tasks = overdue(context, job::Column::State.eq(JobState::Storing), STORING_GRACE_SECONDS).await?;
    for task in &tasks {
        tracing::error!(%task, "the task's clips are made but were not stored in time; it is given up");
    }
    let code = FailureCode::Storage.as_str().to_owned();
    end_all(context, tasks, &Ending::Failed { code, message: "The clip could not be stored".into() }).await;
    Ok(())
}

async fn overdue(context: &Context, state: Expr, grace_seconds: i64) -> Result<Vec<TaskId>, DbErr> {
    let late = context.app.clock.now().plus_seconds(-grace_seconds);
    job::Entity::find()
        .select_only()
        .column(job::Column::TaskId)
        .filter(job::Column::DeadlineAt.lt(late))
        .filter(state)
        .order_by_asc(job::Column::DeadlineAt)
        .limit(PAGE)
        .into_tuple()
        .all(context.app.db.read())
        .await
}

/// Ends every one of them that can be ended: one that can't keeps no other waiting.
async fn end_all(context: &Context, tasks: Vec<TaskId>, ending: &Ending) {
    let end = async |task: TaskId| {
        if let Err(error) = context.app.video.settle(task, SettledBy::Operator, ending.clone()).await {
            tracing::error!(%task, %error, "a task whose time is over could not be ended");
        }
    };
    join_all(tasks.into_iter().map(end)).await;
}

/// The lane expires what is over whenever it touches an account; this touches the accounts that nobody else does.
async fn expire_grants(context: &Context) -> anyhow::Result<()> {
    let accounts = read::overdue(context.app.db.read(), context.app.clock.now(), PAGE).await?;
    let expire = async |account: AccountId| {
        if let Err(error) = context.app.ledger.send(Command::Expire(account)).await {
            tracing::error!(%account, %error, "credits whose time is over could not be expired");
        }
    };
    // All at once, so that the lane takes them in one batch.
    join_all(accounts.into_iter().map(expire)).await;
    Ok(())
}

/// Promotions that were redeemed and whose credits were not booked: a process died in between.
async fn give_promotions(context: &Context) -> anyhow::Result<()> {
    let app = &context.app;
    Ok(Cashier { db: &app.db, ledger: &app.ledger, clock: &app.clock }.give_owed().await?)
}

/// Proves the accounts that moved since the last time; the whole book is for `reelmeter admin check`.
async fn check_books(context: &Context) -> anyhow::Result<()> {
    let since = context.app.clock.now().plus_seconds(-2 * 3_600);
    let checked = check(&context.app.db, &context.app.chain, Scope::Changed { since }).await?;
    context.tally.books_checked(checked.violations.len());
    for violation in &checked.violations {
        tracing::error!(%violation, "the books do not balance");
    }
    Ok(())
}

/// Events, and the webhooks that told of them.
async fn forget_events(context: &Context) -> anyhow::Result<()> {
    let old = context.app.clock.now().plus_seconds(-EVENT_DAYS * 86_400);
    let tx = context.app.db.begin().await?;
    event::Entity::delete_many().filter(event::Column::At.lt(old)).exec(&tx).await?;
    let done = delivery::Column::CreatedAt.lt(old).and(delivery::Column::State.ne(DeliveryState::Pending));
    delivery::Entity::delete_many().filter(done).exec(&tx).await?;
    Ok(tx.commit().await?)
}

async fn tidy_inbox(context: &Context) -> anyhow::Result<()> {
    let old = context.app.clock.now().plus_seconds(-EVENT_DAYS * 86_400);
    Ok(context.app.video.tidy_inbox(old).await?)
}

/// Deletes objects that no settled clip and no live attempt points to, and pictures of such clips: what a crash left between storing and settling, or
/// between deleting a task and deleting its clips.
async fn sweep_objects(context: &Context) -> anyhow::Result<()> {
    let mut objects = context.app.store.list(CLIPS).chunks(PAGE as usize);
    while let Some(page) = objects.next().await {
        let mut old = Vec::new();
        for object in page {
            let object = object?;
            let modified: DateTime<Utc> = object.modified.into();
            if modified.timestamp() < context.app.clock.now().seconds() - ORPHAN_AGE_SECONDS {
                old.push(object.key);
            }
        }
        let wanted = wanted_keys(context, old.iter().filter_map(|key| task_of(key)).collect()).await?;
        for key in old.into_iter().filter(|key| task_of(key).is_some() && !wanted.contains(&clip_of(key))) {
            tracing::info!(key, "an object that nobody points to is deleted");
            context.app.store.delete(&key).await?;
        }
    }
    Ok(())
}

/// The task in `clips/SHARD/TASK/…`; an object with another name is not ours to delete.
fn task_of(key: &str) -> Option<TaskId> {
    key.strip_prefix(CLIPS)?.split('/').nth(1)?.parse().ok().map(TaskId)
}

/// What these tasks' clips are stored under, and what their live attempts have stored already.
///
/// Live ones first: a task that is settled between the two looks is then found at least once.
async fn wanted_keys(context: &Context, tasks: HashSet<TaskId>) -> anyhow::Result<HashSet<String>> {
    let db = context.app.db.read();
    let live = job::Entity::find().select_only().column(job::Column::TaskId).into_query();
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::TaskId.is_in(tasks.iter().copied()))
        .filter(attempt::Column::Outcome.is_not_null())
        .filter(attempt::Column::TaskId.in_subquery(live))
        .all(db)
        .await?;
    let stored =
        attempts.iter().filter_map(|attempt| super::store::row_from_json(attempt.outcome.as_deref()?));
    let mut wanted: HashSet<String> = stored.filter_map(|row| row.storage_key).collect();
    let deleted = task::Entity::find()
        .select_only()
        .column(task::Column::Id)
        .filter(task::Column::Id.is_in(tasks.iter().copied()))
        .filter(task::Column::DeletedAt.is_not_null())
        .into_query();
    let settled = clip::Entity::find()
        .filter(clip::Column::TaskId.is_in(tasks))
        .filter(clip::Column::TaskId.not_in_subquery(deleted))
        .all(db)
        .await?;
    wanted.extend(settled.into_iter().filter_map(|clip| clip.storage_key));
    Ok(wanted)
}
