//! ROOM 4, the vault: credits in, credits out, nothing else.
//!
//! Every change of an account is a [`Command`] that the [`lane`] decides with one pure function and writes in one
//! transaction. Nothing else writes accounts, grants, holds, allocations, transfers or key usage, or ends a task. This room
//! knows no HTTP, no provider and no price: what a task costs comes with the command.
//!
//! Invariant: after every commit the whole book balances ([`check`]).

mod alert;
pub mod audit;
pub mod book;
pub mod chain;
pub mod check;
mod decide;
pub mod fan_out;
pub mod key_usage;
pub mod lane;
mod load;
mod open;
mod queue;
pub mod read;
mod tally;
pub mod totals;
pub mod usage;
mod write;

#[cfg(test)]
mod tests;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};
use entity::{
    AccountId, Credits, EndpointId, GrantId, KeyId, TaskId, Timestamp, clip, grant::GrantClass, job, task,
    task_metadata, task_request,
};

pub use alert::{SetAlert, Thresholds};
pub use lane::{Lane, Ledger};
pub use open::open_account;

/// What can be asked of the vault.
#[derive(Clone, Debug)]
pub enum Command {
    Accept(Box<Accept>),
    Settle(Box<Settle>),
    Cancel(Cancel),
    Grant(Grant),
    Adjust(Adjust),
    Refund(Refund),
    Expire(AccountId),
    Alert(SetAlert),
    Probe(Probe),
}

/// Hold credits for a task and enqueue it: the rows are prepared, the lane fills in what only it knows.
#[derive(Clone, Debug)]
pub struct Accept {
    /// `state` is live, `created_at` is overwritten with the lane's time.
    pub task: task::Model,
    pub request: task_request::Model,
    /// What the task can be found by.
    pub metadata: Vec<task_metadata::Model>,
    /// `created_at` and `deadline_at` are shifted to the lane's time; `run_at` is never after it.
    pub job: job::Model,
}

/// End a task: capture what was delivered, release the rest.
#[derive(Clone, Debug)]
pub struct Settle {
    pub account: AccountId,
    pub task: TaskId,
    pub by: SettledBy,
    pub outcome: Outcome,
    /// Where to tell about it, if the customer asked for that.
    pub callback_url: Option<String>,
}

/// Who says that a task ended, which decides whether they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettledBy {
    /// The worker that owns the job, by its fence and the newest attempt it knows of (`None`: it never made one).
    Worker { fence: i64, attempt: Option<i64> },
    /// A deadline or a person: overrides whoever works on it.
    Operator,
}

/// How a task ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// At least one clip was delivered. `capture` is at most what is held; the rest is released.
    Delivered {
        capture: Credits,
        clips: Vec<clip::Model>,
    },
    /// Nothing was delivered: everything is released.
    Failed {
        code: String,
        message: String,
        clips: Vec<clip::Model>,
    },
    Canceled,
    Expired,
}

/// The customer wants a task stopped.
#[derive(Clone, Debug)]
pub struct Cancel {
    pub account: AccountId,
    pub task: TaskId,
    pub callback_url: Option<String>,
}

/// Give credits. The reference makes it idempotent: the same one again changes nothing.
#[derive(Clone, Debug)]
pub struct Grant {
    pub id: GrantId,
    pub account: AccountId,
    pub class: GrantClass,
    pub amount: Credits,
    /// Lower is spent first.
    pub priority: i64,
    pub expires_at: Option<Timestamp>,
    /// What one credit of it was sold for, in millionths of a US dollar.
    pub cost_basis: i64,
    pub reference: String,
}

/// Correct an account by hand, up or down. What can't be taken becomes debt.
#[derive(Clone, Debug)]
pub struct Adjust {
    pub id: uuid::Uuid,
    pub account: AccountId,
    /// Not zero; negative takes credits away.
    pub amount: Credits,
    pub reason: String,
    pub actor: String,
    pub reference: String,
}

/// Give captured credits of a settled task back, to the grants they came from.
#[derive(Clone, Debug)]
pub struct Refund {
    pub account: AccountId,
    pub task: TaskId,
    pub amount: Credits,
    pub reference: String,
}

/// Tell one endpoint of the account something, to see whether it listens. Asked again, it is told again.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub account: AccountId,
    pub endpoint: EndpointId,
}

