//! Values of a query string: words of a closed set, and instants.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime};
use entity::Timestamp;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromParameter, ParseResult, ToJSON, Type};
use serde_json::Value;

/// A word of a closed set.
pub trait Word: Copy + Ord + Send + Sync + 'static {
    fn all() -> &'static [Self];
    fn as_str(self) -> &'static str;
}

/// Some words of a set: `?state=queued,running`, or the parameter once for each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words<T>(pub BTreeSet<T>);

/// One word of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneOf<T>(pub T);

/// One word of a set that must be given. That it is not is told by whoever reads it, with all else that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed<T>(pub Result<T, String>);

fn named<T: Word>(text: &str) -> Option<T> {
    T::all().iter().copied().find(|word| word.as_str() == text)
}

fn allowed<T: Word>() -> String {
    T::all().iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", ")
}

fn word_schema<T: Word>() -> MetaSchema {
    let words = T::all().iter().map(|word| word.as_str().into()).collect();
    MetaSchema { enum_items: words, ..MetaSchema::new("string") }
}

/// What the framework wants to know of a value that is only ever read from a query.
macro_rules! described {
    ([$($generics:tt)*] $name:ty, $kind:literal, $schema:expr) => {
        impl<$($generics)*> Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                $kind.into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(self.as_raw_value().into_iter())
            }
        }
    };
}

described!([T: Word] Words<T>, "words", MetaSchema {
    items: Some(Box::new(MetaSchemaRef::Inline(Box::new(word_schema::<T>())))),
    ..MetaSchema::new("array")
});
described!([T: Word] OneOf<T>, "word", word_schema::<T>());
described!([T: Word] Needed<T>, "word", word_schema::<T>());
described!([] Moment, "instant", MetaSchema::new("string"));

impl<T: Word> ParseFromParameter for Words<T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Self::parse_from_parameters([text])
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(given: I) -> ParseResult<Self> {
        let mut words = BTreeSet::new();
        for list in given {
            for text in list.as_ref().split(',').map(str::trim) {
                let word = named(text);
                words.insert(word.ok_or_else(|| {
                    ParseError::custom(format!("{} is not one of {}", quoted(text), allowed::<T>()))
                })?);
            }
        }
        Ok(Words(words))
    }
}

impl<T: Word> ParseFromParameter for OneOf<T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        named(text).map(OneOf).ok_or_else(|| ParseError::custom(format!("Must be one of {}", allowed::<T>())))
    }
}

impl<T: Word> ToJSON for OneOf<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.as_str().into())
    }
}

impl<T: Word> ParseFromParameter for Needed<T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Ok(Needed(named(text).ok_or_else(|| format!("Must be one of {}", allowed::<T>()))))
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(given: I) -> ParseResult<Self> {
        match given.into_iter().next() {
            Some(text) => Self::parse_from_parameter(text.as_ref()),
            None => Ok(Needed(Err(format!("Required: one of {}", allowed::<T>())))),
        }
    }
}

/// A short piece of what was sent, for a message.
fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

/// An instant (RFC 3339), or a day, which is UTC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Instant(Timestamp),
    /// Its first instant.
    Day(Timestamp),
}

const DAY_SECONDS: i64 = 86_400;

impl Moment {
    /// The instant, or the first of the day.
    pub fn start(self) -> Timestamp {
        match self {
            Moment::Instant(at) | Moment::Day(at) => at,
        }
    }

    /// The instant, or the first after the day.
    pub fn end(self) -> Timestamp {
        match self {
            Moment::Instant(at) => at,
            Moment::Day(at) => at.plus_seconds(DAY_SECONDS),
        }
    }
}

impl ParseFromParameter for Moment {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let read = day(text).or_else(|| instant(text));
        read.ok_or_else(|| {
            ParseError::custom("Must be a day such as 2026-11-27, or a time such as 2026-11-27T08:30:00Z")
        })
    }
}

fn day(text: &str) -> Option<Moment> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10)?;
    let seconds = date.and_time(NaiveTime::MIN).and_utc().timestamp();
    Some(Moment::Day(Timestamp::from_seconds(seconds)))
}

/// In a query an unescaped `+`, as in `+02:00`, arrives as a blank.
fn instant(text: &str) -> Option<Moment> {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let at = read(text).or_else(|| {
        let (time, offset) = text.rsplit_once(' ')?;
        read(&format!("{time}+{offset}"))
    })?;
    Some(Moment::Instant(Timestamp::from_micros(at.timestamp_micros())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Size {
        Small,
        Large,
    }

    impl Word for Size {
        fn all() -> &'static [Size] {
            &[Size::Small, Size::Large]
        }

        fn as_str(self) -> &'static str {
            match self {
                Size::Small => "small",
                Size::Large => "large",
            }
        }
    }

    #[test]
    fn words_come_in_a_list_or_one_by_one_and_an_unknown_one_names_the_allowed() {
        let both = Words(BTreeSet::from([Size::Small, Size::Large]));
        for given in [&["small,large"][..], &["large, small"], &["small", "large"], &["small,small", "large"]]
        {
            assert_eq!(Words::parse_from_parameters(given).unwrap(), both, "{given:?}");
        }
        for given in ["", "small,", "Small", "medium"] {
            let error = Words::<Size>::parse_from_parameter(given).unwrap_err();
            assert!(error.message().ends_with("is not one of small, large"), "{}", error.message());
        }
        assert_eq!(OneOf::parse_from_parameter("small").unwrap(), OneOf(Size::Small));
        assert!(OneOf::<Size>::parse_from_parameter("small,large").is_err());
    }

    #[test]
    fn an_instant_is_a_time_with_an_offset_or_a_day() {
        let at = Timestamp::from_seconds(1_795_768_200);
        for text in [
            "2026-11-27T08:30:00Z",
            "2026-11-27T10:30:00+02:00",
            "2026-11-27T10:30:00 02:00",
            "2026-11-27t08:30:00.000z",
        ] {
            assert_eq!(Moment::parse_from_parameter(text).unwrap(), Moment::Instant(at), "{text}");
        }
        let day = Moment::parse_from_parameter("2026-11-27").unwrap();
        assert_eq!(day, Moment::Day(at.day()));
        assert_eq!(day.end(), at.day().plus_seconds(DAY_SECONDS));
        for text in ["", "2026-11-31", "2026-1-2", "26-11-27", "2026-11-27T08:30:00", "now", "1795768200"] {
            assert!(Moment::parse_from_parameter(text).is_err(), "{text}");
        }
    }
}
