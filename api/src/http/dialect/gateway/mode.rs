//! What is to be made from what: gateways' words for it, and what each needs at least.

use super::{Reader, size::resolution_of};
use crate::video::catalog::{InputMode, Model};

/// A mode as gateways write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    T2v,
    I2v,
    I2vFirstLast,
    ReferenceImages,
    ReferenceMaterial,
    MultiI2v,
    R2v,
    Extend,
    Edit,
}

impl Wish {
    pub const ALL: [Wish; 9] = [
        Wish::T2v,
        Wish::I2v,
        Wish::I2vFirstLast,
        Wish::ReferenceImages,
        Wish::ReferenceMaterial,
        Wish::MultiI2v,
        Wish::R2v,
        Wish::Extend,
        Wish::Edit,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Wish::T2v => "t2v",
            Wish::I2v => "i2v",
            Wish::I2vFirstLast => "i2v_first_last",
            Wish::ReferenceImages => "reference_images",
            Wish::ReferenceMaterial => "reference_material",
            Wish::MultiI2v => "multi_i2v",
            Wish::R2v => "r2v",
            Wish::Extend => "extend",
            Wish::Edit => "edit",
        }
    }

    pub fn input_mode(self) -> InputMode {
        match self {
            Wish::T2v => InputMode::TextToVideo,
            Wish::I2v | Wish::I2vFirstLast => InputMode::ImageToVideo,
            Wish::ReferenceImages | Wish::ReferenceMaterial | Wish::MultiI2v | Wish::R2v => {
                InputMode::ReferenceToVideo
            }
            Wish::Extend => InputMode::VideoExtend,
            Wish::Edit => InputMode::VideoToVideo,
        }
    }

    /// The plain wish for a mode of ours.
    pub fn of(mode: InputMode) -> Wish {
        match mode {
            InputMode::TextToVideo => Wish::T2v,
            InputMode::ImageToVideo => Wish::I2v,
            InputMode::ReferenceToVideo => Wish::R2v,
            InputMode::VideoToVideo => Wish::Edit,
            InputMode::VideoExtend => Wish::Extend,
        }
    }

    fn named(text: &str) -> Option<Wish> {
        let ours = || text.parse().ok().map(Wish::of);
        Wish::ALL.into_iter().find(|wish| wish.as_str() == text).or_else(ours)
    }
}

/// How much of what a body has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub frames: usize,
    pub last_frames: usize,
    pub references: usize,
    pub videos: usize,
    pub audios: usize,
}

/// The mode of a body that names none: the model's own where it has one only, else what the inputs fit.
pub fn inferred(model: &Model, counts: Counts) -> InputMode {
    use InputMode::*;
    let fitting: &[InputMode] = match counts {
        Counts { videos: 1.., .. } => &[VideoToVideo, VideoExtend, ReferenceToVideo],
        Counts { last_frames: 1.., .. } => &[ImageToVideo, ReferenceToVideo],
        Counts { references: 1.., .. } => &[ReferenceToVideo, ImageToVideo],
        Counts { frames: 1.., .. } => &[ImageToVideo, ReferenceToVideo],
        _ => &[TextToVideo],
    };
    let own = match model.modes.as_slice() {
        [only] => Some(*only),
        modes => fitting.iter().copied().find(|mode| modes.contains(mode)),
    };
    own.unwrap_or(fitting[0])
}

impl Reader<'_> {
    /// What the route or the body asks for. Kling's modes are sizes and are noted as such.
    pub(super) fn wish(&mut self, of_route: Option<Wish>) -> Option<Wish> {
        let mode = self.body.text("mode");
        let wish = match mode.as_deref().map(str::to_ascii_lowercase) {
            Some(size) if ["std", "pro", "4k"].contains(&size.as_str()) => {
                let size = resolution_of(&size);
                if !self.body.lay("resolution", &size.as_str().into()) {
                    self.body.wrong("mode", format!("Contradicts resolution: it means {size}"));
                }
                None
            }
            Some(word) => self.known("mode", &word),
            None => None,
        };
        let function = self.body.text("function_mode");
        let function = function.and_then(|word| self.known("function_mode", &word.to_ascii_lowercase()));
        match (wish, function) {
            (Some(wish), Some(function)) if wish != function => {
                self.body.wrong("function_mode", format!("Contradicts mode, which is {}", wish.as_str()));
            }
            _ => {}
        }
        let asked = wish.or(function);
        match (of_route, asked) {
            (Some(route), Some(asked)) if route.input_mode() != asked.input_mode() => {
                self.body.wrong("mode", format!("Contradicts the path, which means {}", route.as_str()));
                of_route
            }
            _ => asked.or(of_route),
        }
    }

    fn known(&mut self, field: &str, word: &str) -> Option<Wish> {
        let wish = Wish::named(word);
        if wish.is_none() {
            let words: Vec<&str> = Wish::ALL.iter().map(|wish| wish.as_str()).collect();
            let sizes = if field == "mode" { ", or std, pro or 4k" } else { "" };
            self.body.wrong(field, format!("Must be one of {}{sizes}", words.join(", ")));
        }
        wish
    }

    /// What a mode needs at least, said by the names that its clients know.
    pub(super) fn needs(&mut self, wish: Wish, counts: Counts) {
        let Counts { frames, last_frames, references, videos, audios } = counts;
        let missing = match wish {
            Wish::I2v if frames == 0 => Some(("image", "an image")),
            Wish::I2vFirstLast if frames == 0 => Some(("image_url", "a first image")),
            Wish::I2vFirstLast if last_frames == 0 => Some(("end_image_url", "a last image")),
            Wish::ReferenceImages if references + frames == 0 => {
                Some(("reference_images", "at least one image"))
            }
            Wish::MultiI2v if references + frames == 0 => Some(("image_list", "at least one image")),
            Wish::R2v | Wish::ReferenceMaterial if references + frames + videos + audios == 0 => {
                Some(("image_urls", "at least one of image_urls, video_urls and audio_urls"))
            }
            Wish::Extend if videos == 0 => Some(("video_id", "a video")),
            Wish::Edit if videos == 0 => Some(("video", "a video")),
            _ => None,
        };
        if let Some((field, what)) = missing {
            self.body.wrong(field, format!("Required: mode {} needs {what}", wish.as_str()));
        }
    }
}
