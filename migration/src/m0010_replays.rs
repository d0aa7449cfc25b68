//! On PostgreSQL a request's earlier task is found by account and idempotency key from the first day on.
//!
//! Until a table has statistics, the planner takes every index that begins with the account for as good as any other, and
//! decides for the newest: the list's, by which each look-up would read all tasks of the account. So the look-up's index is to
//! be the newest of them. It is as unique as the constraint that it takes the place of.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => dialect::run(manager, &[NEWEST, WITHOUT_CONSTRAINT]).await,
            _ => Ok(()),
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => dialect::run(manager, &[CONSTRAINT, WITHOUT_INDEX]).await,
            _ => Ok(()),
        }
    }
}

const NEWEST: &str = "CREATE UNIQUE INDEX task_idempotency ON task (account_id, idempotency_key)";
const WITHOUT_CONSTRAINT: &str = "ALTER TABLE task DROP CONSTRAINT task_account_id_idempotency_key_key";
const CONSTRAINT: &str = "ALTER TABLE task ADD UNIQUE (account_id, idempotency_key)";
const WITHOUT_INDEX: &str = "DROP INDEX task_idempotency";
