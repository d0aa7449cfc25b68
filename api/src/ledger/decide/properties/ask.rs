//! What a script's steps ask of the vault, in the world as it is by then.

use entity::attempt::{self, AttemptState};
use entity::grant::GrantClass;
use entity::{AccountId, Credits, GrantId, KeyId, TaskId};
use proptest::sample::Index;
use uuid::Uuid;

use super::World;
use super::rows::{self, credits};
use super::script::{How, Step, Who};
use crate::ledger::{
    Adjust, Cancel, Command, Done, Grant, Outcome, Refund, SetAlert, Settle, SettledBy, Thresholds,
};

impl World {
    pub(super) fn new_id(&mut self) -> Uuid {
        self.last_id += 1_000;
        Uuid::from_u128(self.last_id)
    }

    fn task(&self, index: Index) -> Option<TaskId> {
        (!self.tasks.is_empty()).then(|| self.tasks[index.index(self.tasks.len())])
    }

    /// What a step asks of the vault; nothing when it is about a task and there is none.
    pub(super) fn command(&mut self, step: &Step) -> Option<Command> {
        let id = self.new_id();
        let base = self.base;
        let account = |n: u128| AccountId(Uuid::from_u128(base + n));
        let reference = id.to_string();
        Some(match *step {
            Step::Grant { account: n, class, amount, priority, hours } => Command::Grant(Grant {
                id: GrantId(id),
                account: account(n),
                class,
                amount: credits(amount),
                priority,
                expires_at: hours.map(|hours| self.now.plus_seconds(hours * 3_600)),
                cost_basis: if class == GrantClass::Paid { 10_000 + amount } else { 0 },
                reference,
            }),
            Step::Adjust { account: n, amount } => Command::Adjust(Adjust {
                id,
                account: account(n),
                amount: credits(amount),
                reason: String::new(),
                actor: String::new(),
                reference,
            }),
            Step::Accept { account: n, key, amount } => {
                let key = key.map(|n| KeyId(Uuid::from_u128(base + n)));
                Command::Accept(Box::new(rows::accept(id.as_u128(), account(n), key, amount, self.now)))
            }
            Step::Settle { task, who, how } => {
                Command::Settle(Box::new(self.settle(self.task(task)?, who, how)))
            }
            Step::Cancel { task } => {
                let task = self.task(task)?;
                Command::Cancel(Cancel {
                    account: self.book.holds[&task].account_id,
                    task,
                    callback_url: None,
                })
            }
            Step::Refund { task, percent } => {
                let hold = &self.book.holds[&self.task(task)?];
                let amount = credits(part(hold.captured, percent));
                Command::Refund(Refund { account: hold.account_id, task: hold.task_id, amount, reference })
            }
            Step::Expire { account: n } => Command::Expire(account(n)),
            Step::Alert { account: n, low, more } => {
                let thresholds = low.and_then(|low| Thresholds::new(credits(low), credits(low + more)));
                Command::Alert(SetAlert { account: account(n), thresholds })
            }
            Step::Attempt { .. } | Step::Wait { .. } | Step::Repeat { .. } => return None,
        })
    }

    fn settle(&self, task: TaskId, who: Who, how: How) -> Settle {
        let hold = &self.book.holds[&task];
        let fence = self.book.jobs.get(&task).map_or(0, |job| job.fence);
        let newest =
            self.book.attempts.get(&task).and_then(|attempts| attempts.last()).map(|attempt| attempt.n);
        let by = match who {
            Who::Owner => SettledBy::Worker { fence, attempt: newest },
            Who::Unaware => {
                SettledBy::Worker { fence, attempt: newest.and_then(|n| (n > 1).then_some(n - 1)) }
            }
            Who::TakenOver => SettledBy::Worker { fence: fence - 1, attempt: newest },
            Who::Operator => SettledBy::Operator,
        };
        let capture = |percent| credits(part(hold.amount, percent));
        let outcome = match how {
            How::Delivered(percent) => {
                Outcome::Delivered { capture: capture(percent), clips: vec![rows::clip(task)] }
            }
            How::Failed => Outcome::Failed { code: String::new(), message: String::new(), clips: Vec::new() },
            How::Canceled => Outcome::Canceled,
            How::Expired => Outcome::Expired,
        };
        Settle { account: hold.account_id, task, by, outcome, callback_url: None }
    }

    pub(super) fn attempt(&self, index: Index, state: AttemptState) -> Option<attempt::Model> {
        let task = self.task(index).filter(|task| self.book.jobs.contains_key(task))?;
        let attempts = self.book.attempts.get(&task).map(Vec::as_slice).unwrap_or_default();
        let n = attempts.last().map_or(1, |last| last.n + 1);
        Some(rows::attempt(task, n, state, self.now))
    }

    pub(super) fn earlier(&self, index: Index) -> Option<(Command, Done)> {
        (!self.done.is_empty()).then(|| self.done[index.index(self.done.len())].clone())
    }
}

/// Percent of an amount, away from zero: 101 % of the smallest is more than all of it.
fn part(amount: Credits, percent: i64) -> i64 {
    let exact = amount.thousandths() * percent;
    exact / 100 + (exact % 100).signum()
}
