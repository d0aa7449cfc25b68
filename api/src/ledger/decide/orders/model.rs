//! One task, its workers and the vault, as rows: what each event does to them.

use entity::attempt::AttemptState;
use entity::grant::GrantClass;
use entity::job::JobState;
use entity::task::TaskState;
use entity::{AccountId, GrantId, KeyId, TaskId, Timestamp, attempt};
use uuid::Uuid;

use super::super::properties::alerts::Told;
use super::super::properties::audit::{
    Journal, assert_balanced, assert_same, assert_written, is_alive, reloaded,
};
use super::super::properties::rows::{self, credits};
use super::super::{Context, decide};
use super::event::Event;
use super::worker::Worker;
use crate::ledger::book::Book;
use crate::ledger::chain::Chain;
use crate::ledger::{
    Cancel, Command, Done, Grant, Outcome, Refusal, SetAlert, Settle, SettledBy, Thresholds,
};

/// May have one task under way, which its repetitions must not count against.
const KEY: KeyId = KeyId(Uuid::from_u128(2));
pub const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));
pub const TASK: TaskId = TaskId(Uuid::from_u128(10));
/// The task holds 1 credit: 0.6 from a promotion that ends after 12 hours, 0.4 from what was paid for.
const HELD: i64 = 1_000;
pub const CAPTURED: i64 = 700;
const PROMOTION: i64 = 600;
/// Low is what is left when the promotion has ended; with a task under way the account is depleted, and it recovers when
/// all of that comes back in time.
const ALERT_LOW: i64 = 1_100;
const ALERT_RECOVER: i64 = 1_500;
const HOURS_OF_PROMOTION: i64 = 12;
const HOURS_THAT_PASS: i64 = 13;

pub struct State {
    pub book: Book,
    journal: Journal,
    told: Told,
    now: Timestamp,
    pub owner: Option<Worker>,
    pub late: Option<Worker>,
    pub settlements: u32,
}

pub type Answer = Option<Result<Done, Refusal>>;

impl State {
    pub fn new(chain: &Chain) -> Self {
        let mut book = Book::default();
        let account = rows::account(1);
        book.accounts.insert(account.id, account);
        book.keys.insert(KEY, rows::key(2, ACCOUNT, [None; 4], Some(1)));
        let (owner, late) = (None, None);
        let (journal, told) = (Journal::default(), Told::default());
        let mut state = State { book, journal, told, now: rows::START, owner, late, settlements: 0 };
        let promotion = rows::START.plus_seconds(HOURS_OF_PROMOTION * 3_600);
        state.grant(chain, 1, GrantClass::Promotional, PROMOTION, Some(promotion));
        state.grant(chain, 2, GrantClass::Paid, HELD, None);
        let thresholds = Thresholds::new(credits(ALERT_LOW), credits(ALERT_RECOVER));
        state.send(chain, &Command::Alert(SetAlert { account: ACCOUNT, thresholds })).unwrap();
        state
    }

    fn grant(
        &mut self,
        chain: &Chain,
        n: u128,
        class: GrantClass,
        amount: i64,
        expires_at: Option<Timestamp>,
    ) {
        let (id, amount, reference) = (GrantId(Uuid::from_u128(n)), credits(amount), n.to_string());
        let grant =
            Grant { id, account: ACCOUNT, class, amount, priority: 0, expires_at, cost_basis: 0, reference };
        self.send(chain, &Command::Grant(grant)).unwrap();
    }

    pub fn copy(&self) -> Self {
        let (journal, told) = (self.journal.clone(), self.told.clone());
        State { book: reloaded(&self.book), journal, told, ..*self }
    }

    /// Everything that a decision or a worker looks at; not how the journal came about.
    pub fn key(&self) -> String {
        let account = &self.book.accounts[&ACCOUNT];
        let balances =
            (account.credited, account.debited, account.held, account.last_at, account.alert_state);
        let work = (self.book.jobs.get(&TASK), self.attempts(), self.owner, self.late, self.now);
        let money = (self.book.holds.get(&TASK), self.book.allocations.get(&TASK), &self.book.grants);
        format!("{balances:?} {work:?} {money:?} {:?} {}", self.book.tasks.get(&TASK), self.settlements)
    }

