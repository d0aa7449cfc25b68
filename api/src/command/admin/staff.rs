//! `admin create-admin`: the first member of staff of a server without a demonstration.

use anyhow::Context;
use clap::Args;
use entity::user::StaffRole;
use secrecy::{ExposeSecret, SecretString};

use crate::command::desk::Desk;
use crate::command::{Answer, first_run, parse};
use crate::customer::people::{self, Position};

#[derive(Debug, Args)]
pub struct CreateAdmin {
    /// Address to sign in with
    #[arg(long, value_parser = parse::email)]
    email: String,
    /// Read the password from the first line of stdin; without this, one is made and printed
    #[arg(long)]
    password_stdin: bool,
}

impl CreateAdmin {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let password = if self.password_stdin { read_password()? } else { first_run::random_password() };
        let tx = desk.db.begin().await?;
        let position = Position::Staff(StaffRole::Admin);
        let id = people::create_user(&tx, &desk.clock, &self.email, &password, position, false).await?;
        tx.commit().await?;
        eprintln!("{id} can sign in as {}", self.email);
        let shown = if self.password_stdin { "" } else { password.expose_secret() };
        Ok(Answer::good(shown))
    }
}

pub fn read_password() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read the password")?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}
