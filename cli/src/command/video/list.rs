//! `reel video list`.

use clap::Args;
use serde_json::json;

use super::super::Context;
use crate::failure::Failure;
use crate::output::{self, moment, plain};
use crate::page::{Paging, rows};

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// queued, submitting, running, reconciling, storing, completed, failed, canceled or expired
    #[arg(long)]
    state: Option<String>,
    /// Of one model
    #[arg(long, short)]
    model: Option<String>,
    /// With this name of your own
    #[arg(long, value_name = "ID")]
    external_task_id: Option<String>,
    /// With this metadata, such as workspaceId:films
    #[arg(long, value_name = "NAME:VALUE")]
    metadata: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

pub async fn run(context: &Context, args: ListArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let filters = [
        ("state", args.state),
        ("model", args.model),
        ("externalTaskId", args.external_task_id),
        ("metadata", args.metadata),
    ];
    let query = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let tasks = rows(&client, "/api/ai/tasks", query, &args.paging).await?;
    if context.as_json() {
        return output::json(&json!({ "data": tasks }));
    }
    let row = |task: &serde_json::Value| {
        let prompt: String = plain(&task["prompt"]).chars().take(48).collect();
        let cells = [
            plain(&task["taskId"]),
            plain(&task["state"]),
            plain(&task["model"]),
            plain(&task["creditsUsed"]),
        ];
        [&cells[..], &[moment(&task["createdAt"]), output::harmless(&prompt).replace('\n', " ")]].concat()
    };
    output::table(
        &["task", "state", "model", "credits", "created", "prompt"],
        tasks.iter().map(row).collect(),
    )
}
