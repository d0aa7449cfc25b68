//! Why and by whom an account was corrected; the transfer itself carries ids and amounts only.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Credits, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "adjustment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: AccountId,
    pub amount: Credits,
    pub reason: String,
    pub actor: String,
    pub reference: String,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
