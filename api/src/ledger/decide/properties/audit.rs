//! The invariants of the book, checked in memory and written without the code they check.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Debug;

use entity::attempt::AttemptState;
use entity::hold::HoldState;
use entity::task::TaskState;
use entity::transfer::{Place, TransferKind};
use entity::{AccountId, TaskId, Timestamp, attempt, grant, hold, key_usage, transfer};

use crate::ledger::book::{Book, UsageRow, Writes};
use crate::ledger::chain::{Chain, GENESIS};

/// The same book with nothing to write: what the next batch would load.
pub fn reloaded(book: &Book) -> Book {
    Book {
        accounts: book.accounts.clone(),
        grants: book.grants.clone(),
        tasks: book.tasks.clone(),
        jobs: book.jobs.clone(),
        holds: book.holds.clone(),
        allocations: book.allocations.clone(),
        attempts: book.attempts.clone(),
        keys: book.keys.clone(),
        usage: book.usage.clone(),
        by_idempotency_key: book.by_idempotency_key.clone(),
        by_quote: book.by_quote.clone(),
        references: book.references.clone(),
        writes: Writes::default(),
    }
}

/// Both books say the same, and would write the same.
pub fn assert_same(one: &Book, other: &Book) {
    assert_eq!(one.accounts, other.accounts);
    assert_eq!(one.grants, other.grants);
    assert_eq!(one.tasks, other.tasks);
    assert_eq!(one.jobs, other.jobs);
    assert_eq!(one.holds, other.holds);
    assert_eq!(one.allocations, other.allocations);
    assert_eq!(one.attempts, other.attempts);
    assert_eq!(one.keys, other.keys);
    assert_eq!(one.usage, other.usage);
    assert_eq!(one.by_idempotency_key, other.by_idempotency_key);
    assert_eq!(one.by_quote, other.by_quote);
    assert_eq!(one.references, other.references);
    assert_eq!(format!("{:?}", one.writes), format!("{:?}", other.writes));
}

/// Every row that changed is among those that will be written: new ones inserted, old ones updated.
pub fn assert_written(before: &Book, after: &Book) {
    let writes = &after.writes;
    changes_are_in(&after.accounts, |id| before.accounts.get(id), &BTreeSet::new(), &writes.accounts);
    changes_are_in(after.grants.iter(), |id| before.grants.get(id), &writes.new_grants, &writes.grants);
    changes_are_in(&after.holds, |id| before.holds.get(id), &writes.new_holds, &writes.holds);
    changes_are_in(&after.tasks, |id| before.tasks.get(id), &writes.new_tasks, &writes.tasks);
    let (new, old) = (&writes.new_allocations, &writes.allocations);
    changes_are_in(&after.allocations, |id| before.allocations.get(id), new, old);
    let new = writes.new_jobs.iter().map(|job| job.task_id).collect();
    changes_are_in(&after.jobs, |id| before.jobs.get(id), &new, &writes.canceled_jobs);
    for (row, usage) in &after.usage {
        assert!(before.usage.get(row) == Some(usage) || writes.usage.contains(row), "{row:?} is not written");
    }
    for task in before.jobs.keys().filter(|task| !after.jobs.contains_key(task)) {
        assert!(writes.ended_jobs.contains(task), "the job of {task} is not deleted");
    }
    for (task, attempts) in &after.attempts {
        let was = &before.attempts[task];
        let changed = attempts.iter().zip(was).filter(|(now, was)| now != was);
        changed.for_each(|(now, _)| assert!(writes.abandoned.contains(now), "{now:?} is not written"));
    }
}

fn changes_are_in<'a, K: Ord + Debug + 'a, V: PartialEq + 'a>(
    after: impl IntoIterator<Item = (&'a K, &'a V)>,
    before: impl Fn(&K) -> Option<&'a V>,
    inserted: &BTreeSet<K>,
    updated: &BTreeSet<K>,
) {
    for (id, row) in after {
        match before(id) {
            None => assert!(inserted.contains(id), "{id:?} is not inserted"),
            Some(was) if was == row => {}
            Some(_) => assert!(updated.contains(id) && !inserted.contains(id), "{id:?} is not updated"),
        }
    }
}

/// Replays transfers from nothing, as they are written.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    accounts: BTreeMap<AccountId, Replayed>,
    once: HashSet<(TaskId, TransferKind)>,
    references: HashSet<(TransferKind, String)>,
}

#[derive(Clone, Debug)]
struct Replayed {
    seq: i64,
    at: Timestamp,
    head: Vec<u8>,
    /// Available, held, debt.
    balances: [i64; 3],
}

