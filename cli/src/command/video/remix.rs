//! `reel video remix`.

use clap::Args;
use serde_json::json;

use super::super::Context;
use super::{WaitArgs, carry_out};
use crate::client::segment;
use crate::failure::Failure;
use crate::order::prompt;
use crate::pending::Pending;

#[derive(Clone, Debug, Args)]
pub struct RemixArgs {
    /// The finished task to start from
    #[arg(value_name = "TASK_ID")]
    id: String,
    /// What to change; - reads it from stdin
    #[arg(long, short, value_name = "TEXT")]
    prompt: String,
    #[command(flatten)]
    wait: WaitArgs,
}

pub async fn run(context: &Context, args: RemixArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let body = json!({ "prompt": prompt(args.prompt)? });
    let path = format!("/v1/videos/{}/remix", segment(&args.id));
    let pending = Pending::new(&client, &path, body, args.wait.idempotency_key.clone());
    carry_out(context, &client, pending, &args.wait).await
}
