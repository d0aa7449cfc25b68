//! The database: which engine, and the connections for reading, for writing and for the lane.
//!
//! SQLite has one write connection, behind the pool's fair queue, through which every write of the program goes; readers
//! have a read-only pool of their own, so that they never wait for a writer. PostgreSQL has a pool for everything ordinary
//! and small ones for batches and for shared look-ups, which must never wait for a free connection, and whose statements are
//! planned once.

use std::time::Duration;

use entity::Timestamp;
use sea_orm::sqlx::{Connection as _, Error};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use crate::clock::Clock;

pub mod bulk;
pub mod fresh;
pub mod lookup;

mod driver;

pub use driver::{BulkTransaction, Connection, Reader};

#[derive(Clone, Debug)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    bulk: DatabaseConnection,
    lookup: DatabaseConnection,
}

/// The `user_version` of a SQLite file that was made as a backup.
const BACKUP: i32 = 1;
/// PostgreSQL's clock, in microseconds.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros";
/// How long an idle connection to PostgreSQL is taken to be alive without asking.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
const ACQUIRE: Duration = Duration::from_secs(10);
/// The lane's, the one beside it for locked accounts, and the scribe's.
const BULK_CONNECTIONS: u32 = 3;
/// One for each kind of look-up that requests share, and some to spare.
const LOOKUP_CONNECTIONS: u32 = 6;

impl Db {
    /// Connects to `sqlite:PATH` or `postgres://…`.
    pub async fn connect(url: &str) -> Result<Db, DbErr> {
        match url.strip_prefix("sqlite:") {
            Some(path) => Db::sqlite(path.trim_start_matches("//")).await,
            None => Db::postgres(url).await,
        }
    }

    async fn sqlite(path: &str) -> Result<Db, DbErr> {
        let write = Database::connect(sqlite_options(path, "rwc", 1)).await?;
        let read = Database::connect(sqlite_options(path, "rw", 4)).await?;
        Ok(Db { lookup: read.clone(), read, bulk: write.clone(), write })
    }

    async fn postgres(url: &str) -> Result<Db, DbErr> {
        let ordinary = Database::connect(postgres_options(url, 12, &[])).await?;
        let bulk = postgres_options(url, BULK_CONNECTIONS, driver::BULK_SETTINGS);
        let bulk = Database::connect(bulk).await?;
        let lookup = postgres_options(url, LOOKUP_CONNECTIONS, driver::BULK_SETTINGS);
        let lookup = Database::connect(lookup).await?;
        Ok(Db { read: ordinary.clone(), write: ordinary, bulk, lookup })
    }

    /// For look-ups. On SQLite it can't write.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// A connection of the driver itself, for look-ups of many rows.
    pub async fn reader(&self) -> Result<Reader, DbErr> {
        Reader::acquire(&self.lookup).await
    }

    /// Begins a transaction for an ordinary write.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        begin(&self.write).await
    }

    /// Begins the transaction of a batch, on a connection that is kept for it (SQLite: the one that everybody shares).
    pub async fn begin_bulk(&self) -> Result<BulkTransaction, DbErr> {
        BulkTransaction::begin(&self.bulk).await
    }

    /// The sessions' own handles: for look-ups, and for writes that are one statement each.
    pub fn for_sessions(&self) -> (DatabaseConnection, DatabaseConnection) {
        (self.read.clone(), self.write.clone())
    }

    /// Whether the database answers a query.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read.execute_unprepared("SELECT 1").await.map(|_| ())
    }

    /// The one clock of every process that shares this database: the database's own, where there may be several. A clock
    /// that was moved moves it as well.
    pub async fn now(&self, db: &impl ConnectionTrait, clock: &Clock) -> Result<Timestamp, DbErr> {
        if !self.is_postgres() {
            return Ok(clock.now());
        }
        let row = db.query_one_raw(Statement::from_string(self.backend(), NOW)).await?;
        let micros: i64 = row.ok_or(DbErr::RecordNotFound("the time".into()))?.try_get("", "micros")?;
        Ok(Timestamp::from_micros(micros.saturating_add(clock.offset_micros())))
    }

    /// The connection for schema changes; nothing else may write outside a transaction.
    pub fn schema(&self) -> &DatabaseConnection {
        &self.write
    }

    pub fn backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }

    pub fn is_postgres(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Whether this SQLite file was made as a backup and not been taken into service since. Always false on PostgreSQL.
    pub async fn is_backup(&self) -> Result<bool, DbErr> {
        if self.is_postgres() {
            return Ok(false);
        }
        let row =
            self.read.query_one_raw(Statement::from_string(self.backend(), "PRAGMA user_version")).await?;
        Ok(row.map(|row| row.try_get_by_index::<i32>(0)).transpose()? == Some(BACKUP))
    }

    /// Marks a SQLite file as a backup, or as one in service.
    pub async fn mark_backup(&self, is_backup: bool) -> Result<(), DbErr> {
        let mark = if is_backup { BACKUP } else { 0 };
        self.write.execute_unprepared(&format!("PRAGMA user_version = {mark}")).await?;
        Ok(())
    }

    /// How busy the connections are. On SQLite batches are written through the connection that everybody shares.
    pub fn pools(&self) -> Vec<Pool> {
        let pools: &[(&'static str, &DatabaseConnection)] = match self.is_postgres() {
            true => &[("ordinary", &self.read), ("bulk", &self.bulk), ("lookup", &self.lookup)],
            false => &[("read", &self.read), ("write", &self.write)],
        };
        pools.iter().map(|(name, connection)| Pool::of(name, connection)).collect()
    }

    pub async fn close(self) -> Result<(), DbErr> {
        self.read.close().await?;
        self.bulk.close().await?;
        self.lookup.close().await?;
        self.write.close().await
    }
}

/// The connections of one pool.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub name: &'static str,
    pub open: u32,
    pub idle: usize,
}

