//! A file that a customer gave us to work from, or that we fetched for a task of theirs. The same bytes of the same account are
//! one upload.

use sea_orm::entity::prelude::*;

use crate::{AccountId, MediaKind, Timestamp, UploadId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "upload")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UploadId,
    pub account_id: AccountId,
    pub sha256: Vec<u8>,
    pub kind: MediaKind,
    /// By its bytes, not by what anybody said.
    pub content_type: String,
    pub bytes: i64,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub millis: Option<i64>,
    /// Of this row alone: a file that is given again after its row went gets another key.
    pub storage_key: String,
    pub created_at: Timestamp,
    /// From then on its customer has it no more.
    pub expires_at: Timestamp,
    /// Until then a task may still send it: its bytes stay, whatever its customer does.
    pub needed_until: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
