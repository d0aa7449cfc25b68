//! One task, its workers and the vault, as rows: what each event does to them.

use entity::attempt::AttemptState;
use entity::grant::GrantClass;
use entity::job::JobState;
use entity::task::TaskState;
use entity::{AccountId, GrantId, KeyId, TaskId, Timestamp, WorkerId, attempt};
use uuid::Uuid;

use super::super::properties::alerts::Told;
use super::super::properties::audit::{
    Journal, assert_balanced, assert_same, assert_written, is_alive, reloaded,
};
use super::super::properties::rows::{self, credits};
use super::super::{Context, decide};
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Accept,
    /// The owner, or whoever claims the job now, sends it and has an upstream id; while it reconciles: it resubmits once,
    /// later it finds what it looked for.
    SubmitOk,
    SubmitAmbiguous,
    /// Upstream delivered; the owner stores the clip and settles.
    Callback,
    /// Upstream says that the newest living attempt failed, or was canceled if that was asked for.
    PollFail,
    Cancel,
    Deadline,
    /// The owner crashed or lost its lease; if nobody owned the job, somebody claimed it and crashed before the call.
    TakenOver,
    /// The one that was taken over wakes up and settles.
    LateSuccess,
    LateFailure,
    /// Hours pass, and what is over expires.
    GrantExpiry,
}

pub const EVENTS: [Event; 11] = [
    Event::Accept,
    Event::SubmitOk,
    Event::SubmitAmbiguous,
    Event::Callback,
    Event::PollFail,
    Event::Cancel,
    Event::Deadline,
    Event::TakenOver,
    Event::LateSuccess,
    Event::LateFailure,
    Event::GrantExpiry,
];

/// What a worker believes: that the job is its own under this fence, and which attempt is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Worker {
    fence: i64,
    attempt: Option<i64>,
}

pub struct State {
    pub book: Book,
    journal: Journal,
    told: Told,
    now: Timestamp,
    owner: Option<Worker>,
    taken_over: Option<Worker>,
    pub settlements: u32,
}

pub type Answer = Option<Result<Done, Refusal>>;

impl State {
    pub fn new(chain: &Chain) -> Self {
        let mut book = Book::default();
        let account = rows::account(1);
        book.accounts.insert(account.id, account);
        book.keys.insert(KEY, rows::key(2, ACCOUNT, [None; 4], Some(1)));
        let (owner, taken_over) = (None, None);
        let (journal, told) = (Journal::default(), Told::default());
        let mut state = State { book, journal, told, now: rows::START, owner, taken_over, settlements: 0 };
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
        let work = (self.book.jobs.get(&TASK), self.attempts(), self.owner, self.taken_over, self.now);
        let money = (self.book.holds.get(&TASK), self.book.allocations.get(&TASK), &self.book.grants);
        format!("{balances:?} {work:?} {money:?} {:?} {}", self.book.tasks.get(&TASK), self.settlements)
    }

