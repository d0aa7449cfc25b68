//! Reelmeter: a credit-metered API for AI video generation, with a billing ledger.
//!
//! The rooms and the arrows between them (an arrow points to the calmer room, never back):
//! `http` → `customer`, `video`, `ledger`; `worker` → `video`, `provider`, `customer`, `ledger`; `customer` and
//! `video` → `ledger`. Everybody may use the hallway: `app`, `clock`, `config`, `db`, `limit`, `media`, `metrics`, `news`,
//! `scrape`, `secret`, `trace`, `wake`.

pub mod app;
pub mod clock;
pub mod command;
pub mod config;
pub mod customer;
pub mod db;
pub mod http;
pub mod ledger;
pub mod limit;
pub mod media;
pub mod metrics;
pub mod news;
pub mod provider;
pub mod scrape;
pub mod secret;
pub mod trace;
pub mod video;
pub mod wake;
pub mod worker;
