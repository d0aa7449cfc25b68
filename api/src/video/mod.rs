//! ROOM 3: what a generation is: the rules, the prices, and the two use cases, submit and settle.
//!
//! Knows no HTTP, no provider, no network. Money is asked of the vault by commands; the rows of a task are prepared here as
//! data.

pub mod catalog;
pub mod delete;
pub mod event;
pub mod inbox;
pub mod input;
pub mod list;
pub mod metadata;
pub mod offer;
pub mod price;
pub mod price_version;
pub mod quote;
pub mod read;
pub mod request;
pub mod rules;
pub mod schema;
pub mod settle;
pub mod state;
pub mod submit;
pub mod supply;
pub mod typical;
pub mod upload;
pub mod views;

use std::sync::Arc;

use entity::{AccountId, KeyId, Mode};

use crate::clock::Clock;
use crate::db::Db;
use crate::ledger::Ledger;
use catalog::Catalog;
use offer::OfferCache;
use price_version::PriceVersions;
use quote::QuoteSigner;
use settle::Closings;
use supply::Supply;
use typical::TypicalTimes;
use upload::Uploads;
use views::Views;

/// What the use cases work with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Video {
    pub db: Db,
    pub clock: Clock,
    pub ledger: Ledger,
    pub catalog: Arc<Catalog>,
    pub prices: PriceVersions,
    pub quotes: Arc<QuoteSigner>,
    pub offers: OfferCache,
    pub typical: TypicalTimes,
    pub views: Views,
    pub closings: Closings,
    pub uploads: Uploads,
    /// Who makes it: a model that nobody serves is not offered.
    pub supply: Supply,
    /// Seconds after which a task that is not finished expires.
    pub deadline_s: u32,
}

/// Who pays, and what they may ask for.
#[derive(Clone, Debug)]
pub struct Payer {
    pub account: AccountId,
    pub mode: Mode,
    /// `None` for a person in the dashboard.
    pub key: Option<KeyId>,
    /// Price group.
    pub group: String,
    /// Models that may be used; `None` is all.
    pub models: Option<Vec<String>>,
}
