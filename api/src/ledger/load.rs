//! Fills a book: locks the accounts of a batch in id order, then reads, in later statements, everything its commands look at.
//!
//! Later statements, because a statement that waits for a lock keeps the snapshot it began with: what another process
//! committed while we waited is seen only by the next one.

use std::collections::{BTreeMap, BTreeSet};

use entity::transfer::TransferKind;
use entity::{
    AccountId, KeyId, TaskId, Timestamp, account, api_key, attempt, grant, hold, hold_allocation, job, task,
    transfer,
};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr, Value};

use super::Command;
use super::book::Book;
use super::bulk;
use super::key_usage::{oldest_day, usage_of};

/// Locks the accounts of a batch. With `patient` unset, accounts that somebody else has locked are left out, so that one
/// stuck row can't stop the lane; the caller tries those alone.
pub async fn lock(
    db: &impl ConnectionTrait,
    accounts: &BTreeSet<AccountId>,
    patient: bool,
) -> Result<BTreeMap<AccountId, account::Model>, DbErr> {
    let tail = match (db.get_database_backend(), patient) {
        (sea_orm::DbBackend::Postgres, true) => "ORDER BY id FOR NO KEY UPDATE",
        (sea_orm::DbBackend::Postgres, false) => "ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        _ => "ORDER BY id",
    };
    let keys = accounts.iter().map(|id| vec![Value::from(*id)]).collect();
    let rows = bulk::find::<account::Entity>(db, &[account::Column::Id], keys, tail).await?;
    Ok(rows.into_iter().map(|account| (account.id, account)).collect())
}

/// Reads what the commands need, once their accounts are locked.
pub async fn load(
    db: &impl ConnectionTrait,
    accounts: BTreeMap<AccountId, account::Model>,
    commands: &[&Command],
    now: Timestamp,
) -> Result<Book, DbErr> {
    let mut book = Book { accounts, ..Book::default() };
    let wanted = Wanted::of(commands);
    load_work(db, &mut book, &wanted).await?;
    load_replays(db, &mut book, commands).await?;
    load_grants(db, &mut book).await?;
    load_keys(db, &mut book, &wanted, now).await?;
    load_references(db, &mut book, &wanted).await?;
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
                Command::Expire(_) | Command::Alert(_) => {}
            }
        }
        wanted
    }
}

/// Jobs (locked: a worker may be claiming them), holds with their allocations, tasks and attempts.
async fn load_work(db: &impl ConnectionTrait, book: &mut Book, wanted: &Wanted) -> Result<(), DbErr> {
    let keys = || wanted.tasks.iter().map(|id| vec![Value::from(*id)]).collect::<Vec<_>>();
    let lock = match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => "ORDER BY task_id FOR UPDATE",
        _ => "",
    };
    let jobs = bulk::find::<job::Entity>(db, &[job::Column::TaskId], keys(), lock).await?;
    book.jobs = jobs.into_iter().map(|job| (job.task_id, job)).collect();
    let holds = bulk::find::<hold::Entity>(db, &[hold::Column::TaskId], keys(), "").await?;
    book.holds = holds.into_iter().map(|hold| (hold.task_id, hold)).collect();
    let by = [hold_allocation::Column::TaskId];
    for part in bulk::find::<hold_allocation::Entity>(db, &by, keys(), "ORDER BY task_id, n").await? {
        book.allocations.entry(part.task_id).or_default().push(part);
    }
    for attempt in
        bulk::find::<attempt::Entity>(db, &[attempt::Column::TaskId], keys(), "ORDER BY task_id, n").await?
    {
        book.attempts.entry(attempt.task_id).or_default().push(attempt);
    }
    let tasks = bulk::find::<task::Entity>(db, &[task::Column::Id], keys(), "").await?;
    book.tasks = tasks.into_iter().map(|task| (task.id, task)).collect();
    Ok(())
}

