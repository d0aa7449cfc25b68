//! Which of an account's own signing secrets is in use. Without a row it is the first.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_secret")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Number of the secret, which is derived from it and kept nowhere. The first is 0.
    pub n: i64,
    /// Until then the secret before it signs as well.
    pub previous_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
