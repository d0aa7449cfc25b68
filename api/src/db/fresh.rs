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
    last: Arc<Mutex<Option<Read<T>>>>,
    reading: Lookup<(), Arc<T>>,
}

/// When it was asked for, and what it was.
type Read<T> = (Timestamp, Arc<T>);

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Fresh { seconds: self.seconds, last: self.last.clone(), reading: self.reading.clone() }
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
        Fresh { seconds, last: Arc::default(), reading }
    }

    /// What it is, as old as it may be at `now`. An error is everybody's who waits for the same reading.
    pub async fn get(&self, now: Timestamp) -> Result<Arc<T>, DbErr> {
        if let Some((at, last)) = &*self.lock()
            && *at <= now
            && now < at.plus_seconds(self.seconds)
        {
            return Ok(last.clone());
        }
        let read = self.reading.get(()).await?;
        let read = read.ok_or_else(|| DbErr::RecordNotFound("what was read".to_owned()))?;
        *self.lock() = Some((now, read.clone()));
        Ok(read)
    }

    /// Whoever asks next has it read again.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Read<T>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

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
