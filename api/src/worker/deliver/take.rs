//! Taking up what is due: a few deliveries of each line whose turn it is, put off for everybody else for as long as a send
//! takes.

use std::collections::{HashMap, HashSet};

use entity::delivery::DeliveryState;
use entity::{AccountId, EndpointId, Timestamp, delivery, endpoint, event, webhook_secret};
use sea_orm::sea_query::{Expr, LockBehavior, LockType, Query, UnionType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait,
    FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement,
};

use super::line::{Line, Lines};
use crate::app::App;
use crate::customer::endpoint::secret::SigningSecret;

/// Seconds for which a worker that took a delivery up has it for itself.
const LEASE_SECONDS: i64 = 60;

/// A delivery that was taken up, with all that it takes to send it.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub delivery: delivery::Model,
    pub event: event::Model,
    /// Where to.
    pub url: String,
    pub secret: SigningSecret,
}

impl Parcel {
    pub fn line(&self) -> Line {
        Line { account: self.delivery.account_id, endpoint: self.delivery.endpoint.clone() }
    }
}

/// A line, and when something in it is due.
#[derive(Debug, FromQueryResult)]
struct Waiting {
    account_id: AccountId,
    endpoint: String,
    due_at: Timestamp,
}

// From line to line through the index, so that it takes as long as there are lines, however much waits in them.
const LINES: &str = "
WITH RECURSIVE line (account_id, endpoint) AS (
    SELECT * FROM (SELECT account_id, endpoint FROM delivery WHERE state = 'pending'
                   ORDER BY account_id, endpoint LIMIT 1) AS first
    UNION ALL
    SELECT (SELECT d.account_id FROM delivery AS d
            WHERE d.state = 'pending' AND (d.account_id, d.endpoint) > (line.account_id, line.endpoint)
            ORDER BY d.account_id, d.endpoint LIMIT 1),
           (SELECT d.endpoint FROM delivery AS d
            WHERE d.state = 'pending' AND (d.account_id, d.endpoint) > (line.account_id, line.endpoint)
            ORDER BY d.account_id, d.endpoint LIMIT 1)
    FROM line WHERE line.account_id IS NOT NULL
)
SELECT account_id, endpoint,
       (SELECT d.next_at FROM delivery AS d
        WHERE d.state = 'pending' AND d.account_id = line.account_id AND d.endpoint = line.endpoint
        ORDER BY d.next_at LIMIT 1) AS due_at
FROM line WHERE account_id IS NOT NULL ORDER BY due_at";

/// Takes up what is due of the lines whose turn it is.
pub async fn take(app: &App, lines: &Lines) -> Result<Vec<Parcel>, DbErr> {
    let now = app.clock.now();
    if due(now).one(app.db.read()).await?.is_none() {
        return Ok(Vec::new());
    }
    let statement = Statement::from_string(app.db.backend(), LINES);
    let waiting = Waiting::find_by_statement(statement).all(app.db.read()).await?;
    let all = waiting.iter().map(line).collect::<Vec<_>>();
    lines.keep(&all);
    let resting = resting(app.db.read(), &all, now).await?;
    let due = waiting.iter().filter(|waiting| waiting.due_at <= now && !resting.contains(&waiting.endpoint));
    let turns = lines.turns(due.map(line).collect());
    if turns.is_empty() {
        return Ok(Vec::new());
    }
    let tx = app.db.begin().await?;
    let parcels = take_turns(&tx, &turns, now).await?;
    tx.commit().await?;
    Ok(parcels)
}

fn line(waiting: &Waiting) -> Line {
    Line { account: waiting.account_id, endpoint: waiting.endpoint.clone() }
}

fn due(now: Timestamp) -> sea_orm::Select<delivery::Entity> {
    delivery::Entity::find()
        .filter(delivery::Column::State.eq(DeliveryState::Pending))
        .filter(delivery::Column::NextAt.lte(now))
}

/// Endpoints that are sent nothing now, as deliveries name them.
async fn resting(
    db: &impl ConnectionTrait,
    lines: &[Line],
    now: Timestamp,
) -> Result<HashSet<String>, DbErr> {
    let endpoints = endpoints(db, lines.iter().map(|line| line.endpoint.as_str())).await?;
    let rests = |endpoint: &endpoint::Model| {
        !endpoint.is_active() || endpoint.slow_until.is_some_and(|end| end > now)
    };
    Ok(endpoints.into_iter().filter(|(_, endpoint)| rests(endpoint)).map(|(name, _)| name).collect())
}

/// Endpoints by what deliveries call them; callbacks are none.
async fn endpoints<'a>(
    db: &impl ConnectionTrait,
    names: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, endpoint::Model>, DbErr> {
    let ids: HashSet<EndpointId> = names.filter_map(|name| name.parse().ok()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = endpoint::Entity::find().filter(endpoint::Column::Id.is_in(ids)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.to_string(), row)).collect())
}

