//! The customer's unit of work. While it is live its state is its job's.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Credits, KeyId, Mode, TaskId, Timestamp};

/// How a task ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum TaskState {
    Live,
    Completed,
    Failed,
    Canceled,
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskId,
    pub account_id: AccountId,
    pub mode: Mode,
    pub key_id: Option<KeyId>,
    pub dialect: String,
    pub idempotency_key: Option<String>,
    pub request_hash: Vec<u8>,
    pub model: String,
    pub clips: i64,
    pub credits: Credits,
    pub price_version: i64,
    pub explanation: String,
    pub quote_id: Option<Uuid>,
    pub external_id: Option<String>,
    pub state: TaskState,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub created_at: Timestamp,
    pub terminal_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
