//! Reading arguments: each of these says in a few words what it expected.

use chrono::{DateTime, NaiveDate, NaiveTime};
use entity::grant::GrantClass;
use entity::user::UserRole;
use entity::{Credits, Mode, Timestamp};
use ipnet::IpNet;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::customer::key;

/// Longest reference, actor or reason, in characters.
const MAX_CHARS: usize = 200;
/// Millionths in a US dollar.
const MICROS: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// A day, which begins at midnight UTC, or an instant as RFC 3339.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(Timestamp::from_micros(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()));
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(instant) => Ok(Timestamp::from_micros(instant.timestamp_micros())),
        Err(_) => {
            Err("expected a day such as 2027-01-31, or an instant such as 2027-01-31T12:00:00Z".to_owned())
        }
    }
}

/// Credits with at most three decimals, negative or not.
pub fn credits(text: &str) -> Result<Credits, String> {
    Credits::parse(text)
        .ok_or_else(|| "expected credits with at most 3 decimals, such as 100 or 0.5".to_owned())
}

/// Credits above zero.
pub fn positive_credits(text: &str) -> Result<Credits, String> {
    match credits(text)? {
        amount if amount > Credits::ZERO => Ok(amount),
        _ => Err("expected an amount above zero".to_owned()),
    }
}

/// A spend cap: zero lets nothing through.
pub fn cap(text: &str) -> Result<Credits, String> {
    match credits(text)? {
        amount if !amount.is_negative() => Ok(amount),
        _ => Err("expected zero or more".to_owned()),
    }
}

/// US dollars as millionths of a dollar, which is as fine as it gets.
pub fn micro_usd(text: &str) -> Result<i64, String> {
    let micros = Decimal::from_str_exact(text).ok().and_then(|usd| usd.checked_mul(MICROS));
    let exact = micros
        .filter(|micros| micros.is_integer() && *micros >= Decimal::ZERO)
        .and_then(|micros| micros.to_i64());
    exact.ok_or_else(|| "expected US dollars with at most 6 decimals, such as 0.05".to_owned())
}

/// A network, or a single address.
pub fn network(text: &str) -> Result<IpNet, String> {
    key::network(text.trim())
        .ok_or_else(|| "expected an address, or a network such as 203.0.113.0/24".to_owned())
}

pub fn mode(text: &str) -> Result<Mode, String> {
    [Mode::Live, Mode::Test]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| "expected live or test".to_owned())
}

pub fn role(text: &str) -> Result<UserRole, String> {
    [UserRole::Owner, UserRole::Developer, UserRole::Viewer, UserRole::Billing]
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| "expected owner, developer, viewer or billing".to_owned())
}

pub fn class(text: &str) -> Result<GrantClass, String> {
    match text {
        "paid" => Ok(GrantClass::Paid),
        "promotional" => Ok(GrantClass::Promotional),
        "compensation" => Ok(GrantClass::Compensation),
        _ => Err("expected paid, promotional or compensation".to_owned()),
    }
}

/// A short text on one line, without blanks around it.
pub fn text(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("expected a text".to_owned()),
        1..=MAX_CHARS if !text.contains(char::is_control) => Ok(text.to_owned()),
        1..=MAX_CHARS => Err("expected one line without control characters".to_owned()),
        _ => Err(format!("expected at most {MAX_CHARS} characters")),
    }
}

/// An e-mail address, as far as that can be told without sending to it.
pub fn email(address: &str) -> Result<String, String> {
    let address = text(address)?;
    let parts = address.split_once('@');
    let plausible =
        parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if plausible && !address.contains(char::is_whitespace) {
        Ok(address)
    } else {
        Err("expected an e-mail address".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc_and_an_instant_keeps_its_zone() {
        for (text, shown) in [
            ("2027-01-01", "2027-01-01T00:00:00.000Z"),
            ("2027-01-31T12:30:00Z", "2027-01-31T12:30:00.000Z"),
            ("2027-01-01T01:00:00+02:00", "2026-12-31T23:00:00.000Z"),
        ] {
            assert_eq!(instant(text).map(|instant| instant.to_string()), Ok(shown.to_owned()));
        }
        for text in ["", "tomorrow", "2027-13-01", "2027-02-29", "01.02.2027", "2027-01-01T00:00:00"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dollars_are_exact_to_the_millionth() {
        for (text, micros) in [("0.05", 50_000), ("0", 0), ("1", 1_000_000), ("0.000001", 1)] {
            assert_eq!(micro_usd(text), Ok(micros), "{text}");
        }
        for text in ["", "-0.05", "0.0000001", "five", "99999999999999"] {
            assert!(micro_usd(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_know_their_bounds() {
        assert!(
            positive_credits("0.001").is_ok()
                && positive_credits("0").is_err()
                && positive_credits("-1").is_err()
        );
        assert!(cap("0").is_ok() && cap("-0.001").is_err());
        assert!(credits("-5").is_ok() && credits("1.2345").is_err());
    }

    #[test]
    fn a_text_is_short_and_on_one_line() {
        assert_eq!(text(" wrong charge "), Ok("wrong charge".to_owned()));
        for wrong in ["", "  ", "a\nb", "a\0b", "x".repeat(201).as_str()] {
            assert!(text(wrong).is_err(), "{wrong:?}");
        }
        assert!(email("a@example.com").is_ok());
        for wrong in ["", "a", "a@", "@b", "a@b@c", "a b@c"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
    }
}
