//! Customers and the people who sign in.

use entity::user::{StaffRole, UserRole};
use entity::{AccountId, CustomerId, Mode, Timestamp, UserId, customer, user};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter, SqlErr,
};
use secrecy::{ExposeSecret, SecretString};

use super::access;
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
    let is_there = customer::Entity::find_by_id(id).one(tx).await?.is_some();
    admit_waiting(tx, id, now).await?;
    Ok(is_there)
}

/// Lets a customer in who waits for it. False when nobody waits: concurrent admissions count once.
pub async fn admit_waiting(tx: &DatabaseTransaction, id: CustomerId, now: Timestamp) -> Result<bool, DbErr> {
    let waiting = customer::Column::Id.eq(id).and(customer::Column::AdmittedAt.is_null());
    let admitted = customer::Entity::update_many()
        .col_expr(customer::Column::AdmittedAt, Expr::value(now))
        .filter(waiting)
        .exec(tx)
        .await?;
    access::answer(tx, id, now).await?;
    Ok(admitted.rows_affected > 0)
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

/// Makes a person who can sign in, for commands. E-mail addresses are compared without case.
pub async fn create_user(
    tx: &DatabaseTransaction,
    clock: &Clock,
    email: &str,
    password: &SecretString,
    position: Position,
    demo: bool,
) -> Result<UserId, UserError> {
    let password_hash = web_session::hash_password(password.expose_secret())?;
    insert_user(tx, clock, NewUser { email: normalized(email), password_hash, position, demo }).await
}

/// A person to be, whose password is hashed already: that takes too long to be done in a transaction of a server.
#[derive(Debug)]
pub struct NewUser {
    /// As [`normalized`].
    pub email: String,
    pub password_hash: String,
    pub position: Position,
    pub demo: bool,
}

/// How e-mail addresses are stored and compared.
pub fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}

pub async fn insert_user(tx: &DatabaseTransaction, clock: &Clock, new: NewUser) -> Result<UserId, UserError> {
    let id = UserId(clock.new_id());
    let row = user_row(id, new, clock.now());
    match row.into_active_model().insert(tx).await {
        Ok(_) => Ok(id),
        // The only other unique column is the id, which is new.
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(UserError::EmailTaken)
        }
        Err(error) => Err(error.into()),
    }
}

fn user_row(id: UserId, new: NewUser, now: Timestamp) -> user::Model {
    let (customer_id, role, staff_role) = match new.position {
        Position::Member(customer, role) => (Some(customer), Some(role), None),
        Position::Staff(role) => (None, None, Some(role)),
    };
    user::Model {
        id,
        customer_id,
        email: new.email,
        password_hash: new.password_hash,
        role,
        staff_role,
        demo: new.demo,
        created_at: now,
        disabled_at: None,
        totp_key: None,
        totp_nonce: None,
        totp_confirmed_at: None,
        totp_step: None,
    }
}

pub async fn user_by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find().filter(user::Column::Email.eq(normalized(email))).one(db).await
}

/// Keeps a person out, or lets them sign in again.
pub async fn set_disabled(
    tx: &DatabaseTransaction,
    id: UserId,
    disabled_at: Option<Timestamp>,
) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::DisabledAt, Expr::value(disabled_at))
        .filter(user::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
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
