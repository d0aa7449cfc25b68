//! `reel video resume`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::super::Context;
use super::finish;
use crate::failure::{Exit, Failure};
use crate::order::timeout;
use crate::output;
use crate::pending::Pending;

#[derive(Clone, Debug, Args)]
pub struct ResumeArgs {
    /// Only these, by task or by idempotency key; every interrupted order when left out
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Only show what there is to go on with
    #[arg(long)]
    list: bool,
    /// Forget them instead: their tasks go on, but this program doesn't
    #[arg(long, conflicts_with = "list", requires = "ids")]
    forget: bool,
    /// Time to wait for each, in milliseconds or with a unit such as 10m
    #[arg(long, value_name = "TIME", default_value = "600000", value_parser = timeout)]
    timeout: Duration,
}

pub async fn run(context: &Context, args: ResumeArgs) -> Result<(), Failure> {
    let chosen = chosen(&args.ids)?;
    if args.list {
        return list(context, &chosen);
    }
    if args.forget {
        return chosen.iter().try_for_each(Pending::forget);
    }
    if chosen.is_empty() {
        context.say("There is nothing to go on with.");
    }
    let mut last = Ok(());
    for pending in chosen {
        if let Err(failure) = go_on(context, pending, args.timeout).await {
            if failure.exit == Exit::Interrupted {
                return Err(failure);
            }
            // One that failed keeps no other waiting; the last failure is the answer.
            if let Err(earlier) = std::mem::replace(&mut last, Err(failure)) {
                earlier.report(context.as_json(), false);
            }
        }
    }
    last
}

fn chosen(ids: &[String]) -> Result<Vec<Pending>, Failure> {
    let all = Pending::all()?;
    if ids.is_empty() {
        return Ok(all);
    }
    let find = |id: &String| {
        let is_it =
            |pending: &&Pending| pending.idempotency_key == *id || pending.task_id.as_ref() == Some(id);
        let found = all.iter().find(is_it).cloned();
        found.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("no interrupted order belongs to {id}"))
                .hint("`reel video resume --list` shows them; `reel video watch` follows any task.")
        })
    };
    ids.iter().map(find).collect()
}

/// Sends the order again under its key, which buys nothing if it was taken before, and brings it to its end.
async fn go_on(context: &Context, mut pending: Pending, timeout: Duration) -> Result<(), Failure> {
    let client = context.client()?;
    if client.host() != pending.host {
        return Err(Failure::usage(format!(
            "an order was placed at {}, not at {}",
            pending.host,
            client.host()
        ))
        .hint(format!("Choose its profile, or --host {}.", pending.host)));
    }
    if pending.task_id.is_none() {
        pending.place(&client).await?;
    }
    finish(context, &client, &pending, pending.out.as_deref(), timeout).await
}

fn list(context: &Context, pending: &[Pending]) -> Result<(), Failure> {
    if context.as_json() {
        return output::json(&json!(pending));
    }
    let row = |pending: &Pending| {
        let prompt = output::plain(&pending.body["prompt"]).chars().take(40).collect();
        let task = pending.task_id.clone().unwrap_or_else(|| "not known".to_owned());
        let out = pending.out.as_ref().map(|out| out.display().to_string()).unwrap_or_default();
        vec![
            pending.idempotency_key.clone(),
            task,
            pending.started_at.format("%F %TZ").to_string(),
            prompt,
            out,
        ]
    };
    output::table(&["order", "task", "started", "prompt", "out"], pending.iter().map(row).collect())
}
