//! Webhook endpoints: where an account wants to be told, of what, and the secret that proves who tells.
//!
//! Ownership is part of every query: somebody else's endpoint is not there, and neither is one of the other mode.

pub mod log;
pub mod secret;

use entity::{AccountId, CustomerId, EndpointId, Timestamp, customer, delivery, endpoint};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::db::Db;
use crate::ledger::{Command, Done, Ledger, Probe, Refusal};

/// Endpoints of an account.
pub const ENDPOINTS_MAX: u64 = 20;

/// Why an endpoint was not made, changed or used, in the order it is decided.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("no such endpoint")]
    NotFound,
    #[error("the account has {ENDPOINTS_MAX} endpoints, as many as it may")]
    Full,
    #[error("the endpoint is paused or disabled")]
    NotActive,
    #[error("the endpoint was never owed this event")]
    NoDelivery,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// An endpoint to be made.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    pub url: String,
    pub description: String,
    /// Types of events, or groups of them.
    pub events: Vec<String>,
}

/// What is to become different: `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub url: Option<String>,
    pub description: Option<String>,
    pub events: Option<Vec<String>>,
    /// Taking up again also takes a disabled endpoint up.
    pub paused: Option<bool>,
}

/// An endpoint of this account.
pub async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: EndpointId,
) -> Result<endpoint::Model, EndpointError> {
    own(account, id).one(db).await?.ok_or(EndpointError::NotFound)
}

fn own(account: AccountId, id: EndpointId) -> sea_orm::Select<endpoint::Entity> {
    endpoint::Entity::find_by_id(id).filter(endpoint::Column::AccountId.eq(account))
}

/// A page of the account's endpoints, newest first, older than `before`.
pub async fn page(
    db: &impl ConnectionTrait,
    account: AccountId,
    before: Option<EndpointId>,
    limit: u64,
) -> Result<Vec<endpoint::Model>, DbErr> {
    endpoint::Entity::find()
        .filter(endpoint::Column::AccountId.eq(account))
        .apply_if(before, |query, before| query.filter(endpoint::Column::Id.lt(before)))
        .order_by_desc(endpoint::Column::Id)
        .limit(limit)
        .all(db)
        .await
}

/// Makes an endpoint of one of a customer's accounts.
pub async fn create(
    db: &Db,
    (customer, account): (CustomerId, AccountId),
    id: EndpointId,
    new: NewEndpoint,
    now: Timestamp,
) -> Result<endpoint::Model, EndpointError> {
    let tx = db.begin().await?;
    one_more(&tx, customer, account).await?;
    let row = endpoint::Model {
        id,
        account_id: account,
        url: new.url,
        description: new.description,
        events: list(&new.events),
        secret_n: 0,
        previous_until: None,
        paused_at: None,
        disabled_at: None,
        disabled_reason: None,
        failing_since: None,
        slow_until: None,
        created_at: now,
    };
    row.clone().into_active_model().insert(&tx).await?;
    tx.commit().await?;
    tracing::info!(endpoint = %id, %account, "an endpoint was made");
    Ok(row)
}

/// Whether the account may have one more.
async fn one_more(
    tx: &DatabaseTransaction,
    customer: CustomerId,
    account: AccountId,
) -> Result<(), EndpointError> {
    // Locked, so that two at once can't both be the last that fits.
    customer::Entity::find_by_id(customer).lock(LockType::NoKeyUpdate).one(tx).await?;
    let there = endpoint::Entity::find().filter(endpoint::Column::AccountId.eq(account)).count(tx).await?;
    if there < ENDPOINTS_MAX { Ok(()) } else { Err(EndpointError::Full) }
}

/// Changes an endpoint. What is owed goes to its new address.
pub async fn change(
    db: &Db,
    account: AccountId,
    id: EndpointId,
    change: Change,
    now: Timestamp,
) -> Result<endpoint::Model, EndpointError> {
    let (tx, mut row) = locked(db, account, id).await?;
    row.url = change.url.unwrap_or(row.url);
    row.description = change.description.unwrap_or(row.description);
    row.events = change.events.map_or(row.events, |events| list(&events));
    match change.paused {
        Some(true) => row.paused_at = row.paused_at.or(Some(now)),
        Some(false) => take_up(&mut row),
        None => {}
    }
    let row = save(tx, row).await?;
    tracing::info!(endpoint = %id, %account, "an endpoint was changed");
    Ok(row)
}

/// As if it had never failed.
fn take_up(row: &mut endpoint::Model) {
    row.paused_at = None;
    row.disabled_at = None;
    row.disabled_reason = None;
    row.failing_since = None;
    row.slow_until = None;
}

/// Gives an endpoint another secret. The old one signs for `overlap_s` more; one from before that does not any more.
pub async fn rotate(
    db: &Db,
    account: AccountId,
    id: EndpointId,
    overlap_s: u32,
    now: Timestamp,
) -> Result<endpoint::Model, EndpointError> {
    let (tx, mut row) = locked(db, account, id).await?;
    row.secret_n += 1;
    row.previous_until = secret::overlap(overlap_s, now);
    let row = save(tx, row).await?;
    tracing::info!(endpoint = %id, %account, overlap_s, "an endpoint's secret was rotated");
    Ok(row)
}

/// Removes an endpoint, with all that it was and still is owed.
pub async fn remove(db: &Db, account: AccountId, id: EndpointId) -> Result<(), EndpointError> {
    let (tx, row) = locked(db, account, id).await?;
    delivery::Entity::delete_many()
        .filter(delivery::Column::AccountId.eq(account))
        .filter(delivery::Column::Endpoint.eq(id.to_string()))
        .exec(&tx)
        .await?;
    endpoint::Entity::delete_by_id(row.id).exec(&tx).await?;
    tx.commit().await?;
    tracing::info!(endpoint = %id, %account, "an endpoint was removed");
    Ok(())
}

/// Tells an active endpoint something, to see whether it listens; the answer is the event's number.
pub async fn probe(ledger: &Ledger, endpoint: &endpoint::Model) -> Result<i64, Refusal> {
    let probe = Probe { account: endpoint.account_id, endpoint: endpoint.id };
    match ledger.send(Command::Probe(probe)).await? {
        Done::Told { event } => Ok(event),
        _ => Err(Refusal::Internal),
    }
}

async fn locked(
    db: &Db,
    account: AccountId,
    id: EndpointId,
) -> Result<(DatabaseTransaction, endpoint::Model), EndpointError> {
    let tx = db.begin().await?;
    let row = own(account, id).lock_exclusive().one(&tx).await?.ok_or(EndpointError::NotFound)?;
    Ok((tx, row))
}

async fn save(tx: DatabaseTransaction, row: endpoint::Model) -> Result<endpoint::Model, DbErr> {
    let row = row.into_active_model().reset_all().update(&tx).await?;
    tx.commit().await?;
    Ok(row)
}

/// A list as it is stored: a JSON array.
fn list(events: &[String]) -> String {
    serde_json::json!(events).to_string()
}
