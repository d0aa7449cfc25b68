//! Files that customers gave us to work from, and which of them a task's URLs turned out to be.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &[UPLOAD, UPLOAD_BY_EXPIRY, TASK_INPUT]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::drop_tables(manager, &["task_input", "upload"]).await
    }
}

// The id is made of the account and the content, so that the same bytes are the same upload.
const UPLOAD: &str = "
CREATE TABLE upload (
    id {id} PRIMARY KEY,
    account_id {id} NOT NULL,
    sha256 {bytes} NOT NULL,
    kind text NOT NULL CHECK (kind IN ('image', 'video', 'audio')),
    content_type text NOT NULL,
    bytes {int} NOT NULL CHECK (bytes > 0),
    width {int},
    height {int},
    millis {int},
    storage_key text NOT NULL UNIQUE,
    created_at {int} NOT NULL,
    expires_at {int} NOT NULL,
    needed_until {int} NOT NULL
){strict}";

const UPLOAD_BY_EXPIRY: &str = "CREATE INDEX upload_expiry ON upload (expires_at)";

// Written once, before the first submission: whoever sends it again sends the same bytes.
const TASK_INPUT: &str = "
CREATE TABLE task_input (
    task_id {id} NOT NULL,
    idx {int} NOT NULL,
    upload_id {id} NOT NULL,
    PRIMARY KEY (task_id, idx)
){strict}";
