//! `reel keys rotate`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::super::Context;
use super::{path, secret};
use crate::failure::Failure;
use crate::output::moment;

#[derive(Clone, Debug, Args)]
pub struct RotateArgs {
    /// The key's id
    #[arg(value_name = "KEY_ID")]
    id: String,
    /// How long the old secret stays good as well, such as 1h or 0s; a day when left out
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    overlap: Option<Duration>,
}

pub async fn run(context: &Context, args: RotateArgs) -> Result<(), Failure> {
    let body = match args.overlap {
        Some(overlap) => json!({ "overlapSeconds": overlap.as_secs() }),
        None => json!({}),
    };
    let key = context.client()?.post(&format!("{}/rotate", path(&args.id)), &body).await?;
    secret(context, &key)?;
    let until = moment(&key["previousUntil"]);
    if !until.is_empty() {
        context.say(&format!("The old secret is good until {until}."));
    }
    Ok(())
}
