//! Credits given, with source, priority, expiry and cost basis. `original = remaining + held + consumed + expired + voided`.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Credits, GrantId, Timestamp};

/// What a grant was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum GrantClass {
    Paid,
    Promotional,
    Compensation,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "grant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantId,
    pub account_id: AccountId,
    pub class: GrantClass,
    pub source: String,
    pub priority: i64,
    pub expires_at: Option<Timestamp>,
    pub grace_until: Option<Timestamp>,
    pub cost_basis: i64,
    pub original: Credits,
    pub remaining: Credits,
    pub held: Credits,
    pub consumed: Credits,
    pub expired: Credits,
    pub voided: Credits,
    pub created_at: Timestamp,
    pub closed_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
