//! What clients of video gateways write, on whichever route: one vocabulary with many names for the same thing.
//!
//! A body becomes a [`GenerateRequest`] here; nothing is priced or decided. Each field has an effect or a clear refusal: what
//! a name means is in this room, what a model allows is the catalog's to say.

mod lists;
mod media;
mod mode;
mod names;
mod nested;
mod own_key;
mod size;

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::body::{Fields, Named};
use crate::video::catalog::Catalog;
use crate::video::input::Files;
use crate::video::request::{FieldErrors, GenerateRequest};

pub use media::addresses;
pub use mode::Wish;
pub use names::Names;
pub use nested::{Nested, Sent, fold_nested};

/// Models that stand for others: what they are asked for says which.
const KLING_VIDEO: &str = "kling-video";
const VEO: &str = "veo";
const VEO_DEFAULT: &str = "veo-3.1";

/// What a route says beside its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route<'a> {
    /// The model of a body that names none.
    pub model: Option<&'a str>,
    /// The mode, where the route decides it.
    pub wish: Option<Wish>,
}

/// A body that was read, as far as it could be.
#[derive(Debug)]
pub struct Folded {
    pub request: GenerateRequest,
    /// What came beside the fields of a form.
    pub files: Files,
    /// Names the price that was promised for it.
    pub quote_id: Option<String>,
    /// What the sender calls each of our fields.
    pub names: Names,
    /// What was wrong with the body itself.
    pub errors: FieldErrors,
    pub warnings: Vec<String>,
}

/// Reads a body; fills in no defaults but those of the route.
pub fn fold(body: Fields, catalog: &Catalog, route: Route<'_>) -> Folded {
    let mut reader = Reader { body, names: Names::default(), catalog };
    let request = reader.request(route);
    let Reader { body, names, .. } = reader;
    let (warnings, errors) = match body.finish() {
        Ok(warning) => (warning.into_iter().collect(), FieldErrors::default()),
        Err(errors) => (Vec::new(), errors),
    };
    Folded { request, files: Files::default(), quote_id: None, names, errors, warnings }
}

/// Names of fields, first the one that errors call them by.
const SECONDS: [&str; 2] = ["seconds", "duration"];
const RATIO: [&str; 2] = ["aspect_ratio", "ratio"];
const RESOLUTION: [&str; 3] = ["resolution", "quality", "quality_level"];
const COUNT: [&str; 2] = ["n", "count"];
const AUDIO: [&str; 4] = ["generate_audio", "sound", "audio", "with_audio"];
const KEEP_AUDIO: [&str; 2] = ["keep_audio", "keep_original_sound"];
const ELEMENTS: [&str; 2] = ["elements", "element_list"];

/// A seed that asks for any.
const ANY_SEED: i64 = -1;
/// Jimeng counts a clip's pictures, the one that it begins with among them.
const FRAMES_A_SECOND: u32 = 24;

/// Fields that clients also put into `metadata`, where gateways look for everything that they have no field of their own for.
const LIFTED: [&str; 55] = [
    "prompt",
    "seconds",
    "duration",
    "size",
    "aspect_ratio",
    "ratio",
    "resolution",
    "quality",
    "n",
    "seed",
    "fps",
    "width",
    "height",
    "mode",
    "model_name",
    "negative_prompt",
    "generate_audio",
    "sound",
    "keep_audio",
    "multi_shot",
    "multi_prompt",
    "shot_type",
    "elements",
    "cfg_scale",
    "camera_control",
    "watermark",
    "watermark_info",
    "image",
    "image_url",
    "image_urls",
    "images",
    "image_list",
    "image_tail",
    "first_frame",
    "last_frame",
    "last_image_url",
    "end_image_url",
    "reference_images",
    "input_reference",
    "video_url",
    "video_urls",
    "audio_urls",
    "callback_url",
    "external_task_id",
    "content",
    "quality_level",
    "frames",
    "binary_data_base64",
    "element_list",
    "video_list",
    "static_mask",
    "dynamic_masks",
    "voice_list",
    "template_id",
    "camera_strength",
];

struct Reader<'c> {
    body: Fields,
    names: Names,
    catalog: &'c Catalog,
}

