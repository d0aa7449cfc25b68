//! A worker that follows tens of thousands of tasks finds those that are to be stopped without reading the others.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &[JOB_TO_CANCEL]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &["DROP INDEX job_to_cancel"]).await
    }
}

const JOB_TO_CANCEL: &str = "CREATE INDEX job_to_cancel ON job (owner) WHERE cancel_at IS NOT NULL";
