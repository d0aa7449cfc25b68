//! The size of a picture: resolution and aspect ratio, and the pixels they come to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ValueError;

/// A picture size by its usual name. Ordered from small to large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Resolution {
    P360,
    P480,
    P512,
    P540,
    P580,
    P720,
    P768,
    P1080,
    P1440,
    K2,
    K4,
}

impl Resolution {
    const NAMES: [(Resolution, &'static str, u32); 11] = [
        (Resolution::P360, "360p", 360),
        (Resolution::P480, "480p", 480),
        (Resolution::P512, "512p", 512),
        (Resolution::P540, "540p", 540),
        (Resolution::P580, "580p", 580),
        (Resolution::P720, "720p", 720),
        (Resolution::P768, "768p", 768),
        (Resolution::P1080, "1080p", 1080),
        (Resolution::P1440, "1440p", 1440),
        (Resolution::K2, "2k", 1440),
        (Resolution::K4, "4k", 2160),
    ];

    /// The name in lower case, for example `720p` or `4k`.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// Length of the shorter side in pixels. `2k` is 1440 and `4k` 2160, as the upstreams use the words.
    pub fn short_side(self) -> u32 {
        Self::NAMES[self as usize].2
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Resolution {
    type Err = ValueError;

    /// Case does not matter: upstreams write `4K` and `1080P`, and so do their customers.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let named = Self::NAMES.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(text));
        named.map(|(value, ..)| *value).ok_or_else(|| ValueError::new("resolution", text))
    }
}

impl TryFrom<String> for Resolution {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<Resolution> for &'static str {
    fn from(value: Resolution) -> Self {
        value.as_str()
    }
}

/// The shape of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AspectRatio {
    /// Follows the input picture.
    Auto,
    /// Width to height; neither is zero.
    Ratio { width: u16, height: u16 },
}

impl fmt::Display for AspectRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AspectRatio::Auto => f.pad("auto"),
            AspectRatio::Ratio { width, height } => f.pad(&format!("{width}:{height}")),
        }
    }
}

impl FromStr for AspectRatio {
    type Err = ValueError;

    /// `auto`, or two whole numbers such as `16:9`. The terms are kept as written: `32:18` is not `16:9`.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(AspectRatio::Auto);
        }
        let refused = || ValueError::new("aspect ratio", text);
        let (width, height) = text.split_once(':').ok_or_else(refused)?;
        let term = |part: &str| part.parse::<u16>().ok().filter(|n| *n > 0 && n.to_string() == part);
        match (term(width), term(height)) {
            (Some(width), Some(height)) => Ok(AspectRatio::Ratio { width, height }),
            _ => Err(refused()),
        }
    }
}

impl TryFrom<String> for AspectRatio {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<AspectRatio> for String {
    fn from(value: AspectRatio) -> Self {
        value.to_string()
    }
}

/// Width and height in pixels, both even (video codecs want that).
///
/// The resolution names the short side; the long side follows from the ratio, rounded to the nearest even number.
/// `auto` counts as 16:9, because the input picture is not known when a request is priced.
pub fn dimensions(resolution: Resolution, ratio: AspectRatio) -> (u32, u32) {
    let (width, height) = match ratio {
        AspectRatio::Auto => (16, 9),
        AspectRatio::Ratio { width, height } => (u32::from(width), u32::from(height)),
    };
    let short = resolution.short_side();
    let long = nearest_even(short * width.max(height), width.min(height));
    if width >= height { (long, short) } else { (short, long) }
}

fn nearest_even(dividend: u32, divisor: u32) -> u32 {
    (dividend + divisor) / (2 * divisor) * 2
}
