//! What is asked for once in a while and remembered: public keys and unit prices. Nothing waits for it for long, and nothing
//! fails without it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::Timestamp;

use crate::clock::Clock;

/// Seconds after which something is asked for anew.
const ANEW_S: i64 = 3_600;
/// Seconds for which it is still used if there is no newer answer. Keys may not be kept for longer.
const USABLE_S: i64 = 86_400;
/// Seconds to the next question after one without an answer.
const AGAIN_S: i64 = 60;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Memory<T> {
    clock: Clock,
    by_name: Mutex<HashMap<String, Kept<T>>>,
}

#[derive(Debug)]
struct Kept<T> {
    learned: Option<(T, Timestamp)>,
    next_at: Timestamp,
}

impl<T: Clone> Memory<T> {
    pub fn new(clock: Clock) -> Self {
        Memory { clock, by_name: Mutex::default() }
    }

    /// What was learned last, unless that is too long ago.
    pub fn known(&self, name: &str) -> Option<T> {
        let kept = self.lock();
        let (value, at) = kept.get(name)?.learned.as_ref()?;
        (self.clock.now() < at.plus_seconds(USABLE_S)).then(|| value.clone())
    }

    /// Asks, if it is time to.
    pub async fn learn(&self, name: &str, ask: impl Future<Output = Option<T>>) {
        if !self.is_time(name) {
            return;
        }
        if let Ok(Some(value)) = tokio::time::timeout(PATIENCE, ask).await {
            let now = self.clock.now();
            let kept = Kept { learned: Some((value, now)), next_at: now.plus_seconds(ANEW_S) };
            self.lock().insert(name.to_owned(), kept);
        }
    }

    /// Of several that come at once, one asks.
    fn is_time(&self, name: &str) -> bool {
        let now = self.clock.now();
        let mut kept = self.lock();
        let kept = kept.entry(name.to_owned()).or_insert(Kept { learned: None, next_at: now });
        let is_time = kept.next_at <= now;
        if is_time {
            kept.next_at = now.plus_seconds(AGAIN_S);
        }
        is_time
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept<T>>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn it_is_asked_for_anew_after_an_hour_and_forgotten_after_a_day() {
        let clock = Clock::system();
        let memory = Memory::new(clock.clone());
        memory.learn("a", ready(Some(1))).await;
        memory.learn("a", ready(Some(2))).await;
        assert_eq!((memory.known("a"), memory.known("b")), (Some(1), None));
        clock.advance(ANEW_S);
        memory.learn("a", ready(Some(3))).await;
        assert_eq!(memory.known("a"), Some(3));
        clock.advance(USABLE_S);
        assert_eq!(memory.known("a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_the_last_one_counts_and_nobody_waits_again_at_once() {
        let clock = Clock::system();
        let memory = Memory::new(clock.clone());
        memory.learn("a", ready(Some(1))).await;
        clock.advance(ANEW_S);
        memory.learn("a", std::future::pending()).await;
        memory.learn("a", ready(Some(2))).await;
        assert_eq!(memory.known("a"), Some(1));
        clock.advance(AGAIN_S);
        memory.learn("a", ready(Some(2))).await;
        assert_eq!(memory.known("a"), Some(2));
    }
}
