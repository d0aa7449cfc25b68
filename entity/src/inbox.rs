//! Callbacks and decisive polls, deduplicated by what their sender calls them.

use sea_orm::entity::prelude::*;

use crate::{TaskId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub dedup_key: String,
    pub task_id: Option<TaskId>,
    pub attempt_n: Option<i64>,
    pub body: String,
    pub received_at: Timestamp,
    pub processed_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
