//! Many rows in one statement, on either engine.
//!
//! What a batch writes is gathered first ([`Writes`]) and then run: on PostgreSQL as one statement over arrays, so that a
//! batch of any size costs one round trip and one plan ([`postgres`]); on SQLite as few statements over lists of values
//! ([`sqlite`]). The text of a statement does not depend on the rows, so it is prepared once.

mod postgres;
mod sqlite;

use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn,
    QueryResult, Value,
};

use super::driver::{Connection, Driver};

/// A column of a statement, and how its values travel.
#[derive(Clone, Copy, Debug)]
struct Column {
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Uuid,
    Integer,
    Boolean,
    Bytes,
    Text,
}

/// Rows of one table and what is to be done with them.
#[derive(Debug)]
struct Part {
    verb: Verb,
    /// In quotes.
    table: String,
    /// Columns of the primary key.
    key: Vec<&'static str>,
    /// Columns that an update or upsert sets.
    set: Vec<&'static str>,
    columns: Vec<Column>,
    /// Row by row, in the order of the columns.
    rows: Vec<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Insert,
    Upsert,
    Update,
    Delete,
}

/// Everything that a batch writes. No row may be in two parts: on PostgreSQL they don't see one another.
#[derive(Debug, Default)]
pub struct Writes {
    parts: Vec<Part>,
}

impl Writes {
    /// New rows.
    pub fn insert<E: EntityTrait>(&mut self, rows: &[E::Model])
    where
        E::Model: ModelTrait<Entity = E>,
    {
        self.add::<E>(Verb::Insert, E::Column::iter().collect(), &[], rows);
    }

    /// New rows, or these columns of rows that are there already.
    pub fn upsert<E: EntityTrait>(&mut self, rows: &[E::Model], set: &[E::Column])
    where
        E::Model: ModelTrait<Entity = E>,
    {
        self.add::<E>(Verb::Upsert, E::Column::iter().collect(), set, rows);
    }

    /// These columns of rows that exist, found by primary key.
    pub fn update<E: EntityTrait>(&mut self, rows: &[E::Model], set: &[E::Column])
    where
        E::Model: ModelTrait<Entity = E>,
    {
        self.add::<E>(Verb::Update, key::<E>().into_iter().chain(set.iter().copied()).collect(), set, rows);
    }

    /// The rows of these (single-column) keys are to go.
    pub fn delete<E: EntityTrait>(&mut self, keys: Vec<Value>) {
        let rows = keys.into_iter().map(|key| vec![key]).collect();
        self.add_rows::<E>(Verb::Delete, key::<E>(), &[], rows);
    }

    fn add<E: EntityTrait>(
        &mut self,
        verb: Verb,
        columns: Vec<E::Column>,
        set: &[E::Column],
        rows: &[E::Model],
    ) where
        E::Model: ModelTrait<Entity = E>,
    {
        let values = |row: &E::Model| columns.iter().map(|column| row.get(*column)).collect();
        let rows = rows.iter().map(values).collect();
        self.add_rows::<E>(verb, columns, set, rows);
    }

    fn add_rows<E: EntityTrait>(
        &mut self,
        verb: Verb,
        columns: Vec<E::Column>,
        set: &[E::Column],
        rows: Vec<Vec<Value>>,
    ) {
        if rows.is_empty() {
            return;
        }
        self.parts.push(Part {
            verb,
            table: table::<E>(),
            key: key::<E>().iter().map(IdenStatic::as_str).collect(),
            set: set.iter().map(IdenStatic::as_str).collect(),
            columns: columns.into_iter().map(Column::of).collect(),
            rows,
        });
    }

    /// Writes all of it.
    pub async fn run(self, connection: &mut impl Connection) -> Result<(), DbErr> {
        match connection.driver() {
            Driver::Postgres(connection) => postgres::write(connection, self.parts).await,
            Driver::Sqlite(connection) => sqlite::write(connection, self.parts).await,
        }
    }
}

/// The rows whose columns `by` are one of `keys`; `tail` is appended (a condition, an order, a lock). No query without keys.
pub async fn find<E: EntityTrait>(
    connection: &mut impl Connection,
    by: &[E::Column],
    keys: Vec<Vec<Value>>,
    tail: &str,
) -> Result<Vec<E::Model>, DbErr>
where
    E::Model: FromQueryResult,
{
    let select = format!("SELECT {} FROM {}", columns::<E>(), table::<E>());
    let rows = query(connection, &select, by, keys, tail).await?;
    rows.iter().map(|row| E::Model::from_query_result(row, "")).collect()
}

/// The same for another `SELECT … FROM …`, in which the names of the columns `by` mean one thing only.
pub async fn query<C: ColumnTrait>(
    connection: &mut impl Connection,
    select: &str,
    by: &[C],
    keys: Vec<Vec<Value>>,
    tail: &str,
) -> Result<Vec<QueryResult>, DbErr> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let by: Vec<Column> = by.iter().copied().map(Column::of).collect();
    match connection.driver() {
        Driver::Postgres(connection) => postgres::find(connection, select, &by, keys, tail).await,
        Driver::Sqlite(connection) => sqlite::find(connection, select, &by, keys, tail).await,
    }
}

/// The names of all columns.
fn columns<E: EntityTrait>() -> String {
    E::Column::iter().map(|column| column.as_str()).collect::<Vec<_>>().join(", ")
}

impl Column {
    fn of(column: impl ColumnTrait) -> Column {
        let kind = match column.def().get_column_type() {
            ColumnType::Uuid => Kind::Uuid,
            ColumnType::BigInteger => Kind::Integer,
            ColumnType::Boolean => Kind::Boolean,
            ColumnType::VarBinary(_) | ColumnType::Blob | ColumnType::Binary(_) => Kind::Bytes,
            _ => Kind::Text,
        };
        Column { name: column.as_str(), kind }
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// `a = FROM.a, b = FROM.b`.
fn assignments(columns: &[&str], from: &str) -> String {
    columns.iter().map(|name| format!("{name} = {from}.{name}")).collect::<Vec<_>>().join(", ")
}

/// `t.a = r.a AND t.b = r.b`.
fn matching(key: &[&str]) -> String {
    key.iter().map(|name| format!("t.{name} = r.{name}")).collect::<Vec<_>>().join(" AND ")
}

fn table<E: EntityTrait>() -> String {
    format!("\"{}\"", E::default().as_str())
}

fn key<E: EntityTrait>() -> Vec<E::Column> {
    E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect()
}
