//! `reel keys …`: the account's API keys, for a key that manages.

mod create;
mod form;
mod limits;
mod list;
mod revoke;
mod rotate;
pub mod view;

use clap::Subcommand;
use serde_json::Value;

use super::Context;
use crate::client::segment;
use crate::failure::Failure;
use crate::output::{self, cell};

const KEYS: &str = "/api/keys";

const AFTER_HELP: &str = "\
Examples:
  reel keys create --name worker --cap-day 50 --rate-per-minute 60 --expires-at 90d
  reel keys limits key_01… --cap-day 100 --max-tasks none
  reel keys rotate key_01… --overlap 1h

A key generates or manages, never both: this needs one with the scope keys:manage, which a person makes.";

#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub enum KeysCommand {
    /// List keys, the newest first
    List(list::ListArgs),
    /// Make a key; its secret goes to stdout, this once
    Create(Box<create::CreateArgs>),
    /// Give a key a new secret; the old one stays good for a while
    Rotate(rotate::RotateArgs),
    /// End a key at once, for ever; its tasks go on
    Revoke(revoke::RevokeArgs),
    /// Show what a key may do and has spent; with flags, change it
    Limits(Box<limits::LimitsArgs>),
}

pub async fn run(context: &Context, command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::List(args) => list::run(context, args).await,
        KeysCommand::Create(args) => create::run(context, *args).await,
        KeysCommand::Rotate(args) => rotate::run(context, args).await,
        KeysCommand::Revoke(args) => revoke::run(context, args).await,
        KeysCommand::Limits(args) => limits::run(context, *args).await,
    }
}

fn path(id: &str) -> String {
    format!("{KEYS}/{}", segment(id))
}

/// Prints a key's new secret alone, so that a script can keep it; the rest is said on stderr.
fn secret(context: &Context, key: &Value) -> Result<(), Failure> {
    warn(context, key);
    if context.as_json() {
        return output::json(key);
    }
    output::line(&cell(&key["secret"]))?;
    context.say(&format!(
        "{} {:?}: keep the secret, it is shown this once.",
        cell(&key["id"]),
        cell(&key["name"])
    ));
    Ok(())
}

/// What was sent but has no effect.
fn warn(context: &Context, answer: &Value) {
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        context.say(&format!("warning: {}", cell(warning)));
    }
}
