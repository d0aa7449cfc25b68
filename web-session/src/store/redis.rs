//! Sessions in Redis: a hash a session, named by its token's hash, which ends by itself; and a hash a person, from the ids of
//! their sessions to those names.
//!
//! What changes a session is a script, so that it is one step: it never writes to a session that was ended meanwhile, and
//! whoever ends all of them misses none that is given a new name at that moment.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, Cmd, FromRedisValue, cmd, pipe};
use uuid::Uuid;

use super::{LIFETIME_SECONDS, Session, StoreError};
use crate::Token;

/// A sign-in that has to wait longer than this for Redis is refused.
const TIMEOUT: Duration = Duration::from_secs(2);
const RETRIES: usize = 1;

/// KEYS: session. ARGV: seen_at, seconds left.
const SET_SEEN: &str = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end \
     redis.call('HSET', KEYS[1], 'seen_at', ARGV[1]) \
     return redis.call('EXPIRE', KEYS[1], ARGV[2])";

/// KEYS: session. ARGV: mode.
const SET_MODE: &str = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end \
     return redis.call('HSET', KEYS[1], 'mode', ARGV[1])";

/// KEYS: session, session under its new name, person. ARGV: authenticated_at, id, new name.
const ROTATE: &str = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end \
     redis.call('RENAME', KEYS[1], KEYS[2]) \
     redis.call('HSET', KEYS[2], 'authenticated_at', ARGV[1]) \
     redis.call('HSET', KEYS[3], ARGV[2], ARGV[3]) \
     return 1";

/// KEYS: person. ARGV: id.
const END: &str = "local name = redis.call('HGET', KEYS[1], ARGV[1]) \
     if not name then return 0 end \
     redis.call('HDEL', KEYS[1], ARGV[1]) \
     return redis.call('DEL', name)";

/// KEYS: person. ARGV: the id of a session that stays, or nothing.
const END_ALL: &str = "local all = redis.call('HGETALL', KEYS[1]) \
     for i = 1, #all, 2 do \
         if all[i] ~= ARGV[1] then \
             redis.call('DEL', all[i + 1]) \
             redis.call('HDEL', KEYS[1], all[i]) \
         end \
     end";

/// KEYS: person. Answers with the names of their sessions that are there.
const NAMES: &str = "local all, there = redis.call('HGETALL', KEYS[1]), {} \
     for i = 1, #all, 2 do \
         if redis.call('EXISTS', all[i + 1]) == 1 then \
             table.insert(there, all[i + 1]) \
         else \
             redis.call('HDEL', KEYS[1], all[i]) \
         end \
     end \
     return there";

#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
    prefix: String,
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisStore {
    pub fn new(url: &str, prefix: &str) -> Result<Self, StoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(RETRIES)
            .set_max_delay(TIMEOUT / 10);
        let connection = ConnectionManager::new_lazy_with_config(Client::open(url)?, config)?;
        Ok(RedisStore { connection, prefix: prefix.to_owned() })
    }

    pub async fn insert(&self, token: &Token, session: &Session, now: i64) -> Result<(), StoreError> {
        let (name, person) = (self.session(token), self.person(session.user));
        let mut both = pipe();
        both.atomic()
            .hset_multiple(&name, &fields(session))
            .expire(&name, session.seconds_left(now))
            .hset(&person, session.id.to_string(), &name)
            // The youngest session lives longest.
            .expire(&person, LIFETIME_SECONDS);
        Ok(both.exec_async(&mut self.connection.clone()).await?)
    }

    pub async fn find(&self, token: &Token) -> Result<Option<Session>, StoreError> {
        let fields: HashMap<String, String> = self.connection.clone().hgetall(self.session(token)).await?;
        Ok(read(&fields))
    }

    pub async fn set_seen(&self, token: &Token, seen: &Session, now: i64) -> Result<(), StoreError> {
        let mut script = script(SET_SEEN, &[&self.session(token)]);
        script.arg(seen.seen_at).arg(seen.seconds_left(now));
        self.run(&script).await
    }

    pub async fn set_mode(&self, token: &Token, mode: &str) -> Result<(), StoreError> {
        let mut script = script(SET_MODE, &[&self.session(token)]);
        script.arg(mode);
        self.run(&script).await
    }

    /// Those that are still there; the others are forgotten on the way.
    pub async fn list(&self, user: Uuid) -> Result<Vec<Session>, StoreError> {
        let names: Vec<String> = self.run(&script(NAMES, &[&self.person(user)])).await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = pipe();
        for name in &names {
            all.hgetall(name);
        }
        let found: Vec<HashMap<String, String>> = all.query_async(&mut self.connection.clone()).await?;
        Ok(found.iter().filter_map(read).collect())
    }

    pub async fn end(&self, user: Uuid, id: Uuid) -> Result<bool, StoreError> {
        let mut script = script(END, &[&self.person(user)]);
        script.arg(id.to_string());
        self.run(&script).await.map(|ended: i64| ended > 0)
    }

    pub async fn end_all(&self, user: Uuid, but: Option<Uuid>) -> Result<(), StoreError> {
        let mut script = script(END_ALL, &[&self.person(user)]);
        script.arg(but.map(|id| id.to_string()).unwrap_or_default());
        self.run(&script).await
    }

    pub async fn rotate(
        &self,
        old: &Token,
        new: &Token,
        session: &Session,
        now: i64,
    ) -> Result<bool, StoreError> {
        let name = self.session(new);
        let mut script = script(ROTATE, &[&self.session(old), &name, &self.person(session.user)]);
        script.arg(now).arg(session.id.to_string()).arg(&name);
        self.run(&script).await.map(|found: i64| found > 0)
    }

    async fn run<T: FromRedisValue>(&self, script: &Cmd) -> Result<T, StoreError> {
        Ok(script.query_async(&mut self.connection.clone()).await?)
    }

    fn session(&self, token: &Token) -> String {
        format!("{}:session:{}", self.prefix, hex::encode(token.hash()))
    }

    fn person(&self, user: Uuid) -> String {
        format!("{}:sessions-of:{user}", self.prefix)
    }
}

fn script(text: &str, keys: &[&str]) -> Cmd {
    let mut script = cmd("EVAL");
    script.arg(text).arg(keys.len()).arg(keys);
    script
}

fn fields(session: &Session) -> [(&'static str, String); 9] {
    [
        ("id", session.id.to_string()),
        ("user", session.user.to_string()),
        ("mode", session.mode.clone()),
        ("address", session.address.clone()),
        ("agent", session.agent.clone()),
        ("created_at", session.created_at.to_string()),
        ("authenticated_at", session.authenticated_at.to_string()),
        ("seen_at", session.seen_at.to_string()),
        ("expires_at", session.expires_at.to_string()),
    ]
}

/// What is not whole is no session.
fn read(fields: &HashMap<String, String>) -> Option<Session> {
    let text = |name: &str| fields.get(name).cloned();
    let instant = |name: &str| fields.get(name)?.parse().ok();
    Some(Session {
        id: fields.get("id")?.parse().ok()?,
        user: fields.get("user")?.parse().ok()?,
        mode: text("mode")?,
        address: text("address")?,
        agent: text("agent")?,
        created_at: instant("created_at")?,
        authenticated_at: instant("authenticated_at")?,
        seen_at: instant("seen_at")?,
        expires_at: instant("expires_at")?,
    })
}
