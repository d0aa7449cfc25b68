//! `reel actions run`.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::super::Context;
use super::super::video::{RESUME, late, query, until_ended};
use super::ACTIONS;
use crate::client::{Client, segment};
use crate::failure::Failure;
use crate::order::{self, json_or_text};
use crate::output::{self, cell};
use crate::pending::Pending;

const GENERATE: &str = "ai.video.generate";
const GENERATE_AND_WAIT: &str = "ai.video.generate_and_wait";
/// Those that are the same however often they are sent.
const REPEATABLE: [&str; 3] = ["ai.video.quote", "ai.video.query", "storage.upload"];
/// What the server waits when nothing is said.
const WAIT_MS: u64 = 600_000;

const AFTER_HELP: &str = "\
Examples:
  reel actions run ai.video.quote prompt=\"A kite\" model=kling-3.0/video options.duration=5
  reel actions run ai.video.generate --input @order.json --idempotency-key order-42
  echo '{\"taskId\": \"…\"}' | reel actions run ai.video.query --input - --json

A value is JSON where it can be read as JSON, and text otherwise; dots lead into objects.";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RunArgs {
    /// The action's name, such as ai.video.generate
    name: String,
    /// What it takes, as JSON: the text itself, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-")]
    input: Option<String>,
    /// Fields of it, which count more than --input
    #[arg(value_name = "FIELD=VALUE", value_parser = field)]
    fields: Vec<(String, Value)>,
    /// Your own name for what makes a video: the same name never buys twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub async fn run(context: &Context, args: RunArgs) -> Result<(), Failure> {
    let body = body(args.input.as_deref(), args.fields)?;
    let client = context.client()?;
    let path = format!("{ACTIONS}/{}", segment(&args.name));
    match args.name.as_str() {
        GENERATE => {
            let mut order = Pending::new(&client, &path, body, args.idempotency_key);
            let answer = order.place(&client).await?;
            order.forget()?;
            show(context, &answer["data"])
        }
        GENERATE_AND_WAIT => {
            let wait = wait(&body);
            // The wait is this program's: no connection stays open that long.
            let body = without_wait(body);
            let order = Pending::new(&client, order::GENERATE, body, args.idempotency_key);
            generate_and_wait(context, &client, order, wait).await
        }
        _ if args.idempotency_key.is_some() => Err(Failure::usage(format!(
            "{} buys nothing: it takes no idempotency key",
            output::harmless(&args.name)
        ))),
        name => {
            let build = || client.request(Method::POST, &path).json(&body);
            let is_repeatable = REPEATABLE.contains(&name);
            let answer =
                if is_repeatable { client.repeated(build).await? } else { client.once(build()).await? };
            show(context, &answer.body["data"])
        }
    }
}

async fn generate_and_wait(
    context: &Context,
    client: &Client,
    mut order: Pending,
    wait: Duration,
) -> Result<(), Failure> {
    order.place(client).await?;
    let id = order.task();
    let ended = until_ended(context, client, id, Some(wait), |_| {}, RESUME).await?;
    // The answer names the task, which is all that it takes to go on.
    order.forget()?;
    show(context, &query(client, id).await?)?;
    match ended {
        Some(task) => task.failure().map_or(Ok(()), Err),
        None => Err(late(id, &format!("Go on with `reel video watch {id}`."))),
    }
}

/// Milliseconds as a number or as text, as the server takes them.
fn wait(body: &Value) -> Duration {
    let asked = &body["timeoutMs"];
    let millis = asked.as_u64().or_else(|| asked.as_str().and_then(|text| text.parse().ok()));
    Duration::from_millis(millis.unwrap_or(WAIT_MS))
}

fn without_wait(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.shift_remove("timeoutMs");
    }
    body
}

fn show(context: &Context, data: &Value) -> Result<(), Failure> {
    if context.as_json() {
        return output::json(data);
    }
    let Some(fields) = data.as_object() else { return output::line(&cell(data)) };
    let told: Vec<(&str, String)> = fields.iter().map(|(name, value)| (name.as_str(), cell(value))).collect();
    output::pairs(&told)
}

fn body(input: Option<&str>, fields: Vec<(String, Value)>) -> Result<Value, Failure> {
    let mut body = match input {
        None => json!({}),
        Some(input) => {
            let text = read(input)?;
            serde_json::from_str(&text)
                .map_err(|error| Failure::usage(format!("the input is no JSON: {error}")))?
        }
    };
    let object = body.as_object_mut().ok_or_else(|| Failure::usage("the input must be a JSON object"))?;
    for (path, value) in fields {
        put(object, &path, value)?;
    }
    Ok(body)
}

fn read(input: &str) -> Result<String, Failure> {
    let read = match input.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file),
        None if input == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        None => return Ok(input.to_owned()),
    };
    read.map_err(|error| Failure::usage(format!("{} can't be read: {error}", input.trim_start_matches('@'))))
}

fn put(object: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), Failure> {
    let Some((first, rest)) = path.split_once('.') else {
        object.insert(path.to_owned(), value);
        return Ok(());
    };
    let inner = object.entry(first).or_insert_with(|| json!({}));
    let inner = inner.as_object_mut().ok_or_else(|| Failure::usage(format!("{first} holds no fields")))?;
    put(inner, rest, value)
}

fn field(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("FIELD=VALUE, such as options.duration=5")?;
    if name.split('.').any(str::is_empty) {
        return Err("a field needs a name".to_owned());
    }
    Ok((name.to_owned(), json_or_text(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_put_into_the_input() {
        let fields =
            ["prompt=A kite", "options.duration=5", "options.seed=7"].map(|text| field(text).unwrap());
        let body = body(Some(r#"{"prompt":"x","options":{"seed":1,"count":2}}"#), fields.to_vec()).unwrap();
        assert_eq!(body, json!({ "prompt": "A kite", "options": { "seed": 7, "count": 2, "duration": 5 } }));
        assert!(field("prompt").is_err() && field("a..b=1").is_err());
        assert!(put(body.clone().as_object_mut().unwrap(), "prompt.x", json!(1)).is_err());
    }
}
