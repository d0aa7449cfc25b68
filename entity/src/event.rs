//! What happened to an account and its tasks, in order; read by streams and webhooks.

use sea_orm::entity::prelude::*;

use crate::{AccountId, TaskId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub n: i64,
    pub at: Timestamp,
    pub r#type: String,
    pub task_id: Option<TaskId>,
    pub body: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
