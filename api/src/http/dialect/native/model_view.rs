//! A model as customers see it. Never shown: who serves it, under which name, and what that costs us.

use poem_openapi::Object;

use super::generate::unit_name;
use crate::http::value::{Amount, Shown};
use crate::video::catalog::{Audio, Durations, Model, OptionName};
use crate::video::offer::{ModelView, Status};
use crate::video::price::{Offer, Price};
use crate::video::rules::free_keys;
use crate::video::typical::Typical;

/// What a model can do, and what it costs.
#[derive(Debug, Object)]
#[oai(rename = "Model", rename_all = "camelCase")]
pub struct ModelBody {
    id: String,
    family: String,
    /// Other names that it is found by.
    aliases: Vec<String>,
    /// `active`, `deprecated` (use `replacement` for new work) or `retired` (only test keys can still use it).
    status: String,
    /// A day, in UTC.
    #[oai(nullable)]
    deprecated_at: Option<String>,
    /// From this day on, in UTC, live requests are refused.
    #[oai(nullable)]
    sunset_at: Option<String>,
    /// Id of the model to use instead.
    #[oai(nullable)]
    replacement: Option<String>,
    /// Whether somebody serves it now, in your mode.
    available: bool,
    input_modes: Vec<String>,
    durations: DurationsBody,
    /// Seconds of a clip when you don't say.
    default_duration: u32,
    /// Ascending.
    resolutions: Vec<String>,
    default_resolution: String,
    aspect_ratios: Vec<String>,
    default_aspect_ratio: String,
    /// `none`, `always` or `optional`.
    audio: String,
    /// Whether a clip gets sound when you don't say.
    default_audio: bool,
    media: MediaLimits,
    prompt_required: bool,
    /// Characters of a prompt.
    prompt_max: u32,
    /// Clips that one request may ask for.
    count_max: u16,
    /// Keys of `options`.
    options: Vec<String>,
    /// Whether it makes something of `negativePrompt`.
    negative_prompt: bool,
    /// Whether it makes something of `seed`.
    seed: bool,
    /// Keys of `extra` that are forwarded as they are. Keys of one group can be sent together.
    extra: Vec<Vec<String>>,
    /// What one clip costs you; a combination that is not listed is not sold. Several clips cost as many times as much,
    /// rounded up once.
    prices: Vec<PriceBody>,
    /// Version of the price list.
    price_version: i64,
    /// Prices are rounded up to whole multiples of this many credits.
    price_step: u32,
    /// From the request to the clip, measured over the newest tasks; null when there were too few.
    #[oai(nullable)]
    typical_seconds: Option<TypicalSeconds>,
}

/// Seconds that a clip can have.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct DurationsBody {
    /// All of them, ascending; null when it is every second from `min` to `max`.
    #[oai(nullable)]
    values: Option<Vec<u32>>,
    min: u32,
    max: u32,
}

/// Media that a request may have at most.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct MediaLimits {
    /// Frames and reference images together.
    max_images: u32,
    /// Source and reference videos together.
    max_videos: u32,
    max_audios: u32,
    /// Whether it takes a last frame beside the first one.
    last_frame: bool,
}

/// What one clip costs with any combination of these values.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PriceBody {
    input_modes: Vec<String>,
    resolutions: Vec<String>,
    /// Null when the price does not depend on it.
    #[oai(nullable)]
    aspect_ratios: Option<Vec<String>>,
    /// With sound, without, or either.
    audio: Vec<bool>,
    /// With a source or reference video, without, or either.
    video_input: Vec<bool>,
    /// By length, ascending.
    durations: Vec<DurationPrice>,
}

/// What a clip of a length costs.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct DurationPrice {
    min_seconds: u32,
    /// As `minSeconds` for a single length.
    max_seconds: u32,
    /// What `unitPrice` is for: `clip`, `second` or `mtoken` (a million tokens).
    unit: String,
    /// Credits, as text so that they stay exact.
    unit_price: String,
    /// The price of one clip. Null over several lengths: `unitPrice` times the seconds, rounded up to `priceStep`.
    #[oai(nullable)]
    credits: Option<Amount>,
}

