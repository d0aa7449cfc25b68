//! `reel webhooks delete`.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::super::Context;
use super::path;
use crate::failure::Failure;
use crate::output;

#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The endpoint's id
    #[arg(value_name = "ENDPOINT")]
    id: String,
}

pub async fn run(context: &Context, args: DeleteArgs) -> Result<(), Failure> {
    context.client()?.act(Method::DELETE, &path(&args.id)).await?;
    if context.as_json() {
        return output::json(&json!({ "id": args.id, "deleted": true }));
    }
    output::line(&format!("deleted {}", args.id))
}
