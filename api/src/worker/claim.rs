//! Claiming: the short transaction in which a job becomes this worker's, with the intent to submit written before any call.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use entity::job::JobState;
use entity::{AccountId, TaskId, Timestamp, attempt, job, task, task_request, worker};
use fail::fail_point;
use sea_orm::sea_query::Expr;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, FromQueryResult, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement, UpdateMany, Value,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::choice::Choosing;
use super::dock::share;
use super::run::{self, Owned};
use super::{Context, LOOK_EVERY, attempts, inbox};
use crate::provider::Instance;

/// Jobs that one claim takes at most.
const MAX_CLAIM: usize = 256;
/// How far into the line a claim looks for accounts that wait for their turn.
const LOOK_AHEAD: u64 = 4_096;
/// How long a job waits that its worker owned without following it, in seconds: what went wrong once may do so again.
const DROPPED_PAUSE_SECONDS: i64 = 5;

/// Looks for work when there is news, and every second in any case. Lost colleagues, cancellations and dropped jobs are
/// looked for by the clock only: under load there is news all the time.
pub async fn run(context: Context, stop: CancellationToken, tasks: TaskTracker) {
    let context = Arc::new(context);
    let mut here = context.app.ledger.enqueued();
    let mut elsewhere = context.app.wake.elsewhere();
    let mut seconds = tokio::time::interval(LOOK_EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let on_time = tokio::select! {
            () = stop.cancelled() => return,
            _ = here.changed() => false,
            _ = elsewhere.changed() => false,
            _ = seconds.tick() => true,
        };
        let looked = async {
            if on_time {
                take_over(&context).await?;
                look_after_mine(&context).await?;
            }
            look(&context, &stop, &tasks).await
        };
        if let Err(error) = looked.await {
            tracing::warn!(%error, "a look for work failed");
        }
    }
}

async fn look(context: &Arc<Context>, stop: &CancellationToken, tasks: &TaskTracker) -> Result<(), DbErr> {
    let names: Vec<String> = context.app.providers.names().map(str::to_owned).collect();
    for name in names {
        let Some(instance) = context.app.providers.get(&name) else { continue };
        while !stop.is_cancelled() {
            let room = free_slots(context, &instance).await?;
            let claimed = claim(context, &name, room.min(MAX_CLAIM)).await?;
            if claimed.is_empty() {
                break;
            }
            context.tally.claimed(&name, claimed.len());
            for owned in claimed {
                let following = context.mine.follow(
                    owned.job.task_id,
                    owned.job.fence,
                    &name,
                    usize::try_from(owned.task.clips).unwrap_or(1),
                );
                let (context, owned) = (context.clone(), Box::new(owned));
                tasks.spawn(run::follow(context, owned, following, stop.clone()));
            }
        }
    }
    Ok(())
}

/// A provider's slots are shared among the workers that live.
async fn free_slots(context: &Context, instance: &Instance) -> Result<usize, DbErr> {
    let alive = worker::Entity::find()
        .filter(worker::Column::HeartbeatAt.gt(oldest_beat(context).await?))
        .count(context.app.db.read())
        .await?;
    let alive = u32::try_from(alive).unwrap_or(u32::MAX);
    context.alive.store(alive, Ordering::Relaxed);
    let shares = instance.endpoints.iter().map(|key| share(&key.abilities, alive));
    Ok(shares.sum::<usize>().saturating_sub(context.mine.clips_at(&instance.name)))
}

/// By the database's clock, as every heartbeat is: the clocks of two machines may differ by more than the limit.
async fn oldest_beat(context: &Context) -> Result<Timestamp, DbErr> {
    let now = context.app.db.now(context.app.db.read(), &context.app.clock).await?;
    Ok(now.plus_seconds(-i64::from(context.app.config.heartbeat_limit_s)))
}

/// Gives the jobs of workers that stopped beating free, and forgets those workers.
async fn take_over(context: &Context) -> Result<(), DbErr> {
    let dead =
        worker::Column::HeartbeatAt.lte(oldest_beat(context).await?).and(worker::Column::Id.ne(context.me));
    let dead: Vec<_> = worker::Entity::find().filter(dead).all(context.app.db.read()).await?;
    for worker in dead {
        let tx = context.app.db.begin().await?;
        let freed = free(&tx, job::Column::Owner.eq(worker.id)).await?;
        let still = worker::Column::Id.eq(worker.id).and(worker::Column::HeartbeatAt.eq(worker.heartbeat_at));
        worker::Entity::delete_many().filter(still).exec(&tx).await?;
        tx.commit().await?;
        context.tally.took_over(freed);
        tracing::warn!(worker = %worker.id, freed, "took over from a worker that stopped beating");
    }
    Ok(())
}

