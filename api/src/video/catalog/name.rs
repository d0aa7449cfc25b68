//! Names of options and fields, in the spellings the catalog and customers use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ValueError;

/// A typed wish beyond the common fields that some models take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionName {
    CameraControl,
    CfgScale,
    Elements,
    KeepAudio,
    MultiPrompt,
    MultiShot,
    /// Says that the model takes a negative prompt; sent in its own field.
    NegativePrompt,
    /// Says that the model takes a seed; sent in its own field.
    Seed,
    ShotType,
    Watermark,
}

impl OptionName {
    pub const ALL: [OptionName; 10] = [
        OptionName::CameraControl,
        OptionName::CfgScale,
        OptionName::Elements,
        OptionName::KeepAudio,
        OptionName::MultiPrompt,
        OptionName::MultiShot,
        OptionName::NegativePrompt,
        OptionName::Seed,
        OptionName::ShotType,
        OptionName::Watermark,
    ];

    /// The key customers write inside `options`; `None` for the two that have a field of their own.
    pub fn key(self) -> Option<&'static str> {
        match self {
            OptionName::CameraControl => Some("camera_control"),
            OptionName::CfgScale => Some("cfg_scale"),
            OptionName::Elements => Some("elements"),
            OptionName::KeepAudio => Some("keep_audio"),
            OptionName::MultiPrompt => Some("multi_prompt"),
            OptionName::MultiShot => Some("multi_shot"),
            OptionName::ShotType => Some("shot_type"),
            OptionName::Watermark => Some("watermark"),
            OptionName::NegativePrompt | OptionName::Seed => None,
        }
    }
}

/// A field or option of ours that a provider's own key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum KnownField {
    AspectRatio,
    Count,
    Duration,
    GenerateAudio,
    NegativePrompt,
    Resolution,
    Seed,
    Option(OptionName),
}

impl KnownField {
    const NAMES: [(&'static str, KnownField); 7] = [
        ("aspectRatio", KnownField::AspectRatio),
        ("count", KnownField::Count),
        ("duration", KnownField::Duration),
        ("generateAudio", KnownField::GenerateAudio),
        ("negativePrompt", KnownField::NegativePrompt),
        ("resolution", KnownField::Resolution),
        ("seed", KnownField::Seed),
    ];

    /// The field of the native dialect that errors about it are filed under.
    pub fn field(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, field)| *field == self);
        named.map_or("options", |(name, _)| name)
    }
}

/// The name in the native dialect; options as `options.cfg_scale`.
impl fmt::Display for KnownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let KnownField::Option(option) = self {
            return write!(f, "options.{}", option.key().unwrap_or_default());
        }
        let named = Self::NAMES.iter().find(|(_, field)| field == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl FromStr for KnownField {
    type Err = ValueError;

    /// A field's name, or an option's in the same spelling (`cfgScale`).
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let field = Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, field)| *field);
        let is_option = |option: &OptionName| option.key().is_some_and(|key| camel_case(key) == text);
        let option = || OptionName::ALL.into_iter().find(is_option).map(KnownField::Option);
        field.or_else(option).ok_or_else(|| ValueError::new("field", text))
    }
}

impl TryFrom<String> for KnownField {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_ascii_uppercase() + &word[1..])
}
