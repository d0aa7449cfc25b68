//! `reel keys create`.

use clap::Args;
use serde_json::{Value, json};

use super::super::Context;
use super::form::{LimitArgs, given};
use super::{KEYS, secret};
use crate::failure::Failure;

const AFTER_HELP: &str = "\
Examples:
  reel keys create --name worker --cap-day 50 --max-tasks 5
  reel keys create --name reader --scopes videos:read,billing:read --networks 203.0.113.0/24
  reel keys create --name ci --mode test --expires-at 30d > key.txt

stdout holds the secret alone, or with --json the whole key.";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CreateArgs {
    /// What you call it
    #[arg(long)]
    name: String,
    /// Some of videos:write, videos:read and billing:read; all three when left out
    #[arg(long, value_delimiter = ',', value_name = "SCOPE,…")]
    scopes: Vec<String>,
    /// live or test; as the key that makes it when left out
    #[arg(long)]
    mode: Option<String>,
    /// Your own price group, to keep it
    #[arg(long)]
    group: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
}

pub async fn run(context: &Context, args: CreateArgs) -> Result<(), Failure> {
    let scopes = (!args.scopes.is_empty()).then(|| json!(args.scopes));
    let mut body = given([
        ("name", Some(Value::String(args.name))),
        ("scopes", scopes),
        ("mode", args.mode.map(Value::String)),
        ("group", args.group.map(Value::String)),
    ]);
    body.append(&mut args.limits.body());
    let key = context.client()?.post(KEYS, &Value::Object(body)).await?;
    secret(context, &key)
}
