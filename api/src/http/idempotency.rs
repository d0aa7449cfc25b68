//! `Idempotency-Key`: a name that the customer gives to one request, so that sending it again can't buy it again.
//!
//! The draft standard writes it as a string in quotes, nearly every client without: both are taken, and mean the same.

use poem::http::HeaderMap;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::error::ApiError;

const HEADER: &str = "Idempotency-Key";
const MAX_CHARS: usize = 255;

/// The request's key, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl<'a> ApiExtractor<'a> for IdempotencyKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let (min_length, max_length) = (Some(1), Some(MAX_CHARS));
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            min_length,
            max_length,
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        Ok(IdempotencyKey(read(request.headers())?))
    }
}

fn read(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::field(HEADER, "Must be sent once"));
    }
    let key = value.to_str().ok().and_then(|text| parse(text.trim()));
    let message = || format!("Must be 1 to {MAX_CHARS} visible ASCII characters");
    key.map(Some).ok_or_else(|| ApiError::field(HEADER, message()))
}

fn parse(text: &str) -> Option<String> {
    let key = if text.starts_with('"') { unquoted(text)? } else { text.to_owned() };
    let fits = (1..=MAX_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    fits.then_some(key)
}

/// The content of a structured field string (RFC 9651 §3.3.3): a backslash stands before a quote or a backslash only.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut key = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => key.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            plain => key.push(plain),
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_bare_keys_mean_the_same() {
        let longest = "k".repeat(MAX_CHARS);
        let quoted = format!("\"{longest}\"");
        for (text, key) in [
            ("order-42", "order-42"),
            ("\"order-42\"", "order-42"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("a\"b", "a\"b"),
            (longest.as_str(), longest.as_str()),
            (quoted.as_str(), longest.as_str()),
        ] {
            assert_eq!(parse(text).as_deref(), Some(key), "{text}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused() {
        let too_long = "k".repeat(MAX_CHARS + 1);
        for text in
            ["", "\"", "\"\"", "\"a", "\"a\"b\"", "\"a\\", "\"a\\n\"", "\"a\";x=1", "a b", "é", &too_long]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_header() {
        let mut headers = HeaderMap::new();
        headers.append(HEADER, "a".parse().unwrap());
        assert_eq!(read(&headers).unwrap().as_deref(), Some("a"));
        headers.append(HEADER, "a".parse().unwrap());
        let error = read(&headers).unwrap_err();
        assert_eq!(error.field_errors().unwrap().of(HEADER), ["Must be sent once"]);
    }
}
