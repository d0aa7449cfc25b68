//! Credits given and corrected by people, and what a customer wants to be told of theirs: the commands that this room sends
//! to the vault.

use entity::grant::GrantClass;
use entity::{AccountId, Credits, GrantId, Timestamp};

use crate::clock::Clock;
use crate::ledger::{Adjust, Command, Done, Grant, Ledger, Refusal, SetAlert, Thresholds};

/// Credits to give.
#[derive(Clone, Debug)]
pub struct NewGrant {
    pub class: GrantClass,
    pub amount: Credits,
    pub expires_at: Option<Timestamp>,
    /// What one credit of it was sold for, in millionths of a US dollar; 0 for what was given away.
    pub cost_basis: i64,
    /// Namespaced, such as `psp:stripe:ch_1` or `admin:welcome-42`; the same one again changes nothing.
    pub reference: String,
}

/// Promotions burn first, then compensation, then what was paid for.
fn priority(class: GrantClass) -> i64 {
    match class {
        GrantClass::Promotional => 10,
        GrantClass::Compensation => 50,
        GrantClass::Paid => 100,
    }
}

/// Gives credits to an account.
pub async fn grant(
    ledger: &Ledger,
    clock: &Clock,
    account: AccountId,
    new: NewGrant,
) -> Result<Done, Refusal> {
    let command = Grant {
        id: GrantId(clock.new_id()),
        account,
        class: new.class,
        amount: new.amount,
        priority: priority(new.class),
        expires_at: new.expires_at,
        cost_basis: new.cost_basis,
        reference: new.reference,
    };
    ledger.send(Command::Grant(command)).await
}

/// A correction by hand.
#[derive(Clone, Debug)]
pub struct Correction {
    /// Negative takes away.
    pub amount: Credits,
    pub reason: String,
    pub actor: String,
    pub reference: String,
}

/// Corrects an account, up or down.
pub async fn adjust(
    ledger: &Ledger,
    clock: &Clock,
    account: AccountId,
    correction: Correction,
) -> Result<Done, Refusal> {
    let command = Adjust {
        id: clock.new_id(),
        account,
        amount: correction.amount,
        reason: correction.reason,
        actor: correction.actor,
        reference: correction.reference,
    };
    ledger.send(Command::Adjust(command)).await
}

/// Watches an account's balance from now on, or no more without thresholds. Through the vault, because nothing else writes
/// an account.
pub async fn set_alert(
    ledger: &Ledger,
    account: AccountId,
    thresholds: Option<Thresholds>,
) -> Result<Done, Refusal> {
    ledger.send(Command::Alert(SetAlert { account, thresholds })).await
}
