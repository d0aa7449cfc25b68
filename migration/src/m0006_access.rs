//! Who may come in: sessions with a second factor, invitations while in closed beta, and what limits a key.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &USER).await?;
        dialect::run(manager, &API_KEY).await?;
        let tables = [
            SESSION,
            SESSION_BY_USER,
            SESSION_BY_END,
            PASSWORD_RESET,
            PASSWORD_RESET_BY_USER,
            RECOVERY_CODE,
            INVITE,
            ACCESS_REQUEST,
        ];
        dialect::run(manager, &tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = ["access_request", "invite", "recovery_code", "password_reset", "session"];
        dialect::drop_tables(manager, &tables).await?;
        dialect::run(manager, &["DROP INDEX api_key_previous"]).await?;
        let columns = [
            "previous_until",
            "previous_hash",
            "last_used_at",
            "created_by",
            "max_tasks",
            "rate_per_minute",
            "ip_ranges",
        ];
        dialect::drop_columns(manager, "api_key", &columns).await?;
        let columns = ["totp_step", "totp_confirmed_at", "totp_nonce", "totp_key"];
        dialect::drop_columns(manager, "user", &columns).await
    }
}

// The shared secret of the second factor is derived from a master key (`totp_key` is its id) and `totp_nonce`: it is stored
// nowhere. `totp_step` is the newest time step whose code was used, so that no code is good twice.
const USER: [&str; 4] = [
    r#"ALTER TABLE "user" ADD COLUMN totp_key text"#,
    r#"ALTER TABLE "user" ADD COLUMN totp_nonce {bytes}"#,
    r#"ALTER TABLE "user" ADD COLUMN totp_confirmed_at {int}"#,
    r#"ALTER TABLE "user" ADD COLUMN totp_step {int}"#,
];

// `ip_ranges` is a JSON array of CIDR blocks; NULL is everywhere. NULL in a limit is none. A rotated key keeps its id, its
// limits and its usage; its old secret is good until `previous_until`.
const API_KEY: [&str; 8] = [
    "ALTER TABLE api_key ADD COLUMN ip_ranges text",
    "ALTER TABLE api_key ADD COLUMN rate_per_minute {int} CHECK (rate_per_minute > 0)",
    "ALTER TABLE api_key ADD COLUMN max_tasks {int} CHECK (max_tasks >= 0)",
    "ALTER TABLE api_key ADD COLUMN created_by text",
    "ALTER TABLE api_key ADD COLUMN last_used_at {int}",
    "ALTER TABLE api_key ADD COLUMN previous_hash {bytes}",
    "ALTER TABLE api_key ADD COLUMN previous_until {int}",
    "CREATE UNIQUE INDEX api_key_previous ON api_key (previous_hash) WHERE previous_hash IS NOT NULL",
];

// `hash` is the SHA-256 of the cookie's value. `authenticated_at` is when the password was last given.
const SESSION: &str = r#"
CREATE TABLE session (
    id {id} PRIMARY KEY,
    hash {bytes} NOT NULL UNIQUE,
    user_id {id} NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    address text NOT NULL,
    agent text NOT NULL,
    created_at {int} NOT NULL,
    authenticated_at {int} NOT NULL,
    seen_at {int} NOT NULL,
    expires_at {int} NOT NULL
){strict}"#;

const SESSION_BY_USER: &str = "CREATE INDEX session_by_user ON session (user_id)";
const SESSION_BY_END: &str = "CREATE INDEX session_by_end ON session (expires_at)";

const PASSWORD_RESET: &str = r#"
CREATE TABLE password_reset (
    hash {bytes} PRIMARY KEY,
    user_id {id} NOT NULL,
    created_at {int} NOT NULL,
    expires_at {int} NOT NULL,
    used_at {int}
){strict}"#;

const PASSWORD_RESET_BY_USER: &str = "CREATE INDEX password_reset_user ON password_reset (user_id)";

// What lets somebody in who lost their second factor; each is good once.
const RECOVERY_CODE: &str = r#"
CREATE TABLE recovery_code (
    user_id {id} NOT NULL,
    hash {bytes} NOT NULL,
    used_at {int},
    PRIMARY KEY (user_id, hash)
){strict}"#;

// Only the SHA-256 of a code is stored; `hint` is what may be shown of it.
const INVITE: &str = r#"
CREATE TABLE invite (
    id {id} PRIMARY KEY,
    hash {bytes} NOT NULL UNIQUE,
    hint text NOT NULL,
    note text NOT NULL,
    uses_max {int} NOT NULL CHECK (uses_max > 0),
    uses {int} NOT NULL CHECK (uses >= 0),
    created_by text NOT NULL,
    created_at {int} NOT NULL,
    expires_at {int},
    revoked_at {int},
    CHECK (uses <= uses_max)
){strict}"#;

// Somebody who asks to be let in; a customer of theirs may be there already and wait for admission.
const ACCESS_REQUEST: &str = r#"
CREATE TABLE access_request (
    email text PRIMARY KEY,
    customer_id {id},
    note text NOT NULL,
    created_at {int} NOT NULL,
    answered_at {int}
){strict}"#;
