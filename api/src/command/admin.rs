//! `reelmeter admin …`: people, keys, credits and the books. Works beside a running server.

mod access;
mod backup;
mod customer;
mod invite;
mod key;
mod money;
mod promotion;
mod provider;
mod select;
mod show;
mod staff;
mod user;

use clap::Subcommand;

use super::Answer;
use super::desk::Desk;
use crate::config::Config;
use crate::ledger::check::{Scope, check};

#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Make a member of staff who may do everything
    CreateAdmin(staff::CreateAdmin),
    /// Customers
    #[command(subcommand)]
    Customer(customer::Customer),
    /// People who sign in
    #[command(subcommand)]
    User(user::User),
    /// Make an invite code and print it, once; or list and revoke invitations
    Invite(invite::Invite),
    /// Show who asks to be let in
    Access,
    /// API keys
    #[command(subcommand)]
    Key(key::Key),
    /// Promotion codes
    #[command(subcommand)]
    Promotion(promotion::Promotion),
    /// Show the providers: state, keys, limits and last errors
    Providers,
    /// Try a provider, or use its keys again
    #[command(subcommand)]
    Provider(provider::Provider),
    /// Give credits
    Grant(money::Grant),
    /// Correct an account, up or down
    Adjust(money::Adjust),
    /// Give captured credits of a task back
    Refund(money::Refund),
    /// Run every invariant on the whole book
    Check,
    /// Copy a SQLite database, consistently, also while a server runs
    Backup(backup::Backup),
    /// Show everything that is stored about a task
    Task(show::Task),
    /// Show what an account holds
    Balance(show::Balance),
}

impl Admin {
    pub async fn run(self, config: Config) -> anyhow::Result<Answer> {
        let desk = Desk::open(config).await?;
        let answer = self.act(&desk).await?;
        desk.close().await?;
        Ok(answer)
    }

    async fn act(self, desk: &Desk) -> anyhow::Result<Answer> {
        match self {
            Admin::CreateAdmin(command) => command.run(desk).await,
            Admin::Customer(command) => command.run(desk).await,
            Admin::User(command) => command.run(desk).await,
            Admin::Invite(command) => command.run(desk).await,
            Admin::Access => access::list(desk).await,
            Admin::Key(command) => command.run(desk).await,
            Admin::Promotion(command) => command.run(desk).await,
            Admin::Providers => provider::list(desk).await,
            Admin::Provider(command) => command.run(desk).await,
            Admin::Grant(command) => command.run(desk).await,
            Admin::Adjust(command) => command.run(desk).await,
            Admin::Refund(command) => command.run(desk).await,
            Admin::Check => check_books(desk).await,
            Admin::Backup(command) => command.run(desk).await,
            Admin::Task(command) => command.run(desk).await,
            Admin::Balance(command) => command.run(desk).await,
        }
    }
}

async fn check_books(desk: &Desk) -> anyhow::Result<Answer> {
    let report = check(&desk.db, &desk.chain()?, Scope::Everything).await?;
    let counts = format!("{} accounts and {} transfers checked", report.accounts, report.transfers);
    if report.violations.is_empty() {
        return Ok(Answer::good(format!("the books balance: {counts}")));
    }
    let lines = report.violations.iter().map(ToString::to_string);
    let summary = format!("{} violation(s): {counts}", report.violations.len());
    Ok(Answer::bad(lines.chain([summary]).collect::<Vec<_>>().join("\n")))
}
