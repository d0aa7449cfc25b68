//! Pictures, videos and sounds: where clients put them, and which role each has in the mode that is asked for.

use serde_json::{Map, Value};

use super::Reader;
use super::mode::{Counts, Wish, inferred};
use crate::video::catalog::{InputMode, Model};
use crate::video::request::{Media, MediaRole};

/// Where something can be given, in the order of preference.
const FIRST: [&str; 1] = ["first_frame"];
const LAST: [&str; 4] = ["last_frame", "image_tail", "end_image_url", "last_image_url"];
const IMAGES: [&str; 6] =
    ["image", "image_url", "image_urls", "images", "binary_data_base64", "input_reference"];
const REFERENCES: [&str; 2] = ["reference_images", "image_list"];
const VIDEOS: [&str; 7] = ["video", "video_url", "videos", "video_urls", "video_list", "video_id", "task_id"];
const AUDIOS: [&str; 2] = ["audio_urls", "audio_url"];

/// An address and the field it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Input {
    field: &'static str,
    url: String,
}

/// What a body has, by what it is called.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    first: Vec<Input>,
    last: Vec<Input>,
    images: Vec<Input>,
    references: Vec<Input>,
    videos: Vec<Input>,
    audios: Vec<Input>,
}

impl Inputs {
    fn counts(&self) -> Counts {
        Counts {
            frames: self.first.len() + self.images.len(),
            last_frames: self.last.len(),
            references: self.references.len(),
            videos: self.videos.len(),
            audios: self.audios.len(),
        }
    }
}

