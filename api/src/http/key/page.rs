//! A page of keys, and which of them are on it.

use poem_openapi::{Enum, Object};

use super::view::KeyView;
use crate::customer::keyring::Status;

/// A page of keys, newest first.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct KeyPage {
    pub data: Vec<KeyView>,
    /// Send it as `cursor` for the next page; null on the last one.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}

/// Which keys are listed.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
pub enum StatusName {
    Active,
    Expired,
    Revoked,
    All,
}

impl StatusName {
    pub fn status(self) -> Option<Status> {
        match self {
            StatusName::Active => Some(Status::Active),
            StatusName::Expired => Some(Status::Expired),
            StatusName::Revoked => Some(Status::Revoked),
            StatusName::All => None,
        }
    }
}

pub fn all() -> StatusName {
    StatusName::All
}
