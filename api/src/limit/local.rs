//! Counting in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

type Buckets = HashMap<(&'static str, String), Bucket>;
type Governor = RateLimiter<NotKeyed, InMemoryState, Ticks, StateInformationMiddleware>;

#[derive(Debug)]
struct Bucket {
    policy: Policy,
    governor: Governor,
}

/// More buckets than this are swept for those that are full again, whose memory tells nothing.
const SWEEP_ABOVE: usize = 50_000;

impl Local {
    pub fn new(clock: Clock) -> Self {
        Local { clock, buckets: Arc::default() }
    }

    pub fn take(&self, policy: Policy, subject: &str) -> Taken {
        let mut buckets = self.buckets();
        if buckets.len() > SWEEP_ABOVE {
            buckets.retain(|_, bucket| !bucket.is_full());
        }
        let bucket = buckets
            .entry((policy.name, subject.to_owned()))
            .and_modify(|bucket| {
                if bucket.policy != policy {
                    *bucket = Bucket::new(policy, &self.clock);
                }
            })
            .or_insert_with(|| Bucket::new(policy, &self.clock));
        match bucket.governor.check() {
            Ok(state) => Taken::allowed(policy, state.remaining_burst_capacity()),
            Err(refused) => Taken::refused(policy, refused.wait_time_from(Ticks(self.clock.clone()).now())),
        }
    }

    pub fn clear(&self, policy: Policy, subject: &str) {
        self.buckets().remove(&(policy.name, subject.to_owned()));
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn new(policy: Policy, clock: &Clock) -> Self {
        let quota = Quota::with_period(policy.interval())
            .unwrap_or_else(|| Quota::per_second(policy.quota))
            .allow_burst(policy.quota);
        let governor = RateLimiter::direct_with_clock(quota, Ticks(clock.clone()));
        Bucket { policy, governor: governor.with_middleware() }
    }

    /// Asked by taking one: nobody reads this bucket again unless it stays.
    fn is_full(&self) -> bool {
        self.governor
            .check()
            .is_ok_and(|state| state.remaining_burst_capacity() + 1 == self.policy.quota.get())
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
