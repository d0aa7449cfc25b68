//! The schema goes up, down and up again, and the database itself refuses what must never happen.

use entity::attempt::{self, AttemptState};
use entity::{Credits, Mode, TaskId, Timestamp, audit_root};
use migration::{APPEND_ONLY, Migrator, MigratorTrait};
use reelmeter::customer::credits::{self, Correction};
use reelmeter::db::Db;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbErr, IntoActiveModel, Statement};
use serde_json::json;
use tests::{TestApp, on_both_engines};

use crate::sora;

on_both_engines!(
    the_schema_goes_down_to_nothing_and_up_again_to_the_same,
    what_is_append_only_can_t_be_changed_or_removed,
    test_attempts_are_the_sandbox_s_and_live_attempts_are_not,
    an_account_can_t_hold_or_spend_more_than_it_was_given,
    an_earlier_task_is_found_by_its_key_before_there_are_statistics,
);

const SQLITE_SCHEMA: &str = "
SELECT type || ' ' || name || ' ' || COALESCE(sql, '') AS line FROM sqlite_master
WHERE tbl_name <> 'seaql_migrations' ORDER BY 1";

const POSTGRES_SCHEMA: &str = "
SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '') AS line
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'
UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 'seaql_migrations'::regclass
UNION ALL SELECT relname || ' ' || reloptions::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL
UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT viewname || definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT proname || prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1";

/// Everything there is in the database but data, a line each.
async fn schema(db: &Db) -> Vec<String> {
    let sql = if db.is_postgres() { POSTGRES_SCHEMA } else { SQLITE_SCHEMA };
    let rows = db.schema().query_all_raw(Statement::from_string(db.backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "line").unwrap()).collect()
}

async fn the_schema_goes_down_to_nothing_and_up_again_to_the_same(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    app.generate(&customer, &sora(json!({}))).await;
    let db = &app.app.db;
    let before = schema(db).await;
    assert!(APPEND_ONLY.iter().all(|table| before.iter().any(|line| line.contains(table))));
    Migrator::down(db.schema(), None).await.unwrap();
    assert_eq!(schema(db).await, Vec::<String>::new());
    Migrator::up(db.schema(), None).await.unwrap();
    assert_eq!(schema(db).await, before);
    Migrator::up(db.schema(), None).await.unwrap();
    assert_eq!(schema(db).await, before);
    app
}

/// A column of each append-only table.
const COLUMNS: [(&str, &str); 5] = [
    ("transfer", "amount"),
    ("adjustment", "amount"),
    ("price_version", "book"),
    ("price_activation", "effective_at"),
    ("audit_root", "root"),
];

async fn what_is_append_only_can_t_be_changed_or_removed(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let correction = Correction {
        amount: Credits::from_whole(-1).unwrap(),
        reason: "a test".into(),
        actor: "tester".into(),
        reference: "case-1".into(),
    };
    credits::adjust(&app.app.ledger, &app.app.clock, customer.account, correction).await.unwrap();
    assert_eq!(COLUMNS.map(|(table, _)| table), APPEND_ONLY);
    for (table, column) in COLUMNS {
        for sql in forbidden(&app.app.db, table, column) {
            let error = refused(&app, &sql).await;
            assert!(error.contains(&format!("{table} is append-only")), "{sql}: {error}");
        }
    }
    assert_eq!(app.balance(&customer).await, (json!(99), json!(0)));
    app
}

fn forbidden(db: &Db, table: &str, column: &str) -> Vec<String> {
    let everywhere = [format!("UPDATE {table} SET {column} = {column}"), format!("DELETE FROM {table}")];
    let of_engine = match db.is_postgres() {
        true => vec![format!("TRUNCATE {table} CASCADE")],
        false => vec![
            format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}"),
            format!("UPDATE OR IGNORE {table} SET {column} = {column}"),
        ],
    };
    everywhere.into_iter().chain(of_engine).collect()
}