impl Journal {
    pub fn replay(&mut self, chain: &Chain, transfers: &[transfer::Model]) {
        for transfer in transfers {
            let start = || Replayed { seq: 0, at: transfer.at, head: GENESIS.to_vec(), balances: [0; 3] };
            self.accounts.entry(transfer.account_id).or_insert_with(start).follow(chain, transfer);
            let ends = [TransferKind::Hold, TransferKind::Capture, TransferKind::Release];
            let once = transfer.task_id.filter(|_| ends.contains(&transfer.kind));
            assert!(once.is_none_or(|task| self.once.insert((task, transfer.kind))), "twice: {transfer:?}");
            let named = transfer.reference.clone();
            assert!(
                named.is_none_or(|name| self.references.insert((transfer.kind, name))),
                "twice: {transfer:?}"
            );
        }
    }

    /// The accounts say what their journals add up to.
    pub fn assert_agrees(&self, book: &Book) {
        for (id, account) in &book.accounts {
            let Some(replayed) = self.accounts.get(id) else {
                assert_eq!((account.seq, account.credited.thousandths()), (0, 0));
                continue;
            };
            let available =
                account.credited.thousandths() - account.debited.thousandths() - account.held.thousandths();
            let balances = [available, account.held.thousandths(), account.debt.thousandths()];
            assert_eq!(balances, replayed.balances, "{id}");
            assert_eq!((account.seq, &account.head), (replayed.seq, &replayed.head), "{id}");
        }
    }
}

impl Replayed {
    fn follow(&mut self, chain: &Chain, transfer: &transfer::Model) {
        let amount = transfer.amount.thousandths();
        assert!(amount > 0 && transfer.debit != transfer.credit, "{transfer:?}");
        assert_eq!(transfer.seq, self.seq + 1, "a gap before {transfer:?}");
        assert!(transfer.at >= self.at, "time ran backwards: {transfer:?}");
        assert!(chain.holds(&self.head, transfer), "the chain is broken at {transfer:?}");
        for (place, signed) in [(transfer.debit, -amount), (transfer.credit, amount)] {
            match place {
                Place::Available => self.balances[0] += signed,
                Place::Held => self.balances[1] += signed,
                // What is owed is the other side of what was taken from it.
                Place::Debt => self.balances[2] -= signed,
                _ => {}
            }
        }
        let after = [transfer.available_after, transfer.held_after, transfer.debt_after];
        assert_eq!(after.map(entity::Credits::thousandths), self.balances, "{transfer:?}");
        assert!(self.balances.iter().all(|balance| *balance >= 0), "below zero: {transfer:?}");
        (self.seq, self.at, self.head) = (transfer.seq, transfer.at, transfer.hash.clone());
    }
}

/// Everything that has to be true of a whole book at any time.
pub fn assert_balanced(book: &Book) {
    book.accounts.keys().for_each(|id| account_is_its_parts(book, *id));
    book.grants.values().for_each(|grant| grant_is_its_parts(book, grant));
    book.holds.values().for_each(|hold| hold_is_its_parts(book, hold));
    usage_is_what_holds_say(book);
    assert_eq!(book.tasks.len(), book.holds.len(), "a task has one hold");
}

fn account_is_its_parts(book: &Book, id: AccountId) {
    let account = &book.accounts[&id];
    let grants: Vec<_> = book.grants.values().filter(|grant| grant.account_id == id).collect();
    let open = book.holds.values().filter(|hold| hold.account_id == id && hold.state == HoldState::Open);
    let held = account.held.thousandths();
    let available = account.credited.thousandths() - account.debited.thousandths() - held;
    assert_eq!(
        available,
        grants.iter().map(|grant| grant.remaining.thousandths()).sum::<i64>(),
        "available of {id}"
    );
    assert_eq!(held, grants.iter().map(|grant| grant.held.thousandths()).sum::<i64>(), "held of {id}");
    assert_eq!(held, open.map(|hold| hold.amount.thousandths()).sum::<i64>(), "open holds of {id}");
    assert!(
        !account.debt.is_negative() && (account.debt.is_zero() || available == 0),
        "credit beside debt: {account:?}"
    );
}

