//! A new, empty account. The only row of the vault that is not written by the lane: it holds nothing yet.

use entity::account::{AccountStatus, AlertState};
use entity::{AccountId, Credits, CustomerId, Mode, Timestamp, account};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, DbErr, IntoActiveModel};

use super::chain::GENESIS;

pub async fn open_account(
    tx: &DatabaseTransaction,
    id: AccountId,
    customer_id: CustomerId,
    mode: Mode,
    now: Timestamp,
) -> Result<(), DbErr> {
    empty_account(id, customer_id, mode, now).into_active_model().insert(tx).await?;
    Ok(())
}

/// An account in which nothing has happened yet.
pub fn empty_account(id: AccountId, customer_id: CustomerId, mode: Mode, now: Timestamp) -> account::Model {
    account::Model {
        id,
        customer_id,
        mode,
        status: AccountStatus::Open,
        credited: Credits::ZERO,
        debited: Credits::ZERO,
        held: Credits::ZERO,
        debt: Credits::ZERO,
        seq: 0,
        event_seq: 0,
        last_at: now,
        head: GENESIS.to_vec(),
        created_at: now,
        alert_low: None,
        alert_recover: None,
        alert_state: AlertState::Ok,
    }
}
