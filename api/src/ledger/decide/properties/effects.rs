//! What one command may do to a book: the laws that compare before and after.

use entity::hold::HoldState;
use entity::task::TaskState;
use entity::transfer::TransferKind;
use entity::{AccountId, Credits, Timestamp, api_key, grant, hold};

use super::audit::is_alive;
use crate::ledger::book::Book;
use crate::ledger::{Accept, CapWindow, Command, Done, Outcome, Refund, Refusal, Settle, SettledBy};

/// `before` is the book once what was over had expired.
pub fn assert_lawful(
    before: &Book,
    after: &Book,
    command: &Command,
    answer: &Result<Done, Refusal>,
    now: Timestamp,
) {
    let id = command.account();
    counters_only_grow(before, after);
    grants_keep_their_nature(before, after);
    spent_in_burn_order(before, after, id, now);
    match (command, answer) {
        (Command::Accept(accept), answer) => {
            accepted_or_refused_for_a_reason(before, after, accept, answer, now)
        }
        (Command::Settle(settle), Ok(Done::Stale)) => {
            assert!(!may_end(before, settle), "not stale: {settle:?}")
        }
        (Command::Settle(settle), Ok(Done::Settled { fresh: true, .. })) => {
            assert!(may_end(before, settle), "stale: {settle:?}");
            released_credits_live_on(before, after, settle, now);
        }
        (Command::Refund(refund), Ok(Done::Booked { replayed: false })) => {
            refunded_to_where_it_came_from(before, after, refund, now)
        }
        _ => {}
    }
    if let Ok(Done::Settled { state, captured, released, .. }) = answer {
        assert_eq!(recorded(after, command), Some((*state, *captured, *released)), "{command:?}");
    }
}

fn recorded(book: &Book, command: &Command) -> Option<(TaskState, Credits, Credits)> {
    let task = match command {
        Command::Settle(settle) => settle.task,
        Command::Cancel(cancel) => cancel.task,
        _ => return None,
    };
    let hold = &book.holds[&task];
    Some((book.tasks[&task].state, hold.captured, hold.released))
}

fn counters_only_grow(before: &Book, after: &Book) {
    for (id, was) in &before.accounts {
        let is = &after.accounts[id];
        assert!(
            is.credited >= was.credited && is.debited >= was.debited && is.last_at >= was.last_at,
            "{was:?} {is:?}"
        );
        let ours = |book: &Book| -> Vec<i64> {
            book.writes.events.iter().filter(|event| event.account_id == *id).map(|event| event.n).collect()
        };
        let events = ours(after).split_off(ours(before).len());
        assert!(events.iter().copied().eq(was.event_seq + 1..=is.event_seq), "events of {id}: {events:?}");
    }
}

/// Class, cost basis, priority and expiry never change: a gift stays a gift and what ends, ends. Grace comes once.
fn grants_keep_their_nature(before: &Book, after: &Book) {
    let nature = |grant: &grant::Model| {
        (
            grant.account_id,
            grant.class,
            grant.cost_basis,
            grant.priority,
            grant.expires_at,
            grant.original,
            grant.created_at,
        )
    };
    for (id, was) in before.grants.iter() {
        let is = &after.grants[id];
        assert_eq!(nature(is), nature(was), "{id}");
        assert!(
            was.grace_until.is_none() || is.grace_until == was.grace_until,
            "grace moved: {was:?} {is:?}"
        );
    }
}

fn end(grant: &grant::Model) -> Option<Timestamp> {
    grant.grace_until.or(grant.expires_at)
}

/// Priority, the earliest end (never comes last), age, id.
fn rank(grant: &grant::Model) -> impl Ord + use<> {
    (grant.priority, end(grant).is_none(), end(grant), grant.created_at, grant.id)
}

/// Whatever was held or taken away came from the first grants in burn order: those before are empty. Nothing that is over
/// was touched.
fn spent_in_burn_order(before: &Book, after: &Book, id: AccountId, now: Timestamp) {
    let left: Vec<_> =
        after.grants.values().filter(|grant| grant.account_id == id && !grant.remaining.is_zero()).collect();
    for grant in after.grants.values() {
        let spent = match before.grants.get(&grant.id) {
            Some(was) => grant.held > was.held || grant.voided > was.voided,
            None => !grant.voided.is_zero(),
        };
        if spent {
            assert_eq!(grant.account_id, id, "of another account: {grant:?}");
            assert!(end(grant).is_none_or(|end| end > now), "spent after its end: {grant:?}");
            let earlier = left.iter().find(|other| rank(other) < rank(grant));
            assert!(earlier.is_none(), "{grant:?} was spent before {earlier:?}");
        }
    }
}

