//! One submission to one provider, written before the call.

use sea_orm::entity::prelude::*;

use crate::{Mode, TaskId, Timestamp};

/// What is known of one submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AttemptState {
    Intent,
    Accepted,
    Delivered,
    Failed,
    Rejected,
    Unknown,
    Absent,
    Broken,
    Canceled,
    Abandoned,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub n: i64,
    pub mode: Mode,
    pub clip_from: i64,
    pub clip_count: i64,
    pub provider: String,
    pub endpoint: String,
    pub submit_key: String,
    pub upstream_id: Option<String>,
    pub state: AttemptState,
    pub sends: i64,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub outcome: Option<String>,
    pub cost_micro_usd: Option<i64>,
    pub created_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
