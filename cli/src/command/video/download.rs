//! `reel video download`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::Context;
use super::{TaskId, interruptible, save};
use crate::failure::{Exit, Failure};
use crate::output;
use crate::progress::Progress;
use crate::task::Task;

#[derive(Clone, Debug, Args)]
pub struct DownloadArgs {
    #[command(flatten)]
    id: TaskId,
    /// A file, a folder, or - for stdout; TASK_ID.mp4 in this folder when left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub async fn run(context: &Context, args: DownloadArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let id = args.id.get();
    let task = Task::read(&client, id).await?;
    if !task.has_ended() {
        return Err(Failure::new(
            Exit::NotFound,
            format!("the task is {}: there is no clip yet", task.state()),
        )
        .hint(format!("Wait for it with `reel video watch {id}`.")));
    }
    if task.delivered().is_empty() {
        return Err(task.failure().unwrap_or_else(|| Failure::new(Exit::NotFound, "the task has no clip")));
    }
    let out = args.out.unwrap_or_else(|| PathBuf::from("./"));
    let mut progress = Progress::new(&context.global);
    let saved = interruptible(save(&client, &task, Some(&out), &mut progress), || {
        Failure::new(Exit::Interrupted, "interrupted").hint("The same command goes on where it was.")
    });
    let saved = saved.await?;
    let saved: Vec<String> = saved.iter().map(|path| path.display().to_string()).collect();
    match context.as_json() {
        _ if saved.is_empty() => Ok(()),
        true => {
            output::json(&json!({ "taskId": task.id(), "localPath": saved.first(), "localPaths": saved }))
        }
        false => saved.iter().try_for_each(|path| output::line(path)),
    }
}
