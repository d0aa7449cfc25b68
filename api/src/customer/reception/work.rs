//! The slow work of password hashes: off the threads that answer requests, few at once, and not too many waiting.

use std::sync::Arc;

use entity::user;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Refused;

/// Each takes some 20 MB and a core.
const AT_ONCE: usize = 2;
const WAITING: usize = 64;

#[derive(Clone, Debug)]
pub struct Passwords {
    room: Arc<Semaphore>,
    slots: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Passwords { room: semaphore(AT_ONCE + WAITING), slots: semaphore(AT_ONCE) }
    }
}

impl Passwords {
    pub async fn hash(&self, password: SecretString) -> Result<String, Refused> {
        let hash = self.run(move || web_session::hash_password(password.expose_secret())).await?;
        Ok(hash?)
    }

    /// The person, if the password is theirs. For nobody, and for the disabled, the same work is done.
    pub async fn check(
        &self,
        user: Option<user::Model>,
        password: SecretString,
    ) -> Result<user::Model, Refused> {
        let user = user.filter(|user| user.disabled_at.is_none());
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let is_theirs = self
            .run(move || match hash {
                Some(hash) => web_session::verify_password(password.expose_secret(), &hash),
                None => web_session::verify_nobody(password.expose_secret()),
            })
            .await?;
        user.filter(|_| is_theirs).ok_or(Refused::InvalidCredentials)
    }

    /// The slot is given back when the work is done, also if nobody waits for it any more.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        let _room = self.room.try_acquire().map_err(|_| Refused::Busy)?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| Refused::Busy)?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(slot);
            done
        });
        // It only fails when the process stops.
        done.await.map_err(|_| Refused::Busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn who_comes_when_everybody_waits_is_sent_away() {
        let passwords = Passwords::default();
        let _all = passwords.room.try_acquire_many((AT_ONCE + WAITING) as u32).unwrap();
        assert!(matches!(passwords.run(|| 1).await, Err(Refused::Busy)));
    }

    #[tokio::test]
    async fn a_slot_stays_taken_while_the_work_runs_though_nobody_waits_for_it() {
        let passwords = Passwords::default();
        let (go, wait) = mpsc::channel::<()>();
        let mut abandoned = Box::pin(passwords.run(move || wait.recv()));
        assert!(futures_util::poll!(&mut abandoned).is_pending());
        drop(abandoned);
        assert_eq!(passwords.slots.available_permits(), AT_ONCE - 1);
        go.send(()).unwrap();
        drop(passwords.slots.acquire_many(AT_ONCE as u32).await.unwrap());
    }
}
