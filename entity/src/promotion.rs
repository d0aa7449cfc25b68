//! A code that gives credits to whoever redeems it, once each.

use sea_orm::entity::prelude::*;

use crate::{Credits, Mode, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "promotion")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    pub mode: Mode,
    pub credits: Credits,
    /// Days for which the credits can be spent; `None` is for ever.
    pub grant_days: Option<i64>,
    pub redemptions_max: i64,
    pub redemptions: i64,
    pub note: String,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
