//! The keys of an account, as its people and its management keys manage them.
//!
//! Ownership is part of every query: somebody else's key is not there. A management key manages only keys that generate, so
//! that a stolen one can't make itself at home: keys that manage are a person's business.

mod change;

use entity::{AccountId, CustomerId, KeyId, Mode, Timestamp, api_key, customer};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use secrecy::SecretString;

use super::caller::{BILLING_WRITE, By, KEYS_MANAGE};
use super::key::{self, NewKey};
use crate::db::Db;

pub use change::Change;

/// Keys of an account that are neither revoked nor expired.
pub const LIVE_MAX: u64 = 100;

/// Who manages the keys of which account.
#[derive(Clone, Copy, Debug)]
pub struct Manager {
    pub customer: CustomerId,
    pub account: AccountId,
    pub mode: Mode,
    pub by: By,
}

/// Why a key was not made or changed, in the order it is decided.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("no such key")]
    NotFound,
    #[error("only a person may manage keys that manage")]
    PersonRequired,
    #[error("the customer is not admitted")]
    NotAdmitted,
    #[error("the key is revoked")]
    Revoked,
    #[error("the account has {LIVE_MAX} live keys, as many as it may")]
    Full,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Whether a key still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Expired,
    Revoked,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Expired => "expired",
            Status::Revoked => "revoked",
        }
    }
}

/// Whether a key with these scopes manages. Such a key generates nothing.
pub fn is_management<T: AsRef<str>>(scopes: &[T]) -> bool {
    scopes.iter().any(|scope| [KEYS_MANAGE, BILLING_WRITE].contains(&scope.as_ref()))
}

pub fn status(key: &api_key::Model, now: Timestamp) -> Status {
    match key {
        api_key::Model { revoked_at: Some(_), .. } => Status::Revoked,
        api_key::Model { expires_at: Some(end), .. } if *end <= now => Status::Expired,
        _ => Status::Active,
    }
}

/// Who the keys of a customer are made for.
pub async fn owner(db: &impl ConnectionTrait, id: CustomerId) -> Result<customer::Model, KeyringError> {
    customer::Entity::find_by_id(id).one(db).await?.ok_or(KeyringError::NotFound)
}

/// A key of this account.
pub async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: KeyId,
) -> Result<api_key::Model, KeyringError> {
    own(account, id).one(db).await?.ok_or(KeyringError::NotFound)
}

fn own(account: AccountId, id: KeyId) -> sea_orm::Select<api_key::Entity> {
    api_key::Entity::find_by_id(id).filter(api_key::Column::AccountId.eq(account))
}

/// A page of the account's keys, newest first, older than `before`; all of them, or those of a status.
pub async fn page(
    db: &impl ConnectionTrait,
    manager: &Manager,
    status: Option<Status>,
    before: Option<KeyId>,
    (limit, now): (u64, Timestamp),
) -> Result<Vec<api_key::Model>, DbErr> {
    all_of(manager)
        .apply_if(status, |query, status| query.filter(is_of(status, now)))
        .apply_if(before, |query, before| query.filter(api_key::Column::Id.lt(before)))
        .order_by_desc(api_key::Column::Id)
        .limit(limit)
        .all(db)
        .await
}

/// Every key of a customer, newest first.
pub async fn all(db: &impl ConnectionTrait, customer: CustomerId) -> Result<Vec<api_key::Model>, DbErr> {
    let own = api_key::Entity::find().filter(api_key::Column::CustomerId.eq(customer));
    own.order_by_desc(api_key::Column::Id).all(db).await
}

// The customer is named although the account implies it: it has the index.
fn all_of(manager: &Manager) -> sea_orm::Select<api_key::Entity> {
    use api_key::Column as K;
    let query = api_key::Entity::find().filter(K::CustomerId.eq(manager.customer));
    query.filter(K::AccountId.eq(manager.account))
}

fn is_of(status: Status, now: Timestamp) -> Condition {
    use api_key::Column as K;
    let not_revoked = Condition::all().add(K::RevokedAt.is_null());
    match status {
        Status::Revoked => Condition::all().add(K::RevokedAt.is_not_null()),
        Status::Expired => not_revoked.add(K::ExpiresAt.lte(now)),
        Status::Active => {
            not_revoked.add(Condition::any().add(K::ExpiresAt.is_null()).add(K::ExpiresAt.gt(now)))
        }
    }
}

/// Makes a key and answers with its secret.
pub async fn create(
    db: &Db,
    manager: &Manager,
    id: KeyId,
    new: NewKey,
    now: Timestamp,
) -> Result<SecretString, KeyringError> {
    if is_management(&new.scopes) {
        person(manager)?;
    }
    let tx = db.begin().await?;
    one_more(&tx, manager, now).await?;
    let Manager { customer, account, mode, .. } = *manager;
    let secret = key::create(&tx, id, (customer, account, mode), new, now).await?;
    tx.commit().await?;
    tracing::info!(key = %id, by = %manager.by, "a key was made");
    Ok(secret)
}

