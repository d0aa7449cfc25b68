//! Something that is read again when it is old: once for all who ask meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::Timestamp;
use sea_orm::DbErr;

use super::lookup::Lookup;

/// Cheap to clone.
#[derive(Debug)]
pub struct Fresh<T> {
    /// How old it may be.
    seconds: i64,
    kept: Arc<Mutex<Kept<T>>>,
    reading: Lookup<(), Arc<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    /// When it was asked for, and what it was.
    last: Option<(Timestamp, Arc<T>)>,
    /// How often it was: what was asked for before that is not kept.
    forgotten: u64,
}

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Fresh { seconds: self.seconds, kept: self.kept.clone(), reading: self.reading.clone() }
    }
}

impl<T: Send + Sync + 'static> Fresh<T> {
    pub fn new<F>(seconds: i64, read: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let reading = Lookup::new(move |_| {
            let read = read();
            async move { Ok(HashMap::from([((), Arc::new(read.await?))])) }
        });
        let kept = Arc::new(Mutex::new(Kept { last: None, forgotten: 0 }));
        Fresh { seconds, kept, reading }
    }

    /// What it is, as old as it may be at `now`. An error is everybody's who waits for the same reading.
    pub async fn get(&self, now: Timestamp) -> Result<Arc<T>, DbErr> {
        let forgotten = {
            let kept = self.lock();
            if let Some((at, last)) = &kept.last
                && *at <= now
                && now < at.plus_seconds(self.seconds)
            {
                return Ok(last.clone());
            }
            kept.forgotten
        };
        let read = self.reading.get(()).await?;
        let read = read.ok_or_else(|| DbErr::RecordNotFound("what was read".to_owned()))?;
        let mut kept = self.lock();
        if kept.forgotten == forgotten {
            kept.last = Some((now, read.clone()));
        }
        Ok(read)
    }

    /// Whoever asks next has it read again.
    pub fn forget(&self) {
        let mut kept = self.lock();
        kept.last = None;
        kept.forgotten += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What a reading found that began before is no answer to who asks after.
    #[tokio::test]
    async fn what_was_being_read_when_it_was_forgotten_is_not_kept() {
        let stored = Arc::<AtomicUsize>::default();
        let other = stored.clone();
        let fresh = Fresh::new(60, move || {
            let found = other.load(Ordering::SeqCst);
            async move {
                tokio::task::yield_now().await;
                Ok(found)
            }
        });
        let now = Timestamp::from_seconds(10);
        let (before, ()) = tokio::join!(fresh.get(now), async {
            tokio::task::yield_now().await;
            stored.store(1, Ordering::SeqCst);
            fresh.forget();
        });
        assert_eq!(*before.unwrap(), 0);
        assert_eq!(*fresh.get(now).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn who_asks_at_once_has_it_read_once() {
        let counted = Arc::<AtomicUsize>::default();
        let counter = counted.clone();
        let fresh = Fresh::new(1, move || {
            let counter = counter.clone();
            async move { Ok(counter.fetch_add(1, Ordering::SeqCst)) }
        });
        let ask = |second| {
            futures_util::future::join_all(
                (0..100).map(|_| fresh.get(Timestamp::from_seconds(second))).collect::<Vec<_>>(),
            )
        };
        assert!(ask(10).await.iter().all(Result::is_ok));
        assert_eq!(counted.load(Ordering::SeqCst), 1);
        ask(11).await;
        ask(11).await;
        assert_eq!(counted.load(Ordering::SeqCst), 2, "a second later it is old");
        fresh.forget();
        ask(11).await;
        assert_eq!(counted.load(Ordering::SeqCst), 3);
    }
}
