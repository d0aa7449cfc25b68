//! What was delivered to an endpoint and what is still owed, and sending it again.

use std::collections::HashMap;

use entity::delivery::{self, DeliveryState};
use entity::{Timestamp, endpoint, event};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Statement, Value,
};

use super::EndpointError;
use crate::db::Db;
use crate::ledger::fan_out::{KINDS, wants};

/// Events that are replayed at once.
pub const REPLAY_MAX: u32 = 10_000;

/// A delivery, and the event that it is of; none when that is forgotten.
#[derive(Clone, Debug)]
pub struct Entry {
    pub delivery: delivery::Model,
    pub event: Option<event::Model>,
}

/// A page of an endpoint's deliveries, newest event first, below the event of number `before`; all of them, or those of a
/// state.
pub async fn page(
    db: &impl ConnectionTrait,
    endpoint: &endpoint::Model,
    state: Option<DeliveryState>,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    use delivery::Column as D;
    let rows = own(endpoint)
        .apply_if(state, |query, state| query.filter(D::State.eq(state)))
        .apply_if(before, |query, before| query.filter(D::EventN.lt(before)))
        .order_by_desc(D::EventN)
        .limit(limit)
        .all(db)
        .await?;
    entries(db, endpoint, rows).await
}

fn own(endpoint: &endpoint::Model) -> sea_orm::Select<delivery::Entity> {
    delivery::Entity::find()
        .filter(delivery::Column::AccountId.eq(endpoint.account_id))
        .filter(delivery::Column::Endpoint.eq(endpoint.id.to_string()))
}

async fn entries(
    db: &impl ConnectionTrait,
    endpoint: &endpoint::Model,
    rows: Vec<delivery::Model>,
) -> Result<Vec<Entry>, DbErr> {
    let events = event::Entity::find()
        .filter(event::Column::AccountId.eq(endpoint.account_id))
        .filter(event::Column::N.is_in(rows.iter().map(|row| row.event_n)))
        .all(db)
        .await?;
    let mut events: HashMap<i64, event::Model> = events.into_iter().map(|event| (event.n, event)).collect();
    let entry = |delivery: delivery::Model| Entry { event: events.remove(&delivery.event_n), delivery };
    Ok(rows.into_iter().map(entry).collect())
}

/// Owes one event again, whatever became of it, from the first try on.
pub async fn resend(
    db: &Db,
    endpoint: &endpoint::Model,
    event_n: i64,
    now: Timestamp,
) -> Result<Entry, EndpointError> {
    use delivery::Column as D;
    active(endpoint)?;
    let tx = db.begin().await?;
    let none = || Expr::value(None::<i64>);
    delivery::Entity::update_many()
        .col_expr(D::State, Expr::value(DeliveryState::Pending))
        .col_expr(D::Tries, Expr::value(0))
        .col_expr(D::NextAt, Expr::value(now))
        .col_expr(D::LastStatus, none())
        .col_expr(D::LastError, Expr::value(None::<String>))
        .col_expr(D::DeliveredAt, none())
        .filter(D::AccountId.eq(endpoint.account_id))
        .filter(D::Endpoint.eq(endpoint.id.to_string()))
        .filter(D::EventN.eq(event_n))
        .exec(&tx)
        .await?;
    let row = own(endpoint).filter(D::EventN.eq(event_n)).one(&tx).await?;
    let row = row.ok_or(EndpointError::NoDelivery)?;
    let entry = entries(&tx, endpoint, vec![row]).await?.pop().ok_or(EndpointError::NoDelivery)?;
    tx.commit().await?;
    Ok(entry)
}

/// One end of a range of events; it belongs to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Number(i64),
    At(Timestamp),
}

/// What came of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How many events are owed again.
    pub events: u64,
    /// The event to go on with, when there were more than [`REPLAY_MAX`].
    pub next: Option<i64>,
}

/// Owes every event of a range again that the endpoint wants to hear of, in one statement: also those that it was never owed,
/// because it was paused or not there yet. What deleted tasks' events told is gone.
pub async fn replay(
    db: &Db,
    endpoint: &endpoint::Model,
    (from, to): (Edge, Option<Edge>),
    now: Timestamp,
) -> Result<Replayed, EndpointError> {
    active(endpoint)?;
    let range = Range::new(endpoint, from, to);
    let tx = db.begin().await?;
    let next = match tx.query_one_raw(range.beyond(tx.get_database_backend())).await? {
        Some(row) => Some(row.try_get::<i64>("", "n")?),
        None => None,
    };
    let owed = tx.execute_raw(range.owe(tx.get_database_backend(), endpoint, next, now)).await?;
    tx.commit().await?;
    let events = owed.rows_affected();
    tracing::info!(endpoint = %endpoint.id, events, "events are replayed");
    Ok(Replayed { events, next })
}

fn active(endpoint: &endpoint::Model) -> Result<(), EndpointError> {
    if endpoint.is_active() { Ok(()) } else { Err(EndpointError::NotActive) }
}

/// The condition that events of a range fulfil. Its values come first in a statement.
struct Range {
    condition: String,
    values: Vec<Value>,
}

impl Range {
    fn new(endpoint: &endpoint::Model, from: Edge, to: Option<Edge>) -> Range {
        let wanted: Vec<String> = serde_json::from_str(&endpoint.events).unwrap_or_default();
        let kinds: Vec<String> =
            KINDS.iter().filter(|kind| wants(&wanted, kind)).map(|kind| format!("'{kind}'")).collect();
        let mut values = vec![Value::from(endpoint.account_id)];
        let mut condition = format!(
            "account_id = $1 AND type IN ({}) AND NOT EXISTS \
             (SELECT 1 FROM task WHERE task.id = event.task_id AND task.deleted_at IS NOT NULL)",
            kinds.join(", ")
        );
        for (edge, sign) in [(Some(from), ">="), (to, "<=")] {
            let (column, value) = match edge {
                Some(Edge::Number(n)) => ("n", Value::from(n)),
                Some(Edge::At(at)) => ("at", Value::from(at)),
                None => continue,
            };
            values.push(value);
            condition += &format!(" AND {column} {sign} ${}", values.len());
        }
        Range { condition, values }
    }

    /// Looks for the first event that is too many.
    fn beyond(&self, backend: sea_orm::DbBackend) -> Statement {
        let sql =
            format!("SELECT n FROM event WHERE {} ORDER BY n LIMIT 1 OFFSET {REPLAY_MAX}", self.condition);
        Statement::from_sql_and_values(backend, sql, self.values.clone())
    }

    /// Writes a delivery for each event below `end`, in the place of one that is there.
    fn owe(
        &self,
        backend: sea_orm::DbBackend,
        endpoint: &endpoint::Model,
        end: Option<i64>,
        now: Timestamp,
    ) -> Statement {
        let mut values = self.values.clone();
        let mut add = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let id = add(Value::from(endpoint.id.to_string()));
        let now = add(Value::from(now));
        let end = end.map(|end| format!("AND n < {}", add(Value::from(end)))).unwrap_or_default();
        let sql = format!(
            "INSERT INTO delivery (account_id, event_n, endpoint, url, state, tries, next_at, created_at) \
             SELECT account_id, n, {id}, '', 'pending', 0, {now}, {now} FROM event WHERE {} {end} \
             ON CONFLICT (account_id, event_n, endpoint) DO UPDATE SET state = 'pending', tries = 0, \
             next_at = excluded.next_at, last_status = NULL, last_error = NULL, delivered_at = NULL",
            self.condition
        );
        Statement::from_sql_and_values(backend, sql, values)
    }
}
