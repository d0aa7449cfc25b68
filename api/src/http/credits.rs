//! `/api/credits/…`: what somebody who looks after an account's credits does with them.

mod alerts;
mod redeem;

pub use alerts::Alerts;
pub use redeem::Redeem;

use super::error::ApiError;
use crate::ledger::Refusal;

/// A refusal of the vault to do what can be asked for again: where its outcome is unknown, the same again finds it out.
pub fn repeatable(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::OutcomeUnknown => ApiError::Unavailable(refusal.into()),
        other => other.into(),
    }
}