impl Reader<'_> {
    fn request(&mut self, route: Route<'_>) -> GenerateRequest {
        let mut extra = self.body.members("extra");
        self.lift_metadata(&mut extra);
        self.response_format();
        let model_id = self.model(route.model, &mut extra);
        let model = self.catalog.model(&model_id).cloned();
        let model = model.as_deref();
        let text = self.content();
        let shape = self.shape(model);
        let of_lists = self.lists();
        let wish = self.wish(route.wish.or(of_lists));
        let resolution = self.resolution(shape.resolution);
        self.own_keys(model, &mut extra);
        let prompt = self.body.text("prompt").or(text);
        let (input_mode, media) = self.media(wish, model);
        GenerateRequest {
            input_mode,
            media,
            prompt,
            resolution,
            aspect_ratio: self.aspect_ratio(shape.aspect_ratio),
            negative_prompt: self.named("negativePrompt", "negative_prompt", Fields::text),
            duration_s: self.duration(),
            count: self.any("count", &COUNT, Fields::whole),
            generate_audio: self.any("generateAudio", &AUDIO, Fields::switch),
            seed: self.body.whole("seed").filter(|seed| *seed != ANY_SEED),
            options: self.options(),
            user: self.body.text("user"),
            callback_url: self.named("callbackUrl", "callback_url", Fields::text),
            external_task_id: self.named("externalTaskId", "external_task_id", Fields::text),
            extra,
            model: model_id,
            ..GenerateRequest::default()
        }
    }

    /// A field of ours that has several names outside.
    fn any<T: PartialEq>(
        &mut self,
        ours: &'static str,
        theirs: &[&'static str],
        read: impl FnMut(&mut Fields, &'static str) -> Option<T>,
    ) -> Option<T> {
        self.names.say(ours, theirs[0]);
        let Named { name, value } = self.body.any_of(theirs, read)?;
        self.names.say(ours, name);
        Some(value)
    }

    fn named<T>(
        &mut self,
        ours: &'static str,
        theirs: &'static str,
        read: impl FnOnce(&mut Fields, &str) -> Option<T>,
    ) -> Option<T> {
        self.names.say(ours, theirs);
        read(&mut self.body, theirs)
    }

    /// What is in `metadata` counts as if it stood beside it; what no field is becomes a key of the provider's own.
    fn lift_metadata(&mut self, extra: &mut BTreeMap<String, Value>) {
        for (key, value) in self.body.members("metadata") {
            // A gateway's clients repeat the model there, which decides nothing.
            if key == "model" {
                continue;
            }
            let agrees = match LIFTED.contains(&key.as_str()) {
                true => self.body.lay(&key, &value),
                false => *extra.entry(key.clone()).or_insert_with(|| value.clone()) == value,
            };
            if !agrees {
                self.body.wrong("metadata", format!("{key} contradicts {key} beside metadata"));
            }
        }
    }

    fn response_format(&mut self) {
        let format = self.body.text("response_format");
        self.body.checked("response_format", format, |format| format == "url", "url");
    }

    /// The model that is meant, also by those names that stand for several.
    fn model(&mut self, default: Option<&str>, extra: &mut BTreeMap<String, Value>) -> String {
        let name = self.body.text("model_name");
        let given = self.body.text("model");
        let model =
            given.or_else(|| default.filter(|_| name.is_none()).map(str::to_owned)).unwrap_or_default();
        match model.as_str() {
            KLING_VIDEO => name.unwrap_or_else(|| {
                self.body.wrong("model_name", format!("Required with {KLING_VIDEO}, such as kling-v2-6"));
                model
            }),
            VEO => match extra.remove("model") {
                None => VEO_DEFAULT.to_owned(),
                Some(Value::String(model)) => model,
                Some(_) => {
                    self.body.wrong("extra", "model must be text");
                    model
                }
            },
            "" => name.unwrap_or_default(),
            _ => match name {
                Some(name) if name != model => {
                    self.body.wrong("model_name", "Contradicts model: send one of them");
                    model
                }
                _ => model,
            },
        }
    }

    /// Seconds, also by the number of pictures.
    fn duration(&mut self) -> Option<u32> {
        let of_frames = self.frames();
        let given = self.any("duration", &SECONDS, Fields::whole);
        match (of_frames, given) {
            (Some(seconds), Some(given)) if seconds != given => {
                self.body.wrong("frames", format!("Contradicts the duration: they are {seconds} s"));
            }
            (Some(_), None) => self.names.say("duration", "frames"),
            _ => {}
        }
        given.or(of_frames)
    }

    fn frames(&mut self) -> Option<u32> {
        let frames = self.body.whole::<u32>("frames")?;
        let seconds = frames.checked_sub(1).filter(|rest| rest % FRAMES_A_SECOND == 0);
        let seconds = seconds.map(|rest| rest / FRAMES_A_SECOND);
        if seconds.is_none() {
            self.body.wrong(
                "frames",
                format!("Must be {FRAMES_A_SECOND} for each second and 1 more: 121 are 5 s"),
            );
        }
        seconds
    }

    fn options(&mut self) -> BTreeMap<String, Value> {
        let keep_audio = self.body.any_of(&KEEP_AUDIO, Fields::switch).map(|named| named.value.into());
        let elements = self.body.any_of(&ELEMENTS, Fields::items).map(|named| named.value.into());
        let watermark = self.body.switch("watermark").or_else(|| self.watermark_info()).map(Value::from);
        let given = [
            ("keep_audio", keep_audio),
            ("watermark", watermark),
            ("multi_shot", self.body.switch("multi_shot").map(Value::from)),
            ("multi_prompt", self.body.items("multi_prompt").map(Value::from)),
            ("shot_type", self.body.text("shot_type").map(Value::from)),
            ("elements", elements),
            ("cfg_scale", self.body.number("cfg_scale")),
            ("camera_control", self.object("camera_control")),
        ];
        given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }

    fn object(&mut self, name: &str) -> Option<Value> {
        let members = self.body.members(name);
        (!members.is_empty()).then(|| Value::Object(members.into_iter().collect()))
    }

    /// Kling writes `{"enabled": true}`.
    fn watermark_info(&mut self) -> Option<bool> {
        let info = self.body.members("watermark_info");
        let enabled = info.get("enabled")?;
        if enabled.as_bool().is_none() {
            self.body.wrong("watermark_info", "enabled must be true or false");
        }
        enabled.as_bool()
    }
}

#[cfg(test)]
mod tests;