/// Tasks that a new request may be a repetition of: by its own id (when an earlier commit's outcome was lost), by
/// idempotency key, by quote.
async fn load_replays(
    db: &impl ConnectionTrait,
    book: &mut Book,
    commands: &[&Command],
) -> Result<(), DbErr> {
    let (mut ids, mut keys, mut quotes) = (Vec::new(), Vec::new(), Vec::new());
    for command in commands {
        let Command::Accept(accept) = command else { continue };
        let task = &accept.task;
        ids.push(vec![Value::from(task.id)]);
        keys.extend(
            task.idempotency_key.clone().map(|key| vec![Value::from(task.account_id), Value::from(key)]),
        );
        quotes.extend(task.quote_id.map(|quote| vec![Value::from(quote)]));
    }
    let by_key = [task::Column::AccountId, task::Column::IdempotencyKey];
    for task in bulk::find::<task::Entity>(db, &by_key, keys, "").await? {
        if let Some(key) = &task.idempotency_key {
            book.by_idempotency_key.insert((task.account_id, key.clone()), task.id);
        }
        book.tasks.insert(task.id, task);
    }
    for task in bulk::find::<task::Entity>(db, &[task::Column::QuoteId], quotes, "").await? {
        book.by_quote.extend(task.quote_id.map(|quote| (quote, task.id)));
        book.tasks.insert(task.id, task);
    }
    for task in bulk::find::<task::Entity>(db, &[task::Column::Id], ids, "").await? {
        book.tasks.insert(task.id, task);
    }
    Ok(())
}

/// What the accounts can spend, and what the ended holds drew from, spent up or not.
async fn load_grants(db: &impl ConnectionTrait, book: &mut Book) -> Result<(), DbErr> {
    let accounts = book.accounts.keys().map(|id| vec![Value::from(*id)]).collect();
    let live =
        bulk::find::<grant::Entity>(db, &[grant::Column::AccountId], accounts, "AND closed_at IS NULL")
            .await?;
    let origins: BTreeSet<_> = book.allocations.values().flatten().map(|part| part.grant_id).collect();
    let origins = origins.into_iter().map(|id| vec![Value::from(id)]).collect();
    let drawn = bulk::find::<grant::Entity>(db, &[grant::Column::Id], origins, "").await?;
    book.grants = live.into_iter().chain(drawn).map(|grant| (grant.id, grant)).collect();
    Ok(())
}

/// Keys of new requests, and the usage rows of every key that the batch touches, back to the oldest window it needs.
async fn load_keys(
    db: &impl ConnectionTrait,
    book: &mut Book,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(), DbErr> {
    let ids = wanted.keys.iter().map(|id| vec![Value::from(*id)]).collect();
    let keys = bulk::find::<api_key::Entity>(db, &[api_key::Column::Id], ids, "").await?;
    book.keys = keys.into_iter().map(|key| (key.id, key)).collect();
    let held: Vec<&hold::Model> = book.holds.values().filter(|hold| hold.key_id.is_some()).collect();
    let oldest = held.iter().map(|hold| hold.accepted_at.day()).chain([oldest_day(now)]).min().unwrap_or(now);
    let users = wanted.keys.iter().copied().chain(held.iter().filter_map(|hold| hold.key_id)).collect();
    book.usage = usage_of(db, &users, oldest).await?;
    Ok(())
}

async fn load_references(db: &impl ConnectionTrait, book: &mut Book, wanted: &Wanted) -> Result<(), DbErr> {
    let kinds = [TransferKind::Grant, TransferKind::Adjust, TransferKind::Debt, TransferKind::Refund];
    let pair = |reference: &String| {
        kinds.map(|kind| vec![Value::from(kind.to_value()), Value::from(reference.clone())])
    };
    let keys = wanted.references.iter().flat_map(pair).collect();
    let by = [transfer::Column::Kind, transfer::Column::Reference];
    // Said although the keys imply it: the index over references is partial, and SQLite reads the whole journal otherwise.
    let indexed = "AND reference IS NOT NULL";
    let transfers = bulk::find::<transfer::Entity>(db, &by, keys, indexed).await?;
    let named =
        |transfer: transfer::Model| transfer.reference.clone().map(|name| ((transfer.kind, name), transfer));
    book.references = transfers.into_iter().filter_map(named).collect();
    Ok(())
}
