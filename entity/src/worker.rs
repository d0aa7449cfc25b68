//! A worker process that lives as long as its heartbeat is fresh.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, WorkerId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "worker")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkerId,
    pub epoch: i64,
    pub started_at: Timestamp,
    pub heartbeat_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
