//! `reel video delete`.

use clap::Args;
use reqwest::Method;

use super::super::Context;
use crate::client::segment;
use crate::failure::Failure;
use crate::output;

#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The tasks' ids
    #[arg(value_name = "TASK_ID", required = true)]
    ids: Vec<String>,
}

pub async fn run(context: &Context, args: DeleteArgs) -> Result<(), Failure> {
    let client = context.client()?;
    for id in &args.ids {
        client.once(client.request(Method::DELETE, &format!("/api/ai/tasks/{}", segment(id)))).await?;
        if context.as_json() {
            output::json_line(&serde_json::json!({ "taskId": id, "deleted": true }))?;
        } else {
            output::line(&format!("{id}  deleted"))?;
        }
    }
    Ok(())
}
