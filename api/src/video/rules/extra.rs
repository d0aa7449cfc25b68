//! Keys of a provider's own: free ones are passed through, those that mean a field of ours become that field before
//! anything is checked or priced.
//!
//! A key that is on no list is refused, because what a provider would make of it, and charge for it, is unknown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Review;
use crate::video::catalog::{KnownField, Model, OptionName, Route};
use crate::video::request::GenerateRequest;

/// The fields that a provider's key may stand for, as asked for at the top or by such a key.
pub(super) struct Wishes {
    pub duration_s: Option<u32>,
    pub resolution: Option<String>,
    pub aspect_ratio: Option<String>,
    pub generate_audio: Option<bool>,
    pub count: Option<u32>,
    pub seed: Option<i64>,
    pub negative_prompt: Option<String>,
    pub options: BTreeMap<String, Value>,
}

pub(super) struct Folded {
    pub wishes: Wishes,
    pub extra: BTreeMap<String, Value>,
    pub passthrough: BTreeSet<String>,
}

/// Why a key can't become its field.
enum Clash {
    Unreadable,
    Contradicts,
}

/// Keys that are forwarded as they are, route by route: those of one route can be sent together.
pub fn free_keys(model: &Model) -> BTreeSet<BTreeSet<String>> {
    let known: BTreeSet<&str> = known_keys(model).map(|(key, _)| key).collect();
    let free = |route: &Route| {
        let keys = route.passthrough.iter().filter(|key| !known.contains(key.as_str()));
        keys.cloned().collect::<BTreeSet<String>>()
    };
    model.routes.iter().map(free).filter(|keys| !keys.is_empty()).collect()
}

/// Keys that mean a field of ours, without those for options that the model as a whole does not offer.
fn known_keys(model: &Model) -> impl Iterator<Item = (&str, KnownField)> {
    let known = model.routes.iter().flat_map(|route| &route.priced);
    let offered = |field: &KnownField| match field {
        KnownField::Option(option) => model.has_option(*option),
        _ => true,
    };
    known.filter(move |(_, field)| offered(field)).map(|(key, field)| (key.as_str(), *field))
}

impl Review<'_> {
    pub(super) fn extra(&mut self) -> Folded {
        let mut wishes = Wishes::of(self.request);
        let mut extra = BTreeMap::new();
        for (key, value) in &self.request.extra {
            if let Some(field) = self.known_as(key) {
                self.fold(&mut wishes, key, field, value);
            } else if self.model.routes.iter().any(|route| route.passthrough.contains(key)) {
                extra.insert(key.clone(), value.clone());
            } else {
                let message = self.key_not_allowed(key);
                self.error("extra", message);
            }
        }
        let passthrough = extra.keys().cloned().collect();
        self.one_route_takes_all(&passthrough);
        Folded { wishes, extra, passthrough }
    }

    fn known_as(&self, key: &str) -> Option<KnownField> {
        known_keys(self.model).find(|(known, _)| *known == key).map(|(_, field)| field)
    }

    fn fold(&mut self, wishes: &mut Wishes, key: &str, field: KnownField, value: &Value) {
        let message = match wishes.take(field, value) {
            Ok(()) => return,
            Err(Clash::Unreadable) => format!("{key} can't be read as {field}"),
            Err(Clash::Contradicts) => format!("{key} contradicts {field}"),
        };
        self.error("extra", message);
    }

    fn key_not_allowed(&self, key: &str) -> String {
        let free = self.model.routes.iter().flat_map(|route| &route.passthrough).map(String::as_str);
        let allowed: BTreeSet<&str> = free.chain(known_keys(self.model).map(|(key, _)| key)).collect();
        if allowed.is_empty() {
            return format!("{key} is not allowed; {} takes no extra keys", self.model.id);
        }
        let allowed = Vec::from_iter(allowed).join(", ");
        format!("{key} is not allowed; {} takes {allowed}", self.model.id)
    }

    fn one_route_takes_all(&mut self, keys: &BTreeSet<String>) {
        let taken = |taken: &BTreeSet<String>| keys.is_subset(taken);
        if !keys.is_empty() && !self.model.routes.iter().any(|route| taken(&route.passthrough)) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            self.error("extra", format!("no route takes these together: {}", keys.join(", ")));
        }
    }
}

impl Wishes {
    fn of(request: &GenerateRequest) -> Self {
        Wishes {
            duration_s: request.duration_s,
            resolution: request.resolution.as_deref().map(str::to_ascii_lowercase),
            aspect_ratio: request.aspect_ratio.as_deref().map(str::to_ascii_lowercase),
            generate_audio: request.generate_audio,
            count: request.count,
            seed: request.seed,
            negative_prompt: request.negative_prompt.clone(),
            options: request.options.clone(),
        }
    }

    fn take(&mut self, field: KnownField, value: &Value) -> Result<(), Clash> {
        match field {
            KnownField::Duration => agree(&mut self.duration_s, whole_number(value)),
            KnownField::Count => agree(&mut self.count, whole_number(value)),
            KnownField::Resolution => agree(&mut self.resolution, resolution(value)),
            KnownField::AspectRatio => agree(&mut self.aspect_ratio, aspect_ratio(value)),
            KnownField::GenerateAudio => agree(&mut self.generate_audio, on_or_off(value)),
            KnownField::Seed => agree(&mut self.seed, value.as_i64()),
            KnownField::NegativePrompt => agree(&mut self.negative_prompt, value.as_str().map(str::to_owned)),
            KnownField::Option(option) => self.take_option(option, value),
        }
    }

    fn take_option(&mut self, option: OptionName, value: &Value) -> Result<(), Clash> {
        let key = option.key().ok_or(Clash::Unreadable)?;
        let mut wish = self.options.remove(key);
        let result = agree(&mut wish, Some(value.clone()));
        self.options.extend(wish.map(|wish| (key.to_owned(), wish)));
        result
    }
}

fn agree<T: PartialEq>(wish: &mut Option<T>, value: Option<T>) -> Result<(), Clash> {
    let value = value.ok_or(Clash::Unreadable)?;
    match wish {
        Some(earlier) if *earlier != value => Err(Clash::Contradicts),
        _ => {
            *wish = Some(value);
            Ok(())
        }
    }
}

/// Providers differ about numbers and numbers in quotes, so both are read.
fn whole_number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_ascii_lowercase)
}

/// Kling's modes (`std`, `pro`) and Sora's qualities (`standard`, `high`) are sizes.
fn resolution(value: &Value) -> Option<String> {
    let word = word(value)?;
    Some(match word.as_str() {
        "std" | "standard" => "720p".to_owned(),
        "pro" | "high" => "1080p".to_owned(),
        _ => word,
    })
}

/// Sora writes `landscape` and `portrait`, Seedance `adaptive`.
fn aspect_ratio(value: &Value) -> Option<String> {
    let word = word(value)?;
    Some(match word.as_str() {
        "landscape" => "16:9".to_owned(),
        "portrait" => "9:16".to_owned(),
        "adaptive" => "auto".to_owned(),
        _ => word,
    })
}

/// Kling writes `on` and `off`, others booleans.
fn on_or_off(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::String(text) => match text.as_str() {
            "on" | "true" => Some(true),
            "off" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
