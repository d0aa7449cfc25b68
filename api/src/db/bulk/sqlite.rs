//! Rows travel as lists of values. A statement takes one of a few numbers of rows, so that there are few to prepare.

use sea_orm::sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sea_orm::sqlx::{self, Arguments, AssertSqlSafe};
use sea_orm::{DbErr, QueryResult, Value};

use super::{Column, Part, Verb, assignments, matching, names};
use crate::db::driver;

/// Rows of one statement, largest first. With two dozen columns the largest stays far below SQLite's 32,766 parameters.
const SIZES: [usize; 4] = [256, 32, 4, 1];

/// Runs all parts, in rounds: a round takes as many rows of each part as the others of its size do, and is one call. Each
/// call costs two changes of thread, which for small batches is most of it.
pub async fn write(connection: &mut SqliteConnection, mut parts: Vec<Part>) -> Result<(), DbErr> {
    for size in SIZES {
        loop {
            let (mut sql, mut rows) = (String::new(), Vec::new());
            for part in parts.iter_mut().filter(|part| part.rows.len() >= size) {
                let rest = part.rows.split_off(size);
                rows.extend(std::mem::replace(&mut part.rows, rest));
                sql.push_str(&self::sql(part, size));
                sql.push(';');
            }
            if rows.is_empty() {
                break;
            }
            let written = sqlx::query_with(AssertSqlSafe(sql), bind(rows)?).execute(&mut *connection).await;
            written.map_err(driver::error)?;
        }
    }
    Ok(())
}

fn sql(part: &Part, rows: usize) -> String {
    let Part { verb, table, key, set, columns, .. } = part;
    let (names, values) = (names(columns), values(columns.len(), rows));
    match verb {
        Verb::Insert => format!("INSERT INTO {table} ({names}) {values}"),
        Verb::Upsert => format!(
            "INSERT INTO {table} ({names}) {values} ON CONFLICT ({}) DO UPDATE SET {}",
            key.join(", "),
            assignments(set, "excluded")
        ),
        Verb::Update => format!(
            "UPDATE {table} AS t SET {} FROM (SELECT {} FROM ({values})) AS r WHERE {}",
            assignments(set, "r"),
            renamed(columns),
            matching(key)
        ),
        Verb::Delete => format!("DELETE FROM {table} WHERE ({}) IN ({values})", key.join(", ")),
    }
}

pub async fn find(
    connection: &mut SqliteConnection,
    select: &str,
    by: &[Column],
    keys: Vec<Vec<Value>>,
    tail: &str,
) -> Result<Vec<QueryResult>, DbErr> {
    let mut found = Vec::new();
    for keys in chunks(keys) {
        let sql = format!("{select} WHERE ({}) IN ({}) {tail}", names(by), values(by.len(), keys.len()));
        let rows = sqlx::query_with(AssertSqlSafe(sql), bind(keys)?).fetch_all(&mut *connection).await;
        found.extend(rows.map_err(driver::error)?.into_iter().map(QueryResult::from));
    }
    Ok(found)
}

/// Cuts rows into the numbers that statements take, each as large as it can be.
fn chunks(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Vec<Value>>> {
    let mut chunks = Vec::new();
    for size in SIZES {
        while rows.len() >= size {
            chunks.push(rows.drain(..size).collect());
        }
    }
    chunks
}

/// `VALUES (?, ?), (?, ?)`.
fn values(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    format!("VALUES {}", vec![row; rows].join(", "))
}

/// `column1 AS a, column2 AS b`: the names that SQLite gives to the columns of `VALUES`, and ours.
fn renamed(columns: &[Column]) -> String {
    let named = |(n, column): (usize, &Column)| format!("column{} AS {}", n + 1, column.name);
    columns.iter().enumerate().map(named).collect::<Vec<_>>().join(", ")
}

fn bind(rows: Vec<Vec<Value>>) -> Result<SqliteArguments, DbErr> {
    let mut arguments = SqliteArguments::default();
    for value in rows.into_iter().flatten() {
        let added = match value {
            Value::Bool(value) => arguments.add(value),
            Value::BigInt(value) => arguments.add(value),
            Value::String(value) => arguments.add(value),
            Value::Uuid(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            _ => arguments.add(None::<i64>),
        };
        added.map_err(|error| driver::error(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_statement_and_their_numbers_are_few() {
        let rows: Vec<Vec<Value>> = (0..512 + 32 + 7).map(|n| vec![Value::BigInt(Some(n))]).collect();
        let chunks = chunks(rows.clone());
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 32, 4, 1, 1, 1]);
        assert_eq!(chunks.concat(), rows);
    }
}
