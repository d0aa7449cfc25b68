//! Is this request allowed, and what exactly will be made and billed?
//!
//! Every rule comes from the catalog; no model is named here. All errors are collected, so that one answer names
//! them all. The invariant: a [`Checked`] request holds explicit values for everything that has a price, and its
//! [`Effective`] form is exactly what a provider is sent.

mod extra;
mod field;
mod flags;
mod general;
mod media;
mod model;
mod option;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use entity::Mode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::{AspectRatio, Catalog, InputMode, Model, OptionName, Resolution, Wanted, dimensions};
use super::price::Dimensions;
use super::request::{FieldErrors, GenerateRequest, Media, MediaRole};
use extra::Folded;

pub use extra::free_keys;
pub use general::{callback_address, web_address};
pub use media::{takes, unfit, video_inputs};
pub use model::unknown as unknown_model;

/// A request that may be priced and accepted.
#[derive(Clone, Debug)]
pub struct Checked {
    pub model: Arc<Model>,
    pub effective: Effective,
    /// What was accepted but will have no effect, and what goes away soon; sentences for the customer.
    pub warnings: Vec<String>,
    /// Keys that a live route must forward to be eligible ([`Catalog::routes_for`]).
    pub passthrough: BTreeSet<String>,
}

/// What is made: every default filled in, nothing a provider would not be sent. Stored with the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effective {
    /// The model's id, also when an alias was asked for.
    pub model_id: String,
    pub mode: InputMode,
    pub prompt: Option<String>,
    pub negative_prompt: Option<String>,
    /// At most one first frame and one last frame; otherwise in the order given.
    pub media: Vec<Media>,
    /// Seconds of one clip.
    pub duration_s: u32,
    pub resolution: Resolution,
    pub aspect_ratio: AspectRatio,
    pub audio: bool,
    /// Clips; at least 1.
    pub count: u16,
    pub seed: Option<u32>,
    pub options: BTreeMap<String, Value>,
    /// Free keys only: a priced key has become its field.
    pub extra: BTreeMap<String, Value>,
}

impl Effective {
    /// Whether a source or reference video is given; some prices depend on it.
    pub fn has_video_input(&self) -> bool {
        self.media.iter().any(|medium| medium.role.is_video())
    }

    /// What a route must be able to make.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            mode: self.mode,
            resolution: self.resolution,
            aspect_ratio: self.aspect_ratio,
            duration_s: self.duration_s,
            audio: self.audio,
            last_frame: self.media.iter().any(|medium| medium.role == MediaRole::LastFrame),
            options: self.wished().collect(),
        }
    }

    /// The options that were asked for, those with a field of their own as well.
    fn wished(&self) -> impl Iterator<Item = OptionName> {
        OptionName::ALL.into_iter().filter(|option| match option {
            OptionName::Seed => self.seed.is_some(),
            OptionName::NegativePrompt => self.negative_prompt.is_some(),
            other => other.key().is_some_and(|key| self.options.contains_key(key)),
        })
    }

    /// Everything a price may depend on.
    pub fn dimensions(&self) -> Dimensions<'_> {
        let (width, height) = dimensions(self.resolution, self.aspect_ratio);
        Dimensions {
            model: &self.model_id,
            mode: self.mode,
            duration_s: self.duration_s,
            resolution: self.resolution,
            width,
            height,
            audio: self.audio,
            video_input: self.has_video_input(),
            count: self.count,
        }
    }
}

/// Why a request is not allowed, in the order it is decided. Each carries every error found until then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("unknown model: {0}")]
    UnknownModel(FieldErrors),
    /// The model's sunset day has come; live only.
    #[error("retired model: {0}")]
    Retired(FieldErrors),
    #[error("invalid request: {0}")]
    Invalid(FieldErrors),
}

impl Refused {
    pub fn errors(&self) -> &FieldErrors {
        match self {
            Refused::UnknownModel(errors) | Refused::Retired(errors) | Refused::Invalid(errors) => errors,
        }
    }

    /// The same with more to object to.
    pub fn with(mut self, more: FieldErrors) -> Refused {
        let (Refused::UnknownModel(errors) | Refused::Retired(errors) | Refused::Invalid(errors)) = &mut self;
        errors.merge(more);
        self
    }
}

/// Checks a request against the catalog and fills in the defaults. What each medium is was looked at before
/// ([`super::input`]); here it counts by its role.
///
/// `mode` matters for retired models only: they stay available in test mode. Whether anybody serves the model right
/// now is not asked here.
pub fn check(
    request: &GenerateRequest,
    catalog: &Catalog,
    mode: Mode,
    now_unix: i64,
) -> Result<Checked, Refused> {
    let mut errors = FieldErrors::default();
    general::check(request, &mut errors);
    if request.model.trim().is_empty() {
        errors.push("model", "Required");
        return Err(Refused::Invalid(errors));
    }
    let Some(model) = catalog.model(&request.model) else {
        errors.push("model", model::unknown(&request.model, catalog));
        return Err(Refused::UnknownModel(errors));
    };
    if mode == Mode::Live && model.lifecycle.is_retired(now_unix) {
        errors.push("model", model::retired(model));
        return Err(Refused::Retired(errors));
    }
    let mut review = Review { request, model, errors, warnings: model::warnings(model, now_unix) };
    let (effective, passthrough) = review.effective();
    let Review { errors, warnings, .. } = review;
    match effective {
        Some(effective) if errors.is_empty() => {
            Ok(Checked { model: Arc::clone(model), effective, warnings, passthrough })
        }
        _ => Err(Refused::Invalid(errors)),
    }
}

/// One request under review. A rule returns `None` only after it noted an error.
struct Review<'a> {
    request: &'a GenerateRequest,
    model: &'a Model,
    errors: FieldErrors,
    warnings: Vec<String>,
}

impl Review<'_> {
    fn effective(&mut self) -> (Option<Effective>, BTreeSet<String>) {
        let Folded { wishes, extra, passthrough } = self.extra();
        self.provider();
        let mode = self.mode();
        let prompt = self.prompt();
        let media = self.media(mode);
        let duration_s = self.duration(wishes.duration_s);
        let resolution = self.resolution(wishes.resolution.as_deref());
        let aspect_ratio = self.aspect_ratio(wishes.aspect_ratio.as_deref());
        let audio = self.audio(wishes.generate_audio);
        let count = self.count(wishes.count);
        let seed = self.seed(wishes.seed);
        let negative_prompt = self.negative_prompt(wishes.negative_prompt);
        let options = self.options(wishes.options);
        let build = || {
            Some(Effective {
                model_id: self.model.id.clone(),
                mode: mode?,
                prompt,
                negative_prompt,
                media,
                duration_s: duration_s?,
                resolution: resolution?,
                aspect_ratio: aspect_ratio?,
                audio: audio?,
                count: count?,
                seed,
                options,
                extra,
            })
        };
        (build(), passthrough)
    }

    fn error(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(field, message);
    }

    fn warn(&mut self, message: impl Into<String>) {
        self.warnings.push(message.into());
    }
}

#[cfg(test)]
mod tests;
