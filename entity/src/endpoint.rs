//! An address of a customer's own that is told of what happens to an account.

use sea_orm::entity::prelude::*;

use crate::{AccountId, EndpointId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "endpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EndpointId,
    pub account_id: AccountId,
    pub url: String,
    pub description: String,
    /// What it wants to hear of, as a JSON list: types of events, `video.*` or `*`.
    pub events: String,
    /// Number of its secret, which is derived from it and kept nowhere.
    pub secret_n: i64,
    /// Until then the secret before it signs as well.
    pub previous_until: Option<Timestamp>,
    pub paused_at: Option<Timestamp>,
    /// Since then we don't send to it any more, and why.
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<String>,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// It asked to be sent nothing before then.
    pub slow_until: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Model {
    /// Whether anything is sent to it.
    pub fn is_active(&self) -> bool {
        self.paused_at.is_none() && self.disabled_at.is_none()
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
