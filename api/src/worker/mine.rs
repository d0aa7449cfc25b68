//! The jobs that this worker follows, in memory: who they are, which of them the customer wants stopped, and how much room
//! each provider has left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::TaskId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Moment;
use crate::provider::UpstreamId;

#[derive(Clone, Debug)]
pub struct Mine {
    followed: Arc<Mutex<HashMap<TaskId, Followed>>>,
    last_beat: Arc<Mutex<Moment>>,
}

#[derive(Clone, Debug)]
struct Followed {
    fence: i64,
    provider: String,
    clips: usize,
    cancel: CancellationToken,
    news: Arc<News>,
}

/// What providers told us about a job without being asked: a reason to ask them.
#[derive(Debug, Default)]
pub struct News {
    came: Notify,
    /// Ids that were told for an attempt.
    ids: Mutex<Vec<(i64, UpstreamId)>>,
}

/// Ids that are kept for one job: whoever tells more of them makes them up.
const IDS_MAX: usize = 32;

impl News {
    fn tell(&self, attempt: i64, id: Option<UpstreamId>) {
        if let Some(id) = id {
            let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
            if ids.len() < IDS_MAX && !ids.contains(&(attempt, id.clone())) {
                ids.push((attempt, id));
            }
        }
        self.came.notify_waiters();
    }

    /// Until something is told.
    pub async fn come(&self) {
        self.came.notified().await;
    }

    pub fn ids(&self, attempt: i64) -> Vec<UpstreamId> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter(|(n, _)| *n == attempt).map(|(_, id)| id.clone()).collect()
    }
}

/// A job stays followed while this lives.
#[derive(Debug)]
pub struct Following {
    mine: Mine,
    task: TaskId,
    fence: i64,
    /// Set when the customer wants the task stopped.
    pub cancel: CancellationToken,
    pub news: Arc<News>,
}

impl Mine {
    pub fn new(begun: Moment) -> Self {
        Mine { followed: Arc::default(), last_beat: Arc::new(Mutex::new(begun)) }
    }

    /// Notes that a job is followed, under the fence of its claim: a job that was lost and claimed again has a newer one.
    pub fn follow(&self, task: TaskId, fence: i64, provider: &str, clips: usize) -> Following {
        let (cancel, news) = (CancellationToken::new(), Arc::<News>::default());
        let followed = Followed {
            fence,
            provider: provider.to_owned(),
            clips,
            cancel: cancel.clone(),
            news: news.clone(),
        };
        self.lock().insert(task, followed);
        Following { mine: self.clone(), task, fence, cancel, news }
    }

    /// Clips under way at a provider.
    pub fn clips_at(&self, provider: &str) -> usize {
        self.lock()
            .values()
            .filter(|followed| followed.provider == provider)
            .map(|followed| followed.clips)
            .sum()
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn has(&self, task: TaskId) -> bool {
        self.lock().contains_key(&task)
    }

    pub fn cancel(&self, task: TaskId) {
        if let Some(followed) = self.lock().get(&task) {
            followed.cancel.cancel();
        }
    }

    /// Tells whoever follows a job what its provider told us.
    pub fn tell(&self, task: TaskId, attempt: i64, id: Option<UpstreamId>) {
        if let Some(followed) = self.lock().get(&task) {
            followed.news.tell(attempt, id);
        }
    }

    pub fn beaten(&self, at: Moment) {
        *self.last_beat.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    pub fn last_beat(&self) -> Moment {
        *self.last_beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut followed = self.mine.lock();
        if followed.get(&self.task).is_some_and(|entry| entry.fence == self.fence) {
            followed.remove(&self.task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn who_lost_a_job_takes_nothing_from_who_claimed_it_again() {
        let mine = Mine::new(Clock::system().moment());
        let task = TaskId(uuid::Uuid::nil());
        let lost = mine.follow(task, 1, "kie", 1);
        let again = mine.follow(task, 2, "kie", 1);
        drop(lost);
        mine.cancel(task);
        assert!(mine.has(task) && mine.clips_at("kie") == 1 && again.cancel.is_cancelled());
        drop(again);
        assert!(!mine.has(task));
    }
}
