//! The jobs that this worker follows, in memory: who they are, which of them the customer wants stopped, and how much room
//! each provider has left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::{TaskId, Timestamp};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub struct Mine {
    followed: Arc<Mutex<HashMap<TaskId, Followed>>>,
    last_beat: Arc<AtomicI64>,
}

#[derive(Clone, Debug)]
struct Followed {
    provider: String,
    clips: usize,
    cancel: CancellationToken,
}

/// A job stays followed while this lives.
#[derive(Debug)]
pub struct Following {
    mine: Mine,
    task: TaskId,
    /// Set when the customer wants the task stopped.
    pub cancel: CancellationToken,
}

impl Mine {
    pub fn new(now: Timestamp) -> Self {
        Mine { followed: Arc::default(), last_beat: Arc::new(AtomicI64::new(now.micros())) }
    }

    pub fn follow(&self, task: TaskId, provider: &str, clips: usize) -> Following {
        let cancel = CancellationToken::new();
        let followed = Followed { provider: provider.to_owned(), clips, cancel: cancel.clone() };
        self.lock().insert(task, followed);
        Following { mine: self.clone(), task, cancel }
    }

    /// Clips under way at a provider.
    pub fn clips_at(&self, provider: &str) -> usize {
        self.lock()
            .values()
            .filter(|followed| followed.provider == provider)
            .map(|followed| followed.clips)
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub fn cancel(&self, task: TaskId) {
        if let Some(followed) = self.lock().get(&task) {
            followed.cancel.cancel();
        }
    }

    pub fn beaten(&self, at: Timestamp) {
        self.last_beat.store(at.micros(), Ordering::Relaxed);
    }

    pub fn last_beat(&self) -> Timestamp {
        Timestamp::from_micros(self.last_beat.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.mine.lock().remove(&self.task);
    }
}
