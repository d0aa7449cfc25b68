//! Which part of a clip an HTTP request gets (RFC 9110 §13 and §14), as a pure function.
//!
//! The rule of the RFC that decides every doubt: a server may always ignore `Range`. So a header we don't understand
//! gets the whole clip, and only a well-formed range beyond the end is an error.

use std::{ops::Range, time::SystemTime};

use httpdate::HttpDate;

/// The conditional headers of a `GET`. For `HEAD` leave `range` empty: RFC 9110 §14.2 defines ranges for `GET` only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub range: Option<&'a str>,
    pub if_range: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
}

/// What we have: its length in bytes, its strong entity tag *with the quotes*, and its `Last-Modified`.
///
/// A clip never changes under its key, so both validators are strong.
#[derive(Debug, Clone, Copy)]
pub struct Representation<'a> {
    pub len: u64,
    pub etag: &'a str,
    pub last_modified: SystemTime,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// 304, no body.
    NotModified,
    /// 200 with everything.
    Full,
    /// 206 with these bytes; never empty, never beyond the end.
    Partial(Range<u64>),
    /// 416, no body.
    Unsatisfiable,
}

impl Plan {
    /// The `Content-Range` of a 206 or a 416; the other answers have none. `len` is the length of the whole.
    pub fn content_range(&self, len: u64) -> Option<String> {
        match self {
            Self::Partial(range) => Some(format!("bytes {}-{}/{len}", range.start, range.end - 1)),
            Self::Unsatisfiable => Some(format!("bytes */{len}")),
            Self::NotModified | Self::Full => None,
        }
    }
}

/// Decides in the order of RFC 9110 §13.2.2: `If-None-Match`, then `If-Range`, then `Range`.
pub fn plan(asked: &Asked<'_>, have: &Representation<'_>) -> Plan {
    if asked.if_none_match.is_some_and(|tags| any_tag_matches(tags, have.etag)) {
        return Plan::NotModified;
    }
    match asked.range {
        Some(range) if asked.if_range.is_none_or(|validator| still_the_same(validator, have)) => {
            single_range(range).map_or(Plan::Full, |spec| spec.within(have.len))
        }
        _ => Plan::Full,
    }
}

/// Weak comparison: enough for a cache that has the whole. A tag with a comma falls apart here and matches nothing,
/// which costs a transfer at worst.
pub fn any_tag_matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Strong comparison, since parts will be joined. A weak tag never equals; a date must be the very second.
fn still_the_same(validator: &str, have: &Representation<'_>) -> bool {
    let validator = validator.trim();
    if validator.starts_with('"') {
        return validator == have.etag;
    }
    validator.parse::<HttpDate>().is_ok_and(|date| date == HttpDate::from(have.last_modified))
}

#[derive(Clone, Copy)]
enum Spec {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl Spec {
    fn within(self, len: u64) -> Plan {
        match self {
            Self::Last(0) => Plan::Unsatisfiable,
            // Satisfiable by the RFC, yet `Content-Range` can't name zero bytes.
            Self::Last(_) if len == 0 => Plan::Full,
            Self::Last(count) => Plan::Partial(len.saturating_sub(count)..len),
            Self::From(first) | Self::Between(first, _) if first >= len => Plan::Unsatisfiable,
            Self::From(first) => Plan::Partial(first..len),
            Self::Between(first, last) => Plan::Partial(first..last.saturating_add(1).min(len)),
        }
    }
}

/// The only range of the header. `None` when it is malformed, has another unit, or names several.
fn single_range(header: &str) -> Option<Spec> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // An HTTP list may have empty elements.
    let mut specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let only = specs.next()?;
    specs.next().is_none().then(|| parse(only))?
}

fn parse(spec: &str) -> Option<Spec> {
    match spec.split_once('-')? {
        ("", count) => number(count).map(Spec::Last),
        (first, "") => number(first).map(Spec::From),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::Between(first, last))
        }
    }
}

