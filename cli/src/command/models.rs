//! `reel models …`: what can be made, and what it costs.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use crate::client::{Client, segment};
use crate::failure::Failure;
use crate::output::{self, cell};
use crate::{price, schema};

const MODELS: &str = "/api/ai/models";

const AFTER_HELP: &str = "\
Examples:
  reel models list --available --input-mode image-to-video
  reel models show kling-3.0/video
  reel models prices kling-3.0/video
  reel models schema kling-3.0/video --json";

#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub enum ModelsCommand {
    /// List the models that this key may use
    List(ListArgs),
    /// Show what a model can do
    Show(ModelArgs),
    /// Show what a request for a model may say; with --json the JSON Schema itself
    Schema(ModelArgs),
    /// Show the price of each length and resolution
    Prices(ModelArgs),
}

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Only models that take this: text-to-video, image-to-video, reference-to-video, video-to-video or video-extend
    #[arg(long, value_name = "MODE")]
    input_mode: Option<String>,
    /// Only models of this family
    #[arg(long)]
    family: Option<String>,
    /// Only models that a task can be made with now, or can't (--available=false)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    available: Option<bool>,
}

#[derive(Clone, Debug, Args)]
pub struct ModelArgs {
    /// The model's id, or an alias
    #[arg(value_name = "MODEL")]
    id: String,
}

impl ModelArgs {
    async fn read(&self, client: &Client) -> Result<Value, Failure> {
        client.get(&format!("{MODELS}/{}", segment(&self.id)), &[]).await
    }
}

pub async fn run(context: &Context, command: ModelsCommand) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        ModelsCommand::List(args) => list(context, &client, args).await,
        ModelsCommand::Show(args) => show(context, &args.read(&client).await?),
        ModelsCommand::Schema(args) => fields(context, &client, &args).await,
        ModelsCommand::Prices(args) => prices(context, &args.read(&client).await?),
    }
}

async fn list(context: &Context, client: &Client, args: ListArgs) -> Result<(), Failure> {
    let filters = [
        ("family", args.family),
        ("inputMode", args.input_mode.map(|mode| mode.replace('-', "_"))),
        ("available", args.available.map(|available| available.to_string())),
    ];
    let query: Vec<(&str, String)> =
        filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let answer = client.get(MODELS, &query).await?;
    if context.as_json() {
        return output::json(&json!({ "data": answer["data"] }));
    }
    let models = answer["data"].as_array().into_iter().flatten();
    let row = |model: &Value| {
        [
            cell(&model["id"]),
            cell(&model["inputModes"]).replace('_', "-"),
            lengths(model),
            cell(&model["resolutions"]),
            cell(&model["audio"]),
            status(model),
        ]
        .to_vec()
    };
    let header = ["model", "input modes", "seconds", "resolutions", "audio", "status"];
    output::table(&header, models.map(row).collect())
}

/// `4-15`, or each length that there is.
fn lengths(model: &Value) -> String {
    let durations = &model["durations"];
    if durations["values"].is_array() {
        return cell(&durations["values"]);
    }
    format!("{}-{}", cell(&durations["min"]), cell(&durations["max"]))
}

fn status(model: &Value) -> String {
    let status = cell(&model["status"]);
    if model["available"] == false { format!("{status}, unavailable") } else { status }
}

fn show(context: &Context, model: &Value) -> Result<(), Failure> {
    if context.as_json() {
        return output::json(model);
    }
    let or_default = |values: String, default: &Value| format!("{values} (default {})", cell(default));
    let media = &model["media"];
    let typical = &model["typicalSeconds"];
    output::pairs(&[
        ("model", cell(&model["id"])),
        ("aliases", cell(&model["aliases"])),
        ("family", cell(&model["family"])),
        ("status", status(model)),
        ("use instead", cell(&model["replacement"])),
        ("ends", cell(&model["sunsetAt"])),
        ("input modes", cell(&model["inputModes"]).replace('_', "-")),
        ("seconds", or_default(lengths(model), &model["defaultDuration"])),
        ("resolutions", or_default(cell(&model["resolutions"]), &model["defaultResolution"])),
        ("ratios", or_default(cell(&model["aspectRatios"]), &model["defaultAspectRatio"])),
        ("audio", cell(&model["audio"])),
        ("images", cell(&media["maxImages"])),
        ("videos", cell(&media["maxVideos"])),
        ("audios", cell(&media["maxAudios"])),
        ("prompt", format!("up to {} characters", cell(&model["promptMax"]))),
        ("clips", format!("up to {}", cell(&model["countMax"]))),
        ("options", cell(&model["options"])),
        (
            "takes",
            if typical.is_null() { String::new() } else { format!("typically {} s", cell(&typical["p50"])) },
        ),
    ])
}

async fn fields(context: &Context, client: &Client, args: &ModelArgs) -> Result<(), Failure> {
    let told = client.get(&format!("{MODELS}/{}/schema", segment(&args.id)), &[]).await?;
    if context.as_json() {
        return output::json(&told);
    }
    output::table(&schema::HEADER, schema::rows(&told))
}

/// What `reel quote --matrix` shows, too.
pub async fn price_list(context: &Context, client: &Client, id: String) -> Result<(), Failure> {
    prices(context, &ModelArgs { id }.read(client).await?)
}

fn prices(context: &Context, model: &Value) -> Result<(), Failure> {
    if context.as_json() {
        return output::json(&model["prices"]);
    }
    let (header, rows) = price::matrix(model);
    output::table(&header, rows)
}
