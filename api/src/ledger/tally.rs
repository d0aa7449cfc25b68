//! What the lane counts about itself: handles that are made once, so that counting costs next to nothing.

use std::time::Instant;

use entity::Mode;
use entity::task::TaskState;
use metrics::{Counter, Histogram};

use super::{Command, Done, Refusal};
use crate::metrics::{Metrics, table};

/// The lane's metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tally {
    metrics: Metrics,
    batch: Histogram,
    commit: Histogram,
    accepted_live: Counter,
    accepted_test: Counter,
    completed: Counter,
    insufficient: Counter,
}

impl Tally {
    pub fn new(metrics: &Metrics) -> Self {
        let accepted = |mode: Mode| metrics.counter(&table::TASKS_ACCEPTED, &[mode.as_str()]);
        let insufficient = Refusal::Insufficient {
            required: entity::Credits::ZERO,
            available: entity::Credits::ZERO,
            held: entity::Credits::ZERO,
        };
        Tally {
            batch: metrics.histogram(&table::LANE_BATCH, &[]),
            commit: metrics.histogram(&table::LANE_COMMIT, &[]),
            accepted_live: accepted(Mode::Live),
            accepted_test: accepted(Mode::Test),
            completed: metrics.counter(&table::TASKS_SETTLED, &[ending(TaskState::Completed)]),
            insufficient: metrics.counter(&table::LANE_REFUSALS, &[reason(&insufficient)]),
            metrics: metrics.clone(),
        }
    }

    /// A transaction served so many commands and took the time since `begun`.
    pub fn committed(&self, commands: usize, begun: Instant) {
        self.batch.record(commands as f64);
        self.commit.record(begun.elapsed());
    }

    pub fn answered(&self, command: &Command, answer: &Result<Done, Refusal>) {
        match (command, answer) {
            (Command::Accept(accept), Ok(Done::Accepted { replayed: false, .. })) => match accept.task.mode {
                Mode::Live => self.accepted_live.increment(1),
                Mode::Test => self.accepted_test.increment(1),
            },
            (_, Ok(Done::Settled { state: TaskState::Completed, fresh: true, .. })) => {
                self.completed.increment(1);
            }
            (_, Ok(Done::Settled { state, fresh: true, .. })) => {
                self.metrics.counter(&table::TASKS_SETTLED, &[ending(*state)]).increment(1);
            }
            (_, Err(refusal)) => self.refused(refusal),
            _ => {}
        }
    }

    pub fn refused(&self, refusal: &Refusal) {
        match refusal {
            Refusal::Insufficient { .. } => self.insufficient.increment(1),
            other => self.metrics.counter(&table::LANE_REFUSALS, &[reason(other)]).increment(1),
        }
    }
}

fn ending(state: TaskState) -> &'static str {
    match state {
        TaskState::Live => "live",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        TaskState::Canceled => "canceled",
        TaskState::Expired => "expired",
    }
}

fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoAccount => "no_account",
        Refusal::NoTask => "no_task",
        Refusal::KeyReused => "key_reused",
        Refusal::QuoteUsed => "quote_used",
        Refusal::KeyGone(_) => "key_gone",
        Refusal::Frozen => "frozen",
        Refusal::Insufficient { .. } => "insufficient",
        Refusal::TooManyTasks { .. } => "too_many_tasks",
        Refusal::CapReached(_) => "cap_reached",
        Refusal::ReferenceTaken => "reference_taken",
        Refusal::NotSettled => "not_settled",
        Refusal::AboveCaptured => "above_captured",
        Refusal::NotPositive => "not_positive",
        Refusal::TooLarge => "too_large",
        Refusal::TooMany => "too_many",
        Refusal::Busy => "busy",
        Refusal::Unavailable => "unavailable",
        Refusal::OutcomeUnknown => "outcome_unknown",
        Refusal::Internal => "internal",
    }
}
