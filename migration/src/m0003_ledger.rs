//! The vault: accounts, grants, holds and the append-only journal of transfers.
//!
//! Amounts are thousandths of a credit, instants are microseconds since 1970. The CHECKs are the second lock on the door:
//! they hold whatever the code does. Lane tables have no foreign keys (they would lock rows that nobody else may touch);
//! the checker covers what foreign keys would.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(
            manager,
            &[
                ACCOUNT,
                GRANT,
                GRANT_LIVE,
                GRANT_EXPIRY,
                HOLD,
                HOLD_OPEN,
                HOLD_ALLOCATION,
                HOLD_ALLOCATION_BY_GRANT,
                TRANSFER,
                TRANSFER_ONCE_A_HOLD,
                TRANSFER_ONCE_A_REFERENCE,
                ENTRY,
                KEY_USAGE,
                ADJUSTMENT,
                BOOK_DELTA,
                AUDIT_ROOT,
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &["DROP VIEW entry"]).await?;
        let tables = [
            "audit_root",
            "book_delta",
            "adjustment",
            "key_usage",
            "transfer",
            "hold_allocation",
            "hold",
            "grant",
            "account",
        ];
        dialect::drop_tables(manager, &tables).await
    }
}

// available = credited - debited - held. Both lifetime sums only grow.
const ACCOUNT: &str = r#"
CREATE TABLE account (
    id {id} PRIMARY KEY,
    customer_id {id} NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    status text NOT NULL CHECK (status IN ('open', 'frozen')),
    credited {int} NOT NULL CHECK (credited >= 0),
    debited {int} NOT NULL CHECK (debited >= 0),
    held {int} NOT NULL CHECK (held >= 0),
    debt {int} NOT NULL CHECK (debt >= 0),
    seq {int} NOT NULL CHECK (seq >= 0),
    event_seq {int} NOT NULL CHECK (event_seq >= 0),
    last_at {int} NOT NULL,
    head {bytes} NOT NULL,
    created_at {int} NOT NULL,
    UNIQUE (customer_id, mode),
    CHECK (credited - debited - held >= 0)
){hot}"#;

const GRANT: &str = r#"
CREATE TABLE "grant" (
    id {id} PRIMARY KEY,
    account_id {id} NOT NULL,
    class text NOT NULL CHECK (class IN ('paid', 'promotional', 'compensation')),
    source text NOT NULL,
    priority {int} NOT NULL,
    expires_at {int},
    grace_until {int},
    cost_basis {int} NOT NULL CHECK (cost_basis >= 0),
    original {int} NOT NULL CHECK (original > 0),
    remaining {int} NOT NULL CHECK (remaining >= 0),
    held {int} NOT NULL CHECK (held >= 0),
    consumed {int} NOT NULL CHECK (consumed >= 0),
    expired {int} NOT NULL CHECK (expired >= 0),
    voided {int} NOT NULL CHECK (voided >= 0),
    created_at {int} NOT NULL,
    closed_at {int},
    CHECK (original = remaining + held + consumed + expired + voided),
    CHECK (grace_until IS NULL OR expires_at IS NOT NULL),
    CHECK (closed_at IS NULL OR (remaining = 0 AND held = 0))
){hot}"#;

// closed_at moves once in a grant's life, so this predicate costs one index write a grant, not one a spend.
const GRANT_LIVE: &str = r#"CREATE INDEX grant_live ON "grant" (account_id) WHERE closed_at IS NULL"#;
const GRANT_EXPIRY: &str =
    r#"CREATE INDEX grant_expiry ON "grant" (expires_at) WHERE closed_at IS NULL AND expires_at IS NOT NULL"#;

// A task has one hold, so the task's id is the hold's id too.
const HOLD: &str = r#"
CREATE TABLE hold (
    task_id {id} PRIMARY KEY,
    account_id {id} NOT NULL,
    key_id {id},
    amount {int} NOT NULL CHECK (amount > 0),
    captured {int} NOT NULL CHECK (captured >= 0),
    released {int} NOT NULL CHECK (released >= 0),
    refunded {int} NOT NULL CHECK (refunded >= 0),
    state text NOT NULL CHECK (state IN ('open', 'settled')),
    accepted_at {int} NOT NULL,
    settled_at {int},
    CHECK (refunded <= captured),
    CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
    CHECK (state = 'open' AND captured = 0 AND released = 0 OR state = 'settled' AND captured + released = amount)
){warm}"#;

const HOLD_OPEN: &str = "CREATE INDEX hold_open ON hold (account_id) WHERE state = 'open'";

