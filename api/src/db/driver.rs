//! Connections of the driver itself. It passes arrays and lists of values, which the ORM does not ([`super::bulk`]).

use std::sync::Arc;

use entity::Timestamp;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{Error, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction, query_scalar};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr};

use crate::clock::Clock;

/// A connection of one engine.
#[derive(Debug)]
pub enum Driver<'c> {
    Postgres(&'c mut PgConnection),
    Sqlite(&'c mut SqliteConnection),
}

/// What statements can be run on.
pub trait Connection: Send {
    fn driver(&mut self) -> Driver<'_>;
}

/// A transaction of statements over many rows. Dropping it undoes it.
#[derive(Debug)]
pub enum BulkTransaction {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// A connection for look-ups, until it is dropped.
#[derive(Debug)]
pub enum Reader {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

impl Connection for BulkTransaction {
    fn driver(&mut self) -> Driver<'_> {
        match self {
            BulkTransaction::Postgres(tx) => Driver::Postgres(tx),
            BulkTransaction::Sqlite(tx) => Driver::Sqlite(tx),
        }
    }
}

impl Connection for Reader {
    fn driver(&mut self) -> Driver<'_> {
        match self {
            Reader::Postgres(connection) => Driver::Postgres(connection),
            Reader::Sqlite(connection) => Driver::Sqlite(connection),
        }
    }
}

impl BulkTransaction {
    pub(super) async fn begin(pool: &DatabaseConnection) -> Result<BulkTransaction, DbErr> {
        let begun = match pool.get_database_backend() {
            DbBackend::Postgres => {
                pool.get_postgres_connection_pool().begin().await.map(BulkTransaction::Postgres)
            }
            _ => {
                let pool = pool.get_sqlite_connection_pool();
                pool.begin_with("BEGIN IMMEDIATE").await.map(BulkTransaction::Sqlite)
            }
        };
        begun.map_err(error)
    }

    /// As [`super::Db::now`].
    pub async fn now(&mut self, clock: &Clock) -> Result<Timestamp, DbErr> {
        let BulkTransaction::Postgres(tx) = self else { return Ok(clock.now()) };
        let micros: i64 = query_scalar(super::NOW).fetch_one(&mut **tx).await.map_err(error)?;
        Ok(Timestamp::from_micros(micros.saturating_add(clock.offset_micros())))
    }

    pub async fn commit(self) -> Result<(), DbErr> {
        let committed = match self {
            BulkTransaction::Postgres(tx) => tx.commit().await,
            BulkTransaction::Sqlite(tx) => tx.commit().await,
        };
        committed.map_err(error)
    }
}

impl Reader {
    pub(super) async fn acquire(pool: &DatabaseConnection) -> Result<Reader, DbErr> {
        let acquired = match pool.get_database_backend() {
            DbBackend::Postgres => pool.get_postgres_connection_pool().acquire().await.map(Reader::Postgres),
            _ => pool.get_sqlite_connection_pool().acquire().await.map(Reader::Sqlite),
        };
        acquired.map_err(error)
    }
}

/// An error of the driver in the ORM's type, so that [`super::fault`] sorts it like any other.
pub(super) fn error(error: Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

/// Settings of the connections for batches. They find every row by a key: a plan that reads a whole table, made while the
/// table was small, would be slower with each row; and one plan for all sizes of a batch saves making one for each.
pub(super) const BULK_SETTINGS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];
