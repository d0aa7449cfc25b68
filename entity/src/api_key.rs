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
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
