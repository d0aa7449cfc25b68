//! What an account holds and how it came to that: for showing, never for deciding.

use std::collections::BTreeSet;

use entity::account::AlertState;
use entity::{
    AccountId, Credits, CustomerId, Mode, TaskId, Timestamp, account, grant, hold, hold_allocation, transfer,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value,
};

use super::Thresholds;
use super::alert::thresholds;
use super::book::{expiry, is_over, spendable};
use crate::db::{Reader, bulk};

/// An account's credits at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Can be spent now.
    pub available: Credits,
    /// Reserved for running tasks.
    pub held: Credits,
    /// Owed to us; a new grant repays it first.
    pub debt: Credits,
    /// Available and held together.
    pub total: Credits,
    /// The part of what is available that ends, soonest first.
    pub expiring: Vec<(Timestamp, Credits)>,
    /// The number of the last transfer that this includes.
    pub seq: i64,
    pub as_of: Timestamp,
}

/// What an account holds. A grant whose time is over counts no more, even if its expiry is not written yet.
pub async fn balance(
    db: &impl ConnectionTrait,
    id: AccountId,
    now: Timestamp,
) -> Result<Option<Balance>, DbErr> {
    let Some(account) = account::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    let live = live_grants(db, id).await?;
    let available = spendable(&account, &live, now);
    Ok(Some(Balance {
        available,
        held: account.held,
        debt: account.debt,
        total: available.checked_add(account.held).unwrap_or(available),
        expiring: expiring(&live, now),
        seq: account.seq,
        as_of: now,
    }))
}

async fn live_grants(db: &impl ConnectionTrait, id: AccountId) -> Result<Vec<grant::Model>, DbErr> {
    grant::Entity::find()
        .filter(grant::Column::AccountId.eq(id))
        .filter(grant::Column::ClosedAt.is_null())
        .all(db)
        .await
}

/// What an account is watched for, and what was last said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// `None`: it is not watched.
    pub thresholds: Option<Thresholds>,
    pub state: AlertState,
    pub available: Credits,
}

pub async fn alerts(
    db: &impl ConnectionTrait,
    id: AccountId,
    now: Timestamp,
) -> Result<Option<Alerts>, DbErr> {
    let Some(account) = account(db, id).await? else { return Ok(None) };
    let available = spendable(&account, &live_grants(db, id).await?, now);
    Ok(Some(Alerts { thresholds: thresholds(&account), state: account.alert_state, available }))
}

fn expiring(live: &[grant::Model], now: Timestamp) -> Vec<(Timestamp, Credits)> {
    let mut ends: Vec<(Timestamp, Credits)> = live
        .iter()
        .filter(|grant| !is_over(grant, now) && !grant.remaining.is_zero())
        .filter_map(|grant| expiry(grant).map(|end| (end, grant.remaining)))
        .collect();
    ends.sort_unstable();
    ends
}

/// A page of an account's journal, newest first, below `before` (a transfer's number).
pub async fn transfers(
    db: &impl ConnectionTrait,
    id: AccountId,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<transfer::Model>, DbErr> {
    transfer::Entity::find()
        .filter(transfer::Column::AccountId.eq(id))
        .filter(transfer::Column::Seq.lt(before.unwrap_or(i64::MAX)))
        .order_by_desc(transfer::Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// Accounts with credits whose time is over and whose expiry is not written yet.
pub async fn overdue(
    db: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
) -> Result<BTreeSet<AccountId>, DbErr> {
    let over = grant::Column::GraceUntil.lte(now);
    let grants = grant::Entity::find()
        .filter(grant::Column::ClosedAt.is_null())
        .filter(grant::Column::ExpiresAt.lte(now))
        .filter(sea_orm::Condition::any().add(over).add(grant::Column::GraceUntil.is_null()))
        .filter(grant::Column::Remaining.gt(0_i64))
        .limit(limit)
        .all(db)
        .await?;
    Ok(grants.into_iter().map(|grant| grant.account_id).collect())
}

/// An account by its id.
pub async fn account(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find_by_id(id).one(db).await
}

/// A customer's account in a mode.
pub async fn account_of(
    db: &impl ConnectionTrait,
    customer: CustomerId,
    mode: Mode,
) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find()
        .filter(account::Column::CustomerId.eq(customer))
        .filter(account::Column::Mode.eq(mode))
        .one(db)
        .await
}

/// Every account, by customer.
pub async fn accounts(db: &impl ConnectionTrait) -> Result<Vec<account::Model>, DbErr> {
    account::Entity::find().order_by_asc(account::Column::CustomerId).all(db).await
}

/// A task's hold, what it drew from in burn order, and its transfers.
pub async fn task_money(
    db: &impl ConnectionTrait,
    task: TaskId,
) -> Result<(Option<hold::Model>, Vec<hold_allocation::Model>, Vec<transfer::Model>), DbErr> {
    let hold = hold::Entity::find_by_id(task).one(db).await?;
    let parts = hold_allocation::Entity::find().filter(hold_allocation::Column::TaskId.eq(task));
    let parts = parts.order_by_asc(hold_allocation::Column::N).all(db).await?;
    let transfers = transfer::Entity::find().filter(transfer::Column::TaskId.eq(task));
    Ok((hold, parts, transfers.order_by_asc(transfer::Column::Seq).all(db).await?))
}

/// The holds of tasks, in no order.
pub async fn holds(reader: &mut Reader, tasks: &[TaskId]) -> Result<Vec<hold::Model>, DbErr> {
    let keys = tasks.iter().map(|id| vec![Value::from(*id)]).collect();
    bulk::find::<hold::Entity>(reader, &[hold::Column::TaskId], keys, "").await
}
