//! What the tools take.

use rmcp::schemars::{self, JsonSchema};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::client::Client;
use crate::failure::Failure;
use crate::order::{OrderArgs, amount};
use crate::settings::Settings;
use crate::upload::split;

/// Kinds of files that an assistant may have uploaded: what else lies on this machine is nobody's input.
const KINDS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "mp4", "mov", "webm", "wav", "mp3"];

/// A video to make.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct VideoInput {
    /// What to show.
    prompt: String,
    /// text-to-video (when left out), image-to-video, video-to-video or ad-video.
    scene: Option<String>,
    /// A model's id, from list_models; the scene has one of its own.
    model: Option<String>,
    /// Images to begin with: https addresses, paths of files on this machine, ids of uploads or of completed tasks.
    #[serde(default)]
    image_input: Vec<String>,
    /// Videos to work from, in the same way.
    #[serde(default)]
    video_input: Vec<String>,
    /// An image to end with, in the same way.
    last_frame: Option<String>,
    /// Images of what should appear, in the same way.
    #[serde(default)]
    reference_images: Vec<String>,
    /// Sound to go by, in the same way.
    #[serde(default)]
    audio_input: Vec<String>,
    /// Seconds of one clip; the model says which are allowed.
    duration: Option<u32>,
    /// Such as 720p or 1080p.
    resolution: Option<String>,
    /// Such as 16:9 or 9:16.
    aspect_ratio: Option<String>,
    /// Clips to make; each is paid for.
    count: Option<u32>,
    /// Whether the clip gets sound.
    audio: Option<bool>,
    /// What not to show.
    negative_prompt: Option<String>,
    /// The same seed and order tend to give similar clips.
    seed: Option<u32>,
    /// Other options of the model.
    #[serde(default)]
    options: Map<String, Value>,
}

/// A video to order.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GenerateInput {
    #[serde(flatten)]
    pub video: VideoInput,
    /// The most credits that it may cost.
    pub max_credits: Most,
    /// Your own name for this order, 1 to 255 visible ASCII characters: the same name never buys twice. Made up when left out.
    pub request_id: Option<String>,
}

/// An amount of credits; a number, which is kept as it was written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Most(#[schemars(with = "f64")] Number);

impl Most {
    pub fn amount(&self) -> Result<Decimal, Failure> {
        amount(&self.0.to_string()).map_err(|why| Failure::usage(format!("max_credits: {why}")))
    }
}

/// One task.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TaskInput {
    /// The task's id, as generate_video answered it.
    pub task_id: String,
}

/// A task, and how long to wait.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WaitInput {
    /// The task's id, as generate_video answered it.
    pub task_id: String,
    /// Seconds to wait, at most 600.
    #[serde(default = "a_minute")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_s: u64,
}

fn a_minute() -> u64 {
    60
}

/// Which models.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ModelsInput {
    /// Only those that take this: text_to_video, image_to_video, reference_to_video, video_to_video or video_extend.
    pub input_mode: Option<String>,
    /// Only those of this family.
    pub family: Option<String>,
}

impl VideoInput {
    /// The order as the server takes it; files on this machine are uploaded for it.
    pub async fn body(self, client: &Client, settings: &Settings) -> Result<Value, Failure> {
        let files = [&self.image_input, &self.video_input, &self.reference_images, &self.audio_input];
        let files: Vec<String> = files.into_iter().flatten().chain(&self.last_frame).cloned().collect();
        // As the order reads them: an input with commas is several.
        split(&files).iter().try_for_each(|file| may_be_sent(file))?;
        let order = OrderArgs {
            scene: self.scene,
            model: self.model,
            image_input: self.image_input,
            video_input: self.video_input,
            last_frame: self.last_frame,
            reference_image: self.reference_images,
            audio_input: self.audio_input,
            duration: self.duration,
            resolution: self.resolution,
            aspect_ratio: self.aspect_ratio,
            count: self.count,
            audio: self.audio,
            negative_prompt: self.negative_prompt,
            seed: self.seed,
            options: self.options.into_iter().collect(),
            ..OrderArgs::default()
        };
        let mut body = order.body(client, settings).await?;
        // Not by way of the arguments, where a dash means stdin.
        body["prompt"] = json!(self.prompt);
        Ok(body)
    }
}

/// Files are sent only if they are called what they have to be.
fn may_be_sent(input: &str) -> Result<(), Failure> {
    let path = std::path::Path::new(input);
    let kind = path.extension().map(|kind| kind.to_string_lossy().to_lowercase()).unwrap_or_default();
    if path.exists() && !KINDS.contains(&kind.as_str()) {
        return Err(Failure::usage(format!("{input} is not sent: only {} files are", KINDS.join(", "))));
    }
    Ok(())
}
