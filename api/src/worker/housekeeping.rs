//! What has to happen because time passes: deadlines, expiring grants, old events, objects that nobody points to, and the
//! hourly root over the journal's chains.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::job::JobState;
use entity::{attempt, clip, event, job};
use futures_util::StreamExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use tokio_util::sync::CancellationToken;

use super::{Context, pause};
use crate::ledger::{Command, SettledBy, audit, read};
use crate::video::settle::Ending;

const EVERY: Duration = Duration::from_secs(10);
/// Rounds between two runs of what is not urgent: an hour.
const HOURLY: u64 = 360;
/// A task whose worker did not expire it in time is expired from here, so many seconds later.
const DEADLINE_GRACE_SECONDS: i64 = 30;
const PAGE: u64 = 500;
/// How long events can be read, in days.
const EVENT_DAYS: i64 = 30;
/// An object younger than this may belong to a task that is about to be settled, in seconds.
const ORPHAN_AGE_SECONDS: i64 = 6 * 3_600;
/// Where clips lie in storage.
const CLIPS: &str = "clips/";

pub async fn run(context: Context, stop: CancellationToken) {
    let mut round: u64 = 0;
    while pause(EVERY, &stop).await {
        report("deadlines", expire_tasks(&context).await);
        report("grants", expire_grants(&context).await);
        if round.is_multiple_of(HOURLY) {
            let (db, now) = (&context.app.db, context.app.clock.now());
            report("audit root", audit::write_root(db, now).await.map_err(Into::into));
            report("book deltas", audit::compact_deltas(db, now).await.map_err(Into::into));
            report("events", forget_events(&context).await);
            report("objects", sweep_objects(&context).await);
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
    let late = context.app.clock.now().plus_seconds(-DEADLINE_GRACE_SECONDS);
    let jobs = job::Entity::find()
        .filter(job::Column::DeadlineAt.lt(late))
        .filter(job::Column::State.ne(JobState::Storing))
        .order_by_asc(job::Column::DeadlineAt)
        .limit(PAGE)
        .all(context.app.db.read())
        .await?;
    for job in jobs {
        context.app.video.settle(job.task_id, SettledBy::Operator, Ending::Expired).await?;
    }
    Ok(())
}

/// The lane expires what is over whenever it touches an account; this touches the accounts that nobody else does.
async fn expire_grants(context: &Context) -> anyhow::Result<()> {
    for account in read::overdue(context.app.db.read(), context.app.clock.now(), PAGE).await? {
        context.app.ledger.send(Command::Expire(account)).await?;
    }
    Ok(())
}

async fn forget_events(context: &Context) -> anyhow::Result<()> {
    let old = context.app.clock.now().plus_seconds(-EVENT_DAYS * 86_400);
    let tx = context.app.db.begin().await?;
    event::Entity::delete_many().filter(event::Column::At.lt(old)).exec(&tx).await?;
    Ok(tx.commit().await?)
}

/// Deletes objects that no settled clip and no live attempt points to: what a crash left between storing and settling.
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
        let wanted = wanted_keys(context, &old).await?;
        for key in old.into_iter().filter(|key| !wanted.contains(key)) {
            tracing::info!(key, "an object that nobody points to is deleted");
            context.app.store.delete(&key).await?;
        }
    }
    Ok(())
}

async fn wanted_keys(context: &Context, keys: &[String]) -> anyhow::Result<HashSet<String>> {
    let db = context.app.db.read();
    let settled = clip::Entity::find().filter(clip::Column::StorageKey.is_in(keys)).all(db).await?;
    let mut wanted: HashSet<String> = settled.into_iter().filter_map(|clip| clip.storage_key).collect();
    // Stored, but its task has other clips to wait for.
    let live = job::Entity::find().select_only().column(job::Column::TaskId).into_query();
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::Outcome.is_not_null())
        .filter(attempt::Column::TaskId.in_subquery(live))
        .all(db)
        .await?;
    let stored =
        attempts.iter().filter_map(|attempt| super::store::row_from_json(attempt.outcome.as_deref()?));
    wanted.extend(stored.filter_map(|row| row.storage_key));
    Ok(wanted)
}
