//! Time and ids: the only reader of the system's clock and the only maker of ids.
//!
//! Everything that decides by time takes an instant or this clock as an input, so that a test can move time. Processes that
//! share a database have one clock, the database's: each follows it ([`crate::app::time`]), so that a machine whose own clock
//! is wrong, or is set while it runs, does nothing early or late.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use entity::Timestamp;
use ulid::Ulid;
use uuid::Uuid;

/// A clock shared by everything in one process. Clones read, and move, the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
    own: Arc<Own>,
}

/// What one process tells the time by.
#[derive(Debug)]
struct Own {
    /// Runs evenly, whatever happens to the system's clock.
    timer: Instant,
    /// What the followed clock showed when the timer stood at zero; [`ALONE`] while none is followed.
    origin_micros: AtomicI64,
    /// How wrong the system's clock is. For tests.
    error_micros: AtomicI64,
}

const ALONE: i64 = i64::MIN;
/// How long the followed clock's answer may have been on its way. Who is told a time that is behind by less does not go back.
const TRAVEL: Duration = Duration::from_millis(100);

/// An instant to measure from.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    timer: Instant,
    system_micros: i64,
}

impl Clock {
    pub fn system() -> Self {
        Clock { offset_micros: Arc::default(), own: Arc::new(Own::alone()) }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.own.micros().saturating_add(self.offset_micros()))
    }

    /// Goes on from what another clock (which no test has moved) shows right now, whatever the system's clock says.
    pub fn follow(&self, theirs: Timestamp) {
        let origin = theirs.micros().saturating_sub(micros(self.own.timer.elapsed()));
        let known = self.own.origin_micros.load(Ordering::Relaxed);
        let ahead = known.saturating_sub(origin);
        if known == ALONE || !(0..micros(TRAVEL)).contains(&ahead) {
            self.own.origin_micros.store(origin, Ordering::Relaxed);
        }
    }

    pub fn moment(&self) -> Moment {
        Moment { timer: Instant::now(), system_micros: self.own.system_micros() + self.offset_micros() }
    }

    /// How long ago a moment was: the longer of what two clocks say. The timer may stand still while a machine sleeps, and
    /// the system's clock may be set back.
    pub fn since(&self, moment: Moment) -> Duration {
        let by_system = self.moment().system_micros - moment.system_micros;
        moment.timer.elapsed().max(Duration::from_micros(by_system.max(0).unsigned_abs()))
    }

    /// How far this clock was moved; the ledger adds it to the database's time.
    pub fn offset_micros(&self) -> i64 {
        self.offset_micros.load(Ordering::Relaxed)
    }

    /// Moves time forward for everyone who holds this clock. For tests.
    pub fn advance(&self, seconds: i64) {
        self.offset_micros.fetch_add(seconds.saturating_mul(1_000_000), Ordering::Relaxed);
    }

    /// The clock of another process: time is moved for both, but each has a system's clock of its own. For tests.
    pub fn beside(&self) -> Clock {
        Clock { offset_micros: self.offset_micros.clone(), own: Arc::new(Own::alone()) }
    }

    /// Sets the system's clock of this process so far wrong. For tests.
    pub fn be_wrong_by(&self, seconds: i64) {
        self.own.error_micros.store(seconds.saturating_mul(1_000_000), Ordering::Relaxed);
    }

    /// A new id: 48 bits of milliseconds, then 80 random bits.
    pub fn new_id(&self) -> Uuid {
        id_at(self.now(), rand::random())
    }
}

/// The smallest id that can have been made at this time: those of later times are greater.
pub fn first_id(at: Timestamp) -> Uuid {
    id_at(at, 0)
}

fn id_at(at: Timestamp, random: u128) -> Uuid {
    Uuid::from_u128(Ulid::from_parts(u64::try_from(at.millis()).unwrap_or(0), random).0)
}

impl Own {
    fn alone() -> Self {
        let (origin_micros, error_micros) = (AtomicI64::new(ALONE), AtomicI64::new(0));
        Own { timer: Instant::now(), origin_micros, error_micros }
    }

    fn micros(&self) -> i64 {
        match self.origin_micros.load(Ordering::Relaxed) {
            ALONE => self.system_micros(),
            origin => origin.saturating_add(micros(self.timer.elapsed())),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn system_micros(&self) -> i64 {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        micros(elapsed).saturating_add(self.error_micros.load(Ordering::Relaxed))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn is_about(clock: &Clock, right: Timestamp) -> bool {
        (0..60).contains(&(clock.now().seconds() - right.seconds()))
    }

    #[test]
    fn a_moved_clock_moves_for_every_clone_and_for_ids() {
        let clock = Clock::system();
        let before = clock.clone().new_id();
        clock.advance(HOUR);
        assert!(clock.new_id() > before);
        assert_eq!(clock.clone().offset_micros(), HOUR * 1_000_000);
    }

    #[test]
    fn who_follows_another_clock_does_not_look_at_the_system_s() {
        let right = Clock::system().now();
        let clock = Clock::system();
        clock.be_wrong_by(HOUR);
        assert!(is_about(&clock, right.plus_seconds(HOUR)));
        clock.follow(right);
        assert!(is_about(&clock, right));
        clock.be_wrong_by(-HOUR);
        assert!(is_about(&clock, right));
        clock.advance(HOUR);
        assert!(is_about(&clock, right.plus_seconds(HOUR)));
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_sets_no_clock_back_and_a_clock_that_was_set_is_followed() {
        let right = Clock::system().now();
        let clock = Clock::system();
        clock.follow(right);
        let before = clock.now();
        clock.follow(Timestamp::from_micros(before.micros() - 50_000));
        assert!(clock.now() >= before);
        for set in [right.plus_seconds(-HOUR), right.plus_seconds(HOUR)] {
            clock.follow(set);
            assert!(is_about(&clock, set));
        }
    }

    #[test]
    fn the_age_of_a_moment_counts_sleep_and_is_no_less_for_a_clock_that_was_set_back() {
        let clock = Clock::system();
        let moment = clock.moment();
        clock.be_wrong_by(-HOUR);
        let elapsed = moment.timer.elapsed();
        assert!(clock.since(moment) >= elapsed);
        clock.be_wrong_by(HOUR);
        assert!(clock.since(moment) >= Duration::from_secs(3_600));
    }
}