const HOLD_ALLOCATION: &str = r#"
CREATE TABLE hold_allocation (
    task_id {id} NOT NULL,
    n {int} NOT NULL CHECK (n >= 0),
    grant_id {id} NOT NULL,
    amount {int} NOT NULL CHECK (amount > 0),
    captured {int} NOT NULL CHECK (captured >= 0),
    returned {int} NOT NULL CHECK (returned >= 0),
    refunded {int} NOT NULL CHECK (refunded >= 0),
    PRIMARY KEY (task_id, n),
    CHECK (captured + returned <= amount),
    CHECK (refunded <= captured)
){warm}"#;

const HOLD_ALLOCATION_BY_GRANT: &str = "CREATE INDEX hold_allocation_grant ON hold_allocation (grant_id)";

// `debit` is where the credits come from, `credit` where they go. Each is one of the customer's three places
// (available, held, debt) or one of our own accounts (purchases, promotions, revenue, expired, adjustments).
const TRANSFER: &str = r#"
CREATE TABLE transfer (
    account_id {id} NOT NULL,
    seq {int} NOT NULL CHECK (seq > 0),
    at {int} NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    kind text NOT NULL CHECK (kind IN ('grant', 'hold', 'capture', 'release', 'refund', 'expire', 'adjust', 'debt', 'repay')),
    debit text NOT NULL CHECK (debit IN ('available', 'held', 'debt', 'purchases', 'promotions', 'revenue', 'expired', 'adjustments')),
    credit text NOT NULL CHECK (credit IN ('available', 'held', 'debt', 'purchases', 'promotions', 'revenue', 'expired', 'adjustments')),
    amount {int} NOT NULL CHECK (amount > 0),
    available_after {int} NOT NULL CHECK (available_after >= 0),
    held_after {int} NOT NULL CHECK (held_after >= 0),
    debt_after {int} NOT NULL CHECK (debt_after >= 0),
    task_id {id},
    grant_id {id},
    reference text,
    hash {bytes} NOT NULL,
    PRIMARY KEY (account_id, seq),
    CHECK (debit <> credit),
    CHECK (kind NOT IN ('hold', 'capture', 'release', 'refund') OR task_id IS NOT NULL)
){strict}"#;

const TRANSFER_ONCE_A_HOLD: &str = "CREATE UNIQUE INDEX transfer_once_a_hold ON transfer (task_id, kind) WHERE kind IN ('hold', 'capture', 'release')";
const TRANSFER_ONCE_A_REFERENCE: &str =
    "CREATE UNIQUE INDEX transfer_once_a_reference ON transfer (kind, reference) WHERE reference IS NOT NULL";

// The two signed legs of every transfer; they add up to zero.
const ENTRY: &str = r#"
CREATE VIEW entry AS
    SELECT account_id, seq, 0 AS leg, mode, at, debit AS place, -amount AS amount FROM transfer
    UNION ALL
    SELECT account_id, seq, 1 AS leg, mode, at, credit AS place, amount FROM transfer"#;

// What a key has spent: `used` is captured minus refunded, `open` is still held. Weeks and months are sums of days.
// `win` is 'day' (starting at `starts_at`, UTC) or 'lifetime' (0).
const KEY_USAGE: &str = r#"
CREATE TABLE key_usage (
    key_id {id} NOT NULL,
    win text NOT NULL CHECK (win IN ('day', 'lifetime')),
    starts_at {int} NOT NULL,
    used {int} NOT NULL CHECK (used >= 0),
    open {int} NOT NULL CHECK (open >= 0),
    PRIMARY KEY (key_id, win, starts_at)
){hot}"#;

const ADJUSTMENT: &str = r#"
CREATE TABLE adjustment (
    id {id} PRIMARY KEY,
    account_id {id} NOT NULL,
    amount {int} NOT NULL CHECK (amount <> 0),
    reason text NOT NULL,
    actor text NOT NULL,
    reference text NOT NULL UNIQUE,
    at {int} NOT NULL
){strict}"#;

// What one commit moved on one of our own accounts, so that a trial balance needs no walk over the journal.
const BOOK_DELTA: &str = r#"
CREATE TABLE book_delta (
    commit_id {id} NOT NULL,
    mode text NOT NULL,
    place text NOT NULL,
    amount {int} NOT NULL,
    at {int} NOT NULL,
    PRIMARY KEY (commit_id, mode, place)
){strict}"#;

const AUDIT_ROOT: &str = r#"
CREATE TABLE audit_root (
    at {int} PRIMARY KEY,
    accounts {int} NOT NULL,
    transfers {int} NOT NULL,
    root {bytes} NOT NULL
){strict}"#;
