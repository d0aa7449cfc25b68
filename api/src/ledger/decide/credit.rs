//! Grants, corrections and refunds: credits that come from outside a task's own settlement.

use entity::grant::GrantClass;
use entity::hold::HoldState;
use entity::transfer::{Place, TransferKind};
use entity::{AccountId, Credits, GrantId, Timestamp, adjustment, grant};
use uuid::Uuid;

use super::super::book::{Book, Movement, available, taken};
use super::super::{Adjust, Done, Grant, Refund, Refusal};
use super::accept::note_usage;
use super::{Context, grants};

/// Priority of grants that correct a mistake of ours: after promotions, before what was paid for.
const COMPENSATION_PRIORITY: i64 = 50;
/// How long a refund can be spent whose own grant is over, in seconds.
const REPLACEMENT_SECONDS: i64 = 30 * 86_400;

pub fn grant(book: &mut Book, command: &Grant, context: &Context) -> Result<Done, Refusal> {
    positive(command.amount)?;
    let account = command.account;
    let source = match command.class {
        GrantClass::Paid => Place::Purchases,
        GrantClass::Promotional => Place::Promotions,
        GrantClass::Compensation => Place::Adjustments,
    };
    let given = Movement {
        kind: TransferKind::Grant,
        debit: source,
        credit: Place::Available,
        amount: command.amount,
        task: None,
        grant: Some(command.id),
        reference: Some(command.reference.clone()),
    };
    if booked(book, account, &given)? {
        return Ok(Done::Booked { replayed: true });
    }
    book.post(account, context.now, given, context.chain)?;
    grants::open(book, lot(command, context.now));
    finish(book, account, "credits.granted", command.amount, context)
}

fn lot(command: &Grant, now: Timestamp) -> grant::Model {
    grant::Model {
        id: command.id,
        account_id: command.account,
        class: command.class,
        source: command.reference.clone(),
        priority: command.priority,
        expires_at: command.expires_at,
        grace_until: None,
        cost_basis: command.cost_basis,
        original: command.amount,
        remaining: command.amount,
        held: Credits::ZERO,
        consumed: Credits::ZERO,
        expired: Credits::ZERO,
        voided: Credits::ZERO,
        created_at: now,
        closed_at: None,
    }
}

/// Up: a compensation grant. Down: taken from the grants in burn order, the rest becomes debt; open holds are not touched.
pub fn adjust(book: &mut Book, command: &Adjust, spare: Uuid, context: &Context) -> Result<Done, Refusal> {
    let size =
        Credits::from_thousandths(command.amount.thousandths().checked_abs().ok_or(Refusal::TooLarge)?);
    positive(size)?;
    let down = command.amount.is_negative();
    if adjusted(book, command, size, down)? {
        return Ok(Done::Booked { replayed: true });
    }
    if down {
        take(book, command, size, context)?
    } else {
        give(book, command, spare, context)?
    }
    book.writes.adjustments.push(adjustment::Model {
        id: command.id,
        account_id: command.account,
        amount: command.amount,
        reason: command.reason.clone(),
        actor: command.actor.clone(),
        reference: command.reference.clone(),
        at: context.now,
    });
    finish(book, command.account, "credits.adjusted", command.amount, context)
}

/// Whether this correction was booked before. One that went down is an adjust, a debt or both; they add up to it.
fn adjusted(book: &Book, command: &Adjust, size: Credits, down: bool) -> Result<bool, Refusal> {
    let part = |kind| book.references.get(&(kind, command.reference.clone()));
    let parts: Vec<_> =
        [part(TransferKind::Adjust), part(TransferKind::Debt)].into_iter().flatten().collect();
    if parts.is_empty() {
        return Ok(false);
    }
    let sum = parts.iter().try_fold(Credits::ZERO, |sum, part| sum.checked_add(part.amount));
    let ours = parts
        .iter()
        .all(|part| part.account_id == command.account && (part.credit == Place::Adjustments) == down);
    if ours && sum == Some(size) { Ok(true) } else { Err(Refusal::ReferenceTaken) }
}

fn take(book: &mut Book, command: &Adjust, size: Credits, context: &Context) -> Result<(), Refusal> {
    let from_available = size.min(available(book.account(command.account)?));
    let rest = taken(size, from_available).ok_or(Refusal::Internal)?;
    let moves =
        [(TransferKind::Adjust, Place::Available, from_available), (TransferKind::Debt, Place::Debt, rest)];
    grants::void(book, command.account, from_available, context.now)?;
    for (kind, debit, amount) in moves {
        let reference = Some(command.reference.clone());
        let movement =
            Movement { kind, debit, credit: Place::Adjustments, amount, task: None, grant: None, reference };
        book.post(command.account, context.now, movement, context.chain)?;
    }
    Ok(())
}

