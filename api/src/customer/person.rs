//! The person behind a session: who they are, and what they may do for their customer.

use entity::user::{StaffRole, UserRole};
use entity::{CustomerId, Mode, SessionId, UserId, customer, user};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, JoinType, QuerySelect};

use super::caller::{By, Identity, scopes_of};
use crate::ledger;

/// Somebody who may sign in.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: UserId,
    pub email: String,
    pub has_second_factor: bool,
    pub place: Place,
}

/// Where they belong.
#[derive(Clone, Debug)]
pub enum Place {
    Member { role: UserRole, of: Customer },
    Staff(StaffRole),
}

/// What a member needs to know of their customer.
#[derive(Clone, Debug)]
pub struct Customer {
    pub id: CustomerId,
    pub name: String,
    pub is_admitted: bool,
    price_group: String,
}

/// Nobody when they don't exist or are disabled: whoever is disabled is out at once.
pub async fn find(db: &impl ConnectionTrait, id: UserId) -> Result<Option<Person>, DbErr> {
    let own = user::Entity::belongs_to(customer::Entity)
        .from(user::Column::CustomerId)
        .to(customer::Column::Id)
        .into();
    let found = user::Entity::find_by_id(id)
        .join(JoinType::LeftJoin, own)
        .select_also(customer::Entity)
        .one(db)
        .await?;
    Ok(found.and_then(|(user, customer)| person(user, customer)))
}

fn person(user: user::Model, customer: Option<customer::Model>) -> Option<Person> {
    if user.disabled_at.is_some() {
        return None;
    }
    let place = match (user.role, customer, user.staff_role) {
        (Some(role), Some(customer), None) => Place::Member { role, of: customer.into() },
        (None, None, Some(role)) => Place::Staff(role),
        _ => return None,
    };
    let has_second_factor = user.totp_confirmed_at.is_some();
    Some(Person { id: user.id, email: user.email, has_second_factor, place })
}

impl From<customer::Model> for Customer {
    fn from(row: customer::Model) -> Self {
        let is_admitted = row.admitted_at.is_some();
        Customer { id: row.id, name: row.name, is_admitted, price_group: row.price_group }
    }
}

impl Person {
    pub fn customer(&self) -> Option<&Customer> {
        match &self.place {
            Place::Member { of, .. } => Some(of),
            Place::Staff(_) => None,
        }
    }

    /// For whom a request in this session is; nobody when the person is staff.
    pub async fn identity(
        &self,
        db: &impl ConnectionTrait,
        session: SessionId,
        mode: Mode,
    ) -> Result<Option<Identity>, DbErr> {
        let Place::Member { role, of } = &self.place else { return Ok(None) };
        let account = ledger::read::account_of(db, of.id, mode).await?;
        Ok(account.map(|account| Identity {
            customer: of.id,
            account: account.id,
            mode,
            group: of.price_group.clone(),
            scopes: scopes_of(*role),
            models: None,
            by: By::Session { user: self.id, session },
        }))
    }
}
