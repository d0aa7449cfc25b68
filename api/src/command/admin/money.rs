//! `admin grant`, `adjust` and `refund`: credits moved by a person, who says why. Everything goes through the lane, and the
//! reference makes a repeated command do nothing.

use anyhow::{Context, bail, ensure};
use clap::Args;
use entity::grant::GrantClass;
use entity::{AccountId, Credits, TaskId, Timestamp, task};
use sea_orm::EntityTrait;

use super::select;
use crate::command::desk::{Desk, Vault};
use crate::command::{Answer, parse};
use crate::customer::credits::{self, Correction, NewGrant};
use crate::ledger::{Done, read};

/// Who moves credits, and why. A grant's and a refund's are kept in the log, a correction's in the database as well.
#[derive(Debug, Args)]
pub struct Decision {
    /// Why
    #[arg(long, value_parser = parse::text)]
    reason: String,
    /// Who decided it
    #[arg(long, value_parser = parse::text)]
    actor: String,
    /// Names this booking, such as admin:welcome-42; the same one again does nothing
    #[arg(long, value_parser = parse::text)]
    reference: String,
}

#[derive(Debug, Args)]
pub struct Grant {
    #[command(flatten)]
    account: select::Account,
    /// Credits
    #[arg(long, value_parser = parse::positive_credits)]
    amount: Credits,
    /// paid, promotional or compensation
    #[arg(long, value_parser = parse::class)]
    class: GrantClass,
    /// Day (from midnight UTC) or instant at which what is left of it ends
    #[arg(long, value_parser = parse::instant)]
    expires: Option<Timestamp>,
    /// What one credit of it was sold for, in US dollars
    #[arg(long, value_name = "USD", default_value = "0", value_parser = parse::micro_usd)]
    cost_basis_usd: i64,
    #[command(flatten)]
    decision: Decision,
}

#[derive(Debug, Args)]
pub struct Adjust {
    #[command(flatten)]
    account: select::Account,
    /// Credits; negative takes away, and what can't be taken becomes debt
    #[arg(long, allow_negative_numbers = true, value_parser = parse::credits)]
    amount: Credits,
    #[command(flatten)]
    decision: Decision,
}

#[derive(Debug, Args)]
pub struct Refund {
    #[arg(long)]
    task: TaskId,
    /// Credits
    #[arg(long, value_parser = parse::positive_credits)]
    amount: Credits,
    #[command(flatten)]
    decision: Decision,
}

impl Grant {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        ensure!(
            self.expires.is_none_or(|end| end > desk.now()),
            "the grant would have expired already: --expires has to be later"
        );
        let account = self.account.find(desk.db.read()).await?.id;
        let grant = NewGrant {
            class: self.class,
            amount: self.amount,
            expires_at: self.expires,
            cost_basis: self.cost_basis_usd,
            reference: self.decision.reference.clone(),
        };
        let vault = desk.vault()?;
        let done = credits::grant(&vault.video.ledger, &desk.clock, account, grant).await;
        finish(desk, vault, done, Booking { what: "grant", account, amount: self.amount }, &self.decision)
            .await
    }
}

impl Adjust {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        ensure!(!self.amount.is_zero(), "an adjustment of 0 changes nothing");
        let account = self.account.find(desk.db.read()).await?.id;
        let correction = Correction {
            amount: self.amount,
            reason: self.decision.reason.clone(),
            actor: self.decision.actor.clone(),
            reference: self.decision.reference.clone(),
        };
        let vault = desk.vault()?;
        let done = credits::adjust(&vault.video.ledger, &desk.clock, account, correction).await;
        finish(desk, vault, done, Booking { what: "adjust", account, amount: self.amount }, &self.decision)
            .await
    }
}

impl Refund {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let task = task::Entity::find_by_id(self.task).one(desk.db.read()).await?.context("no such task")?;
        let vault = desk.vault()?;
        let done =
            vault.video.refund(task.account_id, task.id, self.amount, self.decision.reference.clone()).await;
        let booking = Booking { what: "refund", account: task.account_id, amount: self.amount };
        finish(desk, vault, done, booking, &self.decision).await
    }
}

/// What was asked for, to tell about it.
struct Booking {
    what: &'static str,
    account: AccountId,
    amount: Credits,
}

async fn finish<E>(
    desk: &Desk,
    vault: Vault,
    done: Result<Done, E>,
    booking: Booking,
    decision: &Decision,
) -> anyhow::Result<Answer>
where
    E: std::error::Error + Send + Sync + 'static,
{
    vault.stop().await;
    let Booking { what, account, amount } = booking;
    let Decision { reason, actor, reference } = decision;
    let replayed = match done.with_context(|| format!("cannot {what}"))? {
        Done::Booked { replayed } => replayed,
        other => bail!("cannot {what}: the ledger answered {other:?}"),
    };
    tracing::info!(what, %account, %amount, reason, actor, reference, replayed, "credits were moved by hand");
    let balance = read::balance(desk.db.read(), account, desk.now()).await?.context("no such account")?;
    let booked = if replayed { "was booked before, nothing changed" } else { "booked" };
    Ok(Answer::good(format!(
        "{what} of {amount} {booked}; {account} has {} available, {} held",
        balance.available, balance.held
    )))
}
