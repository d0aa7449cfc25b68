//! Where an attempt goes: one key of one provider, with a seat for each submission that is under way there, and a rest when it
//! does not work.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Context;
use crate::limit::Policy;
use crate::provider::{Abilities, Endpoint, Instance, Provider, Registry};
use crate::video::supply::rest_of;

/// A provider and the key that an attempt uses there. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dock {
    pub instance: Arc<Instance>,
    pub endpoint: Endpoint,
}

impl Dock {
    /// That of an attempt; none if its provider is no longer configured.
    pub fn of(providers: &Registry, provider: &str, endpoint: &str) -> Option<Dock> {
        let instance = providers.get(provider)?;
        let endpoint = instance.endpoint(endpoint)?.clone();
        Some(Dock { instance, endpoint })
    }

    /// One for each key of a provider.
    pub fn all(instance: &Arc<Instance>) -> impl Iterator<Item = Dock> {
        let dock = |endpoint: &Endpoint| Dock { instance: instance.clone(), endpoint: endpoint.clone() };
        instance.endpoints.iter().map(dock)
    }

    pub fn is_same(&self, other: &Dock) -> bool {
        self.key() == other.key()
    }

    pub fn name(&self) -> &str {
        &self.instance.name
    }

    pub fn provider(&self) -> &dyn Provider {
        self.endpoint.provider.as_ref()
    }

    pub fn abilities(&self) -> &Abilities {
        &self.endpoint.abilities
    }

    fn key(&self) -> (String, String) {
        (self.instance.name.clone(), self.endpoint.id.clone())
    }

    /// How fast submissions may follow one another with this key, counted for all processes together.
    pub fn policy(&self) -> Option<(Policy, String)> {
        let rate = self.endpoint.abilities.rate?;
        let policy = Policy { name: "submissions", quota: rate.submissions, window_s: rate.seconds };
        Some((policy, format!("{}/{}", self.instance.name, self.endpoint.id)))
    }
}

/// Submissions of this worker that are under way, by provider and key. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Seats {
    taken: Arc<Mutex<HashMap<(String, String), usize>>>,
    freed: Arc<Notify>,
}

/// A seat is taken while this lives.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    key: (String, String),
}

impl Seats {
    /// Takes a seat for what is under way already.
    pub fn take(&self, dock: &Dock) -> Seat {
        let key = dock.key();
        *self.lock().entry(key.clone()).or_default() += 1;
        Seat { seats: self.clone(), key }
    }

    /// Takes one of so many seats once there is one.
    pub async fn wait(&self, dock: &Dock, most: usize) -> Seat {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if self.taken(dock) < most {
                return self.take(dock);
            }
            freed.await;
        }
    }

    pub fn taken(&self, dock: &Dock) -> usize {
        self.lock().get(&dock.key()).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(count) = taken.get_mut(&self.key) {
            *count = count.saturating_sub(1);
        }
        drop(taken);
        self.seats.freed.notify_waiters();
    }
}

impl Context {
    /// How long this key must be left alone; `None` when it may be used now, which takes one of its rate.
    pub async fn must_wait(&self, dock: &Dock) -> Option<Duration> {
        let now = self.app.clock.now();
        // Without a database the submission can't be recorded either; that is waited for where it is.
        if let Ok(health) = self.app.video.supply.health(now).await
            && let Some(rest) = rest_of(&health, dock.name(), &dock.endpoint.id, now)
        {
            let millis = rest.until.millis() - now.millis();
            return Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
        }
        let (policy, subject) = dock.policy()?;
        let taken = self.app.limiter.take(policy, &subject).await;
        (!taken.is_allowed).then(|| Duration::from_secs(u64::from(taken.retry_after_s)))
    }
}

/// A key's seats are shared among the workers that live; each has one at least.
pub fn share(abilities: &Abilities, alive: u32) -> usize {
    (abilities.slots / usize::try_from(alive.max(1)).unwrap_or(usize::MAX)).max(1)
}
