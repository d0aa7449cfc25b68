//! Writes what a batch decided, set by set, in the one lock order: account, grant, hold, job, attempt.

use std::collections::BTreeSet;

use entity::{
    Timestamp, account, adjustment, attempt, book_delta, clip, delivery, event, grant, hold, hold_allocation,
    job, key_usage, task, task_metadata, task_request, transfer,
};
use sea_orm::{DbErr, Value};
use uuid::Uuid;

use super::book::Book;
use crate::db::{BulkTransaction, bulk};

/// Writes the whole batch; `commit_id` names it in the book's deltas.
pub async fn write(
    tx: &mut BulkTransaction,
    book: &Book,
    commit_id: Uuid,
    now: Timestamp,
) -> Result<(), DbErr> {
    let mut out = bulk::Writes::default();
    write_accounts(&mut out, book);
    write_holds(&mut out, book);
    write_journal(&mut out, book, commit_id, now);
    write_work(&mut out, book);
    out.insert::<event::Entity>(&book.writes.events);
    out.insert::<delivery::Entity>(&book.writes.deliveries);
    out.run(tx).await
}

fn write_accounts(out: &mut bulk::Writes, book: &Book) {
    let accounts: Vec<_> =
        book.writes.accounts.iter().filter_map(|id| book.accounts.get(id)).cloned().collect();
    use account::Column as A;
    let money = [A::Credited, A::Debited, A::Held, A::Debt, A::Seq, A::EventSeq, A::LastAt, A::Head];
    let columns = [&money[..], &[A::AlertLow, A::AlertRecover, A::AlertState]].concat();
    out.update::<account::Entity>(&accounts, &columns);
    let pick = |ids: &BTreeSet<_>| -> Vec<grant::Model> {
        ids.iter().filter_map(|id| book.grants.get(id)).cloned().collect()
    };
    out.insert::<grant::Entity>(&pick(&book.writes.new_grants));
    use grant::Column as G;
    let columns = [G::Remaining, G::Held, G::Consumed, G::Expired, G::Voided, G::GraceUntil, G::ClosedAt];
    out.update::<grant::Entity>(&pick(&book.writes.grants), &columns);
}

fn write_holds(out: &mut bulk::Writes, book: &Book) {
    let writes = &book.writes;
    let holds = |ids: &BTreeSet<_>| -> Vec<hold::Model> {
        ids.iter().filter_map(|id| book.holds.get(id)).cloned().collect()
    };
    let parts = |ids: &BTreeSet<_>| -> Vec<hold_allocation::Model> {
        ids.iter().filter_map(|id| book.allocations.get(id)).flatten().cloned().collect()
    };
    let old = &writes.holds - &writes.new_holds;
    out.insert::<hold::Entity>(&holds(&writes.new_holds));
    use hold::Column as H;
    let columns = [H::Captured, H::Released, H::Refunded, H::State, H::SettledAt];
    out.update::<hold::Entity>(&holds(&old), &columns);
    let old = &writes.allocations - &writes.new_allocations;
    out.insert::<hold_allocation::Entity>(&parts(&writes.new_allocations));
    use hold_allocation::Column as P;
    out.update::<hold_allocation::Entity>(&parts(&old), &[P::Captured, P::Returned, P::Refunded]);
}

fn write_journal(out: &mut bulk::Writes, book: &Book, commit_id: Uuid, now: Timestamp) {
    out.insert::<transfer::Entity>(&book.writes.transfers);
    out.insert::<book_delta::Entity>(&book.deltas(commit_id, now));
    out.insert::<adjustment::Entity>(&book.writes.adjustments);
    let usage: Vec<_> = book.writes.usage.iter().filter_map(|row| book.usage.get(row)).cloned().collect();
    use key_usage::Column as U;
    out.upsert::<key_usage::Entity>(&usage, &[U::Used, U::Open, U::OpenTasks]);
}

fn write_work(out: &mut bulk::Writes, book: &Book) {
    let writes = &book.writes;
    let tasks = |ids: &BTreeSet<_>| -> Vec<task::Model> {
        ids.iter().filter_map(|id| book.tasks.get(id)).cloned().collect()
    };
    let old = &writes.tasks - &writes.new_tasks;
    out.insert::<task::Entity>(&tasks(&writes.new_tasks));
    use task::Column as T;
    out.update::<task::Entity>(&tasks(&old), &[T::State, T::TerminalAt, T::ErrorCode, T::ErrorMessage]);
    out.insert::<task_request::Entity>(&writes.requests);
    out.insert::<task_metadata::Entity>(&writes.metadata);
    out.insert::<clip::Entity>(&writes.clips);
    write_jobs(out, book);
    use attempt::Column as N;
    out.update::<attempt::Entity>(&writes.abandoned, &[N::State, N::EndedAt]);
}

/// A job that ended in the batch that made it was never there.
fn write_jobs(out: &mut bulk::Writes, book: &Book) {
    let writes = &book.writes;
    let is_new: BTreeSet<_> = writes.new_jobs.iter().map(|job| job.task_id).collect();
    let is_left = |job: &&job::Model| !writes.ended_jobs.contains(&job.task_id);
    let new: Vec<_> = writes.new_jobs.iter().filter(is_left).cloned().collect();
    out.insert::<job::Entity>(&new);
    let canceled = writes.canceled_jobs.iter().filter_map(|id| book.jobs.get(id));
    let canceled: Vec<_> = canceled.filter(is_left).cloned().collect();
    out.update::<job::Entity>(&canceled, &[job::Column::CancelAt]);
    let ended = writes.ended_jobs.iter().filter(|id| !is_new.contains(id)).map(|id| Value::from(*id));
    out.delete::<job::Entity>(ended.collect());
}
