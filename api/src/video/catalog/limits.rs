//! What the providers of a family take of the files that a clip is made from.

use std::fmt;

use entity::MediaKind;
use serde::Deserialize;

/// By kind of file. Whatever is left out is not limited here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputLimits {
    pub image: FileLimits,
    pub video: FileLimits,
    pub audio: FileLimits,
}

/// Bounds of one kind, each including its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileLimits {
    /// Millions of bytes.
    pub max_mb: Option<f64>,
    /// Pixels of the shorter side.
    pub min_side: Option<u32>,
    /// Pixels of the longer side.
    pub max_side: Option<u32>,
    /// Longer to shorter side.
    pub max_ratio: Option<f64>,
    pub min_seconds: Option<u32>,
    pub max_seconds: Option<u32>,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub kind: MediaKind,
    pub bytes: u64,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    pub millis: Option<u64>,
}

/// Providers count a second's frames in different ways: so much longer or shorter is taken for the bound itself.
const LEEWAY_MILLIS: u64 = 100;

impl InputLimits {
    pub fn of(&self, kind: MediaKind) -> &FileLimits {
        match kind {
            MediaKind::Image => &self.image,
            MediaKind::Video => &self.video,
            MediaKind::Audio => &self.audio,
        }
    }
}

impl FileLimits {
    /// The first bound that a file does not keep to, in words; what is not known of it keeps to all.
    pub fn broken_by(&self, facts: &Facts) -> Option<String> {
        self.bytes(facts.bytes)
            .or_else(|| facts.size.and_then(|size| self.size(size)))
            .or_else(|| facts.millis.and_then(|millis| self.length(millis)))
    }

    fn bytes(&self, bytes: u64) -> Option<String> {
        let max = self.max_mb.filter(|max| bytes as f64 > max * 1e6)?;
        Some(format!("at most {max} MB are taken"))
    }

    fn size(&self, (width, height): (u32, u32)) -> Option<String> {
        let (short, long) = (width.min(height), width.max(height));
        let has = format!("it has {width}x{height} pixels");
        if let Some(min) = self.min_side.filter(|min| short < *min) {
            return Some(format!("{has}, the shorter side must have at least {min}"));
        }
        if let Some(max) = self.max_side.filter(|max| long > *max) {
            return Some(format!("{has}, the longer side may have at most {max}"));
        }
        let max = self.max_ratio.filter(|max| f64::from(long) > max * f64::from(short))?;
        Some(format!("{has}, the longer side may be at most {max} times the shorter"))
    }

    fn length(&self, millis: u64) -> Option<String> {
        let has = Seconds(millis);
        if let Some(min) = self.min_seconds.filter(|min| millis + LEEWAY_MILLIS < u64::from(*min) * 1_000) {
            return Some(format!("it is {has} long, at least {min} s are needed"));
        }
        let max = self.max_seconds.filter(|max| millis > u64::from(*max) * 1_000 + LEEWAY_MILLIS)?;
        Some(format!("it is {has} long, at most {max} s are taken"))
    }
}

struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} s", self.0 / 1_000, self.0 % 1_000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_kept_at_its_end_and_named_beyond() {
        let limits = FileLimits {
            max_mb: Some(10.0),
            min_side: Some(300),
            max_side: Some(6_000),
            max_ratio: Some(2.5),
            min_seconds: Some(2),
            max_seconds: Some(15),
        };
        let facts = |bytes, size, millis| Facts { kind: MediaKind::Video, bytes, size, millis };
        for (fits, told) in [
            (facts(10_000_000, Some((750, 300)), Some(2_000)), None),
            (facts(1, Some((6_000, 2_400)), Some(15_100)), None),
            (facts(1, None, None), None),
            (facts(10_000_001, None, None), Some("at most 10 MB are taken")),
            (
                facts(1, Some((299, 400)), None),
                Some("it has 299x400 pixels, the shorter side must have at least 300"),
            ),
            (facts(1, Some((6_001, 3_000)), None), Some("the longer side may have at most 6000")),
            (facts(1, Some((300, 751)), None), Some("the longer side may be at most 2.5 times the shorter")),
            (facts(1, None, Some(1_899)), Some("it is 1.8 s long, at least 2 s are needed")),
            (facts(1, None, Some(15_101)), Some("it is 15.1 s long, at most 15 s are taken")),
        ] {
            let broken = limits.broken_by(&fits);
            assert_eq!(broken.is_some(), told.is_some(), "{fits:?}: {broken:?}");
            assert!(broken.unwrap_or_default().ends_with(told.unwrap_or_default()), "{fits:?}");
        }
    }
}
