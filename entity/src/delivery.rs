//! One webhook send that is owed.

use sea_orm::entity::prelude::*;

use crate::{AccountId, EndpointId, Timestamp};

/// What stands for an endpoint where a request named the address itself.
pub const CALLBACK: &str = "callback";

/// How far a webhook send got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum DeliveryState {
    Pending,
    Delivered,
    Failed,
}

impl DeliveryState {
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_n: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    /// The id of one, or [`CALLBACK`].
    pub endpoint: String,
    /// Of a callback; an endpoint is sent to where it is by then.
    pub url: String,
    pub state: DeliveryState,
    pub tries: i64,
    pub next_at: Timestamp,
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
}

impl Model {
    /// An event's delivery to a callback's address, owed from now on.
    pub fn to_callback(account_id: AccountId, event_n: i64, url: String, now: Timestamp) -> Model {
        Model { url, ..Model::owed(account_id, event_n, CALLBACK.to_owned(), now) }
    }

    /// An event's delivery to an endpoint, owed from now on.
    pub fn to_endpoint(account_id: AccountId, event_n: i64, id: EndpointId, now: Timestamp) -> Model {
        Model::owed(account_id, event_n, id.to_string(), now)
    }

    fn owed(account_id: AccountId, event_n: i64, endpoint: String, now: Timestamp) -> Model {
        Model {
            account_id,
            event_n,
            endpoint,
            url: String::new(),
            state: DeliveryState::Pending,
            tries: 0,
            next_at: now,
            last_status: None,
            last_error: None,
            created_at: now,
            delivered_at: None,
            tried_at: None,
        }
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