/// Gives every job free. For the only process of a database, at its start.
pub async fn free_all(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    free(tx, job::Column::Owner.is_not_null()).await?;
    worker::Entity::delete_many().filter(worker::Column::HeartbeatAt.lt(i64::MAX)).exec(tx).await?;
    Ok(())
}

/// Gives this worker's jobs free, at its end.
pub async fn give_free(context: &Context) -> Result<(), DbErr> {
    let tx = context.app.db.begin().await?;
    free(&tx, job::Column::Owner.eq(context.me)).await?;
    worker::Entity::delete_by_id(context.me).exec(&tx).await?;
    tx.commit().await
}

async fn free(tx: &DatabaseTransaction, whose: impl sea_orm::sea_query::IntoCondition) -> Result<u64, DbErr> {
    free_with(tx, job::Entity::update_many(), whose).await
}

async fn free_with(
    tx: &DatabaseTransaction,
    update: UpdateMany<job::Entity>,
    whose: impl sea_orm::sea_query::IntoCondition,
) -> Result<u64, DbErr> {
    let freed = update
        .col_expr(job::Column::Owner, Expr::value(Option::<uuid::Uuid>::None))
        .col_expr(job::Column::Epoch, Expr::value(Option::<i64>::None))
        .filter(whose.into_condition())
        .exec(tx)
        .await?;
    Ok(freed.rows_affected)
}

/// Tells the followers of this worker's jobs which of them the customer wants stopped, and gives those free that nobody
/// follows: their claim was committed but its answer lost, or what followed them broke down.
///
/// Runs between claims, so a job that was just claimed is followed already.
async fn look_after_mine(context: &Context) -> Result<(), DbErr> {
    let db = context.app.db.read();
    let mine = job::Entity::find().filter(job::Column::Owner.eq(context.me));
    let ids = mine.clone().select_only().column(job::Column::TaskId);
    let unwanted: Vec<TaskId> =
        ids.clone().filter(job::Column::CancelAt.is_not_null()).into_tuple().all(db).await?;
    unwanted.into_iter().for_each(|task| context.mine.cancel(task));
    inbox::read(context).await?;
    // Counted first: a worker may follow tens of thousands, and hardly ever drops one.
    if mine.count(db).await? <= context.mine.len() as u64 {
        return Ok(());
    }
    let owned: Vec<TaskId> = ids.into_tuple().all(db).await?;
    let dropped: Vec<TaskId> = owned.into_iter().filter(|task| !context.mine.has(*task)).collect();
    if dropped.is_empty() {
        return Ok(());
    }
    let later = context.app.clock.now().plus_seconds(DROPPED_PAUSE_SECONDS);
    let tx = context.app.db.begin().await?;
    let whose = job::Column::Owner.eq(context.me).and(job::Column::TaskId.is_in(dropped));
    let update = job::Entity::update_many().col_expr(job::Column::RunAt, Expr::value(later));
    let freed = free_with(&tx, update, whose).await?;
    tx.commit().await?;
    if freed > 0 {
        tracing::error!(freed, "jobs that nobody here followed any more are given free");
    }
    Ok(())
}

/// Gives the jobs of workers free that nobody knows: they were taken for dead, claimed all the same, and died.
pub async fn free_orphans(context: &Context) -> Result<(), DbErr> {
    let known = worker::Entity::find().select_only().column(worker::Column::Id).into_query();
    let orphaned = job::Column::Owner.ne(context.me).and(job::Column::Owner.not_in_subquery(known));
    let found = job::Entity::find().filter(orphaned.clone()).one(context.app.db.read()).await?;
    if found.is_none() {
        return Ok(());
    }
    let tx = context.app.db.begin().await?;
    let freed = free(&tx, orphaned).await?;
    tx.commit().await?;
    context.tally.took_over(freed);
    tracing::warn!(freed, "took over from workers that nobody knows");
    Ok(())
}