/// Runs what is to be refused, with a row in every append-only table, and answers with the refusal.
async fn refused(app: &TestApp, sql: &str) -> String {
    let tx = app.app.db.begin().await.unwrap();
    let root = audit_root::Model { at: Timestamp::from_seconds(1), accounts: 1, transfers: 1, root: vec![7] };
    root.into_active_model().insert(&tx).await.unwrap();
    let error = tx.execute_unprepared(sql).await.expect_err(sql).to_string();
    tx.rollback().await.unwrap();
    error
}

async fn test_attempts_are_the_sandbox_s_and_live_attempts_are_not(app: TestApp) -> TestApp {
    for (provider, mode, fits) in [
        ("sandbox", Mode::Test, true),
        ("kie", Mode::Live, true),
        ("sandbox", Mode::Live, false),
        ("kie", Mode::Test, false),
    ] {
        let tx = app.app.db.begin().await.unwrap();
        let written = write_attempt(&app, &tx, provider, mode).await;
        match written {
            Ok(()) => assert!(fits, "{provider} {mode:?} was taken"),
            Err(error) => assert!(!fits && is_check(&error), "{provider} {mode:?}: {error}"),
        }
        tx.rollback().await.unwrap();
    }
    app
}

async fn write_attempt(
    app: &TestApp,
    tx: &DatabaseTransaction,
    provider: &str,
    mode: Mode,
) -> Result<(), DbErr> {
    let attempt = attempt::Model {
        task_id: TaskId(app.app.clock.new_id()),
        n: 1,
        mode,
        clip_from: 0,
        clip_count: 1,
        provider: provider.into(),
        endpoint: String::new(),
        submit_key: "k".into(),
        upstream_id: None,
        state: AttemptState::Intent,
        sends: 0,
        error_code: None,
        error_message: None,
        outcome: None,
        cost_micro_usd: None,
        created_at: app.app.clock.now(),
        accepted_at: None,
        ended_at: None,
    };
    attempt.into_active_model().insert(tx).await.map(|_| ())
}

fn is_check(error: &DbErr) -> bool {
    error.to_string().to_ascii_lowercase().contains("check constraint")
}

async fn an_account_can_t_hold_or_spend_more_than_it_was_given(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    app.generate(&customer, &sora(json!({}))).await;
    for change in [
        "held = held + 88001",
        "debited = debited + 88001",
        "credited = credited - 88001",
        "held = -1",
        "debt = -1",
        "status = 'closed'",
    ] {
        let tx = app.app.db.begin().await.unwrap();
        let error = tx.execute_unprepared(&update(change)).await.expect_err(change);
        assert!(is_check(&error), "{change}: {error}");
        tx.rollback().await.unwrap();
    }
    let tx = app.app.db.begin().await.unwrap();
    tx.execute_unprepared(&update("held = held + 88000")).await.expect("all of it may be held");
    tx.rollback().await.unwrap();
    app
}

/// A change of the only account in test mode.
fn update(change: &str) -> String {
    format!("UPDATE account SET {change} WHERE mode = 'test'")
}

/// Or each request would read all tasks of its account until there are.
async fn an_earlier_task_is_found_by_its_key_before_there_are_statistics(app: TestApp) -> TestApp {
    const LOOK_UP: &str = "SELECT id FROM task WHERE (account_id, idempotency_key) IN";
    let db = &app.app.db;
    let tx = db.begin().await.unwrap();
    let (sql, column) = if db.is_postgres() {
        for way in ["seqscan", "hashjoin", "mergejoin"] {
            tx.execute_unprepared(&format!("SET LOCAL enable_{way} = off")).await.unwrap();
        }
        let keys = "SELECT * FROM unnest(ARRAY[gen_random_uuid()], ARRAY['k'])";
        (format!("EXPLAIN {LOOK_UP} ({keys})"), "QUERY PLAN")
    } else {
        (format!("EXPLAIN QUERY PLAN {LOOK_UP} (VALUES (x'00', 'k'))"), "detail")
    };
    let plan = tx.query_all_raw(Statement::from_string(db.backend(), sql)).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.try_get("", column).unwrap()).collect();
    let by_both = |line: &String| line.contains("account_id") && line.contains("idempotency_key");
    assert!(plan.iter().any(by_both), "{plan:#?}");
    tx.rollback().await.unwrap();
    app
}
