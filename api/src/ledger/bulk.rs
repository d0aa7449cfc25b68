//! Many rows in one statement, from one source for both engines.
//!
//! Rows travel as one JSON parameter, an array of arrays: the statement's text doesn't depend on their number, so it is
//! prepared once. PostgreSQL unpacks them with `jsonb_array_elements`, SQLite with `json_each`.

use std::collections::HashMap;

use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, IdenStatic, Iterable,
    ModelTrait, PrimaryKeyToColumn, Statement, Value,
};
use serde_json::Value as Json;

/// Inserts rows; does nothing when there are none.
pub async fn insert<E: EntityTrait>(db: &impl ConnectionTrait, rows: &[E::Model]) -> Result<(), DbErr>
where
    E::Model: ModelTrait<Entity = E>,
{
    let columns: Vec<E::Column> = E::Column::iter().collect();
    let sql = |backend| {
        format!(
            "INSERT INTO {} ({}) SELECT {}",
            table::<E>(),
            names(&columns),
            unpack(backend, &columns, &columns)
        )
    };
    run(db, sql, pack::<E>(rows, &columns)).await
}

/// Inserts rows, or sets the given columns of those that are there already.
pub async fn upsert<E: EntityTrait>(
    db: &impl ConnectionTrait,
    rows: &[E::Model],
    set: &[E::Column],
) -> Result<(), DbErr>
where
    E::Model: ModelTrait<Entity = E>,
{
    let columns: Vec<E::Column> = E::Column::iter().collect();
    let assignments: Vec<String> =
        set.iter().map(|column| format!("{0} = excluded.{0}", column.as_str())).collect();
    let sql = |backend| {
        format!(
            "INSERT INTO {} ({}) SELECT {} WHERE true ON CONFLICT ({}) DO UPDATE SET {}",
            table::<E>(),
            names(&columns),
            unpack(backend, &columns, &columns),
            names(&key::<E>()),
            assignments.join(", ")
        )
    };
    run(db, sql, pack::<E>(rows, &columns)).await
}

/// Sets the given columns of rows that exist, found by primary key.
pub async fn update<E: EntityTrait>(
    db: &impl ConnectionTrait,
    rows: &[E::Model],
    set: &[E::Column],
) -> Result<(), DbErr>
where
    E::Model: ModelTrait<Entity = E>,
{
    let key = key::<E>();
    let columns: Vec<E::Column> = key.iter().chain(set).copied().collect();
    let assignments: Vec<String> = set.iter().map(|column| format!("{0} = r.{0}", column.as_str())).collect();
    let matches: Vec<String> = key.iter().map(|column| format!("t.{0} = r.{0}", column.as_str())).collect();
    let sql = |backend| {
        format!(
            "UPDATE {} AS t SET {} FROM (SELECT {}) AS r WHERE {}",
            table::<E>(),
            assignments.join(", "),
            unpack(backend, &columns, &columns),
            matches.join(" AND ")
        )
    };
    run(db, sql, pack::<E>(rows, &columns)).await
}

/// Deletes rows by their (single) key column.
pub async fn delete<E: EntityTrait>(
    db: &impl ConnectionTrait,
    by: E::Column,
    keys: Vec<Value>,
) -> Result<(), DbErr> {
    let rows = keys.into_iter().map(|key| vec![to_json(key)]).collect();
    let sql = |backend| format!("DELETE FROM {} WHERE {}", table::<E>(), is_in(backend, &[by]));
    run(db, sql, rows).await
}

