//! Days and times as people say them: `2027-01-31`, `2027-01-31T12:00:00Z`, or a time from now such as `30d`.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};

const EXPECTED: &str =
    "a day such as 2027-01-31, a moment such as 2027-01-31T12:00:00Z, or a time such as 30d or 12h";
const DAY: Duration = Duration::from_secs(86_400);

/// What this machine takes the time to be.
#[expect(clippy::disallowed_methods, reason = "nothing in this program decides by the server's clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// In the past. A time that is whole days counts whole days: `30d` is today and the 29 days before.
pub fn since(text: &str) -> Result<String, String> {
    before(now(), text)
}

/// In the future, to the second.
pub fn until(text: &str) -> Result<String, String> {
    after(now(), text)
}

fn before(now: DateTime<Utc>, text: &str) -> Result<String, String> {
    if let Some(said) = said(text) {
        return Ok(said);
    }
    let ago = humantime::parse_duration(text).map_err(|_| EXPECTED.to_owned())?;
    let is_days = !ago.is_zero() && ago.as_secs().is_multiple_of(DAY.as_secs());
    let moment = moved(now, if is_days { ago - DAY } else { ago }, -1)?;
    Ok(if is_days { moment.format("%F").to_string() } else { written(moment) })
}

fn after(now: DateTime<Utc>, text: &str) -> Result<String, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(format!("{day}T00:00:00Z"));
    }
    if let Some(said) = said(text) {
        return Ok(said);
    }
    let ahead = humantime::parse_duration(text).map_err(|_| EXPECTED.to_owned())?;
    moved(now, ahead, 1).map(written)
}

/// What the server reads as it is.
fn said(text: &str) -> Option<String> {
    let is_day = text.parse::<NaiveDate>().is_ok();
    (is_day || DateTime::parse_from_rfc3339(text).is_ok()).then(|| text.to_owned())
}

fn moved(now: DateTime<Utc>, by: Duration, direction: i32) -> Result<DateTime<Utc>, String> {
    let by = TimeDelta::from_std(by).ok().and_then(|by| by.checked_mul(direction));
    by.and_then(|by| now.checked_add_signed(by)).ok_or_else(|| "a time that is too long".to_owned())
}

fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_moments_and_times_are_understood() {
        let now = "2026-03-01T10:20:30Z".parse().unwrap();
        for (text, meant) in [
            ("2026-01-02", "2026-01-02"),
            ("2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05+01:00"),
            ("1d", "2026-03-01"),
            ("30d", "2026-01-31"),
            ("12h", "2026-02-28T22:20:30Z"),
        ] {
            assert_eq!(before(now, text).as_deref(), Ok(meant), "{text}");
        }
        for (text, meant) in [("2027-01-02", "2027-01-02T00:00:00Z"), ("2d", "2026-03-03T10:20:30Z")] {
            assert_eq!(after(now, text).as_deref(), Ok(meant), "{text}");
        }
        assert!(before(now, "soon").is_err() && after(now, "2026-13-01").is_err());
        assert!(before(now, "999999999999y").is_err());
    }
}
