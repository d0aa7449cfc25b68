//! Writes what a batch decided, set by set, in the one lock order: account, grant, hold, job, attempt.

use entity::{
    Timestamp, account, adjustment, attempt, book_delta, clip, delivery, event, grant, hold, hold_allocation,
    job, key_usage, task, task_metadata, task_request, transfer,
};
use sea_orm::{ConnectionTrait, DbErr, Value};
use uuid::Uuid;

use super::book::Book;
use super::bulk;

/// Writes the whole batch; `commit_id` names it in the book's deltas.
pub async fn write(
    db: &impl ConnectionTrait,
    book: &Book,
    commit_id: Uuid,
    now: Timestamp,
) -> Result<(), DbErr> {
    write_accounts(db, book).await?;
    write_holds(db, book).await?;
    write_journal(db, book, commit_id, now).await?;
    write_work(db, book).await?;
    bulk::insert::<event::Entity>(db, &book.writes.events).await?;
    bulk::insert::<delivery::Entity>(db, &book.writes.deliveries).await
}

async fn write_accounts(db: &impl ConnectionTrait, book: &Book) -> Result<(), DbErr> {
    let accounts: Vec<_> =
        book.writes.accounts.iter().filter_map(|id| book.accounts.get(id)).cloned().collect();
    use account::Column as A;
    let money = [A::Credited, A::Debited, A::Held, A::Debt, A::Seq, A::EventSeq, A::LastAt, A::Head];
    let columns = [&money[..], &[A::AlertLow, A::AlertRecover, A::AlertState]].concat();
    bulk::update::<account::Entity>(db, &accounts, &columns).await?;
    let pick = |ids: &std::collections::BTreeSet<_>| -> Vec<grant::Model> {
        ids.iter().filter_map(|id| book.grants.get(id)).cloned().collect()
    };
    bulk::insert::<grant::Entity>(db, &pick(&book.writes.new_grants)).await?;
    use grant::Column as G;
    let columns = [G::Remaining, G::Held, G::Consumed, G::Expired, G::Voided, G::GraceUntil, G::ClosedAt];
    bulk::update::<grant::Entity>(db, &pick(&book.writes.grants), &columns).await
}

async fn write_holds(db: &impl ConnectionTrait, book: &Book) -> Result<(), DbErr> {
    let writes = &book.writes;
    let holds = |ids: &std::collections::BTreeSet<_>| -> Vec<hold::Model> {
        ids.iter().filter_map(|id| book.holds.get(id)).cloned().collect()
    };
    let parts = |ids: &std::collections::BTreeSet<_>| -> Vec<hold_allocation::Model> {
        ids.iter().filter_map(|id| book.allocations.get(id)).flatten().cloned().collect()
    };
    let old = &writes.holds - &writes.new_holds;
    bulk::insert::<hold::Entity>(db, &holds(&writes.new_holds)).await?;
    use hold::Column as H;
    let columns = [H::Captured, H::Released, H::Refunded, H::State, H::SettledAt];
    bulk::update::<hold::Entity>(db, &holds(&old), &columns).await?;
    let old = &writes.allocations - &writes.new_allocations;
    bulk::insert::<hold_allocation::Entity>(db, &parts(&writes.new_allocations)).await?;
    use hold_allocation::Column as P;
    bulk::update::<hold_allocation::Entity>(db, &parts(&old), &[P::Captured, P::Returned, P::Refunded]).await
}

async fn write_journal(
    db: &impl ConnectionTrait,
    book: &Book,
    commit_id: Uuid,
    now: Timestamp,
) -> Result<(), DbErr> {
    bulk::insert::<transfer::Entity>(db, &book.writes.transfers).await?;
    bulk::insert::<book_delta::Entity>(db, &book.deltas(commit_id, now)).await?;
    bulk::insert::<adjustment::Entity>(db, &book.writes.adjustments).await?;
    let usage: Vec<_> = book.writes.usage.iter().filter_map(|row| book.usage.get(row)).cloned().collect();
    use key_usage::Column as U;
    bulk::upsert::<key_usage::Entity>(db, &usage, &[U::Used, U::Open, U::OpenTasks]).await
}

async fn write_work(db: &impl ConnectionTrait, book: &Book) -> Result<(), DbErr> {
    let writes = &book.writes;
    let tasks = |ids: &std::collections::BTreeSet<_>| -> Vec<task::Model> {
        ids.iter().filter_map(|id| book.tasks.get(id)).cloned().collect()
    };
    let old = &writes.tasks - &writes.new_tasks;
    bulk::insert::<task::Entity>(db, &tasks(&writes.new_tasks)).await?;
    use task::Column as T;
    bulk::update::<task::Entity>(db, &tasks(&old), &[T::State, T::TerminalAt, T::ErrorCode, T::ErrorMessage])
        .await?;
    bulk::insert::<task_request::Entity>(db, &writes.requests).await?;
    bulk::insert::<task_metadata::Entity>(db, &writes.metadata).await?;
    bulk::insert::<clip::Entity>(db, &writes.clips).await?;
    bulk::insert::<job::Entity>(db, &writes.new_jobs).await?;
    let canceled: Vec<_> = writes.canceled_jobs.iter().filter_map(|id| book.jobs.get(id)).cloned().collect();
    bulk::update::<job::Entity>(db, &canceled, &[job::Column::CancelAt]).await?;
    let ended = writes.ended_jobs.iter().map(|id| Value::from(*id)).collect();
    bulk::delete::<job::Entity>(db, job::Column::TaskId, ended).await?;
    use attempt::Column as N;
    bulk::update::<attempt::Entity>(db, &writes.abandoned, &[N::State, N::EndedAt]).await
}
