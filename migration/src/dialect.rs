//! One SQL source for two engines: a few words in braces stand for what the engines spell differently.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Runs each statement with its braces filled in for the connection's engine.
///
/// | written | PostgreSQL | SQLite |
/// |---|---|---|
/// | `{id}` | `uuid` | `BLOB` |
/// | `{bytes}` | `bytea` | `BLOB` |
/// | `{int}` | `bigint` | `INTEGER` |
/// | `{bool}` | `boolean` | `INTEGER` |
/// | `{strict}` | nothing | ` STRICT`, so that a column takes only values of its type |
/// | `{hot}` | `fillfactor = 50` | ` STRICT` |
/// | `{warm}` | `fillfactor = 70` | ` STRICT` |
pub async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    for statement in statements {
        manager.get_connection().execute_unprepared(&spell(statement, backend)).await?;
    }
    Ok(())
}

/// Drops tables in the given order (the reverse of their creation).
pub async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        let drop = format!("DROP TABLE \"{table}\"");
        manager.get_connection().execute_unprepared(&drop).await?;
    }
    Ok(())
}

/// Drops columns of a table; what is indexed has lost its index before.
pub async fn drop_columns(manager: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    for column in columns {
        let drop = format!("ALTER TABLE \"{table}\" DROP COLUMN {column}");
        manager.get_connection().execute_unprepared(&drop).await?;
    }
    Ok(())
}

fn spell(statement: &str, backend: DbBackend) -> String {
    let words: [(&str, &str); 7] = match backend {
        DbBackend::Postgres => [
            ("{id}", "uuid"),
            ("{bytes}", "bytea"),
            ("{int}", "bigint"),
            ("{bool}", "boolean"),
            ("{strict}", ""),
            ("{hot}", " WITH (fillfactor = 50)"),
            ("{warm}", " WITH (fillfactor = 70)"),
        ],
        _ => [
            ("{id}", "BLOB"),
            ("{bytes}", "BLOB"),
            ("{int}", "INTEGER"),
            ("{bool}", "INTEGER"),
            ("{strict}", " STRICT"),
            ("{hot}", " STRICT"),
            ("{warm}", " STRICT"),
        ],
    };
    words.iter().fold(statement.to_owned(), |text, (from, to)| text.replace(from, to))
}
