//! Look-ups of many requests in few queries.
//!
//! Whoever asks while queries run waits for the next one, which answers everybody who came until it began: one query when
//! idle, few large ones under load, and each key once in each. An answer is never older than its question, so unlike a cache
//! this needs nobody to say what changed.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use sea_orm::{DbErr, RuntimeErr};
use tokio::sync::oneshot;

/// Queries of one kind that run at a time.
const MAX_RUNNING: usize = 2;
/// Keys of one query.
const MAX_KEYS: usize = 512;

/// Reads those of the keys that are there.
type Load<K, V, E> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, E>> + Send + Sync;

/// Answers of one kind, by key. Cheap to clone.
pub struct Lookup<K, V, E = DbErr> {
    load: Arc<Load<K, V, E>>,
    line: Arc<Mutex<Line<K, V, E>>>,
}

/// Who waits for an answer, by key.
type Waiting<K, V, E> = HashMap<K, Vec<oneshot::Sender<Result<Option<V>, E>>>>;

struct Line<K, V, E> {
    waiting: Waiting<K, V, E>,
    running: usize,
}

/// One more that runs, until it is dropped.
struct Running<K, V, E>(Lookup<K, V, E>);

impl<K, V, E> Lookup<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
    E: Clone + From<DbErr> + Send + 'static,
{
    pub fn new<F>(load: impl Fn(Vec<K>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<HashMap<K, V>, E>> + Send + 'static,
    {
        let line = Line { waiting: HashMap::new(), running: 0 };
        Lookup { load: Arc::new(move |keys| Box::pin(load(keys))), line: Arc::new(Mutex::new(line)) }
    }

    /// What is there under a key now.
    pub async fn get(&self, key: K) -> Result<Option<V>, E> {
        let (answer, receiver) = oneshot::channel();
        let is_one_more = {
            let mut line = self.lock();
            line.waiting.entry(key).or_default().push(answer);
            let is_one_more = line.running < MAX_RUNNING;
            line.running += usize::from(is_one_more);
            is_one_more
        };
        if is_one_more {
            tokio::spawn(Running(self.clone()).answer_all());
        }
        receiver.await.unwrap_or_else(|_| Err(given_up().into()))
    }
}

impl<K, V, E> Running<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
    E: Clone + From<DbErr> + Send + 'static,
{
    /// Until nobody waits.
    async fn answer_all(self) {
        loop {
            let waiting = self.0.lock().take();
            if waiting.is_empty() {
                return;
            }
            let keys = waiting.keys().cloned().collect();
            let mut found = (self.0.load)(keys).await;
            for (key, answers) in waiting {
                let answer = found.as_mut().map(|found| found.remove(&key)).map_err(|error| error.clone());
                for waiting in answers {
                    // Nobody listens when the client hung up.
                    let _gone = waiting.send(answer.clone());
                }
            }
        }
    }
}

impl<K: Eq + Hash + Clone, V, E> Line<K, V, E> {
    fn take(&mut self) -> Waiting<K, V, E> {
        if self.waiting.len() <= MAX_KEYS {
            return std::mem::take(&mut self.waiting);
        }
        let keys: Vec<K> = self.waiting.keys().take(MAX_KEYS).cloned().collect();
        keys.into_iter().filter_map(|key| self.waiting.remove_entry(&key)).collect()
    }
}

impl<K, V, E> Lookup<K, V, E> {
    fn lock(&self) -> MutexGuard<'_, Line<K, V, E>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V, E> Drop for Running<K, V, E> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl<K, V, E> Clone for Lookup<K, V, E> {
    fn clone(&self) -> Self {
        Lookup { load: self.load.clone(), line: self.line.clone() }
    }
}

impl<K, V, E> fmt::Debug for Lookup<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}

/// The query ended without an answer: it panicked, or the program stops.
fn given_up() -> DbErr {
    DbErr::Query(RuntimeErr::Internal("a look-up was given up".to_owned()))
}