impl Pool {
    fn of(name: &'static str, connection: &DatabaseConnection) -> Pool {
        let (open, idle) = match connection.get_database_backend() {
            DbBackend::Postgres => {
                let pool = connection.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
            _ => {
                let pool = connection.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            }
        };
        Pool { name, open, idle }
    }
}

// A deferred transaction that reads and then writes fails at once with "database is locked" when another process wrote in
// between; an immediate one waits its turn.
async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    match connection.get_database_backend() {
        DbBackend::Sqlite => connection.begin_with_options(options).await,
        _ => connection.begin().await,
    }
}

fn sqlite_options(path: &str, access: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(format!("sqlite://{path}?mode={access}"));
    let read_only = access != "rwc";
    options.max_connections(connections).min_connections(1).acquire_timeout(ACQUIRE).sqlx_logging(false);
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).test_before_acquire(false);
    options.map_sqlx_sqlite_opts(move |options| {
        options
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("busy_timeout", "10000")
            .pragma("foreign_keys", "ON")
            .pragma("wal_autocheckpoint", "4000")
            .pragma("query_only", if read_only { "ON" } else { "OFF" })
            .statement_cache_capacity(256)
    });
    options
}

/// `more` are settings of the server for these connections.
fn postgres_options(
    url: &str,
    connections: u32,
    more: &'static [(&'static str, &'static str)],
) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).acquire_timeout(ACQUIRE).sqlx_logging(false);
    options.map_sqlx_postgres_opts(move |options| {
        options
            .application_name("reelmeter")
            .options([
                ("lock_timeout", "2s"),
                ("statement_timeout", "30s"),
                ("idle_in_transaction_session_timeout", "10s"),
                ("timezone", "UTC"),
            ])
            .options(more.iter().copied())
            .statement_cache_capacity(256)
    });
    // A connection that was in use a moment ago is still there: asking it first would double the cost of small queries.
    options.test_before_acquire(false).map_sqlx_postgres_pool_opts(|pool| {
        pool.before_acquire(|connection, state| {
            Box::pin(async move {
                if state.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
    });
    options
}

/// What an error of the database means for the one who got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Deadlock, serialization failure, lock timeout or busy: nothing happened, the same again may work.
    Retry,
    /// The connection broke or none was to be had: what was sent may or may not have happened.
    Connection,
    /// The statement itself was refused.
    Statement,
}

/// Sorts an error by what may be done about it. Codes are compared, never message text.
pub fn fault(error: &DbErr) -> Fault {
    let sqlx = match error {
        DbErr::ConnectionAcquire(_) => return Fault::Connection,
        DbErr::Conn(RuntimeErr::SqlxError(sqlx))
        | DbErr::Exec(RuntimeErr::SqlxError(sqlx))
        | DbErr::Query(RuntimeErr::SqlxError(sqlx)) => sqlx,
        DbErr::Conn(_) => return Fault::Connection,
        _ => return Fault::Statement,
    };
    let Some(database) = sqlx.as_database_error() else {
        return match **sqlx {
            // What was answered can't be read: the row is to blame, and it will be there the next time.
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::Encode(_) => Fault::Statement,
            Error::ColumnNotFound(_) | Error::ColumnIndexOutOfBounds { .. } => Fault::Statement,
            Error::TypeNotFound { .. } | Error::RowNotFound => Fault::Statement,
            _ => Fault::Connection,
        };
    };
    match database.code().as_deref() {
        // PostgreSQL: serialization failure, deadlock, lock timeout. SQLite: busy and locked, with their extended codes.
        Some("40001" | "40P01" | "55P03" | "5" | "6" | "261" | "262" | "517" | "518") => Fault::Retry,
        // PostgreSQL: operator intervention (shutdown, crash, start-up), connection exceptions, too many connections.
        Some(code) if code.starts_with("57P") || code.starts_with("08") || code == "53300" => {
            Fault::Connection
        }
        _ => Fault::Statement,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn query(error: Error) -> DbErr {
        DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
    }

    #[test]
    fn a_row_that_cannot_be_read_is_no_lost_connection() {
        let unreadable = Error::ColumnDecode { index: "state".into(), source: "unknown state".into() };
        assert_eq!(fault(&query(unreadable)), Fault::Statement);
        assert_eq!(fault(&query(Error::PoolTimedOut)), Fault::Connection);
        assert_eq!(fault(&query(Error::Io(std::io::ErrorKind::BrokenPipe.into()))), Fault::Connection);
    }
}
