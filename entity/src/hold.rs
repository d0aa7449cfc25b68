//! The pre-debit of one task: open until it is settled, whole and once.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Credits, KeyId, TaskId, Timestamp};

/// A hold is open, or settled for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum HoldState {
    Open,
    Settled,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hold")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    pub account_id: AccountId,
    pub key_id: Option<KeyId>,
    pub amount: Credits,
    pub captured: Credits,
    pub released: Credits,
    pub refunded: Credits,
    pub state: HoldState,
    pub accepted_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
