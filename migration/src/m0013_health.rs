//! How well each key of each provider works, written when that changes; and what an attempt is told that customers are not.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &[HEALTH]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::drop_tables(manager, &["provider_health"]).await
    }
}

const HEALTH: &str = "
CREATE TABLE provider_health (
    provider text NOT NULL,
    endpoint text NOT NULL,
    state text NOT NULL CHECK (state IN ('ok', 'resting', 'out')),
    failures {int} NOT NULL CHECK (failures >= 0),
    rests_until {int},
    error_class text,
    error_detail text,
    error_at {int},
    changed_at {int} NOT NULL,
    PRIMARY KEY (provider, endpoint)
){strict}";
