//! What a URL that a task works from turned out to be: the copy that is sent, however often it is sent.

use sea_orm::entity::prelude::*;

use crate::{TaskId, UploadId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "task_input")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    /// Position among the task's media.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idx: i64,
    pub upload_id: UploadId,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
