//! The jobs that this worker follows, in memory: who they are, which of them the customer wants stopped, and how much room
//! each provider has left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::TaskId;
use tokio_util::sync::CancellationToken;

use crate::clock::Moment;

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
}

/// A job stays followed while this lives.
#[derive(Debug)]
pub struct Following {
    mine: Mine,
    task: TaskId,
    fence: i64,
    /// Set when the customer wants the task stopped.
    pub cancel: CancellationToken,
}

impl Mine {
    pub fn new(begun: Moment) -> Self {
        Mine { followed: Arc::default(), last_beat: Arc::new(Mutex::new(begun)) }
    }

    /// Notes that a job is followed, under the fence of its claim: a job that was lost and claimed again has a newer one.
    pub fn follow(&self, task: TaskId, fence: i64, provider: &str, clips: usize) -> Following {
        let cancel = CancellationToken::new();
        let followed = Followed { fence, provider: provider.to_owned(), clips, cancel: cancel.clone() };
        self.lock().insert(task, followed);
        Following { mine: self.clone(), task, fence, cancel }
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
