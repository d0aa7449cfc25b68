//! Where a stream goes on: the number of the last event that a client has.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromParameter, ParseResult, ToJSON, Type};

/// The header wins: a browser that comes back to the address with an old number sends the new one in it.
pub fn number(header: &Option<EventNumber>, query: &Option<EventNumber>) -> Option<i64> {
    header.or(*query).map(|number| number.0)
}

/// The number of an event, as it was sent in `id:`. 0 is before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventNumber(i64);

impl Type for EventNumber {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "integer".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let minimum = Some(0.0);
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            minimum,
            ..MetaSchema::new_with_format("integer", "int64")
        }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromParameter for EventNumber {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| text.parse().ok()).flatten();
        number
            .map(EventNumber)
            .ok_or_else(|| ParseError::custom("Must be the id of an event, a whole number"))
    }
}

impl ToJSON for EventNumber {
    fn to_json(&self) -> Option<serde_json::Value> {
        Some(self.0.into())
    }
}
