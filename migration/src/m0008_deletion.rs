//! What is known of a task besides its own rows is found by its id, so that deleting a task does not read everybody's.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &[EVENT_BY_TASK, INBOX_BY_TASK]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &["DROP INDEX inbox_task", "DROP INDEX event_task"]).await
    }
}

// Ids of tasks grow with time, so that both indexes are written at their end.
const EVENT_BY_TASK: &str = "CREATE INDEX event_task ON event (task_id) WHERE task_id IS NOT NULL";
const INBOX_BY_TASK: &str = "CREATE INDEX inbox_task ON inbox (task_id) WHERE task_id IS NOT NULL";
