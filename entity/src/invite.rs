//! A code that admits customers while in closed beta. Only the SHA-256 is stored; `hint` may be shown.

use sea_orm::entity::prelude::*;

use crate::{InviteId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invite")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InviteId,
    pub hash: Vec<u8>,
    pub hint: String,
    pub note: String,
    pub uses_max: i64,
    pub uses: i64,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