    fn attempts(&self) -> &[attempt::Model] {
        self.book.attempts.get(&TASK).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn living(&self) -> usize {
        self.attempts().iter().filter(|attempt| is_alive(attempt)).count()
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

    fn settle(&mut self, chain: &Chain, by: SettledBy, outcome: Outcome) -> Answer {
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
            Event::Callback => return self.deliver(chain),
            Event::PollFail => return self.fail(chain),
            Event::Cancel => {
                let cancel = Cancel { account: ACCOUNT, task: TASK, callback_url: None };
                return Some(self.send(chain, &Command::Cancel(cancel)));
            }
            Event::Deadline => return self.settle(chain, SettledBy::Operator, Outcome::Expired),
            Event::TakenOver => self.take_over(),
            Event::LateSuccess => {
                return self.taken_over.and_then(|late| self.settle(chain, late.word(), delivered()));
            }
            Event::LateFailure => {
                return self.taken_over.and_then(|late| self.settle(chain, late.word(), failed()));
            }
            Event::GrantExpiry => {
                self.now = self.now.plus_seconds(HOURS_THAT_PASS * 3_600);
                return Some(self.send(chain, &Command::Expire(ACCOUNT)));
            }
        }
        None
    }

    /// A claim, when nobody owns the job: a new fence.
    fn claim(&mut self) -> bool {
        let Some(job) = self.book.jobs.get_mut(&TASK).filter(|job| job.owner.is_none()) else { return false };
        job.fence += 1;
        job.owner = Some(WorkerId(Uuid::from_u128(1)));
        job.state = JobState::Submitting;
        self.owner = Some(Worker { fence: job.fence, attempt: None });
        true
    }

    /// The job, if the owner's fence still opens it.
    fn own(&mut self) -> Option<&mut entity::job::Model> {
        let fence = self.owner?.fence;
        self.book.jobs.get_mut(&TASK).filter(|job| job.fence == fence)
    }

    fn new_attempt(&mut self, state: AttemptState) {
        let attempts = self.book.attempts.entry(TASK).or_default();
        let n = attempts.last().map_or(1, |last| last.n + 1);
        attempts.push(rows::attempt(TASK, n, state, rows::START));
        self.owner = self.owner.map(|owner| Worker { attempt: Some(n), ..owner });
    }

    fn submit(&mut self, attempt: AttemptState, job_state: JobState) {
        let claimed = self.claim();
        let tried = self.attempts().len();
        let Some(job) = self.own() else { return };
        if claimed || (job.state == JobState::Reconciling && tried < 2) {
            job.state = job_state;
            self.new_attempt(attempt);
        } else if job.state == JobState::Reconciling && attempt == AttemptState::Accepted {
            job.state = JobState::Running;
            let unknown = self.book.attempts.get_mut(&TASK).into_iter().flatten();
            unknown
                .filter(|attempt| attempt.state == AttemptState::Unknown)
                .for_each(|found| found.state = attempt);
        }
    }

    /// The oldest living attempt delivered. A callback for a task without a living one still asks to settle.
    fn deliver(&mut self, chain: &Chain) -> Answer {
        let owner = self.owner?;
        if let Some(job) = self.own() {
            job.state = JobState::Storing;
            let attempt =
                self.book.attempts.get_mut(&TASK).into_iter().flatten().find(|attempt| is_alive(attempt))?;
            attempt.state = AttemptState::Delivered;
        }
        self.settle(chain, owner.word(), delivered())
    }

    fn fail(&mut self, chain: &Chain) -> Answer {
        let owner = self.owner?;
        let mut outcome = failed();
        if let Some(job) = self.own() {
            job.state = JobState::Reconciling;
            let wanted = job.cancel_at.is_some();
            let attempt =
                self.book.attempts.get_mut(&TASK).into_iter().flatten().rfind(|attempt| is_alive(attempt))?;
            attempt.state = if wanted { AttemptState::Canceled } else { AttemptState::Failed };
            outcome = if wanted { Outcome::Canceled } else { outcome };
        }
        self.settle(chain, owner.word(), outcome)
    }

    fn take_over(&mut self) {
        if self.claim() {
            self.new_attempt(AttemptState::Intent);
        }
        // A worker whose task has ended is late as well, only that nobody took its place.
        self.taken_over = self.owner.or(self.taken_over);
        let Some(job) = self.own() else { return };
        job.fence += 1;
        let fence = job.fence;
        job.state = if job.state == JobState::Submitting { JobState::Reconciling } else { job.state };
        let intents = self.book.attempts.get_mut(&TASK).into_iter().flatten();
        intents
            .filter(|attempt| attempt.state == AttemptState::Intent)
            .for_each(|sent| sent.state = AttemptState::Unknown);
        self.owner = self.owner.map(|owner| Worker { fence, ..owner });
    }
}

impl Worker {
    fn word(self) -> SettledBy {
        SettledBy::Worker { fence: self.fence, attempt: self.attempt }
    }
}

fn delivered() -> Outcome {
    Outcome::Delivered { capture: credits(CAPTURED), clips: vec![rows::clip(TASK)] }
}

fn failed() -> Outcome {
    Outcome::Failed { code: "failed".into(), message: String::new(), clips: Vec::new() }
}
