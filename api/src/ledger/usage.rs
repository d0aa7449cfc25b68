//! What a customer's tasks cost in a time, added up by the database in one query: for showing, never for deciding.
//!
//! A task counts where it was accepted, whenever it was settled or refunded, so that the numbers of a day only move while its
//! tasks do. Deleted tasks count as well. Amounts are added as whole thousandths.

use std::collections::BTreeSet;

use entity::{Credits, CustomerId, KeyId, Mode, Timestamp};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr, QueryResult, Statement, Value};

/// Whose tasks, and which of them.
#[derive(Clone, Debug)]
pub struct Query {
    pub customer: CustomerId,
    pub modes: Vec<Mode>,
    pub from: Timestamp,
    /// The first instant that counts no more.
    pub to: Timestamp,
    pub model: Option<String>,
    pub key: Option<KeyId>,
    /// At least one.
    pub groups: BTreeSet<Group>,
}

/// What a row of the answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// UTC's.
    Day,
    Model,
    Key,
    Mode,
}

/// The tasks of one group. A value that is not grouped by is `None`; so is the key of tasks that a person made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub day: Option<Timestamp>,
    pub model: Option<String>,
    pub key: Option<KeyId>,
    pub key_name: Option<String>,
    pub mode: Option<Mode>,
    pub sums: Sums,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub held: Credits,
    pub captured: Credits,
    pub released: Credits,
    pub refunded: Credits,
    pub tasks: i64,
    pub completed: i64,
    pub failed: i64,
    pub canceled: i64,
    /// Milliseconds of delivered clips.
    pub millis: i64,
}

impl Sums {
    /// What the tasks cost: what was captured, less what was given back. Neither can exceed the other's bounds.
    pub fn credits(&self) -> Credits {
        self.captured.checked_sub(self.refunded).unwrap_or(Credits::ZERO)
    }

    /// `None` when there is more than can be counted.
    pub fn plus(self, other: &Sums) -> Option<Sums> {
        Some(Sums {
            held: self.held.checked_add(other.held)?,
            captured: self.captured.checked_add(other.captured)?,
            released: self.released.checked_add(other.released)?,
            refunded: self.refunded.checked_add(other.refunded)?,
            tasks: self.tasks.checked_add(other.tasks)?,
            completed: self.completed.checked_add(other.completed)?,
            failed: self.failed.checked_add(other.failed)?,
            canceled: self.canceled.checked_add(other.canceled)?,
            millis: self.millis.checked_add(other.millis)?,
        })
    }
}

impl Group {
    fn column(self) -> &'static str {
        match self {
            Group::Day => "day",
            Group::Model => "model",
            Group::Key => "key_id",
            Group::Mode => "mode",
        }
    }
}

/// Usage by group, in the order of days, models, keys and modes; at most `limit` rows.
pub async fn usage(db: &impl ConnectionTrait, query: &Query, limit: u64) -> Result<Vec<Row>, DbErr> {
    let (sql, values) = statement(query, limit);
    let rows =
        db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    let mut rows = rows.iter().map(|row| read(row, &query.groups)).collect::<Result<Vec<Row>, DbErr>>()?;
    let mode = |row: &Row| row.mode.map(Mode::as_str);
    rows.sort_by(|one, other| {
        (one.day, &one.model, one.key, mode(one)).cmp(&(other.day, &other.model, other.key, mode(other)))
    });
    Ok(rows)
}

const DAY_MICROS: i64 = 86_400_000_000;

/// The engines differ about the type of a sum, and about where NULL sorts.
fn statement(query: &Query, limit: u64) -> (String, Vec<Value>) {
    let groups = query.groups.iter().map(|group| group.column()).collect::<Vec<_>>().join(", ");
    let (conditions, values) = conditions(query);
    let grouped = format!(
        "SELECT {groups}, COUNT(*) AS tasks, CAST(SUM(held) AS bigint) AS held, CAST(SUM(captured) AS bigint) AS captured,
            CAST(SUM(released) AS bigint) AS released, CAST(SUM(refunded) AS bigint) AS refunded,
            SUM(CASE WHEN state = 'completed' THEN 1 ELSE 0 END) AS completed,
            SUM(CASE WHEN state IN ('failed', 'expired') THEN 1 ELSE 0 END) AS failed,
            SUM(CASE WHEN state = 'canceled' THEN 1 ELSE 0 END) AS canceled,
            CAST(COALESCE(SUM(millis), 0) AS bigint) AS millis
         FROM (
            SELECT t.created_at / {DAY_MICROS} AS day, t.model, t.key_id, t.mode, t.state, h.captured, h.released, h.refunded,
                CASE WHEN h.state = 'open' THEN h.amount ELSE 0 END AS held,
                (SELECT SUM(c.millis) FROM clip c WHERE c.task_id = t.id AND c.state = 'delivered') AS millis
            FROM task t JOIN hold h ON h.task_id = t.id
            WHERE {conditions}
         ) x
         GROUP BY {groups} LIMIT {limit}"
    );
    let sql = match query.groups.contains(&Group::Key) {
        true => format!(
            "SELECT g.*, k.name AS key_name FROM ({grouped}) g LEFT JOIN api_key k ON k.id = g.key_id"
        ),
        false => grouped,
    };
    (sql, values)
}

fn conditions(query: &Query) -> (String, Vec<Value>) {
    let modes =
        query.modes.iter().map(|mode| format!("'{}'", mode.to_value())).collect::<Vec<_>>().join(", ");
    let mut conditions = format!(
        "t.account_id IN (SELECT id FROM account WHERE customer_id = $1 AND mode IN ({modes})) \
         AND t.created_at >= $2 AND t.created_at < $3"
    );
    let mut values = vec![query.customer.into(), query.from.into(), query.to.into()];
    let model = query.model.as_ref().map(|model| ("t.model", Value::from(model.as_str())));
    let key = query.key.map(|key| ("t.key_id", Value::from(key)));
    for (column, value) in model.into_iter().chain(key) {
        values.push(value);
        conditions.push_str(&format!(" AND {column} = ${}", values.len()));
    }
    (conditions, values)
}

fn read(row: &QueryResult, groups: &BTreeSet<Group>) -> Result<Row, DbErr> {
    let by = |group: Group| groups.contains(&group);
    let day = by(Group::Day).then(|| row.try_get::<i64>("", "day")).transpose()?;
    let key = by(Group::Key).then(|| row.try_get("", "key_id")).transpose()?.flatten();
    let key_name = by(Group::Key).then(|| row.try_get("", "key_name")).transpose()?.flatten();
    Ok(Row {
        day: day.map(|day| Timestamp::from_micros(day.saturating_mul(DAY_MICROS))),
        model: by(Group::Model).then(|| row.try_get("", "model")).transpose()?,
        key,
        key_name,
        mode: by(Group::Mode).then(|| row.try_get("", "mode")).transpose()?,
        sums: sums(row)?,
    })
}

fn sums(row: &QueryResult) -> Result<Sums, DbErr> {
    Ok(Sums {
        held: row.try_get("", "held")?,
        captured: row.try_get("", "captured")?,
        released: row.try_get("", "released")?,
        refunded: row.try_get("", "refunded")?,
        tasks: row.try_get("", "tasks")?,
        completed: row.try_get("", "completed")?,
        failed: row.try_get("", "failed")?,
        canceled: row.try_get("", "canceled")?,
        millis: row.try_get("", "millis")?,
    })
}
