//! Random scripts against the pure core: after every command the book balances, whatever came before.
//!
//! Each command is a batch of its own: it is decided on a reloaded book, what it wants written is compared with what it
//! changed, and at once it is decided again, which must change nothing more.

pub mod alerts;
mod ask;
pub mod audit;
mod cases;
mod effects;
pub mod rows;
pub mod script;

use entity::{AccountId, TaskId, Timestamp, attempt};
use proptest::prelude::*;
use uuid::Uuid;

use self::alerts::Told;
use self::audit::{Journal, assert_balanced, assert_same, assert_written, reloaded};
use self::rows::credits;
use self::script::{Step, script};
use super::{Context, decide};
use crate::ledger::book::{Book, Writes};
use crate::ledger::chain::Chain;
use crate::ledger::{Command, Done, Refusal};

/// What a line of a script comes to in a world.
#[derive(Clone, Debug)]
pub enum Act {
    Wait(i64),
    /// A claim: a new fence, and one more attempt.
    Attempt(attempt::Model),
    Ask(Command),
    /// What was asked before and done comes again.
    Repeat(Command, Done),
}

/// The pure core, and all that scripts have made of it.
pub struct World {
    pub book: Book,
    /// Everything that was written so far.
    pub written: Writes,
    pub now: Timestamp,
    journal: Journal,
    told: Told,
    chain: Chain,
    /// In the order of their acceptance.
    tasks: Vec<TaskId>,
    done: Vec<(Command, Done)>,
    /// Ids of accounts and keys are counted from here.
    base: u128,
    last_id: u128,
}

impl World {
    fn new() -> Self {
        World::with_ids_from(0)
    }

    /// Two accounts with keys. Worlds whose ids begin far enough from one another have nothing in common.
    pub fn with_ids_from(base: u128) -> Self {
        let mut book = Book::default();
        for n in 1..=2 {
            let account = rows::account(base + n);
            book.accounts.insert(account.id, account);
        }
        let limits = [
            (1, [Some(1_500), None, None, Some(4_000)], None),
            (1, [None, Some(2_000), None, None], Some(1)),
            (2, [None, None, Some(2_500), None], Some(2)),
        ];
        for (n, (account, caps, max_tasks)) in (1..).zip(limits) {
            let key = rows::key(base + n, AccountId(Uuid::from_u128(base + account)), caps, max_tasks);
            book.keys.insert(key.id, key);
        }
        World {
            book,
            written: Writes::default(),
            now: rows::START,
            journal: Journal::default(),
            told: Told::default(),
            chain: rows::chain(),
            tasks: Vec::new(),
            done: Vec::new(),
            base,
            last_id: base + 1_000,
        }
    }

    /// What a step comes to; nothing when it is about something that there is none of.
    pub fn act(&mut self, step: &Step) -> Option<Act> {
        Some(match *step {
            Step::Wait { hours } => Act::Wait(hours * 3_600),
            Step::Attempt { task, state } => Act::Attempt(self.attempt(task, state)?),
            Step::Repeat { command } => {
                let (command, done) = self.earlier(command)?;
                Act::Repeat(command, done)
            }
            _ => Act::Ask(self.command(step)?),
        })
    }

    /// Does it, and says what the vault answered if it was asked.
    pub fn perform(&mut self, act: &Act) -> Option<Result<Done, Refusal>> {
        match act {
            Act::Wait(seconds) => self.now = self.now.plus_seconds(*seconds),
            Act::Attempt(attempt) => self.claim(attempt),
            Act::Ask(command) => {
                let answer = self.send(command);
                self.done.extend(answer.clone().ok().map(|done| (command.clone(), done)));
                return Some(answer);
            }
            Act::Repeat(command, done) => return Some(self.repeat(command, done)),
        }
        None
    }

    /// What a claim writes.
    fn claim(&mut self, attempt: &attempt::Model) {
        self.book.jobs.get_mut(&attempt.task_id).expect("a live task").fence += 1;
        self.book.attempts.entry(attempt.task_id).or_default().push(attempt.clone());
    }

    fn repeat(&mut self, command: &Command, done: &Done) -> Result<Done, Refusal> {
        let final_word = matches!(done, Done::Accepted { .. } | Done::Booked { .. } | Done::Settled { .. });
        let answer = self.send(command);
        assert!(!final_word || answer == Ok(again(done)), "{command:?} was {done:?}, then {answer:?}");
        answer
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
        self.keep(book.writes);
        self.assert_repeats(command, &answer);
        answer
    }

    fn keep(&mut self, writes: Writes) {
        let Writes { transfers, events, clips, adjustments, .. } = writes;
        self.written.transfers.extend(transfers);
        self.written.events.extend(events);
        self.written.clips.extend(clips);
        self.written.adjustments.extend(adjustments);
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

/// Whether an answer says that the book is as it was, but for what expired.
fn changes_nothing(answer: &Result<Done, Refusal>) -> bool {
    match answer {
        Err(_) | Ok(Done::Stale | Done::Expired(_)) => true,
        Ok(Done::Accepted { replayed, .. } | Done::Booked { replayed }) => *replayed,
        Ok(Done::Settled { fresh, .. }) => !fresh,
        Ok(Done::CancelRequested | Done::AlertSet | Done::Told { .. }) => false,
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
        Done::Told { event } => Done::Told { event: event + 1 },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_book_balances_after_every_command_of_any_script(script in script()) {
        let mut world = World::new();
        for step in &script {
            if let Some(act) = world.act(step) {
                world.perform(&act);
            }
        }
    }
}
