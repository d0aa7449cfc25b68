//! The lane: the one task that writes money.
//!
//! It takes whatever requests are waiting, and in one transaction locks their accounts, reads what they need, decides each
//! of them in memory in arrival order, writes all results set by set, commits, and answers. No timer: a batch grows by itself
//! under load and is one when idle. Every change of accounts, grants, holds, transfers and key usage goes through here.

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use entity::{AccountId, Timestamp};
use fail::fail_point;
use futures_util::FutureExt;
use sea_orm::DbErr;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::book::Book;
use super::chain::Chain;
use super::decide::{self, Context};
use super::queue::{Queue, Waiting};
use super::tally::Tally;
use super::{Command, Done, Refusal, fan_out, load, write};
use crate::clock::Clock;
use crate::db::{Db, Fault, fault};
use crate::metrics::Metrics;
use crate::news::News;

/// The largest batch. The curve of throughput is flat above it, and waiting time is not.
const MAX_BATCH: usize = 512;
/// How often a transaction that the database turned away (deadlock, busy) is tried again.
const MAX_RETRIES: u32 = 8;
/// How long the outcome of a broken connection is sought before those who wait are told that it is unknown. By the clock,
/// because a try takes as long as the pool waits for a database that refuses.
const RECOVERY_LIMIT: Duration = Duration::from_secs(5);
const RECOVERY_PAUSE: Duration = Duration::from_millis(250);

/// The door to the vault. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    queue: Arc<Queue>,
    enqueued: watch::Sender<u64>,
    tally: Tally,
}

/// The running lane; stopping it serves everybody who waits first.
#[derive(Debug)]
pub struct Lane {
    queue: Arc<Queue>,
    running: JoinHandle<()>,
}

impl Ledger {
    /// Starts the lane. A panic in it ends the process: a supervisor restarts a whole program, never half a lane.
    pub fn start(db: Db, clock: Clock, chain: Chain, news: News, metrics: &Metrics) -> (Ledger, Lane) {
        let tally = Tally::new(metrics);
        let queue = Arc::new(Queue::default());
        let enqueued = watch::Sender::new(0);
        let writer = Writer {
            db,
            clock,
            chain,
            news,
            enqueued: enqueued.clone(),
            aside: TaskTracker::new(),
            set_aside: Mutex::default(),
            patience: Semaphore::new(1),
            tally: tally.clone(),
        };
        let running = tokio::spawn(or_abort(run(queue.clone(), Arc::new(writer))));
        (Ledger { queue: queue.clone(), enqueued, tally }, Lane { queue, running })
    }

    /// Does one command and answers once it is committed. Dropping the future drops only the answer.
    pub async fn send(&self, command: Command) -> Result<Done, Refusal> {
        let (answer, receiver) = oneshot::channel();
        self.queue.push(Waiting { command, answer }).inspect_err(|refusal| self.tally.refused(refusal))?;
        receiver.await.unwrap_or(Err(Refusal::OutcomeUnknown))
    }

    /// How many commands wait to end something, and how many others.
    pub fn waiting(&self) -> (usize, usize) {
        self.queue.waiting()
    }

    /// Changes with every job that this process enqueued, so that nobody need wait for their next look.
    pub fn enqueued(&self) -> watch::Receiver<u64> {
        self.enqueued.subscribe()
    }
}

impl Lane {
    /// Lets nobody else in, serves who waits, and ends.
    pub async fn stop(self) {
        self.queue.close();
        if self.running.await.is_err() {
            tracing::error!("the lane did not end cleanly");
        }
    }
}

/// Catches only a panic of the lane itself: a runtime that is dropped because something else panicked drops the lane too.
async fn or_abort(work: impl Future<Output = ()>) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!("the lane panicked");
        std::process::abort();
    }
}

async fn run(queue: Arc<Queue>, writer: Arc<Writer>) {
    while let Some(batch) = queue.take(MAX_BATCH).await {
        writer.serve(batch, false).await;
    }
    writer.aside.close();
    writer.aside.wait().await;
}

struct Writer {
    db: Db,
    clock: Clock,
    chain: Chain,
    news: News,
    enqueued: watch::Sender<u64>,
    /// Accounts that somebody else has locked, each waited for alone, beside the lane.
    aside: TaskTracker,
    /// Who waits for them. Served together: one by one they would never catch up with other processes' batches.
    set_aside: Mutex<HashMap<AccountId, Vec<Waiting>>>,
    /// One at a time: the lane's pool has two connections, and the lane itself never waits for one.
    patience: Semaphore,
    tally: Tally,
}

/// Why a transaction was not committed.
enum Broken {
    Db(DbErr),
    /// COMMIT was sent and its answer never came: it may have happened.
    Unknown(DbErr),
    /// A decision stopped half-way; the book in memory is no good any more.
    Spoiled(Refusal),
}

impl From<DbErr> for Broken {
    fn from(error: DbErr) -> Self {
        Broken::Db(error)
    }
}

/// What became of each command of a batch: an answer, or not served because its account is locked by somebody else.
type Answers = Vec<Option<Result<Done, Refusal>>>;

