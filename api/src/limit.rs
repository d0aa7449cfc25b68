//! How often something may be done: a bucket a policy and subject that fills evenly (GCRA).
//!
//! With Redis every process counts in the same buckets; without it, or while it can't be reached, each counts for itself: a
//! limit may become looser then, but it is never gone and never an error. Never a lock that guards money: caps of credits and
//! of tasks under way are the vault's.

mod local;
mod shared;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::Ipv6Net;
use secrecy::SecretString;

use crate::clock::Clock;
use local::Local;
use shared::Shared;

/// So many in so many seconds; that many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: &'static str,
    pub quota: NonZeroU32,
    pub window_s: NonZeroU32,
}

/// What was left of a policy's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub is_allowed: bool,
    pub remaining: u32,
    /// Seconds until there is one more, rounded up; 0 when there is one now.
    pub retry_after_s: u32,
    /// Seconds until `remaining` has grown, at the latest.
    pub more_in_s: u32,
    /// Seconds until the whole quota is there again, at the latest.
    pub full_in_s: u32,
}

/// Counts for every policy and subject. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Limiter {
    shared: Option<Shared>,
    local: Local,
}

impl Limiter {
    /// Counts in the Redis of this URL, if there is one. Doesn't connect yet, so that a dead Redis stops no start.
    pub fn new(clock: Clock, redis_url: Option<&SecretString>) -> Self {
        let shared = redis_url.and_then(|url| Shared::open(url, clock.clone()));
        Limiter { shared, local: Local::new(clock) }
    }

    /// Takes one, if there is one.
    pub async fn take(&self, policy: Policy, subject: &str) -> Taken {
        if let Some(shared) = &self.shared
            && let Some(taken) = shared.take(policy, subject).await
        {
            return taken;
        }
        self.local.take(policy, subject)
    }

    /// Forgets what a subject took.
    pub async fn clear(&self, policy: Policy, subject: &str) {
        if let Some(shared) = &self.shared {
            shared.clear(policy, subject).await;
        }
        self.local.clear(policy, subject);
    }
}

impl Policy {
    /// The time in which one more comes.
    fn interval(self) -> Duration {
        Duration::from_secs(u64::from(self.window_s.get())) / self.quota.get()
    }
}

impl Taken {
    fn allowed(policy: Policy, remaining: u32) -> Self {
        let missing = policy.quota.get().saturating_sub(remaining);
        Taken {
            is_allowed: true,
            remaining,
            retry_after_s: 0,
            more_in_s: seconds_up(policy.interval()),
            full_in_s: seconds_up(policy.interval() * missing),
        }
    }

    fn refused(policy: Policy, wait: Duration) -> Self {
        let retry_after_s = seconds_up(wait).max(1);
        let after_the_first = policy.interval() * (policy.quota.get() - 1);
        Taken {
            is_allowed: false,
            remaining: 0,
            retry_after_s,
            more_in_s: retry_after_s,
            full_in_s: seconds_up(wait + after_the_first).max(retry_after_s),
        }
    }
}

fn seconds_up(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// The name of whoever sits at an address. One customer has a whole network of IPv6 addresses, and so counts as one.
pub fn subject_of(address: IpAddr) -> String {
    const CUSTOMERS_BITS: u8 = 64;
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => match Ipv6Net::new(address, CUSTOMERS_BITS) {
            Ok(network) => network.trunc().to_string(),
            Err(_) => address.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { name: "test", quota: NonZeroU32::new(3).unwrap(), window_s: NonZeroU32::new(60).unwrap() };

    #[tokio::test]
    async fn a_quota_is_there_at_once_and_fills_evenly() {
        let clock = Clock::system();
        let limiter = Limiter::new(clock.clone(), None);
        for (remaining, full_in_s) in [(2, 20), (1, 40), (0, 60)] {
            let taken = limiter.take(POLICY, "a").await;
            let expected = Taken { is_allowed: true, remaining, retry_after_s: 0, more_in_s: 20, full_in_s };
            assert_eq!(taken, expected);
        }
        let refused = limiter.take(POLICY, "a").await;
        assert!(!refused.is_allowed && (19..=20).contains(&refused.retry_after_s), "{refused:?}");
        assert_eq!(
            (refused.more_in_s, refused.full_in_s),
            (refused.retry_after_s, refused.retry_after_s + 40)
        );
        assert!(limiter.take(POLICY, "b").await.is_allowed);
        clock.advance(20);
        assert!(limiter.take(POLICY, "a").await.is_allowed);
        assert!(!limiter.take(POLICY, "a").await.is_allowed);
        limiter.clear(POLICY, "a").await;
        assert!(limiter.take(POLICY, "a").await.is_allowed);
    }

    #[test]
    fn a_network_of_ipv6_is_one_subject() {
        for (address, subject) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(subject_of(address.parse().unwrap()), subject);
        }
    }
}
