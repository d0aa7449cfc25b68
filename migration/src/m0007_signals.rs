//! What an account says of itself (low balance), what a key has under way, what tasks can be found by, and promotion codes.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &ACCOUNT).await?;
        dialect::run(manager, &KEY_USAGE).await?;
        let tables = [TASK_METADATA, TASK_METADATA_BY_VALUE, PROMOTION, REDEMPTION, REDEMPTION_OWED];
        dialect::run(manager, &tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::drop_tables(manager, &["redemption", "promotion", "task_metadata"]).await?;
        dialect::drop_columns(manager, "key_usage", &["open_tasks"]).await?;
        dialect::drop_columns(manager, "account", &["alert_state", "alert_recover", "alert_low"]).await
    }
}

// Below `alert_low` the account is low, below one credit it is depleted, from `alert_recover` on it is ok again. Without
// `alert_low` nothing is said.
const ACCOUNT: [&str; 3] = [
    "ALTER TABLE account ADD COLUMN alert_low {int} CHECK (alert_low > 0)",
    "ALTER TABLE account ADD COLUMN alert_recover {int} CHECK (alert_recover > 0)",
    "ALTER TABLE account ADD COLUMN alert_state text NOT NULL DEFAULT 'ok' CHECK (alert_state IN ('ok', 'low', 'depleted'))",
];

// How many of the window's tasks are not settled yet. Holds that are open now are counted once, here.
const KEY_USAGE: [&str; 2] = [
    "ALTER TABLE key_usage ADD COLUMN open_tasks {int} NOT NULL DEFAULT 0 CHECK (open_tasks >= 0)",
    "UPDATE key_usage SET open_tasks = (
        SELECT COUNT(*) FROM hold
        WHERE hold.key_id = key_usage.key_id AND hold.state = 'open' AND (key_usage.win = 'lifetime'
            OR hold.accepted_at >= key_usage.starts_at AND hold.accepted_at < key_usage.starts_at + 86400000000))",
];

// A task's metadata, as far as it is text, numbers or flags: what tasks are looked for by. Inserted with the task.
const TASK_METADATA: &str = r#"
CREATE TABLE task_metadata (
    task_id {id} NOT NULL,
    name text NOT NULL,
    account_id {id} NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (task_id, name)
){strict}"#;

const TASK_METADATA_BY_VALUE: &str =
    "CREATE INDEX task_metadata_value ON task_metadata (account_id, name, value, task_id)";

const PROMOTION: &str = r#"
CREATE TABLE promotion (
    code text PRIMARY KEY,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    credits {int} NOT NULL CHECK (credits > 0),
    grant_days {int} CHECK (grant_days > 0),
    redemptions_max {int} NOT NULL CHECK (redemptions_max > 0),
    redemptions {int} NOT NULL CHECK (redemptions >= 0),
    note text NOT NULL,
    created_by text NOT NULL,
    created_at {int} NOT NULL,
    expires_at {int},
    revoked_at {int},
    CHECK (redemptions <= redemptions_max)
){strict}"#;

// Who took a promotion up, once each. Written before the credits are asked of the vault; `granted_at` is set after.
const REDEMPTION: &str = r#"
CREATE TABLE redemption (
    code text NOT NULL,
    account_id {id} NOT NULL,
    redeemed_at {int} NOT NULL,
    granted_at {int},
    PRIMARY KEY (code, account_id)
){strict}"#;

const REDEMPTION_OWED: &str =
    "CREATE INDEX redemption_owed ON redemption (redeemed_at) WHERE granted_at IS NULL";
