//! Values of answers and parameters that the API's description has no words of its own for.

use std::borrow::Cow;

use entity::{Credits, Mode, Timestamp};
use poem_openapi::Enum;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use serde::Serialize;
use serde_json::Value;

/// How a value of ours is described.
pub trait Described: Serialize + Send + Sync {
    const TYPE: &'static str;
    const FORMAT: Option<&'static str>;
}

/// Credits, at most 3 decimals.
impl Described for Credits {
    const TYPE: &'static str = "number";
    const FORMAT: Option<&'static str> = None;
}

/// RFC 3339 in UTC.
impl Described for Timestamp {
    const TYPE: &'static str = "string";
    const FORMAT: Option<&'static str> = Some("date-time");
}

/// A value in an answer, written as it writes itself. Never read from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<T>(pub T);

pub type Amount = Shown<Credits>;
pub type Moment = Shown<Timestamp>;

impl<T: Described> Type for Shown<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        T::FORMAT.unwrap_or(T::TYPE).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema { format: T::FORMAT, ..MetaSchema::new(T::TYPE) }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl<T: Described> ToJSON for Shown<T> {
    fn to_json(&self) -> Option<Value> {
        serde_json::to_value(&self.0).ok()
    }
}

impl<T: Described> ParseFromJSON for Shown<T> {
    fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
        Err(ParseError::custom("only ever written"))
    }
}

/// A whole number in a query, within bounds that the description names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> Type for Bounded<MIN, MAX> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "integer".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let (minimum, maximum) = (Some(f64::from(MIN)), Some(f64::from(MAX)));
        MetaSchemaRef::Inline(Box::new(MetaSchema { minimum, maximum, ..MetaSchema::new("integer") }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl<const MIN: u32, const MAX: u32> ParseFromParameter for Bounded<MIN, MAX> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
        number.map(Bounded).ok_or_else(|| ParseError::custom(format!("Must be {MIN} to {MAX}")))
    }
}

impl<const MIN: u32, const MAX: u32> ToJSON for Bounded<MIN, MAX> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.into())
    }
}

/// `live` or `test`.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
pub enum ModeName {
    Live,
    Test,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Live => Mode::Live,
            ModeName::Test => Mode::Test,
        }
    }
}
