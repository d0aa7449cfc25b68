//! Counting in Redis, by one script, so that a limit holds across processes.
//!
//! The time is Redis' own: processes whose clocks differ count alike. A Redis that doesn't answer is left alone for a moment,
//! so that it costs a few requests its patience and not every one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisResult};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use super::{Policy, Taken};
use crate::clock::Clock;

/// What is kept of a bucket is when it will be full: the later, the less is left. Microseconds, which a double holds exactly.
/// Answers whether one was taken, how many are left, and how long until there is one.
const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] + ARGV[3]
local interval, quota = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = full_at + interval - now - interval * quota
if wait > 0 then
    return {0, 0, wait}
end
full_at = full_at + interval
redis.call('SET', KEYS[1], string.format('%.0f', full_at))
redis.call('PEXPIRE', KEYS[1], math.ceil((full_at - now) / 1000))
return {1, math.floor((interval * quota - full_at + now) / interval), 0}";

const PREFIX: &str = "reelmeter:limit";
/// How long a request waits for Redis.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a connection may take to be made, which no request waits for.
const CONNECT: Duration = Duration::from_secs(2);
/// How long Redis is left alone after it did not answer, and so how often that is logged at most.
const PAUSE: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Shared {
    client: Client,
    clock: Clock,
    connection: Arc<OnceCell<ConnectionManager>>,
    paused_until: Arc<Mutex<Option<Instant>>>,
}

// By hand: the client knows its password.
impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// `None`, and a word in the log, when the URL is none.
    pub fn open(url: &SecretString, clock: Clock) -> Option<Self> {
        match Client::open(url.expose_secret()) {
            Ok(client) => {
                Some(Shared { client, clock, connection: Arc::default(), paused_until: Arc::default() })
            }
            Err(error) => {
                tracing::error!(%error, "REELMETER_REDIS_URL can't be used; each process limits for itself");
                None
            }
        }
    }

    /// Takes one, if there is one; `None` when Redis does not answer.
    pub async fn take(&self, policy: Policy, subject: &str) -> Option<Taken> {
        let mut take = redis::cmd("EVAL");
        let interval = u64::try_from(policy.interval().as_micros()).unwrap_or(u64::MAX);
        take.arg(TAKE).arg(1).arg(name(policy, subject));
        take.arg(interval).arg(policy.quota.get()).arg(self.clock.offset_micros());
        let (taken, remaining, wait): (bool, u32, u64) = self.ask(&take).await?;
        let wait = Duration::from_micros(wait);
        Some(if taken { Taken::allowed(policy, remaining) } else { Taken::refused(policy, wait) })
    }

    pub async fn clear(&self, policy: Policy, subject: &str) {
        let mut clear = redis::cmd("DEL");
        clear.arg(name(policy, subject));
        let _cleared: Option<u64> = self.ask(&clear).await;
    }

    async fn ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        if self.paused_until().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let error = match tokio::time::timeout(PATIENCE, self.query(command)).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.pause(&error);
        None
    }

    async fn query<T: FromRedisValue>(&self, command: &redis::Cmd) -> RedisResult<T> {
        let connect = || async {
            let config = ConnectionManagerConfig::new().set_number_of_retries(0);
            let config = config.set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(CONNECT));
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        };
        let mut connection = self.connection.get_or_try_init(connect).await?.clone();
        command.query_async(&mut connection).await
    }

    fn paused_until(&self) -> Option<Instant> {
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of many requests that got no answer, one says so.
    fn pause(&self, error: &str) {
        let now = Instant::now();
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        if paused_until.is_none_or(|until| until <= now) {
            *paused_until = Some(now + PAUSE);
            tracing::warn!(error, "Redis does not answer; this process limits for itself meanwhile");
            tokio::spawn(self.clone().knock());
        }
    }

    /// Sees a connection through that takes longer than a request waits.
    async fn knock(self) {
        let _answer: RedisResult<String> = self.query(&redis::cmd("PING")).await;
    }
}

fn name(policy: Policy, subject: &str) -> String {
    format!("{PREFIX}:{}:{subject}", policy.name)
}