async fn take_turns(
    tx: &DatabaseTransaction,
    turns: &[(Line, usize)],
    now: Timestamp,
) -> Result<Vec<Parcel>, DbErr> {
    let first = first_of_each(tx, turns, now).await?;
    let any = first.iter().map(Key::condition).fold(Condition::any(), Condition::add);
    let rows = match first.is_empty() {
        true => Vec::new(),
        false => {
            let own = due(now).filter(any);
            own.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(tx).await?
        }
    };
    let lease = Expr::value(now.plus_seconds(LEASE_SECONDS));
    mark(tx, &rows, delivery::Column::NextAt, lease).await?;
    let (parcels, lost) = Packing::load(tx, &rows).await?.pack(rows);
    // What those were to tell is forgotten, or whom; left pending they would stand in the way of the others.
    mark(tx, &lost, delivery::Column::State, Expr::value(DeliveryState::Failed)).await?;
    Ok(parcels)
}

/// Names a delivery.
#[derive(Debug, FromQueryResult)]
struct Key {
    account_id: AccountId,
    event_n: i64,
    endpoint: String,
}

impl Key {
    fn condition(&self) -> Expr {
        use delivery::Column as C;
        C::AccountId
            .eq(self.account_id)
            .and(C::EventN.eq(self.event_n))
            .and(C::Endpoint.eq(self.endpoint.as_str()))
    }
}

/// What is due longest in each line, as many as it may begin, in one query. Nothing is locked yet.
async fn first_of_each(
    db: &impl ConnectionTrait,
    turns: &[(Line, usize)],
    now: Timestamp,
) -> Result<Vec<Key>, DbErr> {
    use delivery::Column as C;
    let columns = [C::AccountId, C::EventN, C::Endpoint];
    let of_line = |(line, turn): &(Line, usize)| {
        let own = due(now)
            .select_only()
            .columns(columns)
            .filter(C::AccountId.eq(line.account))
            .filter(C::Endpoint.eq(&line.endpoint))
            .order_by_asc(C::NextAt)
            .limit(*turn as u64);
        // A limit of its own needs a query of its own.
        Query::select().columns(columns).from_subquery(own.into_query(), "line").to_owned()
    };
    let lines = turns.iter().map(of_line);
    let Some(all) = lines.reduce(|mut all, line| all.union(UnionType::All, line).to_owned()) else {
        return Ok(Vec::new());
    };
    Key::find_by_statement(db.get_database_backend().build(&all)).all(db).await
}

/// Sets one column of these deliveries.
async fn mark(
    tx: &DatabaseTransaction,
    rows: &[delivery::Model],
    column: delivery::Column,
    value: Expr,
) -> Result<(), DbErr> {
    use delivery::Column as C;
    let one = |row: &delivery::Model| {
        C::AccountId.eq(row.account_id).and(C::EventN.eq(row.event_n)).and(C::Endpoint.eq(&row.endpoint))
    };
    let any = rows.iter().map(one).fold(Condition::any(), Condition::add);
    // Without a condition it would be every delivery there is.
    if !rows.is_empty() {
        delivery::Entity::update_many().col_expr(column, value).filter(any).exec(tx).await?;
    }
    Ok(())
}

/// What deliveries are sent with, set by set.
struct Packing {
    events: HashMap<(AccountId, i64), event::Model>,
    endpoints: HashMap<String, endpoint::Model>,
    secrets: HashMap<AccountId, webhook_secret::Model>,
}

impl Packing {
    async fn load(tx: &DatabaseTransaction, rows: &[delivery::Model]) -> Result<Packing, DbErr> {
        if rows.is_empty() {
            return Ok(Packing {
                events: HashMap::new(),
                endpoints: HashMap::new(),
                secrets: HashMap::new(),
            });
        }
        let one = |row: &delivery::Model| {
            event::Column::AccountId.eq(row.account_id).and(event::Column::N.eq(row.event_n))
        };
        let any = rows.iter().map(one).fold(Condition::any(), Condition::add);
        let events = event::Entity::find().filter(any).all(tx).await?;
        let accounts: HashSet<AccountId> = rows.iter().map(|row| row.account_id).collect();
        let secrets = webhook_secret::Entity::find()
            .filter(webhook_secret::Column::AccountId.is_in(accounts))
            .all(tx)
            .await?;
        Ok(Packing {
            events: events.into_iter().map(|event| ((event.account_id, event.n), event)).collect(),
            endpoints: endpoints(tx, rows.iter().map(|row| row.endpoint.as_str())).await?,
            secrets: secrets.into_iter().map(|row| (row.account_id, row)).collect(),
        })
    }

    /// The parcels, and the deliveries whose event or endpoint is gone.
    fn pack(&self, rows: Vec<delivery::Model>) -> (Vec<Parcel>, Vec<delivery::Model>) {
        let (mut parcels, mut lost) = (Vec::new(), Vec::new());
        for delivery in rows {
            let event = self.events.get(&(delivery.account_id, delivery.event_n)).cloned();
            match event.zip(self.address(&delivery)) {
                Some((event, (url, secret))) => parcels.push(Parcel { delivery, event, url, secret }),
                None => lost.push(delivery),
            }
        }
        (parcels, lost)
    }

    fn address(&self, delivery: &delivery::Model) -> Option<(String, SigningSecret)> {
        if delivery.endpoint == delivery::CALLBACK {
            let rotated = self.secrets.get(&delivery.account_id);
            return Some((delivery.url.clone(), SigningSecret::of_account(delivery.account_id, rotated)));
        }
        let endpoint = self.endpoints.get(&delivery.endpoint)?;
        Some((endpoint.url.clone(), SigningSecret::of_endpoint(endpoint)))
    }
}
