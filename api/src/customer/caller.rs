//! Who calls, whichever way they prove it: with a key, or as a person with a session.

use entity::user::UserRole;
use entity::{AccountId, CustomerId, KeyId, Mode, SessionId, UserId};

pub const VIDEOS_WRITE: &str = "videos:write";
pub const VIDEOS_READ: &str = "videos:read";
pub const BILLING_READ: &str = "billing:read";
pub const BILLING_WRITE: &str = "billing:write";
pub const KEYS_MANAGE: &str = "keys:manage";

/// Every scope of a key that generates. Such a key manages nothing.
pub const INFERENCE_SCOPES: [&str; 3] = [VIDEOS_WRITE, VIDEOS_READ, BILLING_READ];

/// Every scope of a key that manages. Such a key generates nothing.
pub const MANAGEMENT_SCOPES: [&str; 3] = [KEYS_MANAGE, BILLING_READ, BILLING_WRITE];

/// For whom a request is, and what it may ask for.
#[derive(Clone, Debug)]
pub struct Identity {
    pub customer: CustomerId,
    pub account: AccountId,
    pub mode: Mode,
    /// Price group.
    pub group: String,
    pub scopes: Vec<String>,
    /// Models that may be used; `None` is all.
    pub models: Option<Vec<String>>,
    pub by: By,
}

/// How the caller proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Key(KeyId),
    Session { user: UserId, session: SessionId },
}

/// The id of the key, or of the person.
impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            By::Key(key) => key.fmt(f),
            By::Session { user, .. } => user.fmt(f),
        }
    }
}

impl Identity {
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// The key that pays; `None` for a person in the dashboard.
    pub fn key(&self) -> Option<KeyId> {
        match self.by {
            By::Key(key) => Some(key),
            By::Session { .. } => None,
        }
    }
}

/// What a member of a customer may do.
pub fn scopes_of(role: UserRole) -> Vec<String> {
    let scopes: &[&str] = match role {
        UserRole::Owner => &[VIDEOS_WRITE, VIDEOS_READ, BILLING_READ, BILLING_WRITE, KEYS_MANAGE],
        UserRole::Developer => &[VIDEOS_WRITE, VIDEOS_READ, BILLING_READ, KEYS_MANAGE],
        UserRole::Viewer => &[VIDEOS_READ, BILLING_READ],
        UserRole::Billing => &[VIDEOS_READ, BILLING_READ, BILLING_WRITE],
    };
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}
