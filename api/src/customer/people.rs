//! Customers and the people who sign in.

use entity::user::{StaffRole, UserRole};
use entity::{AccountId, CustomerId, Mode, Timestamp, UserId, customer, user};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, Set,
};
use secrecy::{ExposeSecret, SecretString};

use crate::clock::Clock;
use crate::ledger;

/// A customer that was just made, with an account in each mode.
#[derive(Clone, Copy, Debug)]
pub struct NewCustomer {
    pub id: CustomerId,
    pub live: AccountId,
    pub test: AccountId,
}

impl NewCustomer {
    pub fn account(&self, mode: Mode) -> AccountId {
        match mode {
            Mode::Live => self.live,
            Mode::Test => self.test,
        }
    }
}

/// Makes a customer with a live and a test account, both empty. Keys can be made once they are admitted.
pub async fn create(
    tx: &DatabaseTransaction,
    clock: &Clock,
    name: &str,
    demo: bool,
) -> Result<NewCustomer, DbErr> {
    let now = clock.now();
    let new = NewCustomer {
        id: CustomerId(clock.new_id()),
        live: AccountId(clock.new_id()),
        test: AccountId(clock.new_id()),
    };
    let row = customer::Model {
        id: new.id,
        name: name.to_owned(),
        price_group: "default".to_owned(),
        admitted_at: None,
        demo,
        created_at: now,
    };
    row.into_active_model().insert(tx).await?;
    for mode in [Mode::Live, Mode::Test] {
        ledger::open_account(tx, new.account(mode), new.id, mode, now).await?;
    }
    Ok(new)
}

/// Lets a customer make keys. False when there is no such customer.
pub async fn admit(tx: &DatabaseTransaction, id: CustomerId, now: Timestamp) -> Result<bool, DbErr> {
    let Some(customer) = customer::Entity::find_by_id(id).one(tx).await? else { return Ok(false) };
    let admitted_at = customer.admitted_at.or(Some(now));
    let mut customer = customer.into_active_model();
    customer.admitted_at = Set(admitted_at);
    customer.update(tx).await?;
    Ok(true)
}

/// What a person may do: as a member of a customer, or as staff.
#[derive(Clone, Copy, Debug)]
pub enum Position {
    Member(CustomerId, UserRole),
    Staff(StaffRole),
}

#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("this e-mail address is in use")]
    EmailTaken,
    #[error(transparent)]
    Password(#[from] web_session::PasswordError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Makes a person who can sign in. E-mail addresses are compared without case.
pub async fn create_user(
    tx: &DatabaseTransaction,
    clock: &Clock,
    email: &str,
    password: &SecretString,
    position: Position,
    demo: bool,
) -> Result<UserId, UserError> {
    let email = email.trim().to_lowercase();
    if user::Entity::find().filter(user::Column::Email.eq(&email)).one(tx).await?.is_some() {
        return Err(UserError::EmailTaken);
    }
    let (customer_id, role, staff_role) = match position {
        Position::Member(customer, role) => (Some(customer), Some(role), None),
        Position::Staff(role) => (None, None, Some(role)),
    };
    let id = UserId(clock.new_id());
    let row = user::Model {
        id,
        customer_id,
        email,
        password_hash: web_session::hash_password(password.expose_secret())?,
        role,
        staff_role,
        demo,
        created_at: clock.now(),
        disabled_at: None,
    };
    row.into_active_model().insert(tx).await?;
    Ok(id)
}

/// Whether anything of the demonstration is in the database: its passwords lie in a file, so it must not be reachable from
/// outside.
pub async fn has_demo(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let customer = customer::Entity::find().filter(customer::Column::Demo.eq(true)).one(db).await?;
    let user = user::Entity::find().filter(user::Column::Demo.eq(true)).one(db).await?;
    Ok(customer.is_some() || user.is_some())
}

pub async fn is_empty(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let customer = customer::Entity::find().one(db).await?;
    let user = user::Entity::find().one(db).await?;
    Ok(customer.is_none() && user.is_none())
}
