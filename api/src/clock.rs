//! Time and ids: the only reader of the system's clock and the only maker of ids.
//!
//! Everything that decides by time takes an instant or this clock as an input, so that a test can move time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use entity::Timestamp;
use ulid::Ulid;
use uuid::Uuid;

/// A clock shared by everything in one process. Clones read, and move, the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    pub fn system() -> Self {
        Clock::default()
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(system_micros().saturating_add(self.offset_micros()))
    }

    /// How far this clock was moved; the ledger adds it to the database's time.
    pub fn offset_micros(&self) -> i64 {
        self.offset_micros.load(Ordering::Relaxed)
    }

    /// Moves time forward for everyone who holds this clock. For tests.
    pub fn advance(&self, seconds: i64) {
        self.offset_micros.fetch_add(seconds.saturating_mul(1_000_000), Ordering::Relaxed);
    }

    /// A new id: 48 bits of milliseconds, then 80 random bits.
    pub fn new_id(&self) -> Uuid {
        let millis = u64::try_from(self.now().millis()).unwrap_or(0);
        Uuid::from_u128(Ulid::from_parts(millis, rand::random()).0)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_micros() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_clock_moves_for_every_clone_and_for_ids() {
        let clock = Clock::system();
        let before = clock.clone().new_id();
        clock.advance(3_600);
        assert!(clock.new_id() > before);
        assert_eq!(clock.clone().offset_micros(), 3_600_000_000);
    }
}
