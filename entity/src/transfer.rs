//! The journal: one immutable movement of credits each, chained by hash within its account.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Credits, GrantId, Mode, TaskId, Timestamp};

/// What a transfer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum TransferKind {
    Grant,
    Hold,
    Capture,
    Release,
    Refund,
    Expire,
    Adjust,
    Debt,
    Repay,
}

/// Where credits can be: one of the customer's three places, or one of our own accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Place {
    Available,
    Held,
    Debt,
    Purchases,
    Promotions,
    Revenue,
    Expired,
    Adjustments,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transfer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub at: Timestamp,
    pub mode: Mode,
    pub kind: TransferKind,
    pub debit: Place,
    pub credit: Place,
    pub amount: Credits,
    pub available_after: Credits,
    pub held_after: Credits,
    pub debt_after: Credits,
    pub task_id: Option<TaskId>,
    pub grant_id: Option<GrantId>,
    pub reference: Option<String>,
    pub hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