/// What the vault did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The task is paid for and queued; `replayed` when it already was, under the same idempotency key.
    Accepted { task: TaskId, replayed: bool },
    /// The task has ended; `fresh` when this command ended it.
    Settled { state: task::TaskState, captured: Credits, released: Credits, fresh: bool },
    /// The worker that asked no longer owns the task, or another attempt may still deliver. Nothing was changed.
    Stale,
    /// The cancellation was noted; the task may still complete and be charged.
    CancelRequested,
    /// Credits were given, taken or given back; `replayed` when that reference was booked before.
    Booked { replayed: bool },
    /// How much expired.
    Expired(Credits),
    /// The account is watched for what was asked.
    AlertSet,
    /// The event of this number says it.
    Told { event: i64 },
}

/// Why the vault refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no such account")]
    NoAccount,
    #[error("no such task")]
    NoTask,
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the quote was used already")]
    QuoteUsed,
    #[error("the API key may not do this any more")]
    KeyGone(KeyId),
    #[error("the account is frozen")]
    Frozen,
    #[error("the API key has {limit} tasks under way, as many as it may")]
    TooManyTasks { limit: u32 },
    #[error("insufficient credits")]
    Insufficient { required: Credits, available: Credits, held: Credits },
    #[error("a spend cap of the API key is reached")]
    CapReached(Cap),
    #[error("the reference was booked for something else")]
    ReferenceTaken,
    #[error("the task is not settled yet")]
    NotSettled,
    #[error("more than was captured")]
    AboveCaptured,
    #[error("an amount has to be above zero")]
    NotPositive,
    #[error("the amount is too large")]
    TooLarge,
    /// Too much of this account is waiting: the same again in a moment may work. Nothing was tried.
    #[error("too many requests of this account are waiting")]
    TooMany,
    /// The queue is full: the same again in a moment may work. Nothing was tried.
    #[error("too many requests are waiting")]
    Busy,
    /// The database can't be reached; nothing was written.
    #[error("the ledger is unavailable")]
    Unavailable,
    /// The connection broke around the commit and the outcome can't be told yet.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// The database refused the rows. The details are in the log.
    #[error("the ledger could not write this")]
    Internal,
}

/// Which spend cap of a key is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    pub window: CapWindow,
    pub limit: Credits,
    /// Holds count as spent.
    pub spent: Credits,
    /// When the window ends; never for a lifetime cap.
    pub resets_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapWindow {
    Day,
    Week,
    Month,
    Lifetime,
}

impl CapWindow {
    pub fn as_str(self) -> &'static str {
        match self {
            CapWindow::Day => "day",
            CapWindow::Week => "week",
            CapWindow::Month => "month",
            CapWindow::Lifetime => "lifetime",
        }
    }
}

impl Command {
    /// The account that this command is about: what the lane locks, and what its queue is fair over.
    pub fn account(&self) -> AccountId {
        match self {
            Command::Accept(accept) => accept.task.account_id,
            Command::Settle(settle) => settle.account,
            Command::Cancel(cancel) => cancel.account,
            Command::Grant(grant) => grant.account,
            Command::Adjust(adjust) => adjust.account,
            Command::Refund(refund) => refund.account,
            Command::Expire(account) => *account,
            Command::Alert(set) => set.account,
            Command::Probe(probe) => probe.account,
        }
    }

    /// Ending things comes first and is never turned away: it frees credits and slots.
    fn is_urgent(&self) -> bool {
        matches!(self, Command::Settle(_) | Command::Cancel(_) | Command::Expire(_) | Command::Refund(_))
    }
}

impl CapWindow {
    /// When the window that `now` is in began (UTC; weeks begin on Monday); never for a lifetime.
    pub fn starts_at(self, now: Timestamp) -> Option<Timestamp> {
        let date = now.date_time().date_naive();
        let first = match self {
            CapWindow::Day => date,
            CapWindow::Week => date - Days::new(u64::from(date.weekday().num_days_from_monday())),
            CapWindow::Month => date - Days::new(u64::from(date.day0())),
            CapWindow::Lifetime => return None,
        };
        Some(midnight(first))
    }

    /// When the window that `now` is in ends; never for a lifetime.
    pub fn resets_at(self, now: Timestamp) -> Option<Timestamp> {
        let start = self.starts_at(now)?.date_time().date_naive();
        let next = match self {
            CapWindow::Day => start + Days::new(1),
            CapWindow::Week => start + Days::new(7),
            CapWindow::Month => start + Months::new(1),
            CapWindow::Lifetime => return None,
        };
        Some(midnight(next))
    }
}

fn midnight(date: NaiveDate) -> Timestamp {
    Timestamp::from_seconds(date.and_time(NaiveTime::MIN).and_utc().timestamp())
}
