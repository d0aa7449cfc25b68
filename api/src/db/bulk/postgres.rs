//! Rows travel as one array a column, which `unnest` turns back into rows. All parts of a batch are one statement.

use sea_orm::sqlx::postgres::{PgArguments, PgConnection};
use sea_orm::sqlx::{self, Arguments, AssertSqlSafe};
use sea_orm::{DbErr, QueryResult, Value};

use super::{Column, Kind, Part, Verb, assignments, matching, names};
use crate::db::driver;

/// Runs all parts as one statement: each but the last one is a `WITH` of its own.
pub async fn write(connection: &mut PgConnection, mut parts: Vec<Part>) -> Result<(), DbErr> {
    let Some(last) = parts.pop() else { return Ok(()) };
    let mut arguments = PgArguments::default();
    let mut bind = |part: Part| {
        let sql = sql(&part, arguments.len() + 1);
        bind(&mut arguments, &part.columns, part.rows).map(|()| sql)
    };
    let mut withs = Vec::with_capacity(parts.len());
    for (n, part) in parts.into_iter().enumerate() {
        withs.push(format!("w{n} AS ({})", bind(part)?));
    }
    let last = bind(last)?;
    let sql = if withs.is_empty() { last } else { format!("WITH {} {last}", withs.join(", ")) };
    let written = sqlx::query_with(AssertSqlSafe(sql), arguments).execute(connection).await;
    written.map(drop).map_err(driver::error)
}

/// A part's statement; its first parameter has the number `first`.
fn sql(part: &Part, first: usize) -> String {
    let Part { verb, table, key, set, columns, .. } = part;
    let names = names(columns);
    let rows = format!("unnest({}) AS r({names})", parameters(columns, first));
    match verb {
        Verb::Insert => format!("INSERT INTO {table} ({names}) SELECT * FROM {rows}"),
        Verb::Upsert => format!(
            "INSERT INTO {table} ({names}) SELECT * FROM {rows} ON CONFLICT ({}) DO UPDATE SET {}",
            key.join(", "),
            assignments(set, "excluded")
        ),
        Verb::Update => {
            format!("UPDATE {table} AS t SET {} FROM {rows} WHERE {}", assignments(set, "r"), matching(key))
        }
        Verb::Delete => format!("DELETE FROM {table} AS t USING {rows} WHERE {}", matching(key)),
    }
}

pub async fn find(
    connection: &mut PgConnection,
    select: &str,
    by: &[Column],
    keys: Vec<Vec<Value>>,
    tail: &str,
) -> Result<Vec<QueryResult>, DbErr> {
    let parameters = parameters(by, 1);
    let condition = match by {
        [column] => format!("{} = ANY ({parameters})", column.name),
        _ => format!("({}) IN (SELECT * FROM unnest({parameters}))", names(by)),
    };
    let mut arguments = PgArguments::default();
    bind(&mut arguments, by, keys)?;
    let sql = format!("{select} WHERE {condition} {tail}");
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(connection).await;
    Ok(rows.map_err(driver::error)?.into_iter().map(QueryResult::from).collect())
}

/// `$1::uuid[], $2::bigint[]`.
fn parameters(columns: &[Column], first: usize) -> String {
    let parameter = |(n, column): (usize, &Column)| format!("${}::{}[]", first + n, type_name(column.kind));
    columns.iter().enumerate().map(parameter).collect::<Vec<_>>().join(", ")
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Uuid => "uuid",
        Kind::Integer => "bigint",
        Kind::Boolean => "boolean",
        Kind::Bytes => "bytea",
        Kind::Text => "text",
    }
}

/// Turns rows into one array a column.
fn bind(arguments: &mut PgArguments, columns: &[Column], rows: Vec<Vec<Value>>) -> Result<(), DbErr> {
    let mut arrays: Vec<Vec<Value>> = columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        arrays.iter_mut().zip(row).for_each(|(array, value)| array.push(value));
    }
    for (column, values) in columns.iter().zip(arrays) {
        add(arguments, column.kind, values).map_err(|error| driver::error(sqlx::Error::Encode(error)))?;
    }
    Ok(())
}

fn add(arguments: &mut PgArguments, kind: Kind, values: Vec<Value>) -> Result<(), sqlx::error::BoxDynError> {
    /// One variant of a value; anything else is null, as a missing one is.
    macro_rules! array {
        ($variant:ident) => {
            arguments.add(
                values
                    .into_iter()
                    .map(|value| match value {
                        Value::$variant(value) => value,
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            )
        };
    }
    match kind {
        Kind::Uuid => array!(Uuid),
        Kind::Integer => array!(BigInt),
        Kind::Boolean => array!(Bool),
        Kind::Bytes => array!(Bytes),
        Kind::Text => array!(String),
    }
}
