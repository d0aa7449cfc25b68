//! The live state of a task that is not settled; the row goes with the settlement.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Mode, TaskId, Timestamp, WorkerId};

/// What is being done about a live task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum JobState {
    Queued,
    Submitting,
    Running,
    Reconciling,
    Storing,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    pub account_id: AccountId,
    pub mode: Mode,
    pub provider: String,
    pub route: i64,
    pub state: JobState,
    pub progress: i64,
    pub run_at: Timestamp,
    pub deadline_at: Timestamp,
    pub cancel_at: Option<Timestamp>,
    pub owner: Option<WorkerId>,
    pub epoch: Option<i64>,
    pub fence: i64,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
