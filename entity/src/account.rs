//! A customer's credits in one mode. `available = credited - debited - held`.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Credits, CustomerId, Mode, Timestamp};

/// A frozen account takes no new holds; what is open still settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AccountStatus {
    Open,
    Frozen,
}

/// What was last said of the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AlertState {
    Ok,
    Low,
    Depleted,
}

impl AlertState {
    pub fn as_str(self) -> &'static str {
        match self {
            AlertState::Ok => "ok",
            AlertState::Low => "low",
            AlertState::Depleted => "depleted",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    pub customer_id: CustomerId,
    pub mode: Mode,
    pub status: AccountStatus,
    pub credited: Credits,
    pub debited: Credits,
    pub held: Credits,
    pub debt: Credits,
    pub seq: i64,
    pub event_seq: i64,
    pub last_at: Timestamp,
    pub head: Vec<u8>,
    pub created_at: Timestamp,
    /// Below it the account is low; `None`: nothing is said of the balance.
    pub alert_low: Option<Credits>,
    /// From it on the account is ok again.
    pub alert_recover: Option<Credits>,
    pub alert_state: AlertState,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