/// Whether the account may have one more live key.
async fn one_more(tx: &DatabaseTransaction, manager: &Manager, now: Timestamp) -> Result<(), KeyringError> {
    // Locked, so that two at once can't both be the last that fits.
    let owner = customer::Entity::find_by_id(manager.customer).lock(LockType::NoKeyUpdate).one(tx).await?;
    if owner.ok_or(KeyringError::NotFound)?.admitted_at.is_none() {
        return Err(KeyringError::NotAdmitted);
    }
    let live = all_of(manager).filter(is_of(Status::Active, now)).count(tx).await?;
    if live < LIVE_MAX { Ok(()) } else { Err(KeyringError::Full) }
}

/// Changes what a key may do. One that had expired may live again.
pub async fn change(
    db: &Db,
    manager: &Manager,
    id: KeyId,
    change: Change,
    now: Timestamp,
) -> Result<api_key::Model, KeyringError> {
    let tx = db.begin().await?;
    let mut key = managed(&tx, manager, id).await?;
    let before = status(&key, now);
    if before == Status::Revoked {
        return Err(KeyringError::Revoked);
    }
    change.apply(&mut key);
    if before == Status::Expired && status(&key, now) == Status::Active {
        one_more(&tx, manager, now).await?;
    }
    let key = save(tx, key).await?;
    tracing::info!(key = %id, by = %manager.by, "a key was changed");
    Ok(key)
}

/// Gives a key a new secret: the same id, limits and usage. The old one is good for `overlap_s` more; one from before that
/// is not any more.
pub async fn rotate(
    db: &Db,
    manager: &Manager,
    id: KeyId,
    overlap_s: u32,
    now: Timestamp,
) -> Result<(api_key::Model, SecretString), KeyringError> {
    let tx = db.begin().await?;
    let key = managed(&tx, manager, id).await?;
    let (key, secret) = replace_secret(tx, key, overlap_s, now).await?;
    tracing::info!(key = %id, by = %manager.by, overlap_s, "a key was rotated");
    Ok((key, secret))
}

/// The same by an operator, for whoever's key it is.
pub async fn rotate_any(
    db: &Db,
    id: KeyId,
    overlap_s: u32,
    now: Timestamp,
) -> Result<(api_key::Model, SecretString), KeyringError> {
    let tx = db.begin().await?;
    let key = api_key::Entity::find_by_id(id).lock_exclusive().one(&tx).await?;
    replace_secret(tx, key.ok_or(KeyringError::NotFound)?, overlap_s, now).await
}

async fn replace_secret(
    tx: DatabaseTransaction,
    mut key: api_key::Model,
    overlap_s: u32,
    now: Timestamp,
) -> Result<(api_key::Model, SecretString), KeyringError> {
    if key.revoked_at.is_some() {
        return Err(KeyringError::Revoked);
    }
    let secret = key::generate(key.mode);
    let old = std::mem::replace(&mut key.hash, key::hash(&secret));
    key.hint = key::hint(key.mode, &secret);
    key.previous_hash = (overlap_s > 0).then_some(old);
    key.previous_until = (overlap_s > 0).then(|| now.plus_seconds(i64::from(overlap_s)));
    Ok((save(tx, key).await?, secret))
}

/// Takes a key's rights away, at once and for ever, with every secret that it has. Again it changes nothing.
pub async fn revoke(
    db: &Db,
    manager: &Manager,
    id: KeyId,
    now: Timestamp,
) -> Result<api_key::Model, KeyringError> {
    let tx = db.begin().await?;
    let mut key = managed(&tx, manager, id).await?;
    if key.revoked_at.is_none() {
        key.revoked_at = Some(now);
        tracing::info!(key = %id, by = %manager.by, "a key was revoked");
    }
    Ok(save(tx, key).await?)
}

/// A key of the account that the manager may change, locked.
async fn managed(
    tx: &DatabaseTransaction,
    manager: &Manager,
    id: KeyId,
) -> Result<api_key::Model, KeyringError> {
    let key = own(manager.account, id).lock_exclusive().one(tx).await?.ok_or(KeyringError::NotFound)?;
    if is_management(&key::read_list::<String>(&key.scopes)) {
        person(manager)?;
    }
    Ok(key)
}

fn person(manager: &Manager) -> Result<(), KeyringError> {
    match manager.by {
        By::Session { .. } => Ok(()),
        By::Key(_) => Err(KeyringError::PersonRequired),
    }
}

async fn save(tx: DatabaseTransaction, key: api_key::Model) -> Result<api_key::Model, DbErr> {
    let key = key.into_active_model().reset_all().update(&tx).await?;
    tx.commit().await?;
    Ok(key)
}
