//! Webhook endpoints of customers, which of its secrets an account signs with, and deliveries by the line they wait in.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements =
            [ENDPOINT, ENDPOINT_BY_ACCOUNT, WEBHOOK_SECRET, DELIVERY_TRIED, DELIVERY_BY_LINE, DELIVERY_LOG];
        dialect::run(manager, &statements).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &["DROP INDEX delivery_log", "DROP INDEX delivery_line"]).await?;
        dialect::drop_columns(manager, "delivery", &["tried_at"]).await?;
        dialect::drop_tables(manager, &["webhook_secret", "endpoint"]).await
    }
}

// Where a customer wants to be told, and of what. Secrets are derived from the endpoint and `secret_n`.
const ENDPOINT: &str = r#"
CREATE TABLE endpoint (
    id {id} PRIMARY KEY,
    account_id {id} NOT NULL,
    url text NOT NULL,
    description text NOT NULL,
    events text NOT NULL,
    secret_n {int} NOT NULL CHECK (secret_n >= 0),
    previous_until {int},
    paused_at {int},
    disabled_at {int},
    disabled_reason text,
    failing_since {int},
    slow_until {int},
    created_at {int} NOT NULL,
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
){warm}"#;

const ENDPOINT_BY_ACCOUNT: &str = "CREATE INDEX endpoint_account ON endpoint (account_id, id)";

// Only of accounts that rotated theirs.
const WEBHOOK_SECRET: &str = r#"
CREATE TABLE webhook_secret (
    account_id {id} PRIMARY KEY,
    n {int} NOT NULL CHECK (n >= 0),
    previous_until {int}
){strict}"#;

const DELIVERY_TRIED: &str = "ALTER TABLE delivery ADD COLUMN tried_at {int}";

// Each address has a line of its own: who waits in one is found without reading the others.
const DELIVERY_BY_LINE: &str =
    "CREATE INDEX delivery_line ON delivery (account_id, endpoint, next_at) WHERE state = 'pending'";

const DELIVERY_LOG: &str = "CREATE INDEX delivery_log ON delivery (account_id, endpoint, event_n)";
