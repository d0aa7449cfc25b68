//! Instants, the same on both engines.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::DeriveValueType;
use serde::{Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z. Shown, and written to JSON, as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Timestamp(seconds.saturating_mul(1_000_000))
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Timestamp(self.0.saturating_add(millis.saturating_mul(1_000)))
    }

    /// The start of the UTC day that this instant is in.
    pub const fn day(self) -> Self {
        const DAY: i64 = 86_400 * 1_000_000;
        Timestamp(self.0.div_euclid(DAY) * DAY)
    }

    /// As a calendar date and time; the epoch when it is out of the calendar's range.
    pub fn date_time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.date_time().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_shows_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp::from_micros(1_763_596_800_123_456).to_string(), "2025-11-20T00:00:00.123Z");
    }

    #[test]
    fn a_day_starts_at_midnight_utc_also_before_1970() {
        assert_eq!(Timestamp::from_seconds(86_399).day(), Timestamp::from_seconds(0));
        assert_eq!(Timestamp::from_micros(-1).day(), Timestamp::from_seconds(-86_400));
    }
}
