//! Counting in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::Timestamp;
use governor::clock::Clock as GovernorClock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::{Policy, Taken};
use crate::clock::Clock;

#[derive(Clone, Debug)]
pub struct Local {
    clock: Clock,
    buckets: Arc<Mutex<Buckets>>,
}

#[derive(Debug)]
struct Buckets {
    by_subject: HashMap<(&'static str, String), Bucket>,
    sweep_above: usize,
}

type Governor = RateLimiter<NotKeyed, InMemoryState, Ticks, StateInformationMiddleware>;

#[derive(Debug)]
struct Bucket {
    policy: Policy,
    governor: Governor,
    /// From then on it says nothing any more: the library can't be asked without taking one.
    full_at: Timestamp,
}

/// More buckets than this are swept for those that are full again, whose memory tells nothing. Next at twice what stays, so that
/// a flood of subjects costs each request its share of a sweep and not a whole one.
const SWEEP_ABOVE: usize = 50_000;

impl Local {
    pub fn new(clock: Clock) -> Self {
        let buckets = Buckets { by_subject: HashMap::new(), sweep_above: SWEEP_ABOVE };
        Local { clock, buckets: Arc::new(Mutex::new(buckets)) }
    }

    pub fn take(&self, policy: Policy, subject: &str) -> Taken {
        let now = self.clock.now();
        let mut buckets = self.buckets();
        buckets.sweep(now);
        let new = || Bucket::new(policy, &self.clock);
        let bucket = buckets.by_subject.entry((policy.name, subject.to_owned())).or_insert_with(new);
        if bucket.policy != policy {
            *bucket = new();
        }
        let taken = match bucket.governor.check() {
            Ok(state) => Taken::allowed(policy, state.remaining_burst_capacity()),
            Err(refused) => Taken::refused(policy, refused.wait_time_from(Ticks(self.clock.clone()).now())),
        };
        bucket.full_at = now.plus_seconds(i64::from(taken.full_in_s));
        taken
    }

    pub fn clear(&self, policy: Policy, subject: &str) {
        self.buckets().by_subject.remove(&(policy.name, subject.to_owned()));
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn sweep(&mut self, now: Timestamp) {
        if self.by_subject.len() > self.sweep_above {
            self.by_subject.retain(|_, bucket| bucket.full_at > now);
            self.sweep_above = SWEEP_ABOVE.max(2 * self.by_subject.len());
        }
    }
}

impl Bucket {
    fn new(policy: Policy, clock: &Clock) -> Self {
        let quota = Quota::with_period(policy.interval())
            .unwrap_or_else(|| Quota::per_second(policy.quota))
            .allow_burst(policy.quota);
        let governor = RateLimiter::direct_with_clock(quota, Ticks(clock.clone()));
        Bucket { policy, governor: governor.with_middleware(), full_at: clock.now() }
    }
}

/// Our clock, as the library reads it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl GovernorClock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let micros = u64::try_from(self.0.now().micros()).unwrap_or(0);
        Nanos::from(micros.saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn what_is_full_again_is_forgotten_and_what_is_not_is_swept_rarely() {
        let [quota, window_s] = [2, 60].map(|n| NonZeroU32::new(n).unwrap());
        let (policy, clock) = (Policy { name: "test", quota, window_s }, Clock::system());
        let local = Local::new(clock.clone());
        for n in 0..=SWEEP_ABOVE + 1 {
            local.take(policy, &n.to_string());
        }
        let sizes = |local: &Local| {
            let buckets = local.buckets();
            (buckets.by_subject.len(), buckets.sweep_above)
        };
        assert_eq!(sizes(&local), (SWEEP_ABOVE + 2, 2 * (SWEEP_ABOVE + 1)));
        assert_eq!(local.take(policy, "0").remaining, 0, "a sweep takes nothing");
        clock.advance(60);
        for n in 0..SWEEP_ABOVE + 2 {
            local.take(policy, &format!("later {n}"));
        }
        let (left, sweep_above) = sizes(&local);
        assert!(left <= SWEEP_ABOVE + 3 && sweep_above <= 2 * left, "{left} {sweep_above}");
    }
}