impl Reader<'_> {
    /// The parts of `content` go to the fields that they stand for; the text that is among them is given back.
    pub(super) fn content(&mut self) -> Option<String> {
        let parts = self.body.items("content")?;
        let mut texts = Vec::new();
        let mut given: Vec<(&'static str, Vec<Value>)> = Vec::new();
        for part in parts {
            match content_part(&part) {
                Some(Part::Text(text)) => texts.push(text),
                Some(Part::Input(field, url)) => match given.iter_mut().find(|(name, _)| *name == field) {
                    Some((_, urls)) => urls.push(url),
                    None => given.push((field, vec![url])),
                },
                None => self.body.wrong(
                    "content",
                    "Each part must be a text, image_url, video_url or audio_url, with a role that fits it",
                ),
            }
        }
        for (field, urls) in given {
            if !self.body.lay(field, &Value::Array(urls)) {
                self.body.wrong("content", format!("Contradicts {field}: send one of them"));
            }
        }
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// The mode, and each input in its role there.
    pub(super) fn media(
        &mut self,
        wish: Option<Wish>,
        model: Option<&Model>,
    ) -> (Option<InputMode>, Vec<Media>) {
        let inputs = Inputs {
            first: self.inputs(&FIRST),
            last: self.inputs(&LAST),
            images: self.inputs(&IMAGES),
            references: self.inputs(&REFERENCES),
            videos: self.inputs(&VIDEOS),
            audios: self.inputs(&AUDIOS),
        };
        let mut counts = inputs.counts();
        // The second of a plain list is the last frame where two are asked for.
        if wish == Some(Wish::I2vFirstLast) && counts.last_frames == 0 && counts.frames >= 2 {
            (counts.frames, counts.last_frames) = (1, 1);
        }
        if let Some(wish) = wish {
            self.needs(wish, counts);
        }
        self.names.say("inputMode", if wish.is_some() { "mode" } else { "model" });
        for (role, field) in [
            (MediaRole::FirstFrame, "image"),
            (MediaRole::LastFrame, "last_frame"),
            (MediaRole::ReferenceImage, "reference_images"),
            (MediaRole::SourceVideo, "video"),
            (MediaRole::ReferenceVideo, "video_urls"),
            (MediaRole::Audio, "audio_urls"),
        ] {
            self.names.say(role.field(), field);
        }
        let mode = wish.map(Wish::input_mode).or_else(|| model.map(|model| inferred(model, counts)));
        // Without a model that is known the request is refused for that alone.
        let mode = mode.unwrap_or(InputMode::TextToVideo);
        (Some(mode), self.in_roles(mode, wish, inputs))
    }

    fn in_roles(&mut self, mode: InputMode, wish: Option<Wish>, inputs: Inputs) -> Vec<Media> {
        let Inputs { first, last, images, references, videos, audios } = inputs;
        let mut media = Vec::new();
        let mut add = |role: MediaRole, inputs: Vec<Input>| {
            if let Some(input) = inputs.first() {
                self.names.say(role.field(), input.field);
            }
            media.extend(inputs.into_iter().map(|input| Media { role, url: input.url }));
        };
        let mut frames: Vec<Input> = first.into_iter().chain(images).collect();
        match mode {
            InputMode::TextToVideo | InputMode::ImageToVideo => {
                let mut last = last;
                if wish == Some(Wish::I2vFirstLast) && last.is_empty() && frames.len() >= 2 {
                    last.push(frames.remove(1));
                }
                add(MediaRole::FirstFrame, frames);
                add(MediaRole::LastFrame, last);
                add(MediaRole::ReferenceImage, references);
                add(MediaRole::SourceVideo, videos);
            }
            InputMode::ReferenceToVideo => {
                add(MediaRole::ReferenceImage, frames.into_iter().chain(references).collect());
                add(MediaRole::LastFrame, last);
                add(MediaRole::ReferenceVideo, videos);
            }
            InputMode::VideoToVideo | InputMode::VideoExtend => {
                add(MediaRole::SourceVideo, videos);
                add(MediaRole::ReferenceImage, frames.into_iter().chain(references).collect());
                add(MediaRole::LastFrame, last);
            }
        }
        add(MediaRole::Audio, audios);
        media
    }

    /// Everything that these fields hold. The same address in two of them is one.
    fn inputs(&mut self, fields: &[&'static str]) -> Vec<Input> {
        let mut inputs: Vec<Input> = Vec::new();
        for field in fields.iter().copied() {
            let Some(value) = self.body.value(field) else { continue };
            let Some(urls) = addresses(&value) else {
                self.body
                    .wrong(field, "Must be a URL, base64, an id, an object with a url, or a list of these");
                continue;
            };
            for url in urls {
                let is_known = inputs.iter().any(|input| input.field != field && input.url == url);
                if !is_known {
                    inputs.push(Input { field, url });
                }
            }
        }
        inputs
    }
}

/// Members of an object that hold an address.
const ADDRESS: [&str; 9] =
    ["url", "image_url", "video_url", "audio_url", "image", "video", "file_id", "id", "video_id"];

/// Addresses in whatever form clients write them; `None` when it is none. Nothing at all is no address and no mistake.
pub fn addresses(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => match text.trim() {
            "" => Some(Vec::new()),
            list if list.starts_with('[') => addresses(&serde_json::from_str(list).ok()?),
            address => Some(vec![address.to_owned()]),
        },
        Value::Array(items) => {
            let lists = items.iter().map(addresses).collect::<Option<Vec<_>>>()?;
            Some(lists.concat())
        }
        Value::Object(members) => of_object(members),
        _ => None,
    }
}

fn of_object(members: &Map<String, Value>) -> Option<Vec<String>> {
    let address = ADDRESS.iter().find_map(|name| members.get(*name).filter(|value| !value.is_null()))?;
    addresses(address).filter(|found| found.len() == 1)
}

enum Part {
    Text(String),
    Input(&'static str, Value),
}

/// One part of `content`: its type says what it is, its role what for.
fn content_part(part: &Value) -> Option<Part> {
    let kind = part["type"].as_str()?;
    let role = part["role"].as_str();
    if kind == "text" {
        return Some(Part::Text(part["text"].as_str()?.to_owned()));
    }
    let field = match (kind, role) {
        ("image_url", None) => "image_urls",
        ("image_url", Some("first_frame")) => "first_frame",
        ("image_url", Some("last_frame")) => "last_frame",
        ("image_url", Some("reference_image")) => "reference_images",
        ("video_url", None | Some("reference_video" | "video")) => "video_urls",
        ("audio_url", None | Some("reference_audio" | "audio")) => "audio_urls",
        _ => return None,
    };
    let address = part.get(kind)?;
    addresses(address).filter(|found| found.len() == 1)?;
    Some(Part::Input(field, address.clone()))
}
