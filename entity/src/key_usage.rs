//! What an API key has spent in a window: `used` is captured minus refunded, `open` is still held.

use sea_orm::entity::prelude::*;

use crate::{Credits, KeyId, Timestamp};

/// The span a usage row adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum UsageWindow {
    Day,
    Lifetime,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_usage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: KeyId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub win: UsageWindow,
    #[sea_orm(primary_key, auto_increment = false)]
    pub starts_at: Timestamp,
    pub used: Credits,
    pub open: Credits,
    /// Tasks of the window that are not settled yet.
    pub open_tasks: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