fn grant_is_its_parts(book: &Book, grant: &grant::Model) {
    let parts = [grant.remaining, grant.held, grant.consumed, grant.expired, grant.voided];
    let parts = parts.map(entity::Credits::thousandths);
    assert!(parts.iter().all(|part| *part >= 0), "below zero: {grant:?}");
    assert_eq!(grant.original.thousandths(), parts.iter().sum::<i64>(), "{grant:?}");
    assert_eq!(grant.closed_at.is_some(), parts[0] == 0 && parts[1] == 0, "{grant:?}");
    let (mut held, mut paid) = (0, 0);
    for (task, allocation) in
        book.allocations.iter().flat_map(|(task, all)| all.iter().map(move |one| (task, one)))
    {
        if allocation.grant_id == grant.id {
            let open = book.holds[task].state == HoldState::Open;
            held += if open { allocation.amount.thousandths() } else { 0 };
            paid += allocation.captured.thousandths() - allocation.refunded.thousandths();
        }
    }
    assert_eq!(grant.held.thousandths(), held, "held of {grant:?}");
    assert_eq!(grant.consumed.thousandths() - paid, replaced(book, grant), "consumed of {grant:?}");
}

/// What was refunded of a grant that was over by then: new grants of the same kind, which end as well.
fn replaced(book: &Book, origin: &grant::Model) -> i64 {
    let name = format!("refund:{}", origin.id);
    let like = |grant: &grant::Model| (grant.account_id, grant.class, grant.cost_basis, grant.priority);
    let mut sum = 0;
    for grant in book.grants.values().filter(|grant| grant.source == name) {
        assert_eq!(like(grant), like(origin), "{grant:?} replaces {origin:?}");
        assert!(origin.expires_at.is_some_and(|end| end <= grant.created_at), "{origin:?} was not over");
        assert!(grant.expires_at.is_some(), "{grant:?} never expires");
        sum += grant.original.thousandths();
    }
    sum
}

fn hold_is_its_parts(book: &Book, hold: &hold::Model) {
    let (task, parts) = (&book.tasks[&hold.task_id], &book.allocations[&hold.task_id]);
    let settled = hold.state == HoldState::Settled;
    assert_eq!(settled, task.state != TaskState::Live, "{task:?}");
    assert_eq!(settled, task.terminal_at.is_some() && hold.settled_at.is_some(), "{task:?}");
    assert_eq!(settled, !book.jobs.contains_key(&task.id), "the job of {task:?}");
    let sum = |of: fn(&entity::hold_allocation::Model) -> entity::Credits| -> i64 {
        parts.iter().map(|part| of(part).thousandths()).sum()
    };
    let (amount, captured, released) =
        (hold.amount.thousandths(), hold.captured.thousandths(), hold.released.thousandths());
    assert_eq!(amount, sum(|part| part.amount));
    assert_eq!((captured, released), (sum(|part| part.captured), sum(|part| part.returned)));
    assert_eq!(hold.refunded.thousandths(), sum(|part| part.refunded));
    assert_eq!(captured + released, if settled { amount } else { 0 }, "{hold:?}");
    assert!(task.state == TaskState::Completed || captured == 0, "charged without delivery: {hold:?}");
    assert!(0 <= captured && hold.refunded <= hold.captured && !hold.refunded.is_negative(), "{hold:?}");
    for (earlier, later) in parts.iter().zip(parts.iter().skip(1)) {
        assert!(
            later.captured.is_zero() || earlier.captured == earlier.amount,
            "captured out of order: {parts:?}"
        );
        assert!(
            earlier.refunded.is_zero() || later.refunded == later.captured,
            "refunded out of order: {parts:?}"
        );
    }
    let mut attempts = book.attempts.get(&task.id).into_iter().flatten();
    assert!(!settled || !attempts.any(is_alive), "alive after the end: {task:?}");
}

/// Whether an attempt may still deliver something.
pub fn is_alive(attempt: &attempt::Model) -> bool {
    let alive = [AttemptState::Intent, AttemptState::Accepted, AttemptState::Unknown, AttemptState::Broken];
    alive.contains(&attempt.state)
}

fn usage_is_what_holds_say(book: &Book) {
    let mut expected = BTreeMap::new();
    for hold in book.holds.values() {
        let Some(key) = hold.key_id else { continue };
        for row in [UsageRow::Day(hold.accepted_at.day()), UsageRow::Lifetime] {
            let (used, open, tasks) = expected.entry((key, row)).or_insert((0, 0, 0));
            *used += hold.captured.thousandths() - hold.refunded.thousandths();
            if hold.state == HoldState::Open {
                *open += hold.amount.thousandths();
                *tasks += 1;
            }
        }
    }
    let counted =
        |usage: &key_usage::Model| (usage.used.thousandths(), usage.open.thousandths(), usage.open_tasks);
    let found: BTreeMap<_, _> = book.usage.iter().map(|(row, usage)| (*row, counted(usage))).collect();
    assert_eq!(found, expected, "usage of keys");
}
