//! `reel webhooks trigger`.

use clap::Args;
use reqwest::Method;

use super::super::Context;
use super::path;
use crate::failure::Failure;
use crate::output::{self, cell};

#[derive(Clone, Debug, Args)]
pub struct TriggerArgs {
    /// The endpoint's id
    #[arg(value_name = "ENDPOINT")]
    id: String,
}

pub async fn run(context: &Context, args: TriggerArgs) -> Result<(), Failure> {
    let sent = context.client()?.act(Method::POST, &format!("{}/test", path(&args.id))).await?;
    if context.as_json() {
        return output::json(&sent);
    }
    output::pairs(&[("event", cell(&sent["event"])), ("type", cell(&sent["type"]))])?;
    context.say(&format!("`reel webhooks deliveries {}` tells what came of it.", args.id));
    Ok(())
}
