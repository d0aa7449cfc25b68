//! Tasks, the job that works on each, its attempts upstream, and what is told to the outside.

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
                TASK,
                TASK_BY_ACCOUNT,
                TASK_BY_EXTERNAL_ID,
                TASK_REQUEST,
                CLIP,
                JOB,
                JOB_CLAIMABLE,
                JOB_BY_OWNER,
                JOB_BY_DEADLINE,
                ATTEMPT,
                ATTEMPT_UPSTREAM,
                WORKER,
                INBOX,
                INBOX_UNPROCESSED,
                EVENT,
                EVENT_AGE,
                DELIVERY,
                DELIVERY_DUE,
            ],
        )
        .await?;
        if manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres {
            dialect::run(manager, &[JOB_VACUUM]).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables =
            ["delivery", "event", "inbox", "worker", "attempt", "job", "clip", "task_request", "task"];
        dialect::drop_tables(manager, &tables).await
    }
}

// Inserted once by accept, updated once at the end, both by the lane. While it is live its state is its job's.
const TASK: &str = r#"
CREATE TABLE task (
    id {id} PRIMARY KEY,
    account_id {id} NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    key_id {id},
    dialect text NOT NULL,
    idempotency_key text,
    request_hash {bytes} NOT NULL,
    model text NOT NULL,
    clips {int} NOT NULL CHECK (clips > 0),
    credits {int} NOT NULL CHECK (credits > 0),
    price_version {int} NOT NULL,
    explanation text NOT NULL,
    quote_id {id} UNIQUE,
    external_id text,
    state text NOT NULL CHECK (state IN ('live', 'completed', 'failed', 'canceled', 'expired')),
    error_code text,
    error_message text,
    created_at {int} NOT NULL,
    terminal_at {int},
    deleted_at {int},
    UNIQUE (account_id, idempotency_key),
    CHECK ((state = 'live') = (terminal_at IS NULL))
){warm}"#;

const TASK_BY_ACCOUNT: &str = "CREATE INDEX task_account ON task (account_id, created_at)";
const TASK_BY_EXTERNAL_ID: &str =
    "CREATE INDEX task_external ON task (account_id, external_id) WHERE external_id IS NOT NULL";

// What was asked and what it came to. `request` is what the customer sent (folded), `effective` what a provider gets.
const TASK_REQUEST: &str = r#"
CREATE TABLE task_request (
    task_id {id} PRIMARY KEY,
    request text NOT NULL,
    effective text NOT NULL,
    warnings text NOT NULL
){strict}"#;

// Written by the commit that settles the task: one row for each clip that was asked for.
const CLIP: &str = r#"
CREATE TABLE clip (
    task_id {id} NOT NULL,
    idx {int} NOT NULL CHECK (idx >= 0),
    state text NOT NULL CHECK (state IN ('delivered', 'failed')),
    attempt_n {int},
    storage_key text,
    millis {int},
    bytes {int},
    width {int},
    height {int},
    sha256 {bytes},
    error_code text,
    error_message text,
    PRIMARY KEY (task_id, idx),
    CHECK ((state = 'delivered') = (storage_key IS NOT NULL))
){strict}"#;

// The live state. Deleted by the commit that settles the task: a job that is gone fences everyone.
const JOB: &str = r#"
CREATE TABLE job (
    task_id {id} PRIMARY KEY,
    account_id {id} NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    provider text NOT NULL,
    route {int} NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'submitting', 'running', 'reconciling', 'storing')),
    progress {int} NOT NULL CHECK (progress BETWEEN 0 AND 100),
    run_at {int} NOT NULL,
    deadline_at {int} NOT NULL,
    cancel_at {int},
    owner {id},
    epoch {int},
    fence {int} NOT NULL CHECK (fence >= 0),
    created_at {int} NOT NULL,
    CHECK ((owner IS NULL) = (epoch IS NULL))
){warm}"#;

const JOB_CLAIMABLE: &str = "CREATE INDEX job_claimable ON job (provider, run_at) WHERE owner IS NULL";
const JOB_BY_OWNER: &str = "CREATE INDEX job_owner ON job (owner) WHERE owner IS NOT NULL";
const JOB_BY_DEADLINE: &str = "CREATE INDEX job_deadline ON job (deadline_at)";
const JOB_VACUUM: &str =
    "ALTER TABLE job SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)";

// One submission to one provider, written before the call. Test mode is the sandbox's and the sandbox is test mode's:
// the database keeps test clips and real money apart even if the code does not.
const ATTEMPT: &str = r#"
CREATE TABLE attempt (
    task_id {id} NOT NULL,
    n {int} NOT NULL CHECK (n > 0),
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    clip_from {int} NOT NULL CHECK (clip_from >= 0),
    clip_count {int} NOT NULL CHECK (clip_count > 0),
    provider text NOT NULL,
    endpoint text NOT NULL,
    submit_key text NOT NULL,
    upstream_id text,
    state text NOT NULL CHECK (state IN ('intent', 'accepted', 'delivered', 'failed', 'rejected', 'unknown', 'absent', 'broken', 'canceled', 'abandoned')),
    sends {int} NOT NULL CHECK (sends >= 0),
    error_code text,
    error_message text,
    outcome text,
    cost_micro_usd {int},
    created_at {int} NOT NULL,
    accepted_at {int},
    ended_at {int},
    PRIMARY KEY (task_id, n),
    UNIQUE (provider, endpoint, submit_key),
    CHECK ((provider = 'sandbox') = (mode = 'test'))
){warm}"#;

const ATTEMPT_UPSTREAM: &str = "CREATE UNIQUE INDEX attempt_upstream ON attempt (provider, endpoint, upstream_id) WHERE upstream_id IS NOT NULL";

const WORKER: &str = r#"
CREATE TABLE worker (
    id {id} PRIMARY KEY,
    epoch {int} NOT NULL,
    started_at {int} NOT NULL,
    heartbeat_at {int} NOT NULL
){hot}"#;

// Every callback and every decisive poll, deduplicated by what its sender calls it.
const INBOX: &str = r#"
CREATE TABLE inbox (
    source text NOT NULL,
    dedup_key text NOT NULL,
    task_id {id},
    attempt_n {int},
    body text NOT NULL,
    received_at {int} NOT NULL,
    processed_at {int},
    PRIMARY KEY (source, dedup_key)
){strict}"#;

const INBOX_UNPROCESSED: &str =
    "CREATE INDEX inbox_unprocessed ON inbox (received_at) WHERE processed_at IS NULL";

const EVENT: &str = r#"
CREATE TABLE event (
    account_id {id} NOT NULL,
    n {int} NOT NULL CHECK (n > 0),
    at {int} NOT NULL,
    type text NOT NULL,
    task_id {id},
    body text NOT NULL,
    PRIMARY KEY (account_id, n)
){strict}"#;

const EVENT_AGE: &str = "CREATE INDEX event_age ON event (at)";

// One webhook send that is owed: an event and where it goes, retried on its own.
const DELIVERY: &str = r#"
CREATE TABLE delivery (
    account_id {id} NOT NULL,
    event_n {int} NOT NULL,
    endpoint text NOT NULL,
    url text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    tries {int} NOT NULL CHECK (tries >= 0),
    next_at {int} NOT NULL,
    last_status {int},
    last_error text,
    created_at {int} NOT NULL,
    delivered_at {int},
    PRIMARY KEY (account_id, event_n, endpoint)
){warm}"#;

const DELIVERY_DUE: &str = "CREATE INDEX delivery_due ON delivery (next_at) WHERE state = 'pending'";
