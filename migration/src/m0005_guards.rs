//! Append-only means append-only: the database itself refuses to change or remove what was written.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Tables whose rows are never changed and never removed.
pub const APPEND_ONLY: [&str; 5] =
    ["transfer", "adjustment", "price_version", "price_activation", "audit_root"];

/// `INSERT OR REPLACE` removes rows on SQLite without firing the delete trigger, so inserts that would replace are refused
/// too: for each table, when a row that collides with the new one on any unique key is there already.
const COLLISIONS: [(&str, &str); 5] = [
    (
        "transfer",
        "(account_id = NEW.account_id AND seq = NEW.seq) \
         OR (task_id = NEW.task_id AND kind = NEW.kind AND NEW.kind IN ('hold', 'capture', 'release') AND kind IN ('hold', 'capture', 'release')) \
         OR (reference IS NOT NULL AND kind = NEW.kind AND reference = NEW.reference)",
    ),
    ("adjustment", "id = NEW.id OR reference = NEW.reference"),
    ("price_version", "id = NEW.id OR hash = NEW.hash"),
    ("price_activation", "id = NEW.id"),
    ("audit_root", "at = NEW.at"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let statements = if postgres { postgres_up() } else { sqlite_up() };
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        dialect::run(manager, &statements).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let statements = if postgres { postgres_down() } else { sqlite_down() };
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        dialect::run(manager, &statements).await
    }
}

fn postgres_up() -> Vec<String> {
    let function = "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ \
                    BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$";
    let triggers = APPEND_ONLY.map(|table| {
        format!(
            "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    });
    [function.to_owned()].into_iter().chain(triggers).collect()
}

fn postgres_down() -> Vec<String> {
    let triggers = APPEND_ONLY.map(|table| format!("DROP TRIGGER {table}_append_only ON {table}"));
    let function = "DROP FUNCTION refuse_change()".to_owned();
    triggers.into_iter().chain([function]).collect()
}

fn sqlite_up() -> Vec<String> {
    let refuse = |name: String, event: &str, table: &str, when: &str| {
        format!(
            "CREATE TRIGGER {name} BEFORE {event} ON {table}{when} \
             BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    };
    COLLISIONS
        .iter()
        .flat_map(|(table, collision)| {
            let taken = format!(" WHEN EXISTS (SELECT 1 FROM {table} WHERE {collision})");
            [
                refuse(format!("{table}_no_update"), "UPDATE", table, ""),
                refuse(format!("{table}_no_delete"), "DELETE", table, ""),
                refuse(format!("{table}_no_replace"), "INSERT", table, &taken),
            ]
        })
        .collect()
}

fn sqlite_down() -> Vec<String> {
    APPEND_ONLY
        .iter()
        .flat_map(|table| {
            ["update", "delete", "replace"].map(|what| format!("DROP TRIGGER {table}_no_{what}"))
        })
        .collect()
}
