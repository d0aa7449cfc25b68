//! The guards in the database itself: triggers, constraints and unique indexes. A book that is right today but could be
//! changed unnoticed tomorrow is not in order.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use super::{Report, Violation};

/// How many CHECK constraints each table was made with, at least; later ones may come on top.
const CHECKS: [(&str, i64); 11] = [
    ("account", 12),
    ("grant", 11),
    ("hold", 8),
    ("hold_allocation", 7),
    ("transfer", 11),
    ("key_usage", 4),
    ("adjustment", 1),
    ("task", 5),
    ("clip", 3),
    ("job", 5),
    ("attempt", 7),
];

/// Indexes without which something could be booked or submitted twice.
const UNIQUE: [&str; 3] = ["transfer_once_a_hold", "transfer_once_a_reference", "attempt_upstream"];

// Each query returns `name`, and `n` when that name can be there in part.
// A trigger with a condition of its own refuses less, so only the one against replacing may have one.
const SQLITE_TRIGGERS: &str = "
SELECT name, 1 AS n FROM sqlite_master
WHERE type = 'trigger' AND name LIKE tbl_name || '_no_%' AND sql LIKE '% BEGIN SELECT RAISE(ABORT, %'
    AND sql LIKE 'CREATE TRIGGER ' || name || ' BEFORE ' || CASE
        WHEN name LIKE '%_no_update' THEN 'UPDATE ON ' || tbl_name || ' BEGIN%'
        WHEN name LIKE '%_no_delete' THEN 'DELETE ON ' || tbl_name || ' BEGIN%'
        ELSE 'INSERT ON ' || tbl_name || ' WHEN EXISTS (%' END";

// A STRICT table also refuses values of another type; without the word, none of its checks can be relied on.
const SQLITE_CHECKS: &str = "
SELECT name, CASE WHEN sql LIKE '%STRICT' THEN (length(sql) - length(replace(sql, 'CHECK (', ''))) / 7 ELSE 0 END AS n
FROM sqlite_master WHERE type = 'table'";

const SQLITE_UNIQUE: &str = "
SELECT name, 1 AS n FROM sqlite_master WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE INDEX%'";

// Enabled (`O`, or `A` for always), with the bits of `tgtype` that say before (2), delete (8), update (16) and
// truncate (32); see pg_trigger in PostgreSQL's catalog and its catalog/pg_trigger.h.
const POSTGRES_TRIGGERS: &str = "
SELECT g.tgname AS name, 1::bigint AS n
FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid JOIN pg_class c ON c.oid = g.tgrelid
WHERE g.tgenabled IN ('O', 'A') AND g.tgtype & 58 = 58 AND g.tgqual IS NULL
    AND g.tgname = c.relname || '_append_only' AND c.relnamespace = current_schema()::regnamespace
    AND p.prosrc LIKE '%RAISE EXCEPTION%'";

const POSTGRES_CHECKS: &str = "
SELECT c.relname AS name, COUNT(*) AS n
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'c' AND k.convalidated AND c.relnamespace = current_schema()::regnamespace
GROUP BY c.relname";

const POSTGRES_UNIQUE: &str = "
SELECT c.relname AS name, 1::bigint AS n
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indisunique AND i.indisvalid AND c.relnamespace = current_schema()::regnamespace";

/// Reports every guard that is missing, switched off or weaker than it was made.
pub async fn check(db: &DatabaseTransaction, report: &mut Report) -> Result<(), DbErr> {
    let postgres = db.get_database_backend() == DbBackend::Postgres;
    let pick = |on_postgres, on_sqlite| if postgres { on_postgres } else { on_sqlite };
    let triggers = guards(db, pick(POSTGRES_TRIGGERS, SQLITE_TRIGGERS)).await?;
    let wanted: Vec<String> =
        migration::APPEND_ONLY.iter().flat_map(|table| names(table, postgres)).collect();
    compare(&triggers, wanted.iter().map(|name| (name.as_str(), 1)), "trigger", report);
    let checks = guards(db, pick(POSTGRES_CHECKS, SQLITE_CHECKS)).await?;
    compare(&checks, CHECKS, "checks", report);
    let unique = guards(db, pick(POSTGRES_UNIQUE, SQLITE_UNIQUE)).await?;
    compare(&unique, UNIQUE.map(|name| (name, 1)), "unique index", report);
    Ok(())
}

/// The triggers that make a table append-only.
fn names(table: &str, postgres: bool) -> Vec<String> {
    let suffixes: &[&str] =
        if postgres { &["append_only"] } else { &["no_update", "no_delete", "no_replace"] };
    suffixes.iter().map(|suffix| format!("{table}_{suffix}")).collect()
}

async fn guards(db: &DatabaseTransaction, sql: &str) -> Result<BTreeMap<String, i64>, DbErr> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok((row.try_get("", "name")?, row.try_get("", "n")?))).collect()
}

fn compare<'a>(
    found: &BTreeMap<String, i64>,
    wanted: impl IntoIterator<Item = (&'a str, i64)>,
    what: &str,
    report: &mut Report,
) {
    for (name, wanted) in wanted {
        let found = found.get(name).copied().unwrap_or(0);
        if found < wanted {
            let detail = format!("{what}: {found} of {wanted} in force");
            report.add(Violation { invariant: "guards", subject: name.to_owned(), detail });
        }
    }
}
