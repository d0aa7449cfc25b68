//! Where sessions are kept: in the database, or in Redis when there is one. Either way every process sees the same, so a
//! session that was ended is over everywhere at once.
//!
//! A session ends 12 hours after it was last seen and 30 days after it began, whichever comes first. Nothing brings an ended
//! one back: every write but the first is an update of what is there.

mod database;
mod redis;
#[cfg(test)]
mod tests;

use sea_orm::{DatabaseConnection, DbErr};
use uuid::Uuid;

use crate::Token;
use database::DatabaseStore;
use redis::RedisStore;

pub const IDLE_SECONDS: i64 = 12 * 3_600;
pub const LIFETIME_SECONDS: i64 = 30 * 86_400;
/// How often it is noted that a session was seen.
const TOUCH_SECONDS: i64 = 60;
/// Sessions of one person that are listed.
const LISTED: usize = 100;
const AGENT_CHARS: usize = 200;
const SECOND: i64 = 1_000_000;

/// Somebody's stay. Instants are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: Uuid,
    pub user: Uuid,
    pub mode: String,
    /// Where it began.
    pub address: String,
    pub agent: String,
    pub created_at: i64,
    /// When the password was last given.
    pub authenticated_at: i64,
    pub seen_at: i64,
    pub expires_at: i64,
}

/// What is known of a session that begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: Uuid,
    pub user: Uuid,
    pub mode: String,
    pub address: String,
    pub agent: String,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Database(#[from] DbErr),
    #[error("Redis: {0}")]
    Redis(#[from] ::redis::RedisError),
}

#[derive(Clone, Debug)]
pub enum SessionStore {
    Database(DatabaseStore),
    Redis(RedisStore),
}

impl SessionStore {
    /// Keeps sessions in the table `session`. Each write is one statement of its own.
    pub fn database(read: DatabaseConnection, write: DatabaseConnection) -> Self {
        SessionStore::Database(DatabaseStore::new(read, write))
    }

    /// Keeps sessions in Redis, under names that begin with `prefix`. Connects when it is first asked, inside a runtime.
    pub fn redis(url: &str, prefix: &str) -> Result<Self, StoreError> {
        Ok(SessionStore::Redis(RedisStore::new(url, prefix)?))
    }

    /// Begins a session, always with a token of its own: one that came with the request is never adopted.
    pub async fn create(&self, new: NewSession, now: i64) -> Result<(Token, Session), StoreError> {
        let (token, session) = (Token::random(), new.begin(now));
        match self {
            SessionStore::Database(store) => store.insert(&token, &session).await?,
            SessionStore::Redis(store) => store.insert(&token, &session, now).await?,
        }
        Ok((token, session))
    }

    /// The session of a token, unless it is over.
    pub async fn find(&self, token: &Token, now: i64) -> Result<Option<Session>, StoreError> {
        let found = match self {
            SessionStore::Database(store) => store.find(token).await?,
            SessionStore::Redis(store) => store.find(token).await?,
        };
        Ok(found.filter(|session| session.is_open(now)))
    }

    /// Notes that a session was seen, once a minute.
    pub async fn touch(&self, token: &Token, session: &Session, now: i64) -> Result<(), StoreError> {
        if now - session.seen_at < TOUCH_SECONDS * SECOND {
            return Ok(());
        }
        let seen = Session { seen_at: now, ..session.clone() };
        match self {
            SessionStore::Database(store) => store.set_seen(&seen).await,
            SessionStore::Redis(store) => store.set_seen(token, &seen, now).await,
        }
    }

    pub async fn set_mode(&self, token: &Token, session: &Session, mode: &str) -> Result<(), StoreError> {
        match self {
            SessionStore::Database(store) => store.set_mode(session, mode).await,
            SessionStore::Redis(store) => store.set_mode(token, mode).await,
        }
    }

    /// A person's open sessions, the newest first.
    pub async fn list(&self, user: Uuid, now: i64) -> Result<Vec<Session>, StoreError> {
        let mut sessions = match self {
            SessionStore::Database(store) => store.list(user, now).await?,
            SessionStore::Redis(store) => store.list(user).await?,
        };
        sessions.retain(|session| session.is_open(now));
        sessions.sort_by_key(|session| (-session.created_at, session.id));
        sessions.truncate(LISTED);
        Ok(sessions)
    }

    /// Ends one of a person's sessions. False when they have no such session.
    pub async fn end(&self, user: Uuid, id: Uuid) -> Result<bool, StoreError> {
        match self {
            SessionStore::Database(store) => store.end(user, id).await,
            SessionStore::Redis(store) => store.end(user, id).await,
        }
    }

    /// Ends all of a person's sessions, except perhaps one.
    pub async fn end_all(&self, user: Uuid, but: Option<Uuid>) -> Result<(), StoreError> {
        match self {
            SessionStore::Database(store) => store.end_all(user, but).await,
            SessionStore::Redis(store) => store.end_all(user, but).await,
        }
    }

    /// Gives a session a new token after its person has proved themselves anew; the old one is worth nothing from here on.
    /// `None` when the session was ended meanwhile.
    pub async fn rotate(
        &self,
        old: &Token,
        session: &Session,
        now: i64,
    ) -> Result<Option<Token>, StoreError> {
        let new = Token::random();
        let is_there = match self {
            SessionStore::Database(store) => store.rotate(old, &new, now).await?,
            SessionStore::Redis(store) => store.rotate(old, &new, session, now).await?,
        };
        Ok(is_there.then_some(new))
    }

    /// Forgets sessions that are over. Redis does that by itself.
    pub async fn sweep(&self, now: i64) -> Result<(), StoreError> {
        match self {
            SessionStore::Database(store) => store.sweep(now).await,
            SessionStore::Redis(_) => Ok(()),
        }
    }
}

impl NewSession {
    fn begin(self, now: i64) -> Session {
        Session {
            id: self.id,
            user: self.user,
            mode: self.mode,
            address: self.address,
            agent: self.agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS).collect(),
            created_at: now,
            authenticated_at: now,
            seen_at: now,
            expires_at: now + LIFETIME_SECONDS * SECOND,
        }
    }
}

impl Session {
    fn is_open(&self, now: i64) -> bool {
        now < self.expires_at && now < self.seen_at + IDLE_SECONDS * SECOND
    }

    /// Seconds that it stays open if it is not seen again; at least one.
    fn seconds_left(&self, now: i64) -> i64 {
        (self.expires_at.min(self.seen_at + IDLE_SECONDS * SECOND) - now).div_euclid(SECOND).max(1)
    }
}