impl Writer {
    /// Serves a batch, smaller and smaller parts of it when the database refuses to write the whole.
    async fn serve(self: &Arc<Self>, batch: Vec<Waiting>, patient: bool) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.commit(&part, patient).await {
                Ok(answers) => {
                    self.answer(part, answers).into_iter().for_each(|skipped| self.set_aside(skipped))
                }
                Err(refusal) if part.len() == 1 || refusal != Refusal::Internal => {
                    self.refuse(part, &refusal)
                }
                Err(_) => {
                    let half = part.split_off(part.len() / 2);
                    parts.push(half);
                    parts.push(part);
                }
            }
        }
    }

    /// Waits for a locked account beside the lane: one stuck row must not keep everybody else waiting.
    fn set_aside(self: &Arc<Self>, waiting: Waiting) {
        let account = waiting.command.account();
        let mut lines = self.lines_aside();
        let line = lines.entry(account).or_default();
        line.push(waiting);
        if line.len() > 1 {
            return;
        }
        let writer = self.clone();
        self.aside.spawn(or_abort(async move {
            let turn = writer.patience.acquire().await;
            // Whoever was set aside until now comes along.
            let mut line = writer.lines_aside().remove(&account).unwrap_or_default();
            while !line.is_empty() {
                let rest = line.split_off(line.len().min(MAX_BATCH));
                writer.serve(line, true).await;
                line = rest;
            }
            drop(turn);
        }));
    }

    fn lines_aside(&self) -> MutexGuard<'_, HashMap<AccountId, Vec<Waiting>>> {
        self.set_aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, batch: Vec<Waiting>, refusal: &Refusal) {
        let answers = batch.iter().map(|_| Some(Err(refusal.clone()))).collect();
        self.answer(batch, answers);
    }

    /// Answers who was served; the others come back.
    fn answer(&self, batch: Vec<Waiting>, answers: Answers) -> Vec<Waiting> {
        let mut skipped = Vec::new();
        for (waiting, answer) in batch.into_iter().zip(answers) {
            match answer {
                Some(answer) => {
                    self.tally.answered(&waiting.command, &answer);
                    if matches!(answer, Ok(Done::Accepted { replayed: false, .. })) {
                        self.enqueued.send_modify(|n| *n += 1);
                    }
                    // Nobody listens when the client hung up; what was done stays done.
                    let _gone = waiting.answer.send(answer);
                }
                None => skipped.push(waiting),
            }
        }
        skipped
    }

    /// Commits a batch, again and again while the database only asks for patience. Commands carry their own ids, so running
    /// the same batch again after a lost COMMIT finds what was done and does the rest.
    async fn commit(&self, batch: &[Waiting], patient: bool) -> Result<Answers, Refusal> {
        let commands: Vec<&Command> = batch.iter().map(|waiting| &waiting.command).collect();
        let (mut retries, mut lost, mut unknown) = (0, None, false);
        loop {
            let begun = Instant::now();
            let span = tracing::debug_span!("batch", commands = commands.len());
            let error = match self.attempt(&commands, patient || unknown, unknown).instrument(span).await {
                Ok(answers) => {
                    self.tally.committed(commands.len(), begun);
                    return Ok(answers);
                }
                Err(Broken::Spoiled(refusal)) if batch.len() == 1 => return Err(refusal),
                Err(Broken::Spoiled(_)) => return Err(Refusal::Internal),
                Err(Broken::Unknown(error)) => {
                    unknown = true;
                    error
                }
                Err(Broken::Db(error)) => error,
            };
            match fault(&error) {
                Fault::Retry if retries < MAX_RETRIES => {
                    retries += 1;
                    pause(Duration::from_millis(u64::from(rand::random_range(1..=5 * retries)))).await;
                }
                Fault::Connection if lost.get_or_insert_with(Instant::now).elapsed() < RECOVERY_LIMIT => {
                    tracing::warn!(%error, unknown, "the ledger lost its connection");
                    pause(RECOVERY_PAUSE).await;
                }
                kind => return Err(give_up(&error, kind, unknown)),
            }
        }
    }

    async fn attempt(&self, commands: &[&Command], patient: bool, is_rerun: bool) -> Result<Answers, Broken> {
        let accounts: BTreeSet<AccountId> = commands.iter().map(|command| command.account()).collect();
        let mut tx = self.db.begin_bulk().await?;
        let (locked, now) = load::lock(&mut tx, &self.clock, &accounts, patient).await?;
        let missing = &accounts - &locked.keys().copied().collect();
        let served: Vec<&Command> = commands
            .iter()
            .copied()
            .filter(|command| patient || !missing.contains(&command.account()))
            .collect();
        let mut book = load::load(&mut tx, locked, &served, (now, is_rerun)).await?;
        let answers =
            self.decide(&mut book, commands, |account| !patient && missing.contains(&account), now)?;
        fan_out::fan_out(&mut tx, &mut book).await?;
        write::write(&mut tx, &book, self.clock.new_id(), now).await?;
        fail_point!("lane.commit");
        let committed = tx.commit().await;
        fail_point!("lane.reply");
        // Also when the outcome is unknown: news that are none cost a look.
        self.news.tell(book.changed());
        match committed {
            Ok(()) => Ok(answers),
            Err(error) if fault(&error) == Fault::Connection => Err(Broken::Unknown(error)),
            Err(error) => Err(Broken::Db(error)),
        }
    }

    fn decide(
        &self,
        book: &mut Book,
        commands: &[&Command],
        skipped: impl Fn(AccountId) -> bool,
        now: Timestamp,
    ) -> Result<Answers, Broken> {
        let context = Context { now, chain: &self.chain };
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            if skipped(command.account()) {
                answers.push(None);
                continue;
            }
            match decide::decide(book, command, self.clock.new_id(), &context) {
                Err(refusal @ (Refusal::Internal | Refusal::TooLarge)) => {
                    return Err(Broken::Spoiled(refusal));
                }
                answer => answers.push(Some(answer)),
            }
        }
        Ok(answers)
    }
}

async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

fn give_up(error: &DbErr, kind: Fault, unknown: bool) -> Refusal {
    tracing::error!(%error, unknown, "the ledger gives up on a batch");
    match (kind, unknown) {
        (_, true) => Refusal::OutcomeUnknown,
        (Fault::Statement, false) => Refusal::Internal,
        _ => Refusal::Unavailable,
    }
}
