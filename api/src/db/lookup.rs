//! Look-ups of many requests in few queries.
//!
//! Whoever asks while a query runs waits for the next one, which answers everybody who came until it began: a small query when
//! idle, few large ones under load, and each key once in each. An answer is never older than its question, so unlike a cache
//! this needs nobody to say what changed.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use sea_orm::{DbErr, RuntimeErr};
use tokio::sync::oneshot;

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
    is_running: bool,
}

/// The one that runs: two at a time would each be as much work for half as many.
struct Running<K, V, E> {
    lookup: Lookup<K, V, E>,
    is_over: bool,
}

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
        let line = Line { waiting: HashMap::new(), is_running: false };
        Lookup { load: Arc::new(move |keys| Box::pin(load(keys))), line: Arc::new(Mutex::new(line)) }
    }

    /// What is there under a key now.
    pub async fn get(&self, key: K) -> Result<Option<V>, E> {
        let (answer, receiver) = oneshot::channel();
        let was_running = {
            let mut line = self.lock();
            line.waiting.entry(key).or_default().push(answer);
            std::mem::replace(&mut line.is_running, true)
        };
        if !was_running {
            tokio::spawn(Running { lookup: self.clone(), is_over: false }.answer_all());
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
    async fn answer_all(mut self) {
        while let Some(waiting) = self.next() {
            let keys = waiting.keys().cloned().collect();
            let mut found = (self.lookup.load)(keys).await;
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

impl<K: Eq + Hash + Clone, V, E> Running<K, V, E> {
    /// Who is to be answered now. When it is nobody, whoever comes next starts the next one: both is said under one lock.
    fn next(&mut self) -> Option<Waiting<K, V, E>> {
        let mut line = self.lookup.lock();
        let waiting = line.take();
        line.is_running = !waiting.is_empty();
        self.is_over = waiting.is_empty();
        line.is_running.then_some(waiting)
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
    /// It panicked, or the program stops: whoever waits is told that there is no answer.
    fn drop(&mut self) {
        if !self.is_over {
            let mut line = self.lookup.lock();
            line.is_running = false;
            line.waiting.clear();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever asks in the moment in which the one that runs finds nobody left is answered, too.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_is_forgotten_when_a_query_ends() {
        let lookup: Lookup<u32, u32> =
            Lookup::new(|keys| async move { Ok(keys.into_iter().map(|key| (key, key + 1)).collect()) });
        for key in 0..100_000 {
            assert_eq!(lookup.get(key).await, Ok(Some(key + 1)));
        }
    }

    #[tokio::test]
    async fn a_query_that_panics_is_an_error_for_all_and_the_next_one_runs() {
        let lookup: Lookup<u32, u32> = Lookup::new(|keys| async move {
            // Somebody comes meanwhile.
            tokio::task::yield_now().await;
            assert!(!keys.contains(&1), "as the test wants it");
            Ok(HashMap::from([(2, 20)]))
        });
        let (first, second) = tokio::join!(lookup.get(1), async {
            tokio::task::yield_now().await;
            lookup.get(2).await
        });
        assert!(first.is_err() && second.is_err());
        assert_eq!(lookup.get(2).await, Ok(Some(20)));
    }
}
