//! Whoever asks through a witness is remembered: what they asked, what they were told, and when.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use entity::{AccountId, TaskId, Timestamp};

use super::super::house::House;
use crate::ledger::{Command, Done, Refusal};

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Record {
    pub command: Command,
    pub answer: Result<Done, Refusal>,
    pub asked: Moment,
    pub answered: Moment,
}

/// When something happened outside the vault.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Among all moments of the same witness: what has a smaller number was over before.
    pub turn: u64,
    pub at: Timestamp,
}

pub struct Witness<'a> {
    pub house: &'a House,
    turns: AtomicU64,
    records: Mutex<Vec<Record>>,
}

impl<'a> Witness<'a> {
    pub fn new(house: &'a House) -> Self {
        Witness { house, turns: AtomicU64::new(0), records: Mutex::default() }
    }

    pub async fn ask(&self, command: Command) -> Result<Done, Refusal> {
        let asked = self.moment();
        let answer = self.house.ledger.send(command.clone()).await;
        let record = Record { command, answer: answer.clone(), asked, answered: self.moment() };
        self.records.lock().unwrap().push(record);
        answer
    }

    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    fn moment(&self) -> Moment {
        Moment { turn: self.turns.fetch_add(1, Ordering::SeqCst), at: self.house.clock.now() }
    }
}

impl Record {
    pub fn account(&self) -> AccountId {
        self.command.account()
    }

    /// The task that it is about.
    pub fn task(&self) -> Option<TaskId> {
        match &self.command {
            Command::Accept(accept) => Some(accept.task.id),
            Command::Settle(settle) => Some(settle.task),
            Command::Cancel(cancel) => Some(cancel.task),
            Command::Refund(refund) => Some(refund.task),
            _ => None,
        }
    }

    /// The reference that it books under.
    pub fn reference(&self) -> Option<&str> {
        match &self.command {
            Command::Grant(grant) => Some(&grant.reference),
            Command::Adjust(adjust) => Some(&adjust.reference),
            Command::Refund(refund) => Some(&refund.reference),
            _ => None,
        }
    }

    /// Whether it was told that it changed something; what expired is found in the journal whoever caused it.
    pub fn changed_something(&self) -> bool {
        matches!(
            self.answer,
            Ok(Done::Accepted { replayed: false, .. }
                | Done::Settled { fresh: true, .. }
                | Done::Booked { replayed: false })
        )
    }
}
