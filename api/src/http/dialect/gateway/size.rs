//! The picture's size, which clients give in pixels, by the name of a resolution, or as a ratio.

use super::super::super::body::Fields;
use super::{RATIO, RESOLUTION, Reader};
use crate::video::catalog::{AspectRatio, Model, Resolution, join};

/// How far a ratio of pixels may be from one of the model's: `1024x1792` is meant as 9:16.
const RATIO_TOLERANCE_PERCENT: u64 = 2;

/// What `size`, or `width` and `height`, came to.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub resolution: Option<String>,
    pub aspect_ratio: Option<String>,
}

impl Reader<'_> {
    pub(super) fn shape(&mut self, model: Option<&Model>) -> Shape {
        let size = self.body.text("size");
        let (width, height) = (self.body.whole::<u32>("width"), self.body.whole::<u32>("height"));
        let pixels = match (width, height) {
            (Some(width), Some(height)) => Some(("width", width, height)),
            (None, None) => None,
            (Some(_), None) => self.missing("height", "width"),
            (None, Some(_)) => self.missing("width", "height"),
        };
        match (size, pixels) {
            (Some(_), Some(_)) => {
                self.body.wrong("size", "Contradicts width and height: send one of them");
                Shape::default()
            }
            (Some(size), None) => self.size(&size, model),
            (None, Some((field, width, height))) => self.pixels(field, (width, height), model),
            (None, None) => Shape::default(),
        }
    }

    fn missing<T>(&mut self, field: &str, other: &str) -> Option<T> {
        self.body.wrong(field, format!("Required with {other}"));
        None
    }

    fn size(&mut self, text: &str, model: Option<&Model>) -> Shape {
        let text = text.trim().to_ascii_lowercase();
        if text.parse::<Resolution>().is_ok() {
            self.names.say("resolution", "size");
            return Shape { resolution: Some(text), aspect_ratio: None };
        }
        if text.contains(':') || text == "auto" {
            self.names.say("aspectRatio", "size");
            return Shape { resolution: None, aspect_ratio: Some(text) };
        }
        match pixels(&text) {
            Some(pixels) => self.pixels("size", pixels, model),
            None => {
                self.body.wrong("size", "Must be pixels such as 1280x720, or a resolution such as 720p");
                Shape::default()
            }
        }
    }

    /// The model's own ratio within the tolerance, and its smallest resolution that is not below the shorter side.
    fn pixels(&mut self, field: &'static str, (width, height): (u32, u32), model: Option<&Model>) -> Shape {
        let Some(model) = model else { return Shape::default() };
        let Some(ratio) = nearest_ratio(model, width, height) else {
            let allowed = join(&model.aspect_ratios);
            self.body.wrong(field, format!("{width}x{height} is none of {}'s shapes: {allowed}", model.id));
            return Shape::default();
        };
        let short = width.min(height);
        let Some(resolution) = model.resolutions.iter().find(|resolution| resolution.short_side() >= short)
        else {
            let allowed = join(&model.resolutions);
            self.body.wrong(field, format!("{width}x{height} is larger than {} makes: {allowed}", model.id));
            return Shape::default();
        };
        self.names.say("resolution", field);
        self.names.say("aspectRatio", field);
        Shape { resolution: Some(resolution.to_string()), aspect_ratio: Some(ratio.to_string()) }
    }

    pub(super) fn aspect_ratio(&mut self, of_size: Option<String>) -> Option<String> {
        let given = match &of_size {
            Some(_) => self.body.any_of(&RATIO, Fields::text).map(|named| (named.name, named.value)),
            None => return self.any("aspectRatio", &RATIO, Fields::text),
        };
        self.agreed(of_size, given)
    }

    pub(super) fn resolution(&mut self, of_others: Option<String>) -> Option<String> {
        let read = |body: &mut Fields, name| body.text(name).map(|text| resolution_of(&text));
        let given = match &of_others {
            Some(_) => self.body.any_of(&RESOLUTION, read).map(|named| (named.name, named.value)),
            None => return self.any("resolution", &RESOLUTION, read),
        };
        self.agreed(of_others, given)
    }

    /// What the size said already, if nothing beside it says otherwise.
    fn agreed(&mut self, of_size: Option<String>, given: Option<(&'static str, String)>) -> Option<String> {
        if let (Some(size), Some((name, value))) = (&of_size, &given)
            && !size.eq_ignore_ascii_case(value)
        {
            self.body.wrong(name, format!("Contradicts the size that was asked for, which means {size}"));
        }
        of_size
    }
}

/// Qualities are sizes, as are Kling's modes.
pub fn resolution_of(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "std" | "standard" => "720p".to_owned(),
        "pro" | "high" | "hd" => "1080p".to_owned(),
        other => other.to_owned(),
    }
}

fn pixels(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(['x', '*', '×'])?;
    let side = |text: &str| text.trim().parse::<u32>().ok().filter(|side| *side > 0);
    Some((side(width)?, side(height)?))
}

fn nearest_ratio(model: &Model, width: u32, height: u32) -> Option<AspectRatio> {
    let offset = |ratio: &AspectRatio| match ratio {
        AspectRatio::Auto => None,
        AspectRatio::Ratio { width: w, height: h } => {
            let (asked, own) = (u64::from(width) * u64::from(*h), u64::from(height) * u64::from(*w));
            (own > 0 && asked.abs_diff(own) * 100 <= own * RATIO_TOLERANCE_PERCENT)
                .then(|| asked.abs_diff(own) * 1_000_000 / own)
        }
    };
    let near = model.aspect_ratios.iter().filter_map(|ratio| Some((offset(ratio)?, *ratio)));
    near.min_by_key(|(offset, _)| *offset).map(|(_, ratio)| ratio)
}
