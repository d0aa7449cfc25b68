//! Random scripts against the pure core: after every command the book balances, whatever came before.
//!
//! Each command is a batch of its own: it is decided on a reloaded book, what it wants written is compared with what it
//! changed, and at once it is decided again, which must change nothing more.

pub mod alerts;
pub mod audit;
mod cases;
mod effects;
pub mod rows;
mod script;

use entity::attempt::AttemptState;
use entity::grant::GrantClass;
use entity::{AccountId, Credits, GrantId, KeyId, TaskId, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use self::alerts::Told;
use self::audit::{Journal, assert_balanced, assert_same, assert_written, reloaded};
use self::rows::credits;
use self::script::{How, Step, Who, script};
use super::{Context, decide};
use crate::ledger::book::Book;
use crate::ledger::chain::Chain;
use crate::ledger::{
    Adjust, Cancel, Command, Done, Grant, Outcome, Refund, Refusal, SetAlert, Settle, SettledBy, Thresholds,
};

struct World {
    book: Book,
    journal: Journal,
    told: Told,
    chain: Chain,
    now: Timestamp,
    /// In the order of their acceptance.
    tasks: Vec<TaskId>,
    done: Vec<(Command, Done)>,
    last_id: u128,
}

impl World {
    fn new() -> Self {
        let mut book = Book::default();
        for n in 1..=2 {
            let account = rows::account(n);
            book.accounts.insert(account.id, account);
        }
        let limits = [
            (1, [Some(1_500), None, None, Some(4_000)], None),
            (1, [None, Some(2_000), None, None], Some(1)),
            (2, [None, None, Some(2_500), None], Some(2)),
        ];
        for (n, (account, caps, max_tasks)) in (1..).zip(limits) {
            let key = rows::key(n, AccountId(Uuid::from_u128(account)), caps, max_tasks);
            book.keys.insert(key.id, key);
        }
        World {
            book,
            journal: Journal::default(),
            told: Told::default(),
            chain: rows::chain(),
            now: rows::START,
            tasks: Vec::new(),
            done: Vec::new(),
            last_id: 1_000,
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Wait { hours } => self.now = self.now.plus_seconds(hours * 3_600),
            Step::Attempt { task, state } => self.attempt(task, state),
            Step::Repeat { command } => self.repeat(command),
            _ => {
                let Some(command) = self.command(step) else { return };
                let answer = self.send(&command);
                if let Ok(done) = answer {
                    self.done.push((command, done));
                }
            }
        }
    }

    fn new_id(&mut self) -> Uuid {
        self.last_id += 1_000;
        Uuid::from_u128(self.last_id)
    }

    fn task(&self, index: Index) -> Option<TaskId> {
        (!self.tasks.is_empty()).then(|| self.tasks[index.index(self.tasks.len())])
    }

    /// What a step asks of the vault; nothing when it is about a task and there is none.
    fn command(&mut self, step: &Step) -> Option<Command> {
        let id = self.new_id();
        let account = |n: u128| AccountId(Uuid::from_u128(n));
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
                let key = key.map(|n| KeyId(Uuid::from_u128(n)));
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

    /// What a claim writes: a new fence and one more attempt.
    fn attempt(&mut self, index: Index, state: AttemptState) {
        let Some(task) = self.task(index) else { return };
        let Some(job) = self.book.jobs.get_mut(&task) else { return };
        job.fence += 1;
        let attempts = self.book.attempts.entry(task).or_default();
        let n = attempts.last().map_or(1, |last| last.n + 1);
        attempts.push(rows::attempt(task, n, state, self.now));
    }

    fn repeat(&mut self, index: Index) {
        if self.done.is_empty() {
            return;
        }
        let (command, done) = self.done[index.index(self.done.len())].clone();
        let final_word = matches!(done, Done::Accepted { .. } | Done::Booked { .. } | Done::Settled { .. });
        let answer = self.send(&command);
        assert!(!final_word || answer == Ok(again(&done)), "{command:?} was {done:?}, then {answer:?}");
    }

    /// Decides a command and checks everything that is true of every command.
    fn send(&mut self, command: &Command) -> Result<Done, Refusal> {
        let mut book = reloaded(&self.book);
        let spare = self.new_id();
        let context = Context { now: self.now, chain: &self.chain };
        let answer = decide(&mut book, command, spare, &context);
        assert!(!matches!(answer, Err(Refusal::Internal | Refusal::TooLarge)), "{command:?}: {answer:?}");
        assert_written(&self.book, &book);
        self.journal.replay(&self.chain, &book.writes.transfers);
        self.journal.assert_agrees(&book);
        assert_balanced(&book);
        self.told.follow(command, &self.book, &book, self.now);
        alerts::assert_money_is_blind(&self.book, &book, (command, &answer), spare, &context);
        let mut expired = reloaded(&self.book);
        decide(&mut expired, &Command::Expire(command.account()), spare, &context).unwrap();
        if changes_nothing(&answer) {
            assert_same(&book, &expired);
        }
        effects::assert_lawful(&expired, &book, command, &answer, self.now);
        self.book = reloaded(&book);
        self.tasks.extend(book.writes.new_tasks.iter());
        self.assert_repeats(command, &answer);
        answer
    }

    /// The same command once more, at the same instant: the same answer, and nothing is written.
    fn assert_repeats(&mut self, command: &Command, answer: &Result<Done, Refusal>) {
        let mut book = reloaded(&self.book);
        let spare = self.new_id();
        let repeated = decide(&mut book, command, spare, &Context { now: self.now, chain: &self.chain });
        assert_eq!(repeated, answer.clone().map(|done| again(&done)), "{command:?}");
        assert_same(&book, &self.book);
    }
}

/// Percent of an amount, away from zero: 101 % of the smallest is more than all of it.
fn part(amount: Credits, percent: i64) -> i64 {
    let exact = amount.thousandths() * percent;
    exact / 100 + (exact % 100).signum()
}

/// Whether an answer says that the book is as it was, but for what expired.
fn changes_nothing(answer: &Result<Done, Refusal>) -> bool {
    match answer {
        Err(_) | Ok(Done::Stale | Done::Expired(_)) => true,
        Ok(Done::Accepted { replayed, .. } | Done::Booked { replayed }) => *replayed,
        Ok(Done::Settled { fresh, .. }) => !fresh,
        Ok(Done::CancelRequested | Done::AlertSet) => false,
    }
}

/// What the same command is told when it comes again.
fn again(done: &Done) -> Done {
    match *done {
        Done::Accepted { task, .. } => Done::Accepted { task, replayed: true },
        Done::Settled { state, captured, released, .. } => {
            Done::Settled { state, captured, released, fresh: false }
        }
        Done::Booked { .. } => Done::Booked { replayed: true },
        Done::Expired(_) => Done::Expired(credits(0)),
        Done::Stale => Done::Stale,
        Done::CancelRequested => Done::CancelRequested,
        Done::AlertSet => Done::AlertSet,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_book_balances_after_every_command_of_any_script(script in script()) {
        let mut world = World::new();
        for step in &script {
            world.run(step);
        }
    }
}
