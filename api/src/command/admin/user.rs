//! `admin user …`: people who sign in.

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use entity::user::{self, UserRole};
use entity::{CustomerId, customer};
use sea_orm::EntityTrait;
use secrecy::ExposeSecret;

use super::staff::read_password;
use crate::app;
use crate::command::desk::Desk;
use crate::command::{Answer, first_run, parse};
use crate::customer::people::{self, Position};
use crate::customer::{reset, second_factor};

#[derive(Debug, Subcommand)]
pub enum User {
    /// Make a person who signs in for a customer
    Create(Create),
    /// Keep a person out, at once
    Disable(Who),
    /// Let a person sign in again
    Enable(Who),
    /// Print a link, good once and for an hour, for choosing a new password
    ResetLink(Who),
    /// Turn a person's second factor off, for somebody who lost it and the recovery codes
    ResetTotp(Who),
}

#[derive(Debug, Args)]
pub struct Create {
    #[arg(long)]
    customer: CustomerId,
    /// Address to sign in with
    #[arg(long, value_parser = parse::email)]
    email: String,
    /// owner, developer, viewer or billing
    #[arg(long, value_parser = parse::role)]
    role: UserRole,
    /// Read the password from the first line of stdin; without this, one is made and printed
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Who {
    /// Address that the person signs in with
    #[arg(long, value_parser = parse::email)]
    email: String,
}

impl User {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        match self {
            User::Create(create) => create.run(desk).await,
            User::Disable(who) => who.disable(desk).await,
            User::Enable(who) => who.enable(desk).await,
            User::ResetLink(who) => who.reset_link(desk).await,
            User::ResetTotp(who) => who.reset_totp(desk).await,
        }
    }
}

impl Create {
    async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let password = if self.password_stdin { read_password()? } else { first_run::random_password() };
        let tx = desk.db.begin().await?;
        customer::Entity::find_by_id(self.customer).one(&tx).await?.context("no such customer")?;
        let position = Position::Member(self.customer, self.role);
        let id = people::create_user(&tx, &desk.clock, &self.email, &password, position, false).await?;
        tx.commit().await?;
        eprintln!("{id} can sign in as {}", self.email);
        let shown = if self.password_stdin { "" } else { password.expose_secret() };
        Ok(Answer::good(shown))
    }
}

impl Who {
    /// Being disabled is enough to be out; the sessions end so that they don't come back when the person does.
    async fn disable(&self, desk: &Desk) -> anyhow::Result<Answer> {
        let user = self.find(desk).await?;
        let tx = desk.db.begin().await?;
        people::set_disabled(&tx, user.id, Some(user.disabled_at.unwrap_or(desk.now()))).await?;
        reset::void_all(&tx, user.id, desk.now()).await?;
        tx.commit().await?;
        app::sessions(&desk.config, &desk.db)?.end_all(user.id.0, None).await?;
        Ok(Answer::good(format!("{} is disabled", user.id)))
    }

    async fn enable(&self, desk: &Desk) -> anyhow::Result<Answer> {
        let user = self.find(desk).await?;
        let tx = desk.db.begin().await?;
        people::set_disabled(&tx, user.id, None).await?;
        tx.commit().await?;
        Ok(Answer::good(format!("{} can sign in", user.id)))
    }

    async fn reset_link(&self, desk: &Desk) -> anyhow::Result<Answer> {
        let user = self.find(desk).await?;
        ensure!(user.disabled_at.is_none(), "{} is disabled (`reelmeter admin user enable`)", user.id);
        let tx = desk.db.begin().await?;
        let token = reset::issue(&tx, user.id, desk.now()).await?;
        tx.commit().await?;
        Ok(Answer::good(reset::link(&desk.config.public_url(), &token).expose_secret()))
    }

    async fn reset_totp(&self, desk: &Desk) -> anyhow::Result<Answer> {
        let user = self.find(desk).await?;
        let tx = desk.db.begin().await?;
        second_factor::remove(&tx, user.id).await?;
        tx.commit().await?;
        app::sessions(&desk.config, &desk.db)?.end_all(user.id.0, None).await?;
        Ok(Answer::good(format!("{} signs in with the password alone", user.id)))
    }

    async fn find(&self, desk: &Desk) -> anyhow::Result<user::Model> {
        people::user_by_email(desk.db.read(), &self.email).await?.context("no such person")
    }
}
