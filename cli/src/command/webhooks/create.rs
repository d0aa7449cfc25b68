//! `reel webhooks create`.

use clap::Args;
use serde_json::json;

use super::super::Context;
use super::WEBHOOKS;
use crate::failure::Failure;
use crate::output::{self, cell};

#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// Where to send to: https, on the public internet
    url: String,
    /// What it wants to hear of, such as video.*,credits.low; all of it when left out
    #[arg(long, value_delimiter = ',', value_name = "EVENT,…")]
    events: Vec<String>,
    /// For yourself
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

pub async fn run(context: &Context, args: CreateArgs) -> Result<(), Failure> {
    let mut body = json!({ "url": args.url });
    if !args.events.is_empty() {
        body["events"] = json!(args.events);
    }
    if let Some(description) = args.description {
        body["description"] = json!(description);
    }
    let endpoint = context.client()?.post(WEBHOOKS, &body).await?;
    for warning in endpoint["warnings"].as_array().into_iter().flatten() {
        context.say(&format!("warning: {}", cell(warning)));
    }
    if context.as_json() {
        return output::json(&endpoint);
    }
    output::line(&cell(&endpoint["secret"]))?;
    let told = format!("{} hears of {}", cell(&endpoint["id"]), cell(&endpoint["events"]));
    context.say(&format!("{told}: keep the secret, it is shown this once."));
    Ok(())
}
