//! Fills a book: locks the accounts of a batch in id order, then reads, in later statements, everything its commands look at.
//!
//! Later statements, because a statement that waits for a lock keeps the snapshot it began with: what another process
//! committed while we waited is seen only by the next one.

use std::collections::{BTreeMap, BTreeSet};

use entity::transfer::TransferKind;
use entity::{
    AccountId, KeyId, TaskId, Timestamp, account, api_key, attempt, grant, hold, hold_allocation, job,
    key_usage, task, transfer,
};
use sea_orm::{ActiveEnum, DbErr, FromQueryResult, Value};

use super::Command;
use super::book::Book;
use super::key_usage::{Usage, by_row, oldest_day};
use crate::clock::Clock;
use crate::db::{BulkTransaction, bulk};

/// Locks the accounts of a batch, and reads the clock once they are. With `patient` unset, accounts that somebody else has
/// locked are left out, so that one stuck row can't stop the lane; the caller tries those alone.
pub async fn lock(
    tx: &mut BulkTransaction,
    clock: &Clock,
    accounts: &BTreeSet<AccountId>,
    patient: bool,
) -> Result<(BTreeMap<AccountId, account::Model>, Timestamp), DbErr> {
    let keys = accounts.iter().map(|id| vec![Value::from(*id)]).collect();
    let by = [account::Column::Id];
    let (accounts, locked_at) = match tx {
        BulkTransaction::Sqlite(_) => {
            (bulk::find::<account::Entity>(tx, &by, keys, "ORDER BY id").await?, None)
        }
        BulkTransaction::Postgres(_) => {
            let wait = if patient { "" } else { "SKIP LOCKED" };
            let tail = format!("ORDER BY id FOR NO KEY UPDATE {wait}) {LOCKED_AT}");
            let rows = bulk::query(tx, LOCKED, &by, keys, &tail).await?;
            let times = rows.iter().map(|row| row.try_get::<i64>("", "locked_at"));
            let locked_at = times.collect::<Result<Vec<_>, _>>()?.into_iter().max();
            let accounts = rows.iter().map(|row| account::Model::from_query_result(row, ""));
            (accounts.collect::<Result<_, _>>()?, locked_at)
        }
    };
    let now = match locked_at {
        Some(micros) => Timestamp::from_micros(micros.saturating_add(clock.offset_micros())),
        None => tx.now(clock).await?,
    };
    Ok((accounts.into_iter().map(|account| (account.id, account)).collect(), now))
}

const LOCKED: &str = "WITH locked AS MATERIALIZED (SELECT * FROM account";
/// A row's time is told once that row is locked: the latest is after all locks.
const LOCKED_AT: &str =
    "SELECT *, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS locked_at FROM locked";

/// Reads what the commands need, once their accounts are locked. A rerun's commands may have been committed before.
pub async fn load(
    tx: &mut BulkTransaction,
    accounts: BTreeMap<AccountId, account::Model>,
    commands: &[&Command],
    (now, is_rerun): (Timestamp, bool),
) -> Result<Book, DbErr> {
    let mut book = Book { accounts, ..Book::default() };
    let wanted = Wanted::of(commands);
    load_work(tx, &mut book, &wanted).await?;
    load_replays(tx, &mut book, commands, is_rerun).await?;
    load_grants(tx, &mut book).await?;
    load_keys(tx, &mut book, &wanted, now).await?;
    load_references(tx, &mut book, &wanted).await?;
    Ok(book)
}

/// The keys of the rows that a batch's commands look at.
#[derive(Default)]
struct Wanted {
    /// Tasks that exist and are to be ended or refunded.
    tasks: BTreeSet<TaskId>,
    keys: BTreeSet<KeyId>,
    references: BTreeSet<String>,
}

impl Wanted {
    fn of(commands: &[&Command]) -> Self {
        let mut wanted = Wanted::default();
        for command in commands {
            match command {
                Command::Accept(accept) => wanted.keys.extend(accept.task.key_id),
                Command::Settle(settle) => drop(wanted.tasks.insert(settle.task)),
                Command::Cancel(cancel) => drop(wanted.tasks.insert(cancel.task)),
                Command::Refund(refund) => {
                    wanted.tasks.insert(refund.task);
                    wanted.references.insert(refund.reference.clone());
                }
                Command::Grant(grant) => drop(wanted.references.insert(grant.reference.clone())),
                Command::Adjust(adjust) => drop(wanted.references.insert(adjust.reference.clone())),
                Command::Expire(_) | Command::Alert(_) | Command::Probe(_) => {}
            }
        }
        wanted
    }
}

/// Jobs (locked: a worker may be claiming them), holds with their allocations, tasks and attempts.
async fn load_work(tx: &mut BulkTransaction, book: &mut Book, wanted: &Wanted) -> Result<(), DbErr> {
    let keys = || wanted.tasks.iter().map(|id| vec![Value::from(*id)]).collect::<Vec<_>>();
    let lock = match tx {
        BulkTransaction::Postgres(_) => "ORDER BY task_id FOR UPDATE",
        BulkTransaction::Sqlite(_) => "",
    };
    let jobs = bulk::find::<job::Entity>(tx, &[job::Column::TaskId], keys(), lock).await?;
    book.jobs = jobs.into_iter().map(|job| (job.task_id, job)).collect();
    let holds = bulk::find::<hold::Entity>(tx, &[hold::Column::TaskId], keys(), "").await?;
    book.holds = holds.into_iter().map(|hold| (hold.task_id, hold)).collect();
    let by = [hold_allocation::Column::TaskId];
    for part in bulk::find::<hold_allocation::Entity>(tx, &by, keys(), "ORDER BY task_id, n").await? {
        book.allocations.entry(part.task_id).or_default().push(part);
    }
    for attempt in
        bulk::find::<attempt::Entity>(tx, &[attempt::Column::TaskId], keys(), "ORDER BY task_id, n").await?
    {
        book.attempts.entry(attempt.task_id).or_default().push(attempt);
    }
    let tasks = bulk::find::<task::Entity>(tx, &[task::Column::Id], keys(), "").await?;
    book.tasks = tasks.into_iter().map(|task| (task.id, task)).collect();
    Ok(())
}

