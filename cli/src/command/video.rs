//! `reel video …`: making, following and fetching videos.

mod cancel;
mod delete;
mod download;
mod generate;
mod list;
mod query;
mod remix;
mod resume;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use crate::client::Client;
use crate::download::{Target, clip};
use crate::failure::{Exit, Failure};
use crate::order::timeout;
use crate::output::{self, cell};
use crate::pending::Pending;
use crate::progress::Progress;
use crate::task::{Task, follow};

const QUERY: &str = "/api/actions/ai.video.query";
/// What to do with an order that is stored.
pub const RESUME: &str = "Go on with `reel video resume`.";

#[derive(Debug, Subcommand)]
pub enum VideoCommand {
    /// Make a video, wait for it and save it
    Generate(Box<generate::GenerateArgs>),
    /// Show a task as it is now
    Query(query::QueryArgs),
    /// List tasks, the newest first
    List(list::ListArgs),
    /// Follow a task to its end
    Watch(watch::WatchArgs),
    /// Stop a task; what was not delivered is not charged
    Cancel(cancel::CancelArgs),
    /// Delete tasks that have ended, with their clips; what they cost stays in the ledger
    Delete(delete::DeleteArgs),
    /// Make a video again with another prompt
    Remix(remix::RemixArgs),
    /// Save a task's clips; a download that was cut is gone on with
    Download(download::DownloadArgs),
    /// Go on with orders that were interrupted, without paying twice
    Resume(resume::ResumeArgs),
}

pub async fn run(context: &Context, command: VideoCommand) -> Result<(), Failure> {
    match command {
        VideoCommand::Generate(args) => generate::run(context, *args).await,
        VideoCommand::Query(args) => query::run(context, args).await,
        VideoCommand::List(args) => list::run(context, args).await,
        VideoCommand::Watch(args) => watch::run(context, args).await,
        VideoCommand::Cancel(args) => cancel::run(context, args).await,
        VideoCommand::Delete(args) => delete::run(context, args).await,
        VideoCommand::Remix(args) => remix::run(context, args).await,
        VideoCommand::Download(args) => download::run(context, args).await,
        VideoCommand::Resume(args) => resume::run(context, args).await,
    }
}

/// How an order is waited for, and where its clip goes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Waiting and saving")]
pub struct WaitArgs {
    /// Save the clip here: a file, a folder, or - for stdout; further clips get -2, -3 …
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Time to wait, in milliseconds or with a unit such as 10m; the task goes on afterwards
    #[arg(long, value_name = "TIME", default_value = "600000", value_parser = timeout)]
    timeout: Duration,
    /// Order and return at once
    #[arg(long, conflicts_with = "out")]
    no_wait: bool,
    /// Your own name for this order: the same name never buys twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// A task by its id, as an argument or, as scripts of older clients say it, by a flag.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TaskId {
    /// The task's id
    #[arg(value_name = "TASK_ID")]
    id: Option<String>,
    /// As TASK_ID
    #[arg(long = "task-id", value_name = "TASK_ID")]
    task_id: Option<String>,
}

impl TaskId {
    fn get(&self) -> &str {
        self.id.as_deref().or(self.task_id.as_deref()).unwrap_or_default()
    }
}

/// Places an order, waits for its video and saves it. Ctrl-C leaves the task alone.
async fn carry_out(
    context: &Context,
    client: &Client,
    pending: Pending,
    wait: &WaitArgs,
) -> Result<(), Failure> {
    let mut pending = Pending { out: absolute(wait.out.clone())?, ..pending };
    let placed = interruptible(pending.place(client), || {
        Failure::new(Exit::Interrupted, "interrupted while ordering").hint(
            "It is not known whether the order was taken. `reel video resume` goes on, without paying twice.",
        )
    });
    placed.await?;
    if wait.no_wait {
        pending.forget()?;
        return show(context, client, pending.task(), &[]).await;
    }
    // Told as it was typed.
    finish(context, client, &pending, wait.out.as_deref(), wait.timeout).await
}

/// Waits for an order that was placed, and saves its clips.
async fn finish(
    context: &Context,
    client: &Client,
    pending: &Pending,
    out: Option<&Path>,
    timeout: Duration,
) -> Result<(), Failure> {
    let id = pending.task();
    let Some(task) = until_ended(context, client, id, Some(timeout), |_| {}, RESUME).await? else {
        show(context, client, id, &[]).await?;
        return Err(late(id, RESUME));
    };
    let mut progress = Progress::new(&context.global);
    let saved = interruptible(save(client, &task, out, &mut progress), || {
        Failure::new(Exit::Interrupted, "interrupted while downloading").hint(RESUME)
    });
    let saved = saved.await?;
    pending.forget()?;
    let to_stdout = out.is_some_and(|out| out.as_os_str() == "-");
    if !to_stdout {
        show(context, client, id, &saved).await?;
    }
    task.failure().map_or(Ok(()), Err)
}

