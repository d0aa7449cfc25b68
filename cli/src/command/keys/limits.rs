//! `reel keys limits`.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::super::Context;
use super::form::{LimitArgs, given};
use super::{path, view, warn};
use crate::client::Client;
use crate::failure::Failure;
use crate::output;

const AFTER_HELP: &str = "\
Examples:
  reel keys limits key_01…
  reel keys limits key_01… --cap-day 100 --cap-lifetime none

A change counts at once. Scopes, mode and price group stay for a key's life.";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LimitsArgs {
    /// The key's id
    #[arg(value_name = "KEY_ID")]
    id: String,
    /// Call it something else
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
}

pub async fn run(context: &Context, args: LimitsArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let mut body = given([("name", args.name.map(Value::String))]);
    body.append(&mut args.limits.body());
    let key = if body.is_empty() {
        client.get(&path(&args.id), &[]).await?
    } else {
        change(&client, &args.id, &Value::Object(body)).await?
    };
    warn(context, &key);
    if context.as_json() {
        return output::json(&key);
    }
    output::pairs(&view::facts(&key))?;
    view::spending(&key)
}

/// The same change twice is one change.
async fn change(client: &Client, id: &str, body: &Value) -> Result<Value, Failure> {
    let build = || client.request(Method::PATCH, &path(id)).json(body);
    Ok(client.repeated(build).await?.body)
}
