//! Which account is meant: by its id, or by its customer and mode.

use anyhow::{Context, ensure};
use clap::Args;
use entity::{AccountId, CustomerId, Mode, account};
use sea_orm::ConnectionTrait;

use crate::command::parse;
use crate::ledger::read;

#[derive(Debug, Args)]
pub struct Account {
    /// Account
    #[arg(long = "account", value_name = "ACCOUNT", required_unless_present = "customer")]
    id: Option<AccountId>,
    #[command(flatten)]
    owner: Owner,
}

/// The other way to name an account.
#[derive(Debug, Args)]
pub struct Owner {
    /// Customer, with --mode, in place of the account
    #[arg(long, requires = "mode")]
    customer: Option<CustomerId>,
    /// live or test
    #[arg(long, requires = "customer", value_parser = parse::mode)]
    mode: Option<Mode>,
}

impl Account {
    pub async fn find(&self, db: &impl ConnectionTrait) -> anyhow::Result<account::Model> {
        find(db, self.id, &self.owner).await
    }
}

/// Finds the account that was named, either way; when both are given, both must be true.
pub async fn find(
    db: &impl ConnectionTrait,
    id: Option<AccountId>,
    owner: &Owner,
) -> anyhow::Result<account::Model> {
    let by_id = match id {
        Some(id) => Some(read::account(db, id).await?.context("no such account")?),
        None => None,
    };
    let (Some(customer), Some(mode)) = (owner.customer, owner.mode) else {
        return by_id.context("no such account");
    };
    let owned = read::account_of(db, customer, mode).await?.context("no such account")?;
    ensure!(by_id.is_none_or(|account| account.id == owned.id), "no such account");
    Ok(owned)
}
