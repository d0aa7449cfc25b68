//! Price versions are immutable; which one sells is the newest effective activation.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &[PRICE_VERSION, PRICE_ACTIVATION]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::drop_tables(manager, &["price_activation", "price_version"]).await
    }
}

const PRICE_VERSION: &str = r#"
CREATE TABLE price_version (
    id {int} PRIMARY KEY,
    hash {bytes} NOT NULL UNIQUE,
    book text NOT NULL,
    created_at {int} NOT NULL,
    created_by text NOT NULL
){strict}"#;

const PRICE_ACTIVATION: &str = r#"
CREATE TABLE price_activation (
    id {int} PRIMARY KEY,
    version_id {int} NOT NULL REFERENCES price_version (id),
    effective_at {int} NOT NULL,
    created_at {int} NOT NULL,
    created_by text NOT NULL
){strict}"#;