    pub fn attempts(&self) -> &[attempt::Model] {
        self.book.attempts.get(&TASK).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn living(&self) -> usize {
        self.attempts().iter().filter(|attempt| is_alive(attempt)).count()
    }

    /// How many attempts can be asked about.
    pub fn accepted(&self) -> usize {
        self.attempts().iter().filter(|attempt| is_accepted(attempt)).count()
    }

    /// Whether the one that lost its lease still has the job's newest fence.
    pub fn hears_the_late_one(&self) -> bool {
        let fence = self.book.jobs.get(&TASK).map(|job| job.fence);
        self.late.is_some_and(|late| Some(late.fence) == fence)
    }

    /// The same, and what it knows of has not ended.
    pub fn late_one_lives(&self) -> bool {
        let known = self.late.and_then(|late| late.attempt);
        let lives = |attempt: &attempt::Model| is_alive(attempt) && Some(attempt.n) == known;
        self.hears_the_late_one() && self.attempts().iter().any(lives)
    }

    pub fn end(&self) -> Option<TaskState> {
        self.book.tasks.get(&TASK).map(|task| task.state).filter(|state| *state != TaskState::Live)
    }

    fn send(&mut self, chain: &Chain, command: &Command) -> Result<Done, Refusal> {
        let before = reloaded(&self.book);
        let spare = Uuid::from_u128(99);
        let answer = decide(&mut self.book, command, spare, &Context { now: self.now, chain });
        assert_written(&before, &self.book);
        self.journal.replay(chain, &self.book.writes.transfers);
        self.journal.assert_agrees(&self.book);
        assert_balanced(&self.book);
        self.told.follow(command, &before, &self.book, self.now);
        if matches!(answer, Ok(Done::Stale | Done::Settled { fresh: false, .. }) | Err(_)) {
            let mut expired = before;
            decide(&mut expired, &Command::Expire(ACCOUNT), spare, &Context { now: self.now, chain })
                .unwrap();
            assert_same(&self.book, &expired);
        }
        self.settlements += u32::from(matches!(answer, Ok(Done::Settled { fresh: true, .. })));
        self.book = reloaded(&self.book);
        answer
    }

    pub fn settle(&mut self, chain: &Chain, by: SettledBy, outcome: Outcome) -> Answer {
        let settle = Settle { account: ACCOUNT, task: TASK, by, outcome, callback_url: None };
        Some(self.send(chain, &Command::Settle(Box::new(settle))))
    }

    pub fn apply(&mut self, chain: &Chain, event: Event) -> Answer {
        match event {
            Event::Accept => {
                let accept = rows::accept(TASK.0.as_u128(), ACCOUNT, Some(KEY), HELD, rows::START);
                return Some(self.send(chain, &Command::Accept(Box::new(accept))));
            }
            Event::SubmitOk => self.submit(AttemptState::Accepted, JobState::Running),
            Event::SubmitAmbiguous => self.submit(AttemptState::Unknown, JobState::Reconciling),
            Event::Callback => return self.deliver(chain, is_alive),
            Event::PollSuccess => return self.deliver(chain, is_accepted),
            Event::PollFailure => return self.fail(chain),
            Event::Cancel => {
                let cancel = Cancel { account: ACCOUNT, task: TASK, callback_url: None };
                return Some(self.send(chain, &Command::Cancel(cancel)));
            }
            Event::Deadline => return self.settle(chain, SettledBy::Operator, Outcome::Expired),
            Event::Crash => drop(self.lose_owner()),
            // A worker whose task has ended is late as well, only that nobody takes its place.
            Event::LeaseLost => self.late = self.lose_owner().or(self.late),
            Event::LateSuccess => return self.speak_late(chain, AttemptState::Delivered, delivered()),
            Event::LateFailure => return self.speak_late(chain, AttemptState::Failed, failed()),
            Event::GrantExpiry => {
                self.now = self.now.plus_seconds(HOURS_THAT_PASS * 3_600);
                return Some(self.send(chain, &Command::Expire(ACCOUNT)));
            }
        }
        None
    }
}

pub fn is_accepted(attempt: &attempt::Model) -> bool {
    attempt.state == AttemptState::Accepted
}

pub fn delivered() -> Outcome {
    Outcome::Delivered { capture: credits(CAPTURED), clips: vec![rows::clip(TASK)] }
}

pub fn failed() -> Outcome {
    Outcome::Failed { code: "failed".into(), message: String::new(), clips: Vec::new() }
}
