//! Kling's lists, whose items say themselves what each is for.

use serde_json::Value;

use super::Reader;
use super::mode::Wish;

const IMAGES: &str = "image_list";
const VIDEOS: &str = "video_list";

impl Reader<'_> {
    /// Puts each item where it belongs; what the videos are for decides the mode.
    pub(super) fn lists(&mut self) -> Option<Wish> {
        self.typed_images();
        self.videos_with_a_use()
    }

    /// Images of a type are frames; the others stay references.
    fn typed_images(&mut self) {
        let is_typed = |value: &Value| items(value).iter().any(|item| !item["type"].is_null());
        if !self.body.peek(IMAGES).is_some_and(is_typed) {
            return;
        }
        let (mut references, mut frames) = (Vec::new(), Vec::new());
        for item in self.body.items(IMAGES).unwrap_or_default() {
            match item["type"].as_str() {
                Some("first_frame") => frames.push(("first_frame", item)),
                Some("end_frame") => frames.push(("last_frame", item)),
                None if item["type"].is_null() => references.push(item),
                _ => self
                    .body
                    .wrong(IMAGES, "The type of an image must be first_frame or end_frame, or left out"),
            }
        }
        for (field, item) in frames {
            if !self.body.lay(field, &item) {
                self.body.wrong(IMAGES, format!("Has another {field} than was given already"));
            }
        }
        self.body.lay(IMAGES, &Value::Array(references));
    }

    /// A video is the one to edit (`base`, Kling's default) or to take after (`feature`), with its sound or without.
    fn videos_with_a_use(&mut self) -> Option<Wish> {
        let videos = self.body.peek(VIDEOS).map(items)?;
        let mut wish = None;
        for video in &videos {
            let this = match &video["refer_type"] {
                Value::Null => Wish::Edit,
                Value::String(word) if word == "base" => Wish::Edit,
                Value::String(word) if word == "feature" => Wish::R2v,
                _ => {
                    self.body.wrong(VIDEOS, "The refer_type of a video must be base or feature");
                    continue;
                }
            };
            if wish.replace(this).is_some_and(|other| other != this) {
                self.body.wrong(VIDEOS, "All videos must have the same refer_type");
            }
            let sound = &video["keep_original_sound"];
            if !sound.is_null() && !self.body.lay("keep_original_sound", sound) {
                self.body.wrong(VIDEOS, "Contradicts itself about keep_original_sound");
            }
        }
        wish
    }
}

/// The items of a list, also of one that is written as text.
fn items(value: &Value) -> Vec<Value> {
    let read = match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => other.clone(),
    };
    match read {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
