//! Sessions in the table `session`.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult, Statement, Value};
use uuid::Uuid;

use super::{IDLE_SECONDS, LISTED, SECOND, Session, StoreError};
use crate::Token;

const COLUMNS: &str = "id, user_id, mode, address, agent, created_at, authenticated_at, seen_at, expires_at";

/// Two connections, because on SQLite only one may write; each statement is a transaction of its own.
#[derive(Clone, Debug)]
pub struct DatabaseStore {
    read: DatabaseConnection,
    write: DatabaseConnection,
}

impl DatabaseStore {
    pub fn new(read: DatabaseConnection, write: DatabaseConnection) -> Self {
        DatabaseStore { read, write }
    }

    pub async fn insert(&self, token: &Token, session: &Session) -> Result<(), StoreError> {
        let sql =
            format!("INSERT INTO session (hash, {COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
        let Session { id, user, mode, address, agent, .. } = session.clone();
        let texts = [mode, address, agent].map(Value::from);
        let instants = [session.created_at, session.authenticated_at, session.seen_at, session.expires_at]
            .map(Value::from);
        let values = [token.hash().into(), id.into(), user.into()].into_iter().chain(texts).chain(instants);
        self.write(&sql, values).await.map(|_| ())
    }

    pub async fn find(&self, token: &Token) -> Result<Option<Session>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM session WHERE hash = $1");
        let row = self.read.query_one_raw(self.statement(&sql, [token.hash().into()])).await?;
        Ok(row.as_ref().map(session).transpose()?)
    }

    pub async fn set_seen(&self, seen: &Session) -> Result<(), StoreError> {
        let sql = "UPDATE session SET seen_at = $1 WHERE id = $2 AND seen_at < $1";
        self.write(sql, [seen.seen_at.into(), seen.id.into()]).await.map(|_| ())
    }

    pub async fn set_mode(&self, session: &Session, mode: &str) -> Result<(), StoreError> {
        let sql = "UPDATE session SET mode = $1 WHERE id = $2";
        self.write(sql, [mode.into(), session.id.into()]).await.map(|_| ())
    }

    pub async fn list(&self, user: Uuid, now: i64) -> Result<Vec<Session>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM session WHERE user_id = $1 AND expires_at > $2 AND seen_at > $3 \
             ORDER BY created_at DESC LIMIT {LISTED}"
        );
        let values = [user.into(), now.into(), idle_since(now).into()];
        let rows = self.read.query_all_raw(self.statement(&sql, values)).await?;
        Ok(rows.iter().map(session).collect::<Result<_, _>>()?)
    }

    pub async fn end(&self, user: Uuid, id: Uuid) -> Result<bool, StoreError> {
        let sql = "DELETE FROM session WHERE id = $1 AND user_id = $2";
        Ok(self.write(sql, [id.into(), user.into()]).await? > 0)
    }

    pub async fn end_all(&self, user: Uuid, but: Option<Uuid>) -> Result<(), StoreError> {
        // No session has the nil id.
        let sql = "DELETE FROM session WHERE user_id = $1 AND id <> $2";
        self.write(sql, [user.into(), but.unwrap_or(Uuid::nil()).into()]).await.map(|_| ())
    }

    pub async fn rotate(&self, old: &Token, new: &Token, now: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE session SET hash = $1, authenticated_at = $2 WHERE hash = $3";
        Ok(self.write(sql, [new.hash().into(), now.into(), old.hash().into()]).await? > 0)
    }

    pub async fn sweep(&self, now: i64) -> Result<(), StoreError> {
        let sql = "DELETE FROM session WHERE expires_at <= $1 OR seen_at <= $2";
        self.write(sql, [now.into(), idle_since(now).into()]).await.map(|_| ())
    }

    /// How many rows it changed.
    async fn write(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        Ok(self.write.execute_raw(self.statement(sql, values)).await?.rows_affected())
    }

    fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.read.get_database_backend(), sql, values)
    }
}

fn idle_since(now: i64) -> i64 {
    now - IDLE_SECONDS * SECOND
}

fn session(row: &QueryResult) -> Result<Session, DbErr> {
    Ok(Session {
        id: row.try_get("", "id")?,
        user: row.try_get("", "user_id")?,
        mode: row.try_get("", "mode")?,
        address: row.try_get("", "address")?,
        agent: row.try_get("", "agent")?,
        created_at: row.try_get("", "created_at")?,
        authenticated_at: row.try_get("", "authenticated_at")?,
        seen_at: row.try_get("", "seen_at")?,
        expires_at: row.try_get("", "expires_at")?,
    })
}
