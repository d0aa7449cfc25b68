//! ROOM 6, the clockwork: when things happen.
//!
//! A worker claims jobs, submits them to providers, follows them in memory, stores the clips and has the task settled. The
//! database is written when a state changes, never because time passed. Every write of a worker says `WHERE fence = mine`:
//! once somebody else has claimed the job, or it is settled, nothing this worker still does has an effect.

mod attempts;
mod call;
mod choice;
mod claim;
mod clip;
mod deliver;
mod dock;
mod health;
mod housekeeping;
mod inbox;
mod input;
mod mine;
mod run;
mod scratch;
mod scribe;
mod store;
pub mod submission;
mod tally;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use entity::WorkerId;
use entity::worker::{Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, IntoActiveModel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::clock::Moment;
use dock::Seats;
use health::Keys;
use mine::Mine;
use scribe::Scribe;
use tally::Tally;

pub use store::collect;

/// How often a worker without news looks for work, cancellations and lost colleagues.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a stop waits for submissions that are under way.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    context: Context,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What every part of a worker shares. Cheap to clone.
#[derive(Clone, Debug)]
struct Context {
    app: App,
    me: WorkerId,
    /// Distinguishes this life of the worker from others.
    epoch: i64,
    mine: Mine,
    seats: Seats,
    keys: Keys,
    /// Workers that lived when that was last looked at.
    alive: Arc<AtomicU32>,
    scribe: Scribe,
    tally: Tally,
}

impl Worker {
    /// Registers a worker and starts its loops.
    pub async fn start(app: App) -> Result<Worker, DbErr> {
        let (epoch, begun) = (app.clock.now().micros(), app.clock.moment());
        let me = WorkerId(app.clock.new_id());
        let tally = Tally::new(app.metrics.clone());
        let scribe = Scribe::start(app.clone());
        let context = Context {
            app,
            me,
            epoch,
            mine: Mine::new(begun),
            seats: Seats::default(),
            keys: Keys::default(),
            alive: Arc::new(AtomicU32::new(1)),
            scribe,
            tally,
        };
        context.register().await?;
        let worker = Worker { context, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        worker.spawn(claim::run);
        worker.spawn(|context, stop, _| context.beat(stop));
        worker.spawn(|context, stop, _| housekeeping::run(context, stop));
        worker.spawn(deliver::run);
        Ok(worker)
    }

    fn spawn<F>(&self, part: impl FnOnce(Context, CancellationToken, TaskTracker) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(part(self.context.clone(), self.stop.clone(), self.tasks.clone()));
    }

    /// Stops claiming and following. What is under way stays with the providers; the jobs are given free, so that whoever
    /// comes next goes on with them at once.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                "a submission was still under way; whoever comes next finds out what became of it"
            );
        }
        if let Err(error) = claim::give_free(&self.context).await {
            tracing::warn!(%error, "could not give the worker's jobs free; they are taken over when its heartbeat is old");
        }
    }
}

impl Context {
    async fn register(&self) -> Result<(), DbErr> {
        let tx = self.app.db.begin().await?;
        // One server a file: whatever is owned there belonged to a process that is gone.
        if !self.app.db.is_postgres() {
            claim::free_all(&tx).await?;
        }
        let now = self.app.db.now(&tx, &self.app.clock).await?;
        let row =
            entity::worker::Model { id: self.me, epoch: self.epoch, started_at: now, heartbeat_at: now };
        row.into_active_model().insert(&tx).await?;
        tx.commit().await
    }

    /// Proves every fifth of the limit that this worker lives.
    async fn beat(self, stop: CancellationToken) {
        let every = Duration::from_secs(u64::from(self.app.config.heartbeat_limit_s)) / 5;
        while pause(every, &stop).await {
            match self.beat_once().await {
                Ok(at) => self.mine.beaten(at),
                Err(error) => tracing::warn!(%error, "a heartbeat could not be written"),
            }
        }
    }

    async fn beat_once(&self) -> Result<Moment, DbErr> {
        let begun = self.app.clock.moment();
        let tx = self.app.db.begin().await?;
        let now = self.app.db.now(&tx, &self.app.clock).await?;
        // Inserted again if others took this worker for dead: its jobs are theirs now, but it can claim new ones.
        let row =
            entity::worker::Model { id: self.me, epoch: self.epoch, started_at: now, heartbeat_at: now };
        let beat = OnConflict::column(Column::Id).update_column(Column::HeartbeatAt).to_owned();
        Entity::insert(row.into_active_model()).on_conflict(beat).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(begun)
    }

    /// Whether others may still believe that this worker lives. Checked right before something is sent: a worker that slept
    /// may have lost its jobs without knowing.
    fn is_trusted(&self) -> bool {
        let half = Duration::from_secs(u64::from(self.app.config.heartbeat_limit_s)) / 2;
        self.app.clock.since(self.mine.last_beat()) < half
    }
}

/// Waits; false when the worker is to stop.
async fn pause(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// A wait with up to a fifth more, so that many who wait don't come back together.
fn jittered(time: Duration) -> Duration {
    time + time.mul_f64(rand::random_range(0.0..0.2))
}
