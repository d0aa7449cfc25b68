//! What was asked, what was said of it, and whether that is what is stored.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::AtomicBool;

use entity::task::{self, TaskState};
use entity::{account, attempt};
use futures_util::future::join_all;
use sea_orm::EntityTrait;

use super::load::Caller;
use super::report::Report;
use crate::crash::site::Site;
use crate::program::PATIENCE;

/// One request, by its idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    pub cycle: u32,
    pub client: u32,
    pub n: u32,
}

impl Asked {
    /// Never ends by itself, and is canceled as soon as it is acknowledged.
    pub fn is_canceled(self) -> bool {
        self.n % 4 == 1
    }

    /// Refused, whatever the customer has.
    pub fn is_dear(self) -> bool {
        self.n % 6 == 2
    }

    fn wanted_state(self) -> TaskState {
        if self.is_canceled() { TaskState::Canceled } else { TaskState::Failed }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.cycle, self.client, self.n)
    }
}

/// What was said of each request.
#[derive(Debug, Default)]
pub struct Told {
    /// The task's id.
    acknowledged: HashMap<Asked, String>,
    refused: HashSet<Asked>,
    canceled: HashSet<Asked>,
    /// Asked, and not clearly answered so far.
    open: HashSet<Asked>,
    in_doubt: HashSet<Asked>,
    recovered: usize,
    absent: usize,
}

impl Told {
    pub fn task(&self, asked: Asked) -> Option<String> {
        self.acknowledged.get(&asked).cloned()
    }

    pub fn asks(&mut self, asked: Asked) {
        if !self.open.insert(asked) {
            self.in_doubt.insert(asked);
        }
    }

    pub fn acknowledge(&mut self, asked: Asked, id: &str, replayed: bool) {
        self.close(asked, replayed);
        let before = self.acknowledged.insert(asked, id.to_owned());
        assert!(before.is_none_or(|before| before == id), "{asked} was told two tasks");
    }

    pub fn refuse(&mut self, asked: Asked) {
        self.close(asked, false);
        self.refused.insert(asked);
    }

    pub fn cancel(&mut self, asked: Asked) {
        self.canceled.insert(asked);
    }

    pub fn doubt(&mut self, asked: Asked) {
        self.in_doubt.insert(asked);
    }

    fn close(&mut self, asked: Asked, was_there: bool) {
        self.open.remove(&asked);
        if self.in_doubt.contains(&asked) {
            *(if was_there { &mut self.recovered } else { &mut self.absent }) += 1;
        }
    }

    /// All that were not clearly answered ask again with the same words, and so do those that wanted to cancel.
    pub async fn ask_again(&mut self, site: &Site, url: &str) {
        let uncanceled =
            self.acknowledged.keys().filter(|asked| asked.is_canceled() && !self.canceled.contains(asked));
        let again: Vec<Asked> = self.open.iter().chain(uncanceled).copied().collect();
        let caller = Caller::of(site, url, std::mem::take(self));
        let never = AtomicBool::new(false);
        let answering = join_all(again.iter().map(|asked| caller.until_answered(*asked, &never)));
        let answered = tokio::time::timeout(PATIENCE, answering).await.expect("an answer to each");
        assert!(answered.into_iter().all(|answered| answered), "the program answers");
        *self = caller.take();
    }

    /// Compares what was told with what is stored, when all has come to its end.
    pub async fn compare(&self, site: &Site, report: &mut Report) {
        let db = site.db().await;
        let tasks = task::Entity::find().all(db.read()).await.unwrap();
        let attempts = attempt::Entity::find().all(db.read()).await.unwrap();
        let accounts = account::Entity::find().all(db.read()).await.unwrap();
        db.close().await.unwrap();
        let held = accounts.iter().filter(|account| account.held != entity::Credits::ZERO).count();
        let asked: HashMap<String, Asked> =
            self.acknowledged.keys().map(|asked| (asked.to_string(), *asked)).collect();
        let mut stored: HashMap<Asked, String> = HashMap::new();
        for task in tasks {
            let key = task.idempotency_key.expect("every request has a key");
            match asked.get(&key) {
                Some(asked) => {
                    report.wrong += usize::from(task.state != asked.wanted_state());
                    report.doubled += usize::from(stored.insert(*asked, task.id.to_string()).is_some());
                }
                // Refused, or asked for by nobody.
                None => report.wrong += 1,
            }
        }
        report.wrong += held;
        report.lost = self.acknowledged.iter().filter(|(asked, id)| stored.get(asked) != Some(id)).count();
        report.sent_again = attempts.iter().filter(|attempt| attempt.sends > 1).count();
        report.requests = self.acknowledged.len() + self.refused.len() + self.open.len();
        (report.acknowledged, report.refused) = (self.acknowledged.len(), self.refused.len());
        (report.recovered, report.absent) = (self.recovered, self.absent);
        (report.in_doubt, report.canceled) = (self.in_doubt.len(), self.canceled.len());
    }
}
