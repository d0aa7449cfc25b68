//! What one commit moved on one of our own accounts.

use sea_orm::entity::prelude::*;

use crate::{Credits, Mode, Timestamp, transfer::Place};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "book_delta")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub commit_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub mode: Mode,
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: Place,
    pub amount: Credits,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