/// Digits only (`str::parse` would take a sign). A number too large for 64 bits is beyond every end all the same.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    const ETAG: &str = "\"abc\"";
    /// The example date of RFC 9110 §5.6.7, and half a second: headers carry whole seconds.
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const MODIFIED: Duration = Duration::from_millis(784_111_777_500);

    fn answer(len: u64, asked: Asked<'_>) -> Plan {
        plan(&asked, &Representation { len, etag: ETAG, last_modified: UNIX_EPOCH + MODIFIED })
    }

    fn ranged(len: u64, range: &str) -> Plan {
        answer(len, Asked { range: Some(range), ..Asked::default() })
    }

    #[test]
    fn a_single_range_is_cut_to_the_clip() {
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-9", 0..10),
            ("bytes=2-5", 2..6),
            ("bytes=9-9", 9..10),
            ("bytes=5-", 5..10),
            ("bytes=0-", 0..10),
            ("bytes=5-100", 5..10),
            ("bytes=5-99999999999999999999999", 5..10),
            ("bytes=5-18446744073709551615", 5..10),
            ("bytes=-3", 7..10),
            ("bytes=-10", 0..10),
            ("bytes=-11", 0..10),
            ("bytes=-99999999999999999999999", 0..10),
            ("BYTES=2-5", 2..6),
            ("bytes= 2-5", 2..6),
            ("bytes=,2-5 ,", 2..6),
        ] {
            assert_eq!(ranged(10, range), Plan::Partial(expected), "{range}");
        }
    }

    #[test]
    fn a_range_beyond_the_end_is_unsatisfiable() {
        for range in ["bytes=10-", "bytes=10-11", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(ranged(10, range), Plan::Unsatisfiable, "{range}");
        }
        assert_eq!(ranged(0, "bytes=0-"), Plan::Unsatisfiable);
    }

    #[test]
    fn what_we_do_not_understand_gets_the_whole_clip() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=,",
            "bytes=a-b",
            "bytes=1",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=1-+2",
            "bytes=--1",
            "bytes=1-2-3",
            "bytes=1 - 2",
            "bytes=0x1-2",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=0-0,-1",
            "=0-1",
        ] {
            assert_eq!(ranged(10, range), Plan::Full, "{range}");
        }
        assert_eq!(answer(10, Asked::default()), Plan::Full);
    }

    #[test]
    fn an_empty_clip_has_no_last_bytes_to_cut() {
        assert_eq!(ranged(0, "bytes=-5"), Plan::Full);
    }

    #[test]
    fn a_range_holds_only_for_the_same_representation() {
        let part = Plan::Partial(0..1);
        for (if_range, expected) in [
            (ETAG, &part),
            (DATE, &part),
            ("\"other\"", &Plan::Full),
            ("W/\"abc\"", &Plan::Full),
            ("abc", &Plan::Full),
            ("Sun, 06 Nov 1994 08:49:38 GMT", &Plan::Full),
            ("Sun, 06 Nov 1994 08:49:36 GMT", &Plan::Full),
            ("", &Plan::Full),
        ] {
            let asked = Asked { range: Some("bytes=0-0"), if_range: Some(if_range), if_none_match: None };
            assert_eq!(answer(10, asked), *expected, "{if_range}");
        }
    }

    #[test]
    fn if_range_turns_an_unsatisfiable_range_of_another_clip_into_the_whole() {
        let asked = Asked { range: Some("bytes=99-"), if_range: Some("\"old\""), if_none_match: None };
        assert_eq!(answer(10, asked), Plan::Full);
    }

    #[test]
    fn a_known_tag_is_not_modified_whatever_the_range() {
        for (tags, known) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("*", true),
            ("\"x\"", false),
            ("abc", false),
            ("", false),
        ] {
            let asked = Asked { range: Some("bytes=0-0"), if_range: None, if_none_match: Some(tags) };
            let expected = if known { Plan::NotModified } else { Plan::Partial(0..1) };
            assert_eq!(answer(10, asked), expected, "{tags}");
        }
    }

    #[test]
    fn content_range_counts_the_last_byte_in() {
        assert_eq!(Plan::Partial(2..6).content_range(10).as_deref(), Some("bytes 2-5/10"));
        assert_eq!(Plan::Unsatisfiable.content_range(10).as_deref(), Some("bytes */10"));
        assert_eq!(Plan::Full.content_range(10), None);
        assert_eq!(Plan::NotModified.content_range(10), None);
    }

    proptest::proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_beyond_the_end(len in 0u64..50, range in "bytes=[0-9]{0,2}-[0-9]{0,2}") {
            if let Plan::Partial(part) = ranged(len, &range) {
                proptest::prop_assert!(part.start < part.end && part.end <= len);
            }
        }
    }
}
