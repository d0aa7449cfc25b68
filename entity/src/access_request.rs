//! Somebody who asks to be let in.

use sea_orm::entity::prelude::*;

use crate::{CustomerId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_request")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub email: String,
    pub customer_id: Option<CustomerId>,
    pub note: String,
    pub created_at: Timestamp,
    pub answered_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
