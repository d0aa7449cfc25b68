//! Every order in which things can happen to one task, up to seven events, against the real decisions about its money.
//!
//! Jobs and attempts are rows that workers write, so a small model writes them here as a worker would: a claim raises the
//! fence and makes an attempt, a row is touched only `WHERE fence = mine`, and what a worker then asks of the vault carries
//! its fence. Two paths to the same rows have the same future, so each state is walked on from once.

mod event;
mod model;
mod worker;

use std::collections::HashSet;

use entity::account::AlertState;
use entity::job::JobState;
use entity::task::TaskState;

use self::event::{EVENTS, Event};
use self::model::{ACCOUNT, Answer, CAPTURED, State, TASK};
use super::properties::rows;
use crate::ledger::Done;

const LONGEST: usize = 7;

/// What has to be true of every step, whatever led to it.
fn assert_step(before: &State, after: &State, event: Event, answer: &Answer) {
    assert!(after.settlements <= 1, "settled twice");
    assert_eq!(after.settlements == 1, after.end().is_some(), "settled and terminal are one");
    let late = matches!(event, Event::LateSuccess | Event::LateFailure) && !before.hears_the_late_one();
    let unmoved = matches!(answer, None | Some(Ok(Done::Stale | Done::Settled { fresh: false, .. })));
    assert!(!late || unmoved, "a stale fence was heard: {answer:?}");
    if before.end().is_some() {
        assert_eq!(after.book.tasks, before.book.tasks, "a terminal task changed");
        assert_eq!(after.book.holds, before.book.holds);
        assert_eq!(after.book.allocations, before.book.allocations);
        assert_eq!(after.book.attempts, before.book.attempts);
        assert!(after.book.jobs.is_empty(), "a job came back");
    }
    if before.end().is_none() && before.book.jobs.contains_key(&TASK) {
        assert_progress(before, after, event);
    }
}

/// What ends a live task, and what must not.
fn assert_progress(before: &State, after: &State, event: Event) {
    let (alive, job) = (before.living(), &before.book.jobs[&TASK]);
    let expected = match event {
        Event::Deadline => Some(TaskState::Expired),
        Event::Callback if alive > 0 => Some(TaskState::Completed),
        Event::PollSuccess if before.accepted() > 0 => Some(TaskState::Completed),
        Event::Cancel if job.state == JobState::Queued => Some(TaskState::Canceled),
        Event::PollFailure if alive == 1 && before.accepted() == 1 && job.cancel_at.is_some() => {
            Some(TaskState::Canceled)
        }
        Event::PollFailure if alive == 1 && before.accepted() == 1 => Some(TaskState::Failed),
        Event::LateSuccess if before.late_one_lives() => Some(TaskState::Completed),
        Event::LateFailure if before.late_one_lives() && alive == 1 => Some(TaskState::Failed),
        _ => None,
    };
    assert_eq!(after.end(), expected, "with {alive} living attempts");
    let captured = after.book.holds[&TASK].captured.thousandths();
    assert_eq!(captured, if expected == Some(TaskState::Completed) { CAPTURED } else { 0 });
}

/// What the walk has to have met, or it proves nothing.
#[derive(Debug, Default)]
struct Met {
    ends: HashSet<TaskState>,
    stale: HashSet<&'static str>,
    late_and_heard: bool,
    expired: bool,
    graced: bool,
    told: HashSet<AlertState>,
}

impl Met {
    fn note(&mut self, state: &State, event: Event, answer: &Answer) {
        self.ends.extend(state.end());
        let reason = if event == Event::PollFailure { "another attempt is alive" } else { "taken over" };
        self.stale.extend((*answer == Some(Ok(Done::Stale))).then_some(reason));
        let ended = matches!(answer, Some(Ok(Done::Settled { fresh: true, .. })));
        self.late_and_heard |= ended && event == Event::LateSuccess;
        self.expired |= state.book.grants.values().any(|grant| !grant.expired.is_zero());
        self.told.insert(state.book.accounts[&ACCOUNT].alert_state);
        self.graced |= state.book.grants.values().any(|grant| grant.grace_until.is_some());
    }
}

/// The events so far. Dropped by a failing assertion, it says which order failed.
struct Path {
    events: Vec<Event>,
}

impl Drop for Path {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the order {:?}", self.events);
        }
    }
}

#[test]
fn no_order_of_seven_events_settles_twice_or_leaves_money_behind() {
    let chain = rows::chain();
    let (mut seen, mut met) = (HashSet::new(), Met::default());
    let mut reached = vec![(State::new(&chain), Vec::new())];
    for _ in 0..LONGEST {
        let mut next = Vec::new();
        for (state, path) in &reached {
            for event in EVENTS {
                let step = Path { events: [path.as_slice(), &[event]].concat() };
                let mut after = state.copy();
                let answer = after.apply(&chain, event);
                assert_step(state, &after, event, &answer);
                met.note(&after, event, &answer);
                if seen.insert(after.key()) {
                    next.push((after, step.events.clone()));
                }
            }
        }
        reached = next;
    }
    assert_eq!((met.ends.len(), met.stale.len(), met.told.len()), (4, 2, 3), "{met:?}");
    assert!(met.expired && met.graced && met.late_and_heard && seen.len() > 1_000, "{met:?}");
}