/// Tasks that a new request may be a repetition of: by idempotency key, by quote, and by its own id in a rerun: an earlier
/// commit's outcome was lost.
async fn load_replays(
    tx: &mut BulkTransaction,
    book: &mut Book,
    commands: &[&Command],
    is_rerun: bool,
) -> Result<(), DbErr> {
    let (mut ids, mut keys, mut quotes) = (Vec::new(), Vec::new(), Vec::new());
    for command in commands {
        let Command::Accept(accept) = command else { continue };
        let task = &accept.task;
        ids.extend(is_rerun.then(|| vec![Value::from(task.id)]));
        keys.extend(
            task.idempotency_key.clone().map(|key| vec![Value::from(task.account_id), Value::from(key)]),
        );
        quotes.extend(task.quote_id.map(|quote| vec![Value::from(quote)]));
    }
    let by_key = [task::Column::AccountId, task::Column::IdempotencyKey];
    for task in bulk::find::<task::Entity>(tx, &by_key, keys, "").await? {
        if let Some(key) = &task.idempotency_key {
            book.by_idempotency_key.insert((task.account_id, key.clone()), task.id);
        }
        book.tasks.insert(task.id, task);
    }
    for task in bulk::find::<task::Entity>(tx, &[task::Column::QuoteId], quotes, "").await? {
        book.by_quote.extend(task.quote_id.map(|quote| (quote, task.id)));
        book.tasks.insert(task.id, task);
    }
    for task in bulk::find::<task::Entity>(tx, &[task::Column::Id], ids, "").await? {
        book.tasks.insert(task.id, task);
    }
    Ok(())
}

/// What the accounts can spend, and what the ended holds drew from, spent up or not.
async fn load_grants(tx: &mut BulkTransaction, book: &mut Book) -> Result<(), DbErr> {
    let accounts = book.accounts.keys().map(|id| vec![Value::from(*id)]).collect();
    let live =
        bulk::find::<grant::Entity>(tx, &[grant::Column::AccountId], accounts, "AND closed_at IS NULL")
            .await?;
    let origins: BTreeSet<_> = book.allocations.values().flatten().map(|part| part.grant_id).collect();
    let origins = origins.into_iter().map(|id| vec![Value::from(id)]).collect();
    let drawn = bulk::find::<grant::Entity>(tx, &[grant::Column::Id], origins, "").await?;
    book.grants.extend(live.into_iter().chain(drawn));
    Ok(())
}

/// Keys of new requests, and the usage rows of every key that the batch touches, back to the oldest window it needs.
async fn load_keys(
    tx: &mut BulkTransaction,
    book: &mut Book,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(), DbErr> {
    let ids = wanted.keys.iter().map(|id| vec![Value::from(*id)]).collect();
    let keys = bulk::find::<api_key::Entity>(tx, &[api_key::Column::Id], ids, "").await?;
    book.keys = keys.into_iter().map(|key| (key.id, key)).collect();
    let held: Vec<&hold::Model> = book.holds.values().filter(|hold| hold.key_id.is_some()).collect();
    let capped = book.keys.values().map(|key| oldest_day(key, now));
    let oldest = held.iter().map(|hold| hold.accepted_at.day()).chain(capped).min().unwrap_or(now.day());
    let users = wanted.keys.iter().copied().chain(held.iter().filter_map(|hold| hold.key_id)).collect();
    book.usage = load_usage(tx, &users, oldest).await?;
    Ok(())
}

/// The usage rows of these keys: their lifetime, and the days from `oldest` on.
async fn load_usage(
    tx: &mut BulkTransaction,
    keys: &BTreeSet<KeyId>,
    oldest: Timestamp,
) -> Result<Usage, DbErr> {
    let keys = keys.iter().map(|id| vec![Value::from(*id)]).collect();
    let tail = format!("AND (win = 'lifetime' OR starts_at >= {})", oldest.micros());
    Ok(by_row(bulk::find::<key_usage::Entity>(tx, &[key_usage::Column::KeyId], keys, &tail).await?))
}

async fn load_references(tx: &mut BulkTransaction, book: &mut Book, wanted: &Wanted) -> Result<(), DbErr> {
    let kinds = [TransferKind::Grant, TransferKind::Adjust, TransferKind::Debt, TransferKind::Refund];
    let pair = |reference: &String| {
        kinds.map(|kind| vec![Value::from(kind.to_value()), Value::from(reference.clone())])
    };
    let keys = wanted.references.iter().flat_map(pair).collect();
    let by = [transfer::Column::Kind, transfer::Column::Reference];
    // Said although the keys imply it: the index over references is partial, and SQLite reads the whole journal otherwise.
    let indexed = "AND reference IS NOT NULL";
    let transfers = bulk::find::<transfer::Entity>(tx, &by, keys, indexed).await?;
    let named =
        |transfer: transfer::Model| transfer.reference.clone().map(|name| ((transfer.kind, name), transfer));
    book.references = transfers.into_iter().filter_map(named).collect();
    Ok(())
}
