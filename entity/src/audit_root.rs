//! The Merkle root of every account's chain head at an instant.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_root")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: Timestamp,
    pub accounts: i64,
    pub transfers: i64,
    pub root: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
