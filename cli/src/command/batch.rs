//! `reel batch submit`: many orders from a file, each bought once however often the file is sent.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use futures_util::{StreamExt, TryStreamExt, stream};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Context;
use super::video::save;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::order::{GENERATE, amount, credits, quote};
use crate::output::{self, plain};
use crate::pending::Pending;
use crate::progress::Progress;
use crate::task::follow;
use crate::upload::{bring, split};

/// Requests that are under way at once.
const AT_ONCE: usize = 4;
/// Where a line names files.
const FILES: [&str; 5] =
    ["/imageInput", "/videoInput", "/options/referenceImages", "/options/audioInput", "/options/lastFrame"];

const AFTER_HELP: &str = "\
Each line is one order as JSON, with the fields of `reel actions schema ai.video.generate`:
  {\"prompt\": \"A kite\", \"model\": \"kling-3.0/video\", \"options\": {\"duration\": 5}}
  {\"prompt\": \"Wave\", \"scene\": \"image-to-video\", \"imageInput\": \"cat.png\"}

All of it is priced before anything is ordered. The same line of the same batch is bought once, however often the file
is sent: after an interruption send it again. To buy it all once more, give the batch another --name.";

#[derive(Debug, Subcommand)]
pub enum BatchCommand {
    /// Price every line of a file, and order them all if the sum is within the limit
    Submit(SubmitArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct SubmitArgs {
    /// A file with one order a line (JSON Lines); - is stdin
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
    /// The most that all of it may cost
    #[arg(long, value_name = "N", value_parser = amount)]
    max_credits: Decimal,
    /// Name of this batch; the same line in the same batch is bought once
    #[arg(long, default_value = "")]
    name: String,
    /// Wait for the videos and save them in this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// A line of the file, ready to be ordered.
struct Line {
    number: usize,
    key: String,
    body: Value,
}

pub async fn run(context: &Context, command: BatchCommand) -> Result<(), Failure> {
    let BatchCommand::Submit(args) = command;
    let client = context.client()?;
    let lines = read(&client, &args).await?;
    let (lines, total) = priced(&client, lines).await?;
    if total > args.max_credits {
        return Err(Failure::new(
            Exit::Credits,
            format!(
                "{} orders would cost {total} credits, more than the {} allowed",
                lines.len(),
                args.max_credits
            ),
        )
        .hint("Nothing was ordered."));
    }
    context.say(&format!("{} orders for {total} credits", lines.len()));
    let is_empty = AtomicBool::new(false);
    let ordered = lines.into_iter().map(|line| carry_out(context, &client, &args, line, &is_empty));
    let mut told: Vec<(usize, Result<Value, Failure>)> =
        stream::iter(ordered).buffer_unordered(AT_ONCE).collect().await;
    told.sort_by_key(|(number, _)| *number);
    report(context, told)
}

async fn read(client: &Client, args: &SubmitArgs) -> Result<Vec<Line>, Failure> {
    let shown = args.file.display();
    let text = if args.file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(&args.file)
    };
    let text = text.map_err(|error| Failure::usage(format!("{shown} can't be read: {error}")))?;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = at + 1;
        let wrong = |why: String| Failure::usage(format!("line {number} of {shown}: {why}"));
        let body: Value = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if !body.is_object() {
            return Err(wrong("an order is a JSON object".to_owned()));
        }
        let digest = Sha256::digest(format!("{}\n{number}\n{}", args.name, line.trim()));
        lines.push(Line { number, key: format!("reel-batch-{}", hex::encode(&digest[..16])), body });
    }
    if lines.is_empty() {
        return Err(Failure::usage(format!("{shown} has no orders")));
    }
    for Line { number, body, .. } in &mut lines {
        with_files(client, body).await.map_err(|failure| at_line(*number, failure))?;
    }
    Ok(lines)
}

/// Uploads what lies on this machine. One file stays one: some fields take no list.
async fn with_files(client: &Client, body: &mut Value) -> Result<(), Failure> {
    for place in FILES {
        let Some(given) = body.pointer_mut(place) else { continue };
        let texts: Vec<String> = match &*given {
            Value::String(text) => vec![text.clone()],
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => continue,
        };
        let brought = bring(client, split(&texts)).await?;
        *given = match (&*given, brought.as_slice()) {
            (Value::String(_), [one]) => json!(one),
            _ => json!(brought),
        };
    }
    Ok(())
}

/// The price of each, and of all.
async fn priced(client: &Client, lines: Vec<Line>) -> Result<(Vec<Line>, Decimal), Failure> {
    let price = async |mut line: Line| {
        let quote = quote(client, &line.body).await.map_err(|failure| at_line(line.number, failure))?;
        line.body["quoteId"] = quote["quoteId"].clone();
        Ok::<_, Failure>((credits(&quote["credits"])?, line))
    };
    let priced: Vec<(Decimal, Line)> =
        stream::iter(lines.into_iter().map(price)).buffered(AT_ONCE).try_collect().await?;
    let total = priced.iter().try_fold(Decimal::ZERO, |sum, (credits, _)| sum.checked_add(*credits));
    let total = total.ok_or_else(|| Failure::usage("the prices are beyond what can be added"))?;
    Ok((priced.into_iter().map(|(_, line)| line).collect(), total))
}

async fn carry_out(
    context: &Context,
    client: &Client,
    args: &SubmitArgs,
    line: Line,
    is_empty: &AtomicBool,
) -> (usize, Result<Value, Failure>) {
    let number = line.number;
    if is_empty.load(Ordering::Relaxed) {
        return (number, Err(Failure::new(Exit::Credits, "not ordered: the credits are used up")));
    }
    let result = order(context, client, args, line).await;
    if result.as_ref().is_err_and(|failure| failure.exit == Exit::Credits) {
        is_empty.store(true, Ordering::Relaxed);
    }
    (number, result)
}

async fn order(context: &Context, client: &Client, args: &SubmitArgs, line: Line) -> Result<Value, Failure> {
    let mut pending = Pending::new(client, GENERATE, line.body, Some(line.key));
    let answer = pending.place(client).await?;
    // Sending the file again goes on with it, so nothing else has to.
    pending.forget()?;
    let id = pending.task().to_owned();
    let mut told = json!({
        "line": line.number, "taskId": id, "status": answer["data"]["status"], "creditsUsed": answer["data"]["creditsUsed"],
        "localPath": null,
    });
    if let Some(folder) = &args.out {
        let task = follow(client, &id, None, |_| {}).await?;
        let Some(task) = task else { return Ok(told) };
        if let Some(failure) = task.failure() {
            return Err(failure);
        }
        let mut silent = Progress::quiet();
        let saved = save(client, &task, Some(&folder.join("")), &mut silent).await?;
        told["status"] = json!("success");
        told["creditsUsed"] = task.0["creditsUsed"].clone();
        told["localPath"] = json!(saved.first());
        saved.iter().for_each(|path| context.say(&format!("saved {}", path.display())));
    }
    Ok(told)
}

/// What became of each line; the first failure decides the exit code.
fn report(context: &Context, told: Vec<(usize, Result<Value, Failure>)>) -> Result<(), Failure> {
    let mut failed: Vec<Failure> = Vec::new();
    let mut rows = Vec::new();
    let count = told.len();
    for (number, result) in told {
        let value = match result {
            Ok(value) => value,
            Err(failure) => {
                let value = json!({ "line": number, "error": failure.message, "code": failure.code });
                failed.push(failure);
                value
            }
        };
        if context.as_json() {
            output::json_line(&value)?;
        }
        let cell = |name: &str| plain(&value[name]);
        let outcome =
            if value["error"].is_null() { cell("status") } else { output::harmless(&cell("error")) };
        rows.push(vec![number.to_string(), cell("taskId"), cell("creditsUsed"), outcome, cell("localPath")]);
    }
    if !context.as_json() {
        output::table(&["line", "task", "credits", "status", "saved"], rows)?;
    }
    let failures = failed.len();
    match failed.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Failure::new(first.exit, format!("{failures} of {count} orders failed"))
            .hint("Sending the file again orders what was not ordered, and nothing twice.")),
    }
}

fn at_line(number: usize, failure: Failure) -> Failure {
    let message = format!("line {number}: {}", failure.message);
    failure.say(message)
}
