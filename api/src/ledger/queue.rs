//! The lane's waiting room: bounded, fair over accounts, with a separate door for what ends things.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity::AccountId;
use tokio::sync::{Notify, oneshot};

use super::{Command, Done, Refusal};

/// A command and where its answer goes. A client that hangs up drops only the receiver.
#[derive(Debug)]
pub struct Waiting {
    pub command: Command,
    pub answer: oneshot::Sender<Result<Done, Refusal>>,
}

/// How many requests may wait; more are turned away at once. What ends things is never turned away.
const MAX_WAITING: usize = 8_192;
/// How many of those may be of one account, so that one customer leaves room for the others.
const MAX_WAITING_PER_ACCOUNT: usize = 6_144;

#[derive(Debug, Default)]
pub struct Queue {
    lines: Mutex<Lines>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    urgent: VecDeque<Waiting>,
    by_account: HashMap<AccountId, VecDeque<Waiting>>,
    /// Accounts with somebody waiting, in the order of their turns.
    turns: VecDeque<AccountId>,
    waiting: usize,
    closed: bool,
}

impl Queue {
    /// Queues a command; refused when the queue is full, or closed for shutdown.
    pub fn push(&self, waiting: Waiting) -> Result<(), Refusal> {
        let mut lines = self.lock();
        if lines.closed {
            return Err(Refusal::Unavailable);
        }
        if waiting.command.is_urgent() {
            lines.urgent.push_back(waiting);
        } else {
            lines.push(waiting)?;
        }
        drop(lines);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits until there is something, then takes up to `most`: what ends things first, up to half of it, then one request
    /// of each account in turn. `None` once the queue is closed and empty.
    pub async fn take(&self, most: usize) -> Option<Vec<Waiting>> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut lines = self.lock();
                let batch = lines.take(most);
                if !batch.is_empty() {
                    return Some(batch);
                }
                if lines.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// How many wait to end something, and how many others.
    pub fn waiting(&self) -> (usize, usize) {
        let lines = self.lock();
        (lines.urgent.len(), lines.waiting)
    }

    /// Lets nobody else in; what waits is still served.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn push(&mut self, waiting: Waiting) -> Result<(), Refusal> {
        let account = waiting.command.account();
        if self.by_account.get(&account).is_some_and(|line| line.len() >= MAX_WAITING_PER_ACCOUNT) {
            return Err(Refusal::TooMany);
        }
        if self.waiting >= MAX_WAITING {
            return Err(Refusal::Busy);
        }
        let line = self.by_account.entry(account).or_default();
        if line.is_empty() {
            self.turns.push_back(account);
        }
        line.push_back(waiting);
        self.waiting += 1;
        Ok(())
    }

    fn take(&mut self, most: usize) -> Vec<Waiting> {
        let half = if self.waiting == 0 { most } else { most.div_ceil(2) };
        let mut batch: Vec<Waiting> = self.urgent.drain(..self.urgent.len().min(half)).collect();
        while batch.len() < most {
            let Some(account) = self.turns.pop_front() else { break };
            let Some(line) = self.by_account.get_mut(&account) else { continue };
            batch.extend(line.pop_front());
            self.waiting -= 1;
            if line.is_empty() {
                self.by_account.remove(&account);
            } else {
                self.turns.push_back(account);
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expire(n: u128) -> (Waiting, AccountId) {
        let account = AccountId(uuid::Uuid::from_u128(n));
        let (answer, _) = oneshot::channel();
        (Waiting { command: Command::Expire(account), answer }, account)
    }

    fn grant(n: u128) -> Waiting {
        let account = AccountId(uuid::Uuid::from_u128(n));
        let grant = super::super::Grant {
            id: entity::GrantId(uuid::Uuid::nil()),
            account,
            class: entity::grant::GrantClass::Paid,
            amount: entity::Credits::from_thousandths(1),
            priority: 0,
            expires_at: None,
            cost_basis: 0,
            reference: String::new(),
        };
        let (answer, _) = oneshot::channel();
        Waiting { command: Command::Grant(grant), answer }
    }

    #[tokio::test]
    async fn accounts_take_turns_when_more_wait_than_a_batch_holds() {
        let queue = Queue::default();
        for _ in 0..5 {
            queue.push(grant(1)).unwrap();
        }
        queue.push(grant(2)).unwrap();
        let batch = queue.take(3).await.unwrap();
        let accounts: Vec<u128> = batch.iter().map(|waiting| waiting.command.account().0.as_u128()).collect();
        assert_eq!(accounts, [1, 2, 1]);
    }

    #[tokio::test]
    async fn what_ends_things_comes_first_but_leaves_half_to_the_others() {
        let queue = Queue::default();
        queue.push(grant(1)).unwrap();
        queue.push(grant(1)).unwrap();
        for _ in 0..4 {
            queue.push(expire(9).0).unwrap();
        }
        let batch = queue.take(4).await.unwrap();
        let urgent = batch.iter().filter(|waiting| waiting.command.is_urgent()).count();
        assert_eq!((urgent, batch.len()), (2, 4));
    }

    #[test]
    fn one_account_leaves_room_for_the_others_and_endings_are_never_turned_away() {
        let queue = Queue::default();
        for _ in 0..MAX_WAITING_PER_ACCOUNT {
            queue.push(grant(1)).unwrap();
        }
        assert_eq!(queue.push(grant(1)), Err(Refusal::TooMany));
        for account in 2..MAX_WAITING - MAX_WAITING_PER_ACCOUNT + 2 {
            queue.push(grant(account as u128)).unwrap();
        }
        assert_eq!(queue.push(grant(9_999)), Err(Refusal::Busy));
        queue.push(expire(1).0).unwrap();
    }

    #[tokio::test]
    async fn a_closed_queue_serves_who_waits_and_lets_nobody_in() {
        let queue = Queue::default();
        queue.push(grant(1)).unwrap();
        queue.close();
        assert_eq!(queue.push(grant(1)), Err(Refusal::Unavailable));
        assert_eq!(queue.take(8).await.map(|batch| batch.len()), Some(1));
        assert!(queue.take(8).await.is_none());
    }
}
