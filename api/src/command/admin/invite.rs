//! `admin invite …`: codes that admit customers. A code is printed once, alone on stdout.

use std::fmt::Write;

use anyhow::ensure;
use clap::{Args, Subcommand};
use entity::{InviteId, Timestamp, invite};
use secrecy::ExposeSecret;

use crate::command::desk::Desk;
use crate::command::{Answer, parse};
use crate::customer::invite::{self as invitation, NewInvite};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Invite {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    new: New,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every invitation
    List,
    /// Take an invitation back; whom it admitted stays
    Revoke { invite: InviteId },
}

#[derive(Debug, Args)]
struct New {
    /// How many customers it admits
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    uses: u32,
    /// Day (from midnight UTC) or instant from which it is good no more
    #[arg(long, value_name = "DAY", value_parser = parse::instant)]
    expires: Option<Timestamp>,
    /// For whom, or why
    #[arg(long, value_parser = parse::text)]
    note: Option<String>,
}

impl Invite {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        match self.command {
            None => create(desk, self.new).await,
            Some(Command::List) => list(desk).await,
            Some(Command::Revoke { invite }) => revoke(desk, invite).await,
        }
    }
}

async fn create(desk: &Desk, new: New) -> anyhow::Result<Answer> {
    ensure!(
        new.expires.is_none_or(|end| end > desk.now()),
        "the invitation would have expired already: --expires has to be later"
    );
    let new = NewInvite {
        uses: new.uses,
        expires_at: new.expires,
        note: new.note.unwrap_or_default(),
        created_by: "admin".to_owned(),
    };
    let tx = desk.db.begin().await?;
    let (id, code) = invitation::create(&tx, &desk.clock, new).await?;
    tx.commit().await?;
    eprintln!("{id}; its code is shown this once");
    Ok(Answer::good(code.expose_secret()))
}

async fn list(desk: &Desk) -> anyhow::Result<Answer> {
    let invites = invitation::list(desk.db.read()).await?;
    let mut text = String::new();
    for invite in &invites {
        let uses = format!("{}/{}", invite.uses, invite.uses_max);
        writeln!(
            text,
            "{}  {}  {uses:7}  {:8}  {}",
            invite.id,
            invite.hint,
            state(invite, desk.now()),
            invite.note
        )?;
    }
    writeln!(text, "{} invitation(s)", invites.len())?;
    Ok(Answer::good(text))
}

fn state(invite: &invite::Model, now: Timestamp) -> &'static str {
    if invite.revoked_at.is_some() {
        "revoked"
    } else if invite.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else if invite.uses >= invite.uses_max {
        "used up"
    } else {
        "good"
    }
}

async fn revoke(desk: &Desk, id: InviteId) -> anyhow::Result<Answer> {
    let tx = desk.db.begin().await?;
    ensure!(invitation::revoke(&tx, id, desk.now()).await?, "no such invitation");
    tx.commit().await?;
    Ok(Answer::good(format!("{id} is revoked")))
}
