//! What an account holds and how it came to that: for showing, never for deciding.

use std::collections::BTreeSet;

use entity::{
    AccountId, Credits, CustomerId, Mode, TaskId, Timestamp, account, grant, hold, hold_allocation, transfer,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::book::{available, expiry, is_over};

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
    let live = grant::Entity::find()
        .filter(grant::Column::AccountId.eq(id))
        .filter(grant::Column::ClosedAt.is_null())
        .all(db)
        .await?;
    let over = live.iter().filter(|grant| is_over(grant, now)).map(|grant| grant.remaining);
    let over = over.fold(Credits::ZERO, |sum, part| sum.checked_add(part).unwrap_or(sum));
    let available = available(&account).checked_sub(over).unwrap_or(Credits::ZERO);
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

/// A task's hold.
pub async fn hold(db: &impl ConnectionTrait, task: TaskId) -> Result<Option<hold::Model>, DbErr> {
    hold::Entity::find_by_id(task).one(db).await
}
