//! What is ordered: the arguments that describe a video, in the words of the server's actions.

use std::io::Read;
use std::time::Duration;

use clap::{ArgAction, Args};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::upload::{bring, split};

pub const GENERATE: &str = "/api/actions/ai.video.generate";
const QUOTE: &str = "/api/actions/ai.video.quote";

/// What to make.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The video")]
pub struct OrderArgs {
    /// What to show; - reads it from stdin
    #[arg(long, short, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// text-to-video (default), image-to-video, video-to-video or ad-video
    #[arg(long)]
    pub scene: Option<String>,
    /// The only provider that may make it
    #[arg(long)]
    pub provider: Option<String>,
    /// Model, such as kling-3.0/video; the scene has one of its own (see `reel models list`)
    #[arg(long, short)]
    pub model: Option<String>,
    /// Images to begin with: files, URLs or ids, with commas between them or given several times
    #[arg(long, value_name = "FILE|URL")]
    pub image_input: Vec<String>,
    /// Videos to work from, in the same way
    #[arg(long, value_name = "FILE|URL")]
    pub video_input: Vec<String>,
    /// Image to end with
    #[arg(long, value_name = "FILE|URL")]
    pub last_frame: Option<String>,
    /// Images of what should appear
    #[arg(long, value_name = "FILE|URL")]
    pub reference_image: Vec<String>,
    /// Sound to go by
    #[arg(long, value_name = "FILE|URL")]
    pub audio_input: Vec<String>,
    /// Length of one clip, such as 8 or 8s
    #[arg(long, short, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<u32>,
    /// Such as 720p or 1080p
    #[arg(long, short)]
    pub resolution: Option<String>,
    /// Such as 16:9 or 9:16
    #[arg(long, short, value_name = "W:H")]
    pub aspect_ratio: Option<String>,
    /// Clips to make; each is paid for
    #[arg(long, value_name = "N")]
    pub count: Option<u32>,
    /// With sound, or without (--audio=false)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub audio: Option<bool>,
    /// What not to show
    #[arg(long, value_name = "TEXT")]
    pub negative_prompt: Option<String>,
    /// The same seed and order tend to give similar clips
    #[arg(long)]
    pub seed: Option<u32>,
    /// Any other option of the model, such as cfg_scale=0.5; JSON where it is JSON (see `reel models schema`)
    #[arg(long = "option", short = 'o', value_name = "NAME=VALUE", value_parser = option)]
    pub options: Vec<(String, Value)>,
    /// Your own name for the task
    #[arg(long, value_name = "ID")]
    pub external_task_id: Option<String>,
    /// Where the server tells that the task has ended; https
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<String>,
    /// Your own name for where the task belongs
    #[arg(long, value_name = "ID")]
    pub workspace_id: Option<String>,
}

impl OrderArgs {
    /// The order as the server takes it; files on this machine are uploaded for it.
    pub async fn body(self, client: &Client, settings: &Settings) -> Result<Value, Failure> {
        let mut body = Map::new();
        let mut options: Map<String, Value> = self.options.into_iter().collect();
        put(&mut body, "prompt", self.prompt.map(prompt).transpose()?);
        put(&mut body, "scene", self.scene);
        put(&mut body, "provider", self.provider);
        put(
            &mut body,
            "model",
            self.model.or_else(|| settings.model.as_ref().map(|model| model.value.clone())),
        );
        put(&mut body, "workspaceId", self.workspace_id);
        put(&mut options, "duration", self.duration);
        put(&mut options, "resolution", self.resolution);
        put(&mut options, "aspectRatio", self.aspect_ratio);
        put(&mut options, "count", self.count);
        put(&mut options, "generateAudio", self.audio);
        put(&mut options, "negativePrompt", self.negative_prompt);
        put(&mut options, "seed", self.seed);
        put(&mut options, "externalTaskId", self.external_task_id);
        put(&mut options, "callbackUrl", self.callback_url);
        put(&mut body, "imageInput", files(client, &self.image_input).await?);
        put(&mut body, "videoInput", files(client, &self.video_input).await?);
        put(&mut options, "referenceImages", files(client, &self.reference_image).await?);
        put(&mut options, "audioInput", files(client, &self.audio_input).await?);
        let last_frame = files(client, self.last_frame.as_slice()).await?;
        put(&mut options, "lastFrame", last_frame.and_then(|files| files.into_iter().next()));
        put(&mut body, "options", Some(options).filter(|options| !options.is_empty()));
        Ok(Value::Object(body))
    }
}

fn put<T: Into<Value>>(object: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

async fn files(client: &Client, given: &[String]) -> Result<Option<Vec<String>>, Failure> {
    let files = bring(client, split(given)).await?;
    Ok(Some(files).filter(|files| !files.is_empty()))
}

/// `-` stands for what comes from stdin.
pub fn prompt(text: String) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(Failure::local("could not read the prompt from stdin"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::usage("the prompt on stdin is empty"));
    }
    Ok(text.to_owned())
}

/// What an order will cost: `credits`, `quoteId`, `explanation` and `expiresAt`.
pub async fn quote(client: &Client, body: &Value) -> Result<Value, Failure> {
    let answer = client.repeated(|| client.request(reqwest::Method::POST, QUOTE).json(body)).await?;
    Ok(answer.body["data"].clone())
}

/// Lets an order through that costs at most so much, and binds it to its price.
pub fn within(quote: &Value, most: Option<Decimal>, body: &mut Value) -> Result<(), Failure> {
    let credits = credits(&quote["credits"])?;
    if let Some(most) = most.filter(|most| credits > *most) {
        return Err(Failure::new(
            Exit::Credits,
            format!("it would cost {credits} credits, more than the {most} allowed"),
        )
        .hint(format!("{}. Nothing was ordered.", crate::output::plain(&quote["explanation"]["text"]))));
    }
    body["quoteId"] = json!(quote["quoteId"]);
    Ok(())
}

/// An amount as the server tells it.
pub fn credits(value: &Value) -> Result<Decimal, Failure> {
    let text = crate::output::plain(value);
    text.parse().map_err(|_| {
        Failure::new(Exit::Other, format!("the server told a price that is no number: {text:?}"))
    })
}

/// A limit on what may be spent.
pub fn amount(text: &str) -> Result<Decimal, String> {
    let amount: Decimal = text.parse().map_err(|_| "a number of credits, such as 20 or 12.5".to_owned())?;
    if amount.is_sign_negative() { Err("credits can't be negative".to_owned()) } else { Ok(amount) }
}

/// `600000` in milliseconds, or with a unit: `10m`, `90s`.
pub fn timeout(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(millis) => Ok(Duration::from_millis(millis)),
        Err(_) => humantime::parse_duration(text)
            .map_err(|error| format!("milliseconds, or with a unit such as 10m: {error}")),
    }
}

fn seconds(text: &str) -> Result<u32, String> {
    text.strip_suffix('s')
        .unwrap_or(text)
        .trim()
        .parse()
        .map_err(|_| "whole seconds, such as 8 or 8s".to_owned())
}

fn option(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE, such as cfg_scale=0.5")?;
    Ok((name.to_owned(), json_or_text(value)))
}

/// JSON where it can be read as JSON, and text otherwise.
pub fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
