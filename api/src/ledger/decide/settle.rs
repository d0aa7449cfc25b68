//! Settle and cancel: the one way in which a hold ends.

use entity::attempt::AttemptState;
use entity::clip::ClipState;
use entity::hold::HoldState;
use entity::job::JobState;
use entity::task::TaskState;
use entity::transfer::{Place, TransferKind};
use entity::{AccountId, Credits, TaskId, Timestamp, attempt, delivery, hold, job};

use super::super::book::{Book, Movement, taken};
use super::super::{Cancel, Done, Outcome, Refusal, Settle, SettledBy};
use super::accept::note_usage;
use super::{Context, grants};

pub fn settle(book: &mut Book, settle: &Settle, context: &Context) -> Result<Done, Refusal> {
    let hold = owned_hold(book, settle.account, settle.task)?;
    if hold.state == HoldState::Settled {
        return recorded(book, settle.task);
    }
    let Some(job) = book.jobs.get(&settle.task) else { return Err(Refusal::Internal) };
    if !may_end(book, settle, job) {
        return Ok(Done::Stale);
    }
    if !names_every_clip(book, settle) {
        return Err(Refusal::Internal);
    }
    end(book, settle, context)
}

/// Queued and with nothing under way upstream: canceled now. Otherwise the wish is noted for whoever works on it.
pub fn cancel(book: &mut Book, cancel: &Cancel, context: &Context) -> Result<Done, Refusal> {
    let hold = owned_hold(book, cancel.account, cancel.task)?;
    if hold.state == HoldState::Settled {
        return recorded(book, cancel.task);
    }
    let alive = has_live_attempt(book, cancel.task, None);
    let Some(job) = book.jobs.get_mut(&cancel.task) else { return Err(Refusal::Internal) };
    if job.state == JobState::Queued && job.owner.is_none() && !alive {
        let by = SettledBy::Operator;
        let Cancel { account, task, ref callback_url } = *cancel;
        let settle =
            Settle { account, task, by, outcome: Outcome::Canceled, callback_url: callback_url.clone() };
        return end(book, &settle, context);
    }
    if job.cancel_at.is_none() {
        job.cancel_at = Some(context.now);
        book.writes.canceled_jobs.insert(cancel.task);
    }
    Ok(Done::CancelRequested)
}

fn owned_hold(book: &Book, account: AccountId, task: TaskId) -> Result<&hold::Model, Refusal> {
    book.holds.get(&task).filter(|hold| hold.account_id == account).ok_or(Refusal::NoTask)
}

/// What was decided when the task ended.
fn recorded(book: &Book, task: TaskId) -> Result<Done, Refusal> {
    let (Some(hold), Some(task)) = (book.holds.get(&task), book.tasks.get(&task)) else {
        return Err(Refusal::Internal);
    };
    Ok(Done::Settled { state: task.state, captured: hold.captured, released: hold.released, fresh: false })
}

/// A worker's word counts while its fence does. Its failure counts only if it knows of the newest attempt and no other may
/// still deliver; a success always does, and so does the deadline.
fn may_end(book: &Book, settle: &Settle, job: &job::Model) -> bool {
    let SettledBy::Worker { fence, attempt } = settle.by else { return true };
    if job.fence != fence {
        return false;
    }
    if matches!(settle.outcome, Outcome::Delivered { .. } | Outcome::Expired) {
        return true;
    }
    let newest =
        book.attempts.get(&settle.task).and_then(|attempts| attempts.iter().map(|attempt| attempt.n).max());
    newest == attempt && !has_live_attempt(book, settle.task, attempt)
}

/// A delivery says of each clip that was asked for what became of it, and that at least one is there.
fn names_every_clip(book: &Book, settle: &Settle) -> bool {
    let Outcome::Delivered { clips, .. } = &settle.outcome else { return true };
    let asked = book.tasks.get(&settle.task).map_or(0, |task| task.clips);
    let delivered = clips.iter().any(|clip| clip.state == ClipState::Delivered);
    delivered && i64::try_from(clips.len()) == Ok(asked)
}

fn has_live_attempt(book: &Book, task: TaskId, except: Option<i64>) -> bool {
    let attempts = book.attempts.get(&task).map(Vec::as_slice).unwrap_or_default();
    attempts.iter().any(|attempt| is_live(attempt) && Some(attempt.n) != except)
}

/// Whether an attempt may still deliver something. One whose worker gave it up for broken has ended and does not.
fn is_live(attempt: &attempt::Model) -> bool {
    let open = matches!(
        attempt.state,
        AttemptState::Intent | AttemptState::Accepted | AttemptState::Unknown | AttemptState::Broken
    );
    open && attempt.ended_at.is_none()
}

