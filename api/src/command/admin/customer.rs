//! `admin customer …`: who pays.

use std::fmt::Write;

use anyhow::{Context, ensure};
use clap::Subcommand;
use entity::{AccountId, CustomerId, Mode, customer};
use sea_orm::{EntityTrait, QueryOrder};
use secrecy::ExposeSecret;

use super::select::Account;
use crate::app;
use crate::command::desk::Desk;
use crate::command::{Answer, parse};
use crate::customer::endpoint::secret;
use crate::customer::people;
use crate::ledger::read;

#[derive(Debug, Subcommand)]
pub enum Customer {
    /// Make a customer with a live and a test account
    Create {
        #[arg(long, value_parser = parse::text)]
        name: String,
        /// Let them make keys at once
        #[arg(long)]
        admit: bool,
    },
    /// Let a customer make keys
    Admit { customer: CustomerId },
    /// Show every customer with their accounts
    List,
    /// Print the secret that a customer verifies our webhooks with
    WebhookSecret {
        #[command(flatten)]
        account: Account,
    },
}

impl Customer {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        match self {
            Customer::Create { name, admit } => create(desk, &name, admit).await,
            Customer::Admit { customer } => admit(desk, customer).await,
            Customer::List => list(desk).await,
            Customer::WebhookSecret { account } => webhook_secret(desk, &account).await,
        }
    }
}

async fn create(desk: &Desk, name: &str, admit: bool) -> anyhow::Result<Answer> {
    let tx = desk.db.begin().await?;
    let new = people::create(&tx, &desk.clock, name, false).await?;
    if admit {
        people::admit(&tx, new.id, desk.now()).await?;
    }
    tx.commit().await?;
    Ok(Answer::good(format!("customer  {}\nlive      {}\ntest      {}", new.id, new.live, new.test)))
}

async fn admit(desk: &Desk, id: CustomerId) -> anyhow::Result<Answer> {
    let tx = desk.db.begin().await?;
    ensure!(people::admit(&tx, id, desk.now()).await?, "no such customer");
    tx.commit().await?;
    Ok(Answer::good(format!("{id} is admitted")))
}

async fn webhook_secret(desk: &Desk, account: &Account) -> anyhow::Result<Answer> {
    let account = account.find(desk.db.read()).await?;
    let keys = app::read_secret(&desk.config)?.derive(app::WEBHOOKS);
    let secret = secret::of_account(desk.db.read(), account.id).await?;
    let secret = secret.text(&keys).context("no master secret")?;
    Ok(Answer::good(secret.expose_secret()))
}

async fn list(desk: &Desk) -> anyhow::Result<Answer> {
    let customers = customer::Entity::find().order_by_asc(customer::Column::Id).all(desk.db.read()).await?;
    let accounts = read::accounts(desk.db.read()).await?;
    let account_of = |customer: CustomerId, mode: Mode| -> Option<AccountId> {
        let mut own = accounts.iter().filter(|account| account.customer_id == customer);
        own.find(|account| account.mode == mode).map(|account| account.id)
    };
    let mut text = String::new();
    for customer in &customers {
        let admitted = if customer.admitted_at.is_some() { "admitted" } else { "waiting" };
        writeln!(text, "{}  {admitted:8}  {}", customer.id, customer.name)?;
        for mode in [Mode::Live, Mode::Test] {
            if let Some(account) = account_of(customer.id, mode) {
                writeln!(text, "  {}  {account}", mode.as_str())?;
            }
        }
    }
    writeln!(text, "{} customer(s)", customers.len())?;
    Ok(Answer::good(text))
}