/// How long tasks take.
#[derive(Debug, Object)]
struct TypicalSeconds {
    /// Half of them took no longer.
    p50: f64,
    /// Nine of ten took no longer.
    p90: f64,
    /// How many were measured.
    samples: u32,
}

pub fn model_body(view: ModelView) -> ModelBody {
    let model = &*view.model;
    ModelBody {
        id: model.id.clone(),
        family: model.family.clone(),
        aliases: model.aliases.clone(),
        status: status_name(view.status).to_owned(),
        deprecated_at: model.lifecycle.deprecated_at.map(|date| date.to_string()),
        sunset_at: model.lifecycle.sunset_at.map(|date| date.to_string()),
        replacement: model.lifecycle.replacement.clone(),
        available: view.available,
        input_modes: words(&model.modes),
        durations: durations(&model.durations),
        default_duration: model.default_duration_s,
        resolutions: words(&model.resolutions),
        default_resolution: model.default_resolution.to_string(),
        aspect_ratios: words(&model.aspect_ratios),
        default_aspect_ratio: model.default_aspect_ratio.to_string(),
        audio: audio_name(model.audio).to_owned(),
        default_audio: model.audio.default_on(),
        media: media(model),
        prompt_required: model.prompt_required,
        prompt_max: small(model.prompt_max_chars),
        count_max: model.count_max,
        options: model.options.iter().filter_map(|option| option.key()).map(str::to_owned).collect(),
        negative_prompt: model.has_option(OptionName::NegativePrompt),
        seed: model.has_option(OptionName::Seed),
        extra: free_keys(model).into_iter().map(|keys| keys.into_iter().collect()).collect(),
        prices: view.offers.iter().map(price_body).collect(),
        price_version: view.price_version,
        price_step: view.price_step,
        typical_seconds: view.typical.map(typical_seconds),
    }
}

fn words<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Deprecated => "deprecated",
        Status::Retired => "retired",
    }
}

fn audio_name(audio: Audio) -> &'static str {
    match audio {
        Audio::None => "none",
        Audio::Always => "always",
        Audio::Optional { .. } => "optional",
    }
}

fn durations(durations: &Durations) -> DurationsBody {
    let values = match durations {
        Durations::List(list) => Some(list.clone()),
        Durations::Range { .. } => None,
    };
    let (min, max) = (durations.iter().min(), durations.iter().max());
    DurationsBody { values, min: min.unwrap_or_default(), max: max.unwrap_or_default() }
}

fn media(model: &Model) -> MediaLimits {
    MediaLimits {
        max_images: small(model.max_images),
        max_videos: small(model.max_videos),
        max_audios: small(model.max_audios),
        last_frame: model.last_frame,
    }
}

fn price_body(offer: &Offer) -> PriceBody {
    PriceBody {
        input_modes: words(&offer.modes),
        resolutions: words(&offer.resolutions),
        aspect_ratios: (!offer.aspect_ratios.is_empty()).then(|| words(&offer.aspect_ratios)),
        audio: offer.audio.clone(),
        video_input: offer.video_input.clone(),
        durations: offer.prices.iter().map(duration_price).collect(),
    }
}

fn duration_price(price: &Price) -> DurationPrice {
    DurationPrice {
        min_seconds: price.seconds_min,
        max_seconds: price.seconds_max,
        unit: unit_name(price.unit).to_owned(),
        unit_price: price.unit_price.to_string(),
        credits: price.credits.map(Shown),
    }
}

fn typical_seconds(typical: Typical) -> TypicalSeconds {
    let seconds = |millis: i64| millis as f64 / 1_000.0;
    TypicalSeconds {
        p50: seconds(typical.p50_ms),
        p90: seconds(typical.p90_ms),
        samples: small(typical.samples),
    }
}
