//! Accept: hold the credits and enqueue the task, or say why not.

use entity::transfer::{Place, TransferKind};
use entity::{
    AccountId, Credits, KeyId, TaskId, Timestamp, account::AccountStatus, api_key, hold, job, task_request,
};

use super::super::book::{Book, Movement, UsageRow, available};
use super::super::key_usage::{caps, open_tasks, spent_in};
use super::super::{Accept, Cap, Done, Refusal};
use super::{Context, grants};

pub fn accept(book: &mut Book, accept: &Accept, context: &Context) -> Result<Done, Refusal> {
    if let Some(seen) = seen_before(book, accept)? {
        return Ok(Done::Accepted { task: seen, replayed: true });
    }
    let task = &accept.task;
    may_pay(book, accept, context.now)?;
    let held = grants::reserve(book, task.account_id, task.id, task.credits, context.now)?;
    let movement = Movement {
        kind: TransferKind::Hold,
        debit: Place::Available,
        credit: Place::Held,
        amount: task.credits,
        task: Some(task.id),
        grant: None,
        reference: None,
    };
    book.post(task.account_id, context.now, movement, context.chain)?;
    book.allocations.insert(task.id, held);
    book.writes.new_allocations.insert(task.id);
    open_hold(book, accept, context.now);
    if let Some(key) = task.key_id {
        note_usage(book, key, context.now, |usage| {
            usage.open = usage.open.checked_add(task.credits)?;
            usage.open_tasks = usage.open_tasks.checked_add(1)?;
            Some(())
        })?;
    }
    enqueue(book, accept, context.now)?;
    Ok(Done::Accepted { task: task.id, replayed: false })
}

/// The task that this command already made: found by its own id when the outcome of an earlier run was lost, by its quote,
/// or by its idempotency key.
fn seen_before(book: &Book, accept: &Accept) -> Result<Option<TaskId>, Refusal> {
    let task = &accept.task;
    if book.tasks.contains_key(&task.id) {
        return Ok(Some(task.id));
    }
    let named = task.idempotency_key.clone().map(|key| (task.account_id, key));
    if let Some(earlier) = named.and_then(|key| book.by_idempotency_key.get(&key)) {
        let same = book.tasks.get(earlier).is_some_and(|earlier| earlier.request_hash == task.request_hash);
        return if same { Ok(Some(*earlier)) } else { Err(Refusal::KeyReused) };
    }
    let quoted = task.quote_id.is_some_and(|quote| book.by_quote.contains_key(&quote));
    if quoted { Err(Refusal::QuoteUsed) } else { Ok(None) }
}

/// Amount, key, account, tasks under way, caps, balance: the first that objects wins.
fn may_pay(book: &Book, accept: &Accept, now: Timestamp) -> Result<(), Refusal> {
    let task = &accept.task;
    if task.credits <= Credits::ZERO {
        return Err(Refusal::NotPositive);
    }
    let key = task.key_id.map(|id| live_key(book, id, task.account_id, now)).transpose()?;
    let account = book.account(task.account_id)?;
    if account.mode != task.mode {
        return Err(Refusal::NoAccount);
    }
    if account.status == AccountStatus::Frozen {
        return Err(Refusal::Frozen);
    }
    if let Some(key) = key {
        within_tasks(book, key)?;
        within_caps(book, key, task.credits, now)?;
    }
    let available = available(account);
    if available < task.credits {
        return Err(Refusal::Insufficient { required: task.credits, available, held: account.held });
    }
    Ok(())
}

fn live_key(book: &Book, id: KeyId, account: AccountId, now: Timestamp) -> Result<&api_key::Model, Refusal> {
    let alive = |key: &&api_key::Model| {
        key.account_id == account && key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now)
    };
    book.keys.get(&id).filter(alive).ok_or(Refusal::KeyGone(id))
}

/// Whether one more task fits beside those that the key has under way.
fn within_tasks(book: &Book, key: &api_key::Model) -> Result<(), Refusal> {
    let Some(limit) = key.max_tasks else { return Ok(()) };
    if open_tasks(&book.usage, key.id) < limit {
        return Ok(());
    }
    Err(Refusal::TooManyTasks { limit: u32::try_from(limit).unwrap_or(u32::MAX) })
}

fn within_caps(book: &Book, key: &api_key::Model, amount: Credits, now: Timestamp) -> Result<(), Refusal> {
    for (window, cap) in caps(key) {
        let Some(limit) = cap else { continue };
        let spent = spent_in(&book.usage, key.id, window, now).ok_or(Refusal::TooLarge)?;
        let after = spent.checked_add(amount).ok_or(Refusal::TooLarge)?;
        if after > limit {
            return Err(Refusal::CapReached(Cap { window, limit, spent, resets_at: window.resets_at(now) }));
        }
    }
    Ok(())
}

/// Changes a key's usage in the windows that `at` is in.
pub fn note_usage(
    book: &mut Book,
    key: KeyId,
    at: Timestamp,
    change: impl Fn(&mut entity::key_usage::Model) -> Option<()>,
) -> Result<(), Refusal> {
    for row in [UsageRow::Day(at.day()), UsageRow::Lifetime] {
        let usage = book.usage.entry((key, row)).or_insert_with(|| row.empty(key));
        change(usage).ok_or(Refusal::TooLarge)?;
        book.writes.usage.insert((key, row));
    }
    Ok(())
}

fn open_hold(book: &mut Book, accept: &Accept, now: Timestamp) {
    let task = &accept.task;
    let hold = hold::Model {
        task_id: task.id,
        account_id: task.account_id,
        key_id: task.key_id,
        amount: task.credits,
        captured: Credits::ZERO,
        released: Credits::ZERO,
        refunded: Credits::ZERO,
        state: hold::HoldState::Open,
        accepted_at: now,
        settled_at: None,
    };
    book.holds.insert(task.id, hold);
    book.writes.new_holds.insert(task.id);
}

/// The task, its request, its job and the event that says so; times become the lane's.
fn enqueue(book: &mut Book, accept: &Accept, now: Timestamp) -> Result<(), Refusal> {
    let mut task = accept.task.clone();
    let waited = now.micros() - task.created_at.micros();
    let shifted = |at: Timestamp| Timestamp::from_micros(at.micros().saturating_add(waited));
    task.created_at = now;
    let job = job::Model {
        task_id: task.id,
        account_id: task.account_id,
        mode: task.mode,
        created_at: now,
        // At once is not later for whoever wrote this by an earlier clock.
        run_at: accept.job.run_at.min(now),
        deadline_at: shifted(accept.job.deadline_at),
        ..accept.job.clone()
    };
    if let Some(key) = &task.idempotency_key {
        book.by_idempotency_key.insert((task.account_id, key.clone()), task.id);
    }
    if let Some(quote) = task.quote_id {
        book.by_quote.insert(quote, task.id);
    }
    let body = serde_json::json!({ "taskId": task.id, "state": "queued", "model": task.model, "held": task.credits });
    book.tell(task.account_id, now, "video.queued", Some(task.id), body)?;
    book.writes.new_tasks.insert(task.id);
    book.writes.requests.push(task_request::Model { task_id: task.id, ..accept.request.clone() });
    book.writes.metadata.extend_from_slice(&accept.metadata);
    book.writes.new_jobs.push(job.clone());
    book.jobs.insert(task.id, job);
    book.tasks.insert(task.id, task);
    Ok(())
}
