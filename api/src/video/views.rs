//! Loads what there is to say about tasks, set by set: the number of queries does not depend on how many there are, and polls
//! that come together share them.
//!
//! What may change is read for each look. What can't, a task's terms, is kept of those that were looked at lately, and so is
//! the view itself: as long as nothing changed, the same one is handed out.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::task::TaskState;
use entity::{AccountId, TaskId, attempt, clip, hold, job, task, task_request};
use lru::LruCache;
use sea_orm::{DbErr, Value};

use super::read::{ReadError, TaskView, Terms};
use super::state::State;
use crate::db::lookup::Lookup;
use crate::db::{Db, Reader, bulk};
use crate::ledger::read as ledger;

/// Tasks that were looked at lately. A view takes about 3 KiB.
const KEPT: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// The views of a database's tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Views {
    db: Db,
    polls: Lookup<(AccountId, TaskId), Arc<TaskView>, ReadError>,
    kept: Kept,
}

#[derive(Clone, Debug)]
struct Kept(Arc<Mutex<LruCache<TaskId, Arc<TaskView>>>>);

impl Views {
    pub fn new(db: Db) -> Self {
        let kept = Kept(Arc::new(Mutex::new(LruCache::new(KEPT))));
        let polls = {
            let (db, kept) = (db.clone(), kept.clone());
            Lookup::new(move |keys| poll(db.clone(), kept.clone(), keys))
        };
        Views { db, polls, kept }
    }

    /// A task of this account.
    pub async fn of_account(
        &self,
        account: AccountId,
        id: TaskId,
    ) -> Result<Option<Arc<TaskView>>, ReadError> {
        self.polls.get((account, id)).await
    }

    /// Those of the tasks that are there and the account's, in the order of `ids`.
    pub async fn page(&self, account: AccountId, ids: &[TaskId]) -> Result<Vec<Arc<TaskView>>, ReadError> {
        let keys: Vec<_> = ids.iter().map(|id| (account, *id)).collect();
        let mut found = poll(self.db.clone(), self.kept.clone(), keys.clone()).await?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }

    /// A task, whoever's it is.
    pub async fn of_anybody(&self, id: TaskId) -> Result<Option<Arc<TaskView>>, ReadError> {
        let mut reader = self.db.reader().await?;
        Ok(load(&mut reader, &self.kept, &[id], |_| true).await?.pop())
    }
}

/// Those of the tasks that are there and the accounts'.
async fn poll(
    db: Db,
    kept: Kept,
    keys: Vec<(AccountId, TaskId)>,
) -> Result<HashMap<(AccountId, TaskId), Arc<TaskView>>, ReadError> {
    let mut reader = db.reader().await?;
    let (ids, keys): (Vec<TaskId>, HashSet<_>) = keys.into_iter().map(|key| (key.1, key)).unzip();
    let views = load(&mut reader, &kept, &ids, |task| keys.contains(&(task.account_id, task.id))).await?;
    Ok(views.into_iter().map(|view| ((view.task.account_id, view.task.id), view)).collect())
}

/// Those of the tasks that whoever asks may see. Nothing else is read of the others: the account is compared here because a
/// planner without statistics would look through all of the account's tasks for each id.
async fn load(
    reader: &mut Reader,
    kept: &Kept,
    ids: &[TaskId],
    may_see: impl Fn(&task::Model) -> bool,
) -> Result<Vec<Arc<TaskView>>, ReadError> {
    // The jobs first: if one is gone by the time its task is read, the task has ended and says so.
    let jobs = bulk::find::<job::Entity>(reader, &[job::Column::TaskId], keys_of(ids), "").await?;
    let by = [task::Column::Id];
    let mut tasks = bulk::find::<task::Entity>(reader, &by, keys_of(ids), "AND deleted_at IS NULL").await?;
    tasks.retain(may_see);
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts = Parts::load(reader, &tasks, jobs).await?;
    parts.load_terms(reader, kept, &tasks).await?;
    Ok(tasks.into_iter().filter_map(|task| parts.view(task)).map(|view| kept.keep(view)).collect())
}

/// What belongs to some tasks, by task.
struct Parts {
    jobs: HashMap<TaskId, job::Model>,
    holds: HashMap<TaskId, hold::Model>,
    clips: HashMap<TaskId, Vec<clip::Model>>,
    attempts: HashMap<TaskId, Vec<attempt::Model>>,
    terms: HashMap<TaskId, Arc<Terms>>,
}

