//! Which grants a hold drew from, in burn order.

use sea_orm::entity::prelude::*;

use crate::{Credits, GrantId, TaskId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hold_allocation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub n: i64,
    pub grant_id: GrantId,
    pub amount: Credits,
    pub captured: Credits,
    pub returned: Credits,
    pub refunded: Credits,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
