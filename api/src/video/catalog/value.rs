//! The words a catalog entry is written in: input modes, durations, sound, dates.
//!
//! Each is a closed set or a strict syntax, so that a typo in a data file stops the start instead of becoming a
//! model nobody can ask for.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

/// What a clip is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputMode {
    TextToVideo,
    ImageToVideo,
    ReferenceToVideo,
    VideoToVideo,
    VideoExtend,
}

impl InputMode {
    pub const ALL: [InputMode; 5] = [
        InputMode::TextToVideo,
        InputMode::ImageToVideo,
        InputMode::ReferenceToVideo,
        InputMode::VideoToVideo,
        InputMode::VideoExtend,
    ];

    /// As customers write it, for example `text_to_video`.
    pub fn as_str(self) -> &'static str {
        match self {
            InputMode::TextToVideo => "text_to_video",
            InputMode::ImageToVideo => "image_to_video",
            InputMode::ReferenceToVideo => "reference_to_video",
            InputMode::VideoToVideo => "video_to_video",
            InputMode::VideoExtend => "video_extend",
        }
    }
}

impl fmt::Display for InputMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for InputMode {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        named.ok_or_else(|| ValueError::new("input mode", text))
    }
}

/// Clip lengths a model can make, in whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durations {
    /// Exactly these, ascending.
    List(Vec<u32>),
    /// Every second from `min` to `max`, both included.
    Range { min: u32, max: u32 },
}

impl Durations {
    pub fn contains(&self, seconds: u32) -> bool {
        match self {
            Durations::List(list) => list.contains(&seconds),
            Durations::Range { min, max } => (*min..=*max).contains(&seconds),
        }
    }

    /// Every allowed length, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let (list, range) = match self {
            Durations::List(list) => (list.as_slice(), None),
            Durations::Range { min, max } => (&[][..], Some(*min..=*max)),
        };
        list.iter().copied().chain(range.into_iter().flatten())
    }

    /// For a sentence: `5, 10` or `4 to 15`.
    pub fn allowed_text(&self) -> String {
        match self {
            Durations::List(list) => join(list),
            Durations::Range { min, max } => format!("{min} to {max}"),
        }
    }
}

/// Whether a model's clips have sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audio {
    None,
    Always,
    /// The customer chooses; `default` is used when they don't.
    Optional {
        default: bool,
    },
}

impl Audio {
    /// What a clip can have: silence, sound, or either.
    pub fn choices(self) -> &'static [bool] {
        match self {
            Audio::None => &[false],
            Audio::Always => &[true],
            Audio::Optional { .. } => &[false, true],
        }
    }

    /// What a clip gets when the customer does not say.
    pub fn default_on(self) -> bool {
        matches!(self, Audio::Always | Audio::Optional { default: true })
    }
}

/// A calendar day in UTC, written `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(NaiveDate);

impl Date {
    /// The day's first second, as the `Deprecation` and `Sunset` headers want it.
    pub fn unix_seconds(self) -> i64 {
        self.0.and_time(NaiveTime::MIN).and_utc().timestamp()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let parsed = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Date);
        let exact = parsed.filter(|date| date.to_string() == text);
        exact.ok_or_else(|| ValueError::new("date (YYYY-MM-DD)", text))
    }
}

impl TryFrom<String> for Date {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(value: Date) -> Self {
        value.to_string()
    }
}

/// A word that is not in its set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a known {kind}")]
pub struct ValueError {
    kind: &'static str,
    text: String,
}

impl ValueError {
    pub(super) fn new(kind: &'static str, text: &str) -> Self {
        ValueError { kind, text: text.to_owned() }
    }
}

/// Several values in a sentence: `5, 10, 15`.
pub fn join<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    words.join(", ")
}
