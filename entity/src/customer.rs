//! Who pays: owns users, API keys and one ledger account a mode.

use sea_orm::entity::prelude::*;

use crate::{CustomerId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "customer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CustomerId,
    pub name: String,
    pub price_group: String,
    pub admitted_at: Option<Timestamp>,
    pub demo: bool,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
