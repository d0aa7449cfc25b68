//! The journal's chain: each transfer's hash covers its predecessor in the same account, so tampering shows.
//!
//! An HMAC, not a bare hash: whoever can write to the database can't recompute it without the master secret.

use entity::transfer;
use sea_orm::ActiveEnum;
use subtle::ConstantTimeEq;

use crate::secret::{Secret, Subkey};

/// The predecessor of an account's first transfer.
pub const GENESIS: [u8; 32] = [0; 32];

/// The form that is hashed; a new one gets a new number.
const VERSION: &[u8] = b"transfer-1";

#[derive(Clone, Debug)]
pub struct Chain {
    keys: Vec<Subkey>,
}

impl Chain {
    pub fn new(secret: &Secret) -> Self {
        Chain { keys: secret.derive("journal chain") }
    }

    /// The hash of a transfer (whose own `hash` is not looked at) after `previous`.
    pub fn seal(&self, previous: &[u8], transfer: &transfer::Model) -> [u8; 32] {
        seal_with(&self.keys[0], previous, transfer)
    }

    /// Whether the transfer's hash is right after `previous`, under any key that was ever in use.
    pub fn holds(&self, previous: &[u8], transfer: &transfer::Model) -> bool {
        let matches = |key| seal_with(key, previous, transfer).ct_eq(&transfer.hash[..]).into();
        self.keys.iter().any(matches)
    }
}

fn seal_with(key: &Subkey, previous: &[u8], transfer: &transfer::Model) -> [u8; 32] {
    let optional = |id: Option<uuid::Uuid>| id.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    key.sign(&[
        VERSION,
        previous,
        transfer.account_id.0.as_bytes(),
        &transfer.seq.to_be_bytes(),
        &transfer.at.micros().to_be_bytes(),
        transfer.mode.as_str().as_bytes(),
        transfer.kind.to_value().as_bytes(),
        transfer.debit.to_value().as_bytes(),
        transfer.credit.to_value().as_bytes(),
        &transfer.amount.thousandths().to_be_bytes(),
        &transfer.available_after.thousandths().to_be_bytes(),
        &transfer.held_after.thousandths().to_be_bytes(),
        &transfer.debt_after.thousandths().to_be_bytes(),
        &optional(transfer.task_id.map(|id| id.0)),
        &optional(transfer.grant_id.map(|id| id.0)),
        transfer.reference.as_deref().unwrap_or_default().as_bytes(),
    ])
}
