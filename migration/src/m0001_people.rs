//! Who pays (customer), who signs in (user) and who calls (api_key).

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &[CUSTOMER, USER, API_KEY, API_KEY_BY_CUSTOMER]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::drop_tables(manager, &["api_key", "user", "customer"]).await
    }
}

const CUSTOMER: &str = r#"
CREATE TABLE customer (
    id {id} PRIMARY KEY,
    name text NOT NULL,
    price_group text NOT NULL DEFAULT 'default',
    admitted_at {int},
    demo {bool} NOT NULL,
    created_at {int} NOT NULL
){strict}"#;

// A staff member belongs to no customer and has a staff role instead.
const USER: &str = r#"
CREATE TABLE "user" (
    id {id} PRIMARY KEY,
    customer_id {id} REFERENCES customer (id),
    email text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    role text CHECK (role IN ('owner', 'developer', 'viewer', 'billing')),
    staff_role text CHECK (staff_role IN ('admin', 'operator', 'support', 'finance', 'pricing_editor', 'pricing_approver', 'auditor')),
    demo {bool} NOT NULL,
    created_at {int} NOT NULL,
    disabled_at {int},
    CHECK ((customer_id IS NULL) = (role IS NULL)),
    CHECK ((customer_id IS NULL) = (staff_role IS NOT NULL))
){strict}"#;

// Amounts of caps are thousandths of a credit; NULL is no cap. `scopes` and `models` are JSON arrays; NULL is every model.
const API_KEY: &str = r#"
CREATE TABLE api_key (
    id {id} PRIMARY KEY,
    customer_id {id} NOT NULL REFERENCES customer (id),
    account_id {id} NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    name text NOT NULL,
    hash {bytes} NOT NULL UNIQUE,
    hint text NOT NULL,
    scopes text NOT NULL,
    models text,
    price_group text,
    cap_day {int} CHECK (cap_day >= 0),
    cap_week {int} CHECK (cap_week >= 0),
    cap_month {int} CHECK (cap_month >= 0),
    cap_lifetime {int} CHECK (cap_lifetime >= 0),
    demo {bool} NOT NULL,
    created_at {int} NOT NULL,
    expires_at {int},
    revoked_at {int}
){strict}"#;

const API_KEY_BY_CUSTOMER: &str = "CREATE INDEX api_key_customer ON api_key (customer_id)";
