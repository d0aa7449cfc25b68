//! `reel webhooks resend`.

use clap::Args;
use reqwest::Method;

use super::super::Context;
use super::path;
use crate::client::segment;
use crate::failure::Failure;
use crate::output::{self, cell};

#[derive(Clone, Debug, Args)]
pub struct ResendArgs {
    /// The endpoint's id
    #[arg(value_name = "ENDPOINT")]
    endpoint: String,
    /// The event's id: what it was sent as in `webhook-id`, or from `reel webhooks deliveries`
    #[arg(value_name = "EVENT")]
    event: String,
}

pub async fn run(context: &Context, args: ResendArgs) -> Result<(), Failure> {
    let path = format!("{}/deliveries/{}/resend", path(&args.endpoint), segment(&args.event));
    let delivery = context.client()?.act(Method::POST, &path).await?;
    if context.as_json() {
        return output::json(&delivery);
    }
    let names = [("event", "event"), ("type", "type"), ("task", "taskId"), ("state", "state")];
    output::pairs(&names.map(|(title, name)| (title, cell(&delivery[name]))))
}
