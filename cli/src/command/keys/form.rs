//! The limits of a key, as flags.

use clap::Args;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::moment;

/// Says that there is no limit.
const NONE: &str = "none";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits (`none` takes one away)")]
pub struct LimitArgs {
    /// Models that it may use, with commas between them
    #[arg(long, value_name = "MODEL,…", value_parser = list)]
    models: Option<Value>,
    /// Networks or addresses that it may be used from, such as 203.0.113.0/24
    #[arg(long, visible_alias = "networks", value_name = "NETWORK,…", value_parser = list)]
    ip_ranges: Option<Value>,
    /// From then on it is good no more: a day, a moment, or a time from now such as 90d
    #[arg(long, visible_alias = "expires", value_name = "DAY|TIME", value_parser = expiry)]
    expires_at: Option<Value>,
    /// Requests that it may send in a minute
    #[arg(long, value_name = "N", value_parser = count)]
    rate_per_minute: Option<Value>,
    /// Tasks that it may have under way at once
    #[arg(long, visible_alias = "concurrency", value_name = "N", value_parser = count)]
    max_tasks: Option<Value>,
    /// Credits that it may spend in a UTC day
    #[arg(long, value_name = "CREDITS", value_parser = credits)]
    cap_day: Option<Value>,
    /// Credits that it may spend in a week, from Monday on
    #[arg(long, value_name = "CREDITS", value_parser = credits)]
    cap_week: Option<Value>,
    /// Credits that it may spend in a month
    #[arg(long, value_name = "CREDITS", value_parser = credits)]
    cap_month: Option<Value>,
    /// Credits that it may spend at all
    #[arg(long, value_name = "CREDITS", value_parser = credits)]
    cap_lifetime: Option<Value>,
}

impl LimitArgs {
    /// What was said, in the server's words.
    pub fn body(self) -> Map<String, Value> {
        let caps = given([
            ("day", self.cap_day),
            ("week", self.cap_week),
            ("month", self.cap_month),
            ("lifetime", self.cap_lifetime),
        ]);
        given([
            ("models", self.models),
            ("ipRanges", self.ip_ranges),
            ("expiresAt", self.expires_at),
            ("ratePerMinute", self.rate_per_minute),
            ("maxTasks", self.max_tasks),
            ("caps", (!caps.is_empty()).then_some(Value::Object(caps))),
        ])
    }
}

/// Leaves out what was not said.
pub fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn list(text: &str) -> Result<Value, String> {
    if text == NONE {
        return Ok(Value::Null);
    }
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { Err(format!("at least one, or {NONE}")) } else { Ok(json!(parts)) }
}

fn expiry(text: &str) -> Result<Value, String> {
    if text == NONE { Ok(Value::Null) } else { moment::until(text).map(Value::String) }
}

fn count(text: &str) -> Result<Value, String> {
    if text == NONE {
        return Ok(Value::Null);
    }
    let count: u32 = text.parse().map_err(|_| format!("a whole number, or {NONE}"))?;
    Ok(json!(count))
}

fn credits(text: &str) -> Result<Value, String> {
    if text == NONE {
        return Ok(Value::Null);
    }
    let wrong = || format!("a number of credits, such as 20 or 12.5, or {NONE}");
    let amount: Decimal = text.parse().map_err(|_| wrong())?;
    serde_json::from_str(&amount.normalize().to_string()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_value_or_none() {
        assert_eq!(credits("12.50"), Ok(json!(12.5)));
        assert_eq!(
            (credits("none"), count("none"), list("none")),
            (Ok(Value::Null), Ok(Value::Null), Ok(Value::Null))
        );
        assert_eq!(list("a, b"), Ok(json!(["a", "b"])));
        assert_eq!(expiry("2099-01-01"), Ok(json!("2099-01-01T00:00:00Z")));
        assert!(credits("much").is_err() && count("1.5").is_err() && list(",").is_err());
    }
}
