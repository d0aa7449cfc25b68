//! `Prefer: wait=N` (RFC 7240): how long the caller would like us to wait before we answer.
//!
//! A preference is never an error: what we don't know or can't read is as good as absent.

use std::time::Duration;

use poem::http::HeaderMap;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

const HEADER: &str = "Prefer";
const MAX_SECONDS: u8 = 60;

/// What the caller would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefer {
    pub wait: Option<Wait>,
}

/// So many seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(u8);

impl Wait {
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

impl<'a> ApiExtractor<'a> for Prefer {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))))
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        Ok(read(request.headers()))
    }
}

/// Of several that say how long, the first one counts (RFC 7240 §2).
fn read(headers: &HeaderMap) -> Prefer {
    let lines = headers.get_all(HEADER).iter().filter_map(|value| value.to_str().ok());
    let mut wait = lines.flat_map(|line| parts(line, ',')).filter_map(named_wait);
    Prefer { wait: wait.next().and_then(seconds) }
}

/// The value of a `wait`, without its parameters; `None` for another preference.
fn named_wait(preference: &str) -> Option<&str> {
    let (name, value) = parts(preference, ';').next()?.split_once('=')?;
    name.trim().eq_ignore_ascii_case("wait").then(|| value.trim())
}

fn seconds(value: &str) -> Option<Wait> {
    let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits that are no number are too many.
    let seconds = digits.parse::<u8>().unwrap_or(MAX_SECONDS).min(MAX_SECONDS);
    (seconds > 0).then_some(Wait(seconds))
}

/// Splits at a separator, but not within quotes.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c: char| {
        let is_plain = !is_escaped;
        is_escaped = is_quoted && is_plain && c == '\\';
        if c == '"' && is_plain {
            is_quoted = !is_quoted;
        }
        c == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_of(lines: &[&str]) -> Option<u8> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, line.parse().unwrap());
        }
        read(&headers).wait.map(|wait| wait.0)
    }

    #[test]
    fn a_wait_is_found_among_other_preferences_and_capped() {
        for (line, seconds) in [
            ("wait=1", 1),
            ("WAIT = 20", 20),
            ("wait=\"7\"", 7),
            ("wait=60", 60),
            ("wait=61", 60),
            ("wait=99999999999999999999", 60),
            ("respond-async, wait=10", 10),
            ("wait=10; strict, respond-async", 10),
            ("foo=\"a, wait=3\"; bar, wait=4", 4),
            (r#"foo="a\", wait=3", wait=4"#, 4),
            ("wait=5, wait=6", 5),
        ] {
            assert_eq!(wait_of(&[line]), Some(seconds), "{line}");
        }
        assert_eq!(wait_of(&["respond-async", "wait=8", "wait=9"]), Some(8));
    }

    #[test]
    fn what_is_no_wait_is_ignored() {
        for line in [
            "",
            "wait",
            "wait=",
            "wait=0",
            "wait=-1",
            "wait=+1",
            "wait=1.5",
            "wait=soon",
            "waits=5",
            "=5",
            "wait=\"1",
        ] {
            assert_eq!(wait_of(&[line]), None, "{line}");
        }
        // The first one counts, even if it is no good.
        assert_eq!(wait_of(&["wait=soon, wait=5"]), None);
        assert_eq!(wait_of(&[]), None);
    }
}