/// The rows whose columns `by` are one of `keys`; `tail` is appended (an order, a lock). Empty without keys.
pub async fn find<E: EntityTrait>(
    db: &impl ConnectionTrait,
    by: &[E::Column],
    keys: Vec<Vec<Value>>,
    tail: &str,
) -> Result<Vec<E::Model>, DbErr>
where
    E::Model: FromQueryResult,
{
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let backend = db.get_database_backend();
    let all: Vec<E::Column> = E::Column::iter().collect();
    let sql = format!("SELECT {} FROM {} WHERE {} {tail}", names(&all), table::<E>(), is_in(backend, by));
    let keys: Vec<Vec<Json>> = keys.into_iter().map(|key| key.into_iter().map(to_json).collect()).collect();
    let statement =
        Statement::from_sql_and_values(backend, sql, [Value::from(Json::from_iter(keys).to_string())]);
    E::Model::find_by_statement(statement).all(db).await
}

/// `(a, b) IN (…)` over the keys in the first parameter.
fn is_in<C: ColumnTrait>(backend: DbBackend, by: &[C]) -> String {
    format!("({}) IN (SELECT {})", names(by), unpack(backend, by, by))
}

async fn run(
    db: &impl ConnectionTrait,
    sql: impl Fn(DbBackend) -> String,
    rows: Vec<Vec<Json>>,
) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let backend = db.get_database_backend();
    let rows = Json::from_iter(rows).to_string();
    db.execute_raw(Statement::from_sql_and_values(backend, sql(backend), [Value::from(rows)])).await?;
    Ok(())
}

/// The select list and source that turn the JSON parameter back into typed columns, in the order of `packed`.
fn unpack<C: ColumnTrait>(backend: DbBackend, packed: &[C], wanted: &[C]) -> String {
    let position: HashMap<&str, usize> =
        packed.iter().enumerate().map(|(i, column)| (column.as_str(), i)).collect();
    let list: Vec<String> = wanted
        .iter()
        .map(|column| {
            let index = position[column.as_str()];
            format!("{} AS {}", typed(backend, column, index), column.as_str())
        })
        .collect();
    let source = match backend {
        DbBackend::Postgres => "jsonb_array_elements($1::jsonb) AS j(value)",
        _ => "json_each($1) AS j",
    };
    format!("{} FROM {source}", list.join(", "))
}

fn typed<C: ColumnTrait>(backend: DbBackend, column: &C, index: usize) -> String {
    let text = format!("(j.value->>{index})");
    let definition = column.def();
    match (backend, definition.get_column_type()) {
        (DbBackend::Postgres, ColumnType::Uuid) => format!("{text}::uuid"),
        (DbBackend::Postgres, ColumnType::BigInteger) => format!("{text}::bigint"),
        (DbBackend::Postgres, ColumnType::Boolean) => format!("{text}::boolean"),
        (DbBackend::Postgres, ColumnType::VarBinary(_) | ColumnType::Blob | ColumnType::Binary(_)) => {
            format!("decode({text}, 'hex')")
        }
        (
            DbBackend::Sqlite,
            ColumnType::Uuid | ColumnType::VarBinary(_) | ColumnType::Blob | ColumnType::Binary(_),
        ) => format!("unhex{text}"),
        _ => text,
    }
}

fn table<E: EntityTrait>() -> String {
    format!("\"{}\"", E::default().as_str())
}

fn names<C: ColumnTrait>(columns: &[C]) -> String {
    columns.iter().map(IdenStatic::as_str).collect::<Vec<_>>().join(", ")
}

fn key<E: EntityTrait>() -> Vec<E::Column> {
    E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect()
}

fn pack<E: EntityTrait>(rows: &[E::Model], columns: &[E::Column]) -> Vec<Vec<Json>>
where
    E::Model: ModelTrait<Entity = E>,
{
    let row = |model: &E::Model| columns.iter().map(|column| to_json(model.get(*column))).collect();
    rows.iter().map(row).collect()
}

fn to_json(value: Value) -> Json {
    match value {
        Value::Bool(Some(flag)) => flag.into(),
        Value::BigInt(Some(number)) => number.into(),
        Value::String(Some(text)) => text.into(),
        Value::Uuid(Some(id)) => id.simple().to_string().into(),
        Value::Bytes(Some(bytes)) => hex::encode(bytes).into(),
        _ => Json::Null,
    }
}
