//! What a worker writes about the jobs that it follows: many notes in one transaction.
//!
//! A note changes nothing once somebody else has the job or it is settled: each is compared with the fence of its job, which
//! is locked. Like the lane it has no timer: whatever was noted while one transaction ran is the next one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;

use entity::attempt::Column as A;
use entity::job::{Column as J, JobState};
use entity::{AccountId, TaskId, attempt, job};
use futures_util::FutureExt;
use sea_orm::{DbErr, SqlErr, Value};
use tokio::sync::{mpsc, oneshot};

use crate::app::App;
use crate::db::bulk::{self, Writes};
use crate::db::{BulkTransaction, Fault, fault};

/// Notes of one transaction at most.
const MAX_BATCH: usize = 256;

/// What may change about an attempt.
const OF_ATTEMPTS: &[A] = &[
    A::State,
    A::Sends,
    A::UpstreamId,
    A::ErrorCode,
    A::ErrorMessage,
    A::Outcome,
    A::CostMicroUsd,
    A::AcceptedAt,
    A::EndedAt,
];

/// Why a worker's write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The job is somebody else's now, or settled.
    #[error("the job is no longer this worker's")]
    Lost,
    /// Another attempt has this upstream id already.
    #[error("the upstream id is taken by another attempt")]
    IdTaken,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A change of a job or of one of its attempts.
#[derive(Clone, Debug)]
pub struct Note {
    pub task: TaskId,
    /// Of the claim by which the job is ours.
    pub fence: i64,
    /// The attempt as it is now.
    pub attempt: Option<attempt::Model>,
    /// The state of the job, and how far it is in percent. Progress never goes back.
    pub job: Option<(JobState, i64)>,
}

type Answer = Result<job::Model, WriteError>;

#[derive(Debug)]
struct Waiting {
    note: Note,
    answer: oneshot::Sender<Answer>,
}

/// Takes notes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scribe(mpsc::UnboundedSender<Waiting>);

impl Scribe {
    /// Starts a scribe, who works as long as there is anybody to take notes from. Whoever gives one waits for its answer, so
    /// no more wait than clips are followed.
    pub fn start(app: App) -> Scribe {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(app, receiver));
        Scribe(sender)
    }

    /// Writes a note, and answers with the job as it is then.
    pub async fn write(&self, note: Note) -> Answer {
        let (answer, receiver) = oneshot::channel();
        let gone = || WriteError::Db(DbErr::Custom("nobody takes notes any more".to_owned()));
        self.0.send(Waiting { note, answer }).map_err(|_| gone())?;
        receiver.await.unwrap_or_else(|_| Err(gone()))
    }
}

async fn run(app: App, mut notes: mpsc::UnboundedReceiver<Waiting>) {
    let mut batch = Vec::new();
    while notes.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let served = serve(&app, std::mem::take(&mut batch));
        // Who waits sees that nobody answers, and tries again; the next batch may be better.
        if AssertUnwindSafe(served).catch_unwind().await.is_err() {
            tracing::error!("a batch of notes panicked");
        }
    }
}

/// Writes a batch, smaller and smaller parts of it when the database refuses to write the whole.
async fn serve(app: &App, batch: Vec<Waiting>) {
    let mut parts = vec![batch];
    while let Some(mut part) = parts.pop() {
        let written = write(app, part.iter().map(|waiting| &waiting.note)).await;
        match written {
            Ok(answers) => answer(part, answers),
            Err(error) if part.len() > 1 && fault(&error) == Fault::Statement => {
                let half = part.split_off(part.len() / 2);
                parts.push(half);
                parts.push(part);
            }
            Err(error) => {
                let answers = vec![Err(write_error(error)); part.len()];
                answer(part, answers);
            }
        }
    }
}

fn write_error(error: DbErr) -> WriteError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => WriteError::IdTaken,
        _ => WriteError::Db(error),
    }
}

fn answer(batch: Vec<Waiting>, answers: Vec<Answer>) {
    for (waiting, answer) in batch.into_iter().zip(answers) {
        // Nobody listens when the follower was given up.
        let _gone = waiting.answer.send(answer);
    }
}

/// Writes some notes in one transaction.
async fn write(app: &App, notes: impl Iterator<Item = &Note> + Clone) -> Result<Vec<Answer>, DbErr> {
    let tasks: BTreeSet<TaskId> = notes.clone().map(|note| note.task).collect();
    let mut tx = app.db.begin_bulk().await?;
    let mut changes = Changes::lock(&mut tx, &tasks).await?;
    let answers = notes.map(|note| changes.make(note)).collect();
    let accounts = changes.write(&mut tx).await?;
    tx.commit().await?;
    app.news.tell(accounts);
    Ok(answers)
}

/// Some jobs, locked, and what the notes change.
struct Changes {
    jobs: HashMap<TaskId, job::Model>,
    changed: BTreeSet<TaskId>,
    attempts: BTreeMap<(TaskId, i64), attempt::Model>,
    accounts: BTreeSet<AccountId>,
}

impl Changes {
    /// Locked in the order of their ids, as the lane does.
    async fn lock(tx: &mut BulkTransaction, tasks: &BTreeSet<TaskId>) -> Result<Changes, DbErr> {
        let keys = tasks.iter().map(|id| vec![Value::from(*id)]).collect();
        let lock = match tx {
            BulkTransaction::Postgres(_) => "ORDER BY task_id FOR UPDATE",
            BulkTransaction::Sqlite(_) => "",
        };
        let jobs = bulk::find::<job::Entity>(tx, &[J::TaskId], keys, lock).await?;
        let jobs = jobs.into_iter().map(|job| (job.task_id, job)).collect();
        Ok(Changes { jobs, changed: BTreeSet::new(), attempts: BTreeMap::new(), accounts: BTreeSet::new() })
    }

    fn make(&mut self, note: &Note) -> Answer {
        let job = self.jobs.get_mut(&note.task).filter(|job| job.fence == note.fence);
        let job = job.ok_or(WriteError::Lost)?;
        if let Some((state, progress)) = note.job {
            job.state = state;
            job.progress = job.progress.max(progress);
            self.changed.insert(note.task);
        }
        if let Some(attempt) = &note.attempt {
            self.attempts.insert((attempt.task_id, attempt.n), attempt.clone());
        }
        self.accounts.insert(job.account_id);
        Ok(job.clone())
    }

    /// Answers with whose accounts have news.
    async fn write(self, tx: &mut BulkTransaction) -> Result<BTreeSet<AccountId>, DbErr> {
        let attempts: Vec<attempt::Model> = self.attempts.into_values().collect();
        let jobs: Vec<job::Model> =
            self.jobs.into_values().filter(|job| self.changed.contains(&job.task_id)).collect();
        let mut writes = Writes::default();
        writes.update::<attempt::Entity>(&attempts, OF_ATTEMPTS);
        writes.update::<job::Entity>(&jobs, &[J::State, J::Progress]);
        writes.run(tx).await?;
        Ok(self.accounts)
    }
}