fn accepted_or_refused_for_a_reason(
    before: &Book,
    after: &Book,
    accept: &Accept,
    answer: &Result<Done, Refusal>,
    now: Timestamp,
) {
    let task = &accept.task;
    let key = task.key_id.map(|id| &before.keys[&id]);
    match answer {
        Ok(Done::Accepted { replayed: false, .. }) => {
            let ranks: Vec<_> =
                after.allocations[&task.id].iter().map(|part| rank(&before.grants[&part.grant_id])).collect();
            assert!(ranks.is_sorted(), "allocations out of order");
            assert!(key.is_none_or(|key| key.account_id == task.account_id), "somebody else's key");
            assert!(key.is_none_or(|key| fits(key, under_way(after, key))), "too many tasks under way");
            for (window, limit) in key.into_iter().flat_map(caps) {
                let spent = spent(after, key, window, now);
                assert!(spent <= limit, "{window:?}: {spent} of {limit}");
            }
        }
        Err(Refusal::TooManyTasks { limit }) => {
            let key = key.unwrap();
            assert_eq!((under_way(before, key), key.max_tasks), (i64::from(*limit), Some(i64::from(*limit))));
        }
        Err(Refusal::CapReached(cap)) => {
            assert!(key.is_some_and(|key| fits(key, under_way(before, key) + 1)), "the cap comes second");
            assert_eq!(cap.spent.thousandths(), spent(before, key, cap.window, now));
            assert!(
                cap.spent.thousandths() + task.credits.thousandths() > cap.limit.thousandths(),
                "{cap:?}"
            );
        }
        Err(Refusal::Insufficient { required, .. }) => {
            let grants = before.grants.values().filter(|grant| grant.account_id == task.account_id);
            let spendable: i64 = grants.map(|grant| grant.remaining.thousandths()).sum();
            assert!(required.thousandths() > spendable, "{spendable} would have been enough for {required}");
        }
        Err(Refusal::KeyGone(_)) => assert!(key.is_some_and(|key| key.account_id != task.account_id)),
        Err(refusal) => assert_eq!((refusal, task.credits.thousandths() <= 0), (&Refusal::NotPositive, true)),
        Ok(done) => assert_eq!(*done, Done::Accepted { task: task.id, replayed: true }),
    }
}

/// The key's tasks that are not settled.
fn under_way(book: &Book, key: &api_key::Model) -> i64 {
    let open = |hold: &&hold::Model| hold.key_id == Some(key.id) && hold.state == HoldState::Open;
    i64::try_from(book.holds.values().filter(open).count()).unwrap()
}

fn fits(key: &api_key::Model, tasks: i64) -> bool {
    key.max_tasks.is_none_or(|limit| tasks <= limit)
}

fn caps(key: &api_key::Model) -> impl Iterator<Item = (CapWindow, i64)> + use<> {
    let caps = [
        (CapWindow::Day, key.cap_day),
        (CapWindow::Week, key.cap_week),
        (CapWindow::Month, key.cap_month),
        (CapWindow::Lifetime, key.cap_lifetime),
    ];
    caps.into_iter().filter_map(|(window, cap)| Some((window, cap?.thousandths())))
}

/// What a key's holds of the current window come to: open ones whole, settled ones as captured and not refunded.
fn spent(book: &Book, key: Option<&api_key::Model>, window: CapWindow, now: Timestamp) -> i64 {
    let cost = |hold: &hold::Model| match hold.state {
        HoldState::Open => hold.amount.thousandths(),
        HoldState::Settled => hold.captured.thousandths() - hold.refunded.thousandths(),
    };
    let ours = |hold: &&hold::Model| hold.key_id.is_some() && hold.key_id == key.map(|key| key.id);
    let current = |hold: &&hold::Model| window.starts_at(now).is_none_or(|start| hold.accepted_at >= start);
    book.holds.values().filter(ours).filter(current).map(cost).sum()
}

/// Whose word ends a task: an operator's, and the owner's if it delivered, if the time is over, or if nothing else can
/// deliver any more.
fn may_end(book: &Book, settle: &Settle) -> bool {
    let SettledBy::Worker { fence, attempt } = settle.by else { return true };
    let attempts = book.attempts.get(&settle.task).map(Vec::as_slice).unwrap_or_default();
    let others = || attempts.iter().filter(|other| Some(other.n) != attempt);
    let last = attempts.last().map(|newest| newest.n) == attempt && !others().any(is_alive);
    let whatever_lives = matches!(settle.outcome, Outcome::Delivered { .. } | Outcome::Expired);
    book.jobs[&settle.task].fence == fence && (whatever_lives || last)
}

/// What our failure gives back can be spent for a while even if its grant has ended meanwhile; a customer's own
/// cancellation buys no time.
fn released_credits_live_on(before: &Book, after: &Book, settle: &Settle, now: Timestamp) {
    let forgiving = !matches!(settle.outcome, Outcome::Canceled);
    for part in after.allocations[&settle.task].iter().filter(|part| !part.returned.is_zero()) {
        let (was, is) = (&before.grants[&part.grant_id], &after.grants[&part.grant_id]);
        if was.grace_until.is_none() {
            let late = was.expires_at.is_some_and(|end| end <= now);
            let grace = (late && forgiving).then(|| now.plus_seconds(86_400));
            assert_eq!(is.grace_until, grace, "{is:?}");
        }
        let over = end(is).is_some_and(|end| end <= now);
        assert!(!over || is.remaining.is_zero(), "over and not expired: {is:?}");
    }
}

/// A grant that still lives gets its part back; only what has ended is replaced.
fn refunded_to_where_it_came_from(before: &Book, after: &Book, refund: &Refund, now: Timestamp) {
    for (was, is) in before.allocations[&refund.task].iter().zip(&after.allocations[&refund.task]) {
        let part = is.refunded.thousandths() - was.refunded.thousandths();
        let origin = &before.grants[&is.grant_id];
        let over = end(origin).is_some_and(|end| end <= now);
        let given_back = origin.consumed.thousandths() - after.grants[&origin.id].consumed.thousandths();
        assert_eq!(given_back, if over { 0 } else { part }, "{origin:?}");
    }
    let booked = after.writes.transfers.iter().filter(|transfer| transfer.kind == TransferKind::Refund);
    assert_eq!(booked.map(|transfer| transfer.amount).collect::<Vec<_>>(), [refund.amount]);
}
