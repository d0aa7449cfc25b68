//! A developer's key. Only its SHA-256 is stored; `hint` is what may be shown of it.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Credits, CustomerId, KeyId, Mode, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyId,
    pub customer_id: CustomerId,
    pub account_id: AccountId,
    pub mode: Mode,
    pub name: String,
    pub hash: Vec<u8>,
    pub hint: String,
    pub scopes: String,
    pub models: Option<String>,
    pub price_group: Option<String>,
    pub cap_day: Option<Credits>,
    pub cap_week: Option<Credits>,
    pub cap_month: Option<Credits>,
    pub cap_lifetime: Option<Credits>,
    pub demo: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// A JSON array of CIDR blocks; `None` is everywhere.
    pub ip_ranges: Option<String>,
    pub rate_per_minute: Option<i64>,
    /// Tasks that may be under way at once.
    pub max_tasks: Option<i64>,
    /// The user or the management key that made it.
    pub created_by: Option<String>,
    /// Coarse: written at most every few minutes.
    pub last_used_at: Option<Timestamp>,
    /// The secret before the last rotation, good until `previous_until`.
    pub previous_hash: Option<Vec<u8>>,
    pub previous_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "crate::customer::Entity",
        from = "Column::CustomerId",
        to = "crate::customer::Column::Id"
    )]
    Customer,
}

impl Related<crate::customer::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Customer.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