/// Makes up to `most` jobs of a provider this worker's own: the fence moves, the intent is written, one commit.
async fn claim(context: &Context, provider: &str, most: usize) -> Result<Vec<Owned>, DbErr> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let candidates = candidates(context, provider, most).await?;
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let now = context.app.clock.now();
    let choosing = context.choosing().await?;
    let tx = context.app.db.begin().await?;
    let jobs = job::Entity::find()
        .filter(job::Column::TaskId.is_in(candidates))
        .filter(job::Column::Owner.is_null())
        .order_by_asc(job::Column::TaskId)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(&tx)
        .await?;
    let owned = own(context, &tx, jobs, (&choosing, now)).await?;
    tx.commit().await?;
    fail_point!("claim.call");
    let accounts: BTreeSet<AccountId> = owned.iter().map(|owned| owned.job.account_id).collect();
    context.app.news.tell(accounts);
    Ok(owned)
}

/// The next jobs in line, one of each account in turn.
async fn candidates(context: &Context, provider: &str, most: usize) -> Result<Vec<TaskId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Candidate {
        task_id: TaskId,
    }
    let sql = "SELECT task_id FROM (\
               SELECT task_id, run_at, row_number() OVER (PARTITION BY account_id ORDER BY run_at, task_id) AS turn FROM (\
               SELECT task_id, account_id, run_at FROM job WHERE provider = $1 AND owner IS NULL AND run_at <= $2 \
               ORDER BY run_at LIMIT $3) AS line) AS turns ORDER BY turn, run_at LIMIT $4";
    let db = context.app.db.read();
    let values = [
        Value::from(provider),
        Value::from(context.app.clock.now()),
        Value::from(LOOK_AHEAD.cast_signed()),
        Value::from(most as i64),
    ];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let found = Candidate::find_by_statement(statement).all(db).await?;
    Ok(found.into_iter().map(|candidate| candidate.task_id).collect())
}

async fn own(
    context: &Context,
    tx: &DatabaseTransaction,
    jobs: Vec<job::Model>,
    (choosing, now): (&Choosing, Timestamp),
) -> Result<Vec<Owned>, DbErr> {
    let ids: Vec<TaskId> = jobs.iter().map(|job| job.task_id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut tasks =
        by_task(task::Entity::find().filter(task::Column::Id.is_in(ids.clone())).all(tx).await?, |row| {
            row.id
        });
    let requests =
        task_request::Entity::find().filter(task_request::Column::TaskId.is_in(ids.clone())).all(tx).await?;
    let mut requests = by_task(requests, |row| row.task_id);
    let mut earlier: HashMap<TaskId, Vec<attempt::Model>> = HashMap::new();
    let rows = attempt::Entity::find().filter(attempt::Column::TaskId.is_in(ids.clone())).all(tx).await?;
    for attempt in rows {
        earlier.entry(attempt.task_id).or_default().push(attempt);
    }
    mark_owned(context, tx, &ids).await?;
    let (mut owned, mut intents) = (Vec::new(), Vec::new());
    for mut job in jobs {
        let (Some(task), Some(request)) = (tasks.remove(&job.task_id), requests.remove(&job.task_id)) else {
            continue;
        };
        let taken_over = earlier.remove(&job.task_id).unwrap_or_default();
        let dock = context.first_dock(choosing, &task, &request, &job.provider);
        let fresh = dock.map(|dock| attempts::missing(&task, &dock, &taken_over, now)).unwrap_or_default();
        job.fence += 1;
        if job.state == JobState::Queued {
            job.state = JobState::Submitting;
        }
        intents.extend(fresh.iter().cloned().map(IntoActiveModel::into_active_model));
        owned.push(Owned { job, task, request, taken_over, fresh });
    }
    if !intents.is_empty() {
        attempt::Entity::insert_many(intents).exec_without_returning(tx).await?;
    }
    Ok(owned)
}

async fn mark_owned(context: &Context, tx: &DatabaseTransaction, ids: &[TaskId]) -> Result<(), DbErr> {
    let submitting = Expr::case(job::Column::State.eq(JobState::Queued), "submitting")
        .finally(Expr::col(job::Column::State));
    job::Entity::update_many()
        .col_expr(job::Column::Owner, Expr::value(context.me))
        .col_expr(job::Column::Epoch, Expr::value(context.epoch))
        .col_expr(job::Column::Fence, Expr::col(job::Column::Fence).add(1))
        .col_expr(job::Column::State, submitting.into())
        .filter(job::Column::TaskId.is_in(ids.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

fn by_task<T>(rows: Vec<T>, id: impl Fn(&T) -> TaskId) -> HashMap<TaskId, T> {
    rows.into_iter().map(|row| (id(&row), row)).collect()
}
