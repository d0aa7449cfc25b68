//! The unit of money.

use std::fmt;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount of credits, counted in thousandths of a credit so that it is always exact.
///
/// Arithmetic is checked: what would overflow is `None`, never wrapped. In JSON it is a number of credits with at most
/// three decimals (`12`, `0.5`, `7.125`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Credits(i64);

/// Thousandths in one credit. Fixed for ever: every stored amount is counted in it.
const SCALE: i64 = 1_000;

impl Credits {
    pub const ZERO: Credits = Credits(0);

    pub const fn from_thousandths(thousandths: i64) -> Self {
        Credits(thousandths)
    }

    /// `None` when that many credits don't fit.
    pub fn from_whole(credits: i64) -> Option<Self> {
        credits.checked_mul(SCALE).map(Credits)
    }

    pub const fn thousandths(self) -> i64 {
        self.0
    }

    pub fn checked_add(self, other: Credits) -> Option<Credits> {
        self.0.checked_add(other.0).map(Credits)
    }

    pub fn checked_sub(self, other: Credits) -> Option<Credits> {
        self.0.checked_sub(other.0).map(Credits)
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Reads a decimal such as `12`, `0.5` or `-3.125`; `None` when it is not one, is too large or has more than three
    /// decimals.
    pub fn parse(text: &str) -> Option<Credits> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 3 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let fraction: i64 = format!("{fraction:0<3}").parse().ok()?;
        let total = whole.parse::<i64>().ok()?.checked_mul(SCALE)?.checked_add(fraction)?;
        Some(Credits(if negative { -total } else { total }))
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.unsigned_abs() / 1_000, self.0.unsigned_abs() % 1_000);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:03}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % SCALE == 0 {
            return serializer.serialize_i64(self.0 / SCALE);
        }
        // A JSON number with three decimals; a double shows every amount below 2^43 credits exactly as it prints.
        let number: serde_json::Number = self.to_string().parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        Credits::parse(&number.to_string())
            .ok_or_else(|| de::Error::custom("not an amount of credits with at most 3 decimals"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_with_no_more_decimals_than_they_have() {
        for (thousandths, text) in [
            (0, "0"),
            (12_000, "12"),
            (500, "0.5"),
            (7_125, "7.125"),
            (-1_010, "-1.01"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            assert_eq!(Credits::from_thousandths(thousandths).to_string(), text);
        }
    }

    #[test]
    fn what_prints_parses_back() {
        for thousandths in [0, 1, 10, 999, 1_000, 12_345, -12_345, i64::MAX] {
            let credits = Credits::from_thousandths(thousandths);
            assert_eq!(Credits::parse(&credits.to_string()), Some(credits));
        }
        for text in ["", ".5", "1.2345", "1e3", "+1", "1 ", "9223372036854775808"] {
            assert_eq!(Credits::parse(text), None, "{text}");
        }
    }

    #[test]
    fn json_is_a_plain_number_of_credits() {
        let json = |thousandths| serde_json::to_string(&Credits::from_thousandths(thousandths)).unwrap();
        assert_eq!(json(12_000), "12");
        assert_eq!(json(7_125), "7.125");
        assert_eq!(serde_json::from_str::<Credits>("0.5").unwrap(), Credits::from_thousandths(500));
        assert!(serde_json::from_str::<Credits>("0.0001").is_err());
    }
}
