//! What happens inside an account's grants: reserve, expire, take away, give back.

use entity::transfer::{Place, TransferKind};
use entity::{AccountId, Credits, GrantId, TaskId, Timestamp, grant, hold_allocation};

use super::super::Refusal;
use super::super::book::{Book, Movement, available, is_over, taken};
use super::Context;

/// How long credits can be spent that came back after their grant's expiry, in seconds. Our failure must not eat them.
const GRACE_SECONDS: i64 = 24 * 3_600;

/// Moves an amount from remaining to held, in burn order, and says what came from where.
pub fn reserve(
    book: &mut Book,
    account: AccountId,
    task: TaskId,
    amount: Credits,
    now: Timestamp,
) -> Result<Vec<hold_allocation::Model>, Refusal> {
    let plan = plan(book, account, amount)?;
    let mut allocations = Vec::with_capacity(plan.len());
    for (n, (grant_id, part)) in (0..).zip(plan) {
        book.change_grant(grant_id, now, |grant| {
            grant.remaining = taken(grant.remaining, part)?;
            grant.held = grant.held.checked_add(part)?;
            Some(())
        })?;
        allocations.push(hold_allocation::Model {
            task_id: task,
            n,
            grant_id,
            amount: part,
            captured: Credits::ZERO,
            returned: Credits::ZERO,
            refunded: Credits::ZERO,
        });
    }
    Ok(allocations)
}

/// Takes an amount out of the account's grants for good, in burn order.
pub fn void(book: &mut Book, account: AccountId, amount: Credits, now: Timestamp) -> Result<(), Refusal> {
    for (grant_id, part) in plan(book, account, amount)? {
        book.change_grant(grant_id, now, |grant| {
            grant.remaining = taken(grant.remaining, part)?;
            grant.voided = grant.voided.checked_add(part)?;
            Some(())
        })?;
    }
    Ok(())
}

/// Which grants an amount comes from. The account's available credits are the sum of what its grants have left, so a
/// shortfall here means that the book does not balance.
fn plan(book: &Book, account: AccountId, amount: Credits) -> Result<Vec<(GrantId, Credits)>, Refusal> {
    let mut missing = amount;
    let mut plan = Vec::new();
    for id in book.burn_order(account) {
        if missing.is_zero() {
            break;
        }
        let part = missing.min(book.grants[&id].remaining);
        missing = taken(missing, part).ok_or(Refusal::Internal)?;
        plan.push((id, part));
    }
    if missing.is_zero() { Ok(plan) } else { Err(Refusal::Internal) }
}

/// Expires what is over, each grant by a transfer of its own. Whatever is held stays: it comes back or is captured.
pub fn expire_overdue(book: &mut Book, account: AccountId, context: &Context) -> Result<Credits, Refusal> {
    let overdue: Vec<GrantId> =
        book.burn_order(account).into_iter().filter(|id| is_over(&book.grants[id], context.now)).collect();
    let mut total = Credits::ZERO;
    for id in overdue {
        let amount = book.grants[&id].remaining;
        book.change_grant(id, context.now, |grant| {
            grant.expired = grant.expired.checked_add(amount)?;
            grant.remaining = Credits::ZERO;
            Some(())
        })?;
        let movement = Movement {
            kind: TransferKind::Expire,
            debit: Place::Available,
            credit: Place::Expired,
            amount,
            task: None,
            grant: Some(id),
            reference: None,
        };
        book.post(account, context.now, movement, context.chain)?;
        total = total.checked_add(amount).ok_or(Refusal::TooLarge)?;
    }
    if !total.is_zero() {
        let body = serde_json::json!({ "amount": total, "available": available(book.account(account)?) });
        book.tell(account, context.now, "credits.expired", None, body)?;
    }
    Ok(total)
}

/// Splits a hold over its allocations: captured first from the grant that burns first, so that what comes back is what
/// lives longest. `forgiving` gives a grant that expired meanwhile its one grace.
pub fn close_allocations(
    book: &mut Book,
    task: TaskId,
    capture: Credits,
    forgiving: bool,
    now: Timestamp,
) -> Result<(), Refusal> {
    let mut allocations = book.allocations.remove(&task).unwrap_or_default();
    let mut left = capture;
    for allocation in &mut allocations {
        allocation.captured = left.min(allocation.amount);
        allocation.returned = taken(allocation.amount, allocation.captured).ok_or(Refusal::Internal)?;
        left = taken(left, allocation.captured).ok_or(Refusal::Internal)?;
    }
    for allocation in allocations.iter().rev() {
        book.change_grant(allocation.grant_id, now, |grant| close_part(grant, allocation, forgiving, now))?;
    }
    book.allocations.insert(task, allocations);
    book.writes.allocations.insert(task);
    Ok(())
}

fn close_part(
    grant: &mut grant::Model,
    allocation: &hold_allocation::Model,
    forgiving: bool,
    now: Timestamp,
) -> Option<()> {
    grant.held = taken(grant.held, allocation.amount)?;
    grant.consumed = grant.consumed.checked_add(allocation.captured)?;
    grant.remaining = grant.remaining.checked_add(allocation.returned)?;
    let over = grant.expires_at.is_some_and(|end| end <= now);
    if over && forgiving && grant.grace_until.is_none() && !allocation.returned.is_zero() {
        grant.grace_until = Some(now.plus_seconds(GRACE_SECONDS));
    }
    Some(())
}

/// Gives captured credits back to the grants they came from, the last captured first. What came from grants that are over
/// is the answer: each needs a new grant like the given one.
pub fn give_back(
    book: &mut Book,
    task: TaskId,
    amount: Credits,
    now: Timestamp,
) -> Result<Vec<(grant::Model, Credits)>, Refusal> {
    let mut allocations = book.allocations.remove(&task).unwrap_or_default();
    let mut left = amount;
    let mut homeless: Vec<(grant::Model, Credits)> = Vec::new();
    for allocation in allocations.iter_mut().rev() {
        let refundable = taken(allocation.captured, allocation.refunded).ok_or(Refusal::Internal)?;
        let part = left.min(refundable);
        if part.is_zero() {
            continue;
        }
        left = taken(left, part).ok_or(Refusal::Internal)?;
        allocation.refunded = allocation.refunded.checked_add(part).ok_or(Refusal::TooLarge)?;
        let origin = book.grants.get(&allocation.grant_id).ok_or(Refusal::Internal)?;
        if is_over(origin, now) {
            homeless.push((origin.clone(), part));
        } else {
            book.change_grant(allocation.grant_id, now, |grant| {
                grant.consumed = taken(grant.consumed, part)?;
                grant.remaining = grant.remaining.checked_add(part)?;
                Some(())
            })?;
        }
    }
    book.allocations.insert(task, allocations);
    book.writes.allocations.insert(task);
    if left.is_zero() { Ok(homeless) } else { Err(Refusal::Internal) }
}

/// Adds a grant to the book, all of it spendable.
pub fn open(book: &mut Book, grant: grant::Model) {
    book.writes.new_grants.insert(grant.id);
    book.grants.insert(grant);
}

/// Any credit to an account in debt repays the debt first.
pub fn repay_debt(book: &mut Book, account: AccountId, context: &Context) -> Result<(), Refusal> {
    let state = book.account(account)?;
    let amount = state.debt.min(super::super::book::available(state));
    if amount.is_zero() {
        return Ok(());
    }
    void(book, account, amount, context.now)?;
    let movement = Movement {
        kind: TransferKind::Repay,
        debit: Place::Available,
        credit: Place::Debt,
        amount,
        task: None,
        grant: None,
        reference: None,
    };
    book.post(account, context.now, movement, context.chain)
}