impl Parts {
    async fn load(reader: &mut Reader, tasks: &[task::Model], jobs: Vec<job::Model>) -> Result<Parts, DbErr> {
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let holds = ledger::holds(reader, &ids).await?;
        let attempts = bulk::find::<attempt::Entity>(
            reader,
            &[attempt::Column::TaskId],
            keys_of(&ids),
            "ORDER BY task_id, n",
        );
        let attempts = attempts.await?;
        // Clips are there once the task has ended, which the task says: its job was read before it.
        let ended = tasks.iter().filter(|task| task.state != TaskState::Live);
        let ended: Vec<TaskId> = ended.map(|task| task.id).collect();
        let clips = bulk::find::<clip::Entity>(
            reader,
            &[clip::Column::TaskId],
            keys_of(&ended),
            "ORDER BY task_id, idx",
        );
        Ok(Parts {
            jobs: by_key(jobs, |job| job.task_id),
            holds: by_key(holds, |hold| hold.task_id),
            clips: grouped(clips.await?, |clip| clip.task_id),
            attempts: grouped(attempts, |attempt| attempt.task_id),
            terms: HashMap::new(),
        })
    }

    /// The terms of each task, read of those only whose are not kept.
    async fn load_terms(
        &mut self,
        reader: &mut Reader,
        kept: &Kept,
        tasks: &[task::Model],
    ) -> Result<(), ReadError> {
        self.terms = kept.terms(tasks);
        let unknown: Vec<TaskId> =
            tasks.iter().map(|task| task.id).filter(|id| !self.terms.contains_key(id)).collect();
        let by = [task_request::Column::TaskId];
        let requests = bulk::find::<task_request::Entity>(reader, &by, keys_of(&unknown), "").await?;
        let mut requests = by_key(requests, |request| request.task_id);
        for task in tasks {
            if let Some(request) = requests.remove(&task.id) {
                self.terms.insert(task.id, Arc::new(terms(task, &request)?));
            }
        }
        Ok(())
    }

    fn view(&mut self, task: task::Model) -> Option<TaskView> {
        let (hold, terms) = (self.holds.remove(&task.id)?, self.terms.remove(&task.id)?);
        let job = self.jobs.remove(&task.id);
        let state = State::of(task.state, job.as_ref().map(|job| job.state));
        let progress = match (&job, state) {
            (_, State::Completed) => 100,
            (Some(job), _) => u8::try_from(job.progress).unwrap_or(0),
            (None, _) => 0,
        };
        Some(TaskView {
            state,
            progress,
            cancel_requested: job.is_some_and(|job| job.cancel_at.is_some()),
            clips: self.clips.remove(&task.id).unwrap_or_default(),
            attempts: self.attempts.remove(&task.id).unwrap_or_default(),
            task,
            hold,
            terms,
        })
    }
}

fn terms(task: &task::Model, request: &task_request::Model) -> Result<Terms, serde_json::Error> {
    Ok(Terms {
        explanation: serde_json::from_str(&task.explanation)?,
        request: serde_json::from_str(&request.request)?,
        effective: serde_json::from_str(&request.effective)?,
        warnings: serde_json::from_str(&request.warnings)?,
    })
}

impl Kept {
    /// The terms of those tasks that were looked at lately.
    fn terms(&self, tasks: &[task::Model]) -> HashMap<TaskId, Arc<Terms>> {
        let mut kept = self.lock();
        let terms = |task: &task::Model| kept.get(&task.id).map(|view| (task.id, view.terms.clone()));
        tasks.iter().filter_map(terms).collect()
    }

    /// The view that was handed out before, unless something changed.
    fn keep(&self, view: TaskView) -> Arc<TaskView> {
        let mut kept = self.lock();
        if let Some(same) = kept.peek(&view.task.id).filter(|same| ***same == view) {
            return same.clone();
        }
        let view = Arc::new(view);
        kept.put(view.task.id, view.clone());
        view
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<TaskId, Arc<TaskView>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys_of(ids: &[TaskId]) -> Vec<Vec<Value>> {
    ids.iter().map(|id| vec![Value::from(*id)]).collect()
}

fn by_key<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, T> {
    rows.into_iter().map(|row| (key(&row), row)).collect()
}

/// Keeps the order of the rows within each group.
fn grouped<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