fn give(book: &mut Book, command: &Adjust, spare: Uuid, context: &Context) -> Result<(), Refusal> {
    let compensation = Grant {
        id: GrantId(spare),
        account: command.account,
        class: GrantClass::Compensation,
        amount: command.amount,
        priority: COMPENSATION_PRIORITY,
        expires_at: None,
        cost_basis: 0,
        reference: command.reference.clone(),
    };
    let movement = Movement {
        kind: TransferKind::Adjust,
        debit: Place::Adjustments,
        credit: Place::Available,
        amount: command.amount,
        task: None,
        grant: Some(compensation.id),
        reference: Some(command.reference.clone()),
    };
    book.post(command.account, context.now, movement, context.chain)?;
    grants::open(book, lot(&compensation, context.now));
    Ok(())
}

pub fn refund(book: &mut Book, command: &Refund, spare: Uuid, context: &Context) -> Result<Done, Refusal> {
    positive(command.amount)?;
    let movement = Movement {
        kind: TransferKind::Refund,
        debit: Place::Revenue,
        credit: Place::Available,
        amount: command.amount,
        task: Some(command.task),
        grant: None,
        reference: Some(command.reference.clone()),
    };
    if booked(book, command.account, &movement)? {
        return Ok(Done::Booked { replayed: true });
    }
    let (key, accepted_at) = note_refund(book, command)?;
    book.post(command.account, context.now, movement, context.chain)?;
    let homeless = grants::give_back(book, command.task, command.amount, context.now)?;
    for (n, (like, amount)) in (0..).zip(homeless) {
        grants::open(book, replacement(like, amount, nth(spare, n), context.now));
    }
    if let Some(key) = key {
        note_usage(book, key, accepted_at, |usage| {
            taken(usage.used, command.amount).map(|used| usage.used = used)
        })?;
    }
    finish(book, command.account, "credits.refunded", command.amount, context)
}

/// Raises the hold's refunded sum, never above what was captured.
fn note_refund(book: &mut Book, command: &Refund) -> Result<(Option<entity::KeyId>, Timestamp), Refusal> {
    let hold = book.holds.get_mut(&command.task).ok_or(Refusal::NoTask)?;
    if hold.account_id != command.account {
        return Err(Refusal::NoTask);
    }
    if hold.state != HoldState::Settled {
        return Err(Refusal::NotSettled);
    }
    let refunded = hold.refunded.checked_add(command.amount).ok_or(Refusal::TooLarge)?;
    if refunded > hold.captured {
        return Err(Refusal::AboveCaptured);
    }
    hold.refunded = refunded;
    book.writes.holds.insert(command.task);
    Ok((hold.key_id, hold.accepted_at))
}

/// Ids for several grants out of one: a ULID's random bits counted up, as its monotonic form does within a millisecond.
fn nth(spare: Uuid, n: u128) -> Uuid {
    Uuid::from_u128(spare.as_u128().wrapping_add(n))
}

/// The part of a refund whose grant is over: the same class and cost basis, spendable for a while again.
fn replacement(like: grant::Model, amount: Credits, id: Uuid, now: Timestamp) -> grant::Model {
    grant::Model {
        id: GrantId(id),
        source: format!("refund:{}", like.id),
        expires_at: Some(now.plus_seconds(REPLACEMENT_SECONDS)),
        grace_until: None,
        original: amount,
        remaining: amount,
        held: Credits::ZERO,
        consumed: Credits::ZERO,
        expired: Credits::ZERO,
        voided: Credits::ZERO,
        created_at: now,
        closed_at: None,
        ..like
    }
}

fn finish(
    book: &mut Book,
    account: AccountId,
    kind: &str,
    amount: Credits,
    context: &Context,
) -> Result<Done, Refusal> {
    grants::repay_debt(book, account, context)?;
    let balance = available(book.account(account)?);
    let body = serde_json::json!({ "amount": amount, "available": balance });
    book.tell(account, context.now, kind, None, body)?;
    Ok(Done::Booked { replayed: false })
}

fn positive(amount: Credits) -> Result<(), Refusal> {
    if amount > Credits::ZERO { Ok(()) } else { Err(Refusal::NotPositive) }
}

/// Whether the movement's reference was booked for the same one; for anything else it is taken.
fn booked(book: &Book, account: AccountId, movement: &Movement) -> Result<bool, Refusal> {
    let Some(reference) = movement.reference.clone() else { return Ok(false) };
    let Some(earlier) = book.references.get(&(movement.kind, reference)) else { return Ok(false) };
    let same = earlier.account_id == account
        && earlier.amount == movement.amount
        && earlier.debit == movement.debit
        && earlier.task_id == movement.task;
    if same { Ok(true) } else { Err(Refusal::ReferenceTaken) }
}