/// Follows a task to its end, with progress on stderr; `None` when the time is over first. Ctrl-C leaves the task alone.
pub async fn until_ended(
    context: &Context,
    client: &Client,
    id: &str,
    timeout: Option<Duration>,
    mut tell: impl FnMut(&Task),
    go_on: &str,
) -> Result<Option<Task>, Failure> {
    let mut progress = Progress::new(&context.global);
    let told = |task: &Task| {
        progress.task(task);
        tell(task);
    };
    let interrupted = || {
        Failure::new(Exit::Interrupted, format!("interrupted; the task {id} goes on"))
            .hint(format!("{go_on} Stop it with `reel video cancel {id}`."))
    };
    interruptible(follow(client, id, timeout, told), interrupted).await
}

/// Of a task that did not end in time.
pub fn late(id: &str, go_on: &str) -> Failure {
    Failure::new(Exit::Timeout, format!("the task {id} is not done yet; it goes on")).hint(go_on)
}

/// Saves every clip of a task that has ended, and answers where they are.
pub async fn save(
    client: &Client,
    task: &Task,
    out: Option<&Path>,
    progress: &mut Progress,
) -> Result<Vec<PathBuf>, Failure> {
    let Some(out) = out else { return Ok(Vec::new()) };
    let first = Target::of(out, task.id());
    let mut saved = Vec::new();
    for index in task.delivered() {
        let target = first.numbered(index);
        clip(client, task.id(), index, &target, progress).await?;
        progress.clear();
        if let Target::File(path) = target {
            saved.push(path);
        }
    }
    Ok(saved)
}

/// Ends early, with the failure that says how to go on, when Ctrl-C is pressed.
async fn interruptible<T>(
    work: impl Future<Output = Result<T, Failure>>,
    failure: impl FnOnce() -> Failure,
) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(failure()),
    }
}

/// The task in the words of the actions.
pub async fn query(client: &Client, id: &str) -> Result<Value, Failure> {
    let answer = client
        .repeated(|| client.request(reqwest::Method::POST, QUERY).json(&json!({ "taskId": id })))
        .await?;
    Ok(answer.body["data"].clone())
}

/// Prints a task, and where its clips were saved: for programs in the words of the actions, for people in those of the rest.
async fn show(context: &Context, client: &Client, id: &str, saved: &[PathBuf]) -> Result<(), Failure> {
    let saved: Vec<String> = saved.iter().map(|path| path.display().to_string()).collect();
    if context.as_json() {
        return output::json(&document(&query(client, id).await?, &saved));
    }
    let task = Task::read(client, id).await?;
    output::pairs(&[
        ("task", task.id().to_owned()),
        ("state", task.state().to_owned()),
        ("model", cell(&task.0["model"])),
        ("credits", task.credits()),
        ("saved", saved.join(", ")),
        ("url", if saved.is_empty() { task.urls().join("\n") } else { String::new() }),
        ("error", cell(&task.0["errorMessage"])),
        ("warnings", cell(&task.0["warnings"])),
    ])
}

/// What `--json` prints of a task.
fn document(task: &Value, saved: &[String]) -> Value {
    let mut told = json!({
        "taskId": task["taskId"],
        "status": task["status"],
        "videoUrl": task["videoUrl"],
        "localPath": saved.first(),
        "url": task["url"],
        "provider": task["provider"],
        "model": task["model"],
        "creditsUsed": task["creditsUsed"],
    });
    if saved.len() > 1 {
        told["localPaths"] = json!(saved);
    }
    for name in ["videoUrls", "error", "errorCode", "warnings"] {
        let is_told = match &task[name] {
            Value::Null => false,
            Value::Array(values) => values.len() > usize::from(name == "videoUrls"),
            _ => true,
        };
        if is_told {
            told[name] = task[name].clone();
        }
    }
    told
}

/// An order may be gone on with from another folder.
fn absolute(out: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    let Some(out) = out else { return Ok(None) };
    if out.as_os_str() == "-" {
        return Ok(Some(out));
    }
    let is_folder = out.to_string_lossy().ends_with(['/', '\\']);
    let absolute = std::path::absolute(&out).map_err(Failure::local("could not tell where to save"))?;
    Ok(Some(if is_folder { absolute.join("") } else { absolute }))
}