fn end(book: &mut Book, settle: &Settle, context: &Context) -> Result<Done, Refusal> {
    let capture = match &settle.outcome {
        Outcome::Delivered { capture, .. } => *capture,
        _ => Credits::ZERO,
    };
    if capture.is_negative() {
        return Err(Refusal::NotPositive);
    }
    let release = close_hold(book, settle, capture, context)?;
    let state = close_task(book, settle, context.now)?;
    announce(book, settle, state, (capture, release), context)?;
    Ok(Done::Settled { state, captured: capture, released: release, fresh: true })
}

/// Captures and releases; what comes back repays debt, and expires if its time is over. The answer is what was released.
fn close_hold(
    book: &mut Book,
    settle: &Settle,
    capture: Credits,
    context: &Context,
) -> Result<Credits, Refusal> {
    let hold = book.holds.get_mut(&settle.task).ok_or(Refusal::NoTask)?;
    let release = taken(hold.amount, capture).ok_or(Refusal::AboveCaptured)?;
    let (amount, key, accepted_at) = (hold.amount, hold.key_id, hold.accepted_at);
    hold.captured = capture;
    hold.released = release;
    hold.state = HoldState::Settled;
    hold.settled_at = Some(context.now);
    book.writes.holds.insert(settle.task);
    let forgiving = !matches!(settle.outcome, Outcome::Canceled);
    grants::close_allocations(book, settle.task, capture, forgiving, context.now)?;
    let moves = [
        (TransferKind::Capture, Place::Revenue, capture),
        (TransferKind::Release, Place::Available, release),
    ];
    for (kind, credit, amount) in moves {
        let task = Some(settle.task);
        let movement =
            Movement { kind, debit: Place::Held, credit, amount, task, grant: None, reference: None };
        book.post(settle.account, context.now, movement, context.chain)?;
    }
    if let Some(key) = key {
        note_usage(book, key, accepted_at, |usage| {
            usage.open = taken(usage.open, amount)?;
            usage.used = usage.used.checked_add(capture)?;
            usage.open_tasks = usage.open_tasks.checked_sub(1).filter(|open| *open >= 0)?;
            Some(())
        })?;
    }
    grants::expire_overdue(book, settle.account, context)?;
    grants::repay_debt(book, settle.account, context)?;
    Ok(release)
}

fn close_task(book: &mut Book, settle: &Settle, now: Timestamp) -> Result<TaskState, Refusal> {
    let (state, error, clips) = match &settle.outcome {
        Outcome::Delivered { clips, .. } => (TaskState::Completed, None, clips.as_slice()),
        Outcome::Failed { code, message, clips } => {
            (TaskState::Failed, Some((code.as_str(), message.as_str())), clips.as_slice())
        }
        Outcome::Canceled => (TaskState::Canceled, Some(("canceled", "Canceled on request")), [].as_slice()),
        Outcome::Expired => {
            (TaskState::Expired, Some(("expired", "Not finished within its deadline")), [].as_slice())
        }
    };
    let task = book.tasks.get_mut(&settle.task).ok_or(Refusal::NoTask)?;
    task.state = state;
    task.terminal_at = Some(now);
    task.error_code = error.map(|(code, _)| code.to_owned());
    task.error_message = error.map(|(_, message)| message.to_owned());
    book.writes.tasks.insert(settle.task);
    book.writes.clips.extend_from_slice(clips);
    book.jobs.remove(&settle.task);
    book.writes.ended_jobs.insert(settle.task);
    abandon_attempts(book, settle.task, now);
    Ok(state)
}

/// An attempt that outlives its task is ours to pay for, not the customer's.
fn abandon_attempts(book: &mut Book, task: TaskId, now: Timestamp) {
    for attempt in book.attempts.get_mut(&task).into_iter().flatten().filter(|attempt| is_live(attempt)) {
        attempt.state = AttemptState::Abandoned;
        attempt.ended_at = Some(now);
        book.writes.abandoned.push(attempt.clone());
    }
}

fn announce(
    book: &mut Book,
    settle: &Settle,
    state: TaskState,
    (captured, released): (Credits, Credits),
    context: &Context,
) -> Result<(), Refusal> {
    let name = match state {
        TaskState::Completed => "completed",
        TaskState::Canceled => "canceled",
        TaskState::Expired => "expired",
        TaskState::Failed | TaskState::Live => "failed",
    };
    let task = book.tasks.get(&settle.task).ok_or(Refusal::NoTask)?;
    let body = serde_json::json!({
        "taskId": settle.task, "state": name, "model": task.model, "captured": captured, "released": released,
        "errorCode": task.error_code,
    });
    let n = book.tell(settle.account, context.now, &format!("video.{name}"), Some(settle.task), body)?;
    if let Some(url) = &settle.callback_url {
        let owed = delivery::Model::to_callback(settle.account, n, url.clone(), context.now);
        book.writes.deliveries.push(owed);
    }
    Ok(())
}
