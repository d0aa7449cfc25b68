//! `reel video watch`.

use std::time::Duration;

use clap::Args;

use super::super::Context;
use super::{TaskId, interruptible, show};
use crate::failure::{Exit, Failure};
use crate::order::timeout;
use crate::output;
use crate::progress::Progress;
use crate::task::follow;

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
    let mut progress = Progress::new(&context.global);
    let mut told = Ok(());
    let tell = |task: &crate::task::Task| {
        progress.task(task);
        if args.jsonl {
            told = output::json_line(&task.0);
        }
    };
    let followed = interruptible(follow(&client, id, args.timeout, tell), || {
        Failure::new(Exit::Interrupted, format!("interrupted; the task {id} goes on"))
            .hint(format!("Look again with `reel video watch {id}`."))
    });
    let followed = followed.await?;
    told?;
    progress.clear();
    let Some(task) = followed else {
        return Err(Failure::new(Exit::Timeout, format!("the task {id} is not done yet; it goes on"))
            .hint(format!("Look again with `reel video watch {id}`.")));
    };
    if !args.jsonl {
        show(context, &client, id, &[]).await?;
    }
    task.failure().map_or(Ok(()), Err)
}
