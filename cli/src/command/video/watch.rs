//! `reel video watch`.

use std::time::Duration;

use clap::Args;

use super::super::Context;
use super::{TaskId, late, show, until_ended};
use crate::failure::Failure;
use crate::order::timeout;
use crate::output;
use crate::task::Task;

#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    id: TaskId,
    /// Time to wait, in milliseconds or with a unit such as 10m; as long as it takes when left out
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    timeout: Option<Duration>,
    /// Print the task at each change, one JSON document a line
    #[arg(long)]
    jsonl: bool,
}

pub async fn run(context: &Context, args: WatchArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let id = args.id.get();
    let go_on = format!("Look again with `reel video watch {id}`.");
    let mut told = Ok(());
    let tell = |task: &Task| {
        if args.jsonl && told.is_ok() {
            told = output::json_line(&task.0);
        }
    };
    let ended = until_ended(context, &client, id, args.timeout, tell, &go_on).await?;
    told?;
    let Some(task) = ended else { return Err(late(id, &go_on)) };
    if !args.jsonl {
        show(context, &client, id, &[]).await?;
    }
    task.failure().map_or(Ok(()), Err)
}
