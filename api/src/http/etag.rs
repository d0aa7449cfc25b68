//! `ETag` and `If-None-Match` of answers that change: weak, over what can change.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem::http::header::IF_NONE_MATCH;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::media::any_tag_matches;

/// Names one state of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// The same for the same facts.
    pub fn of(facts: &Value) -> Etag {
        let hash = Sha256::digest(facts.to_string());
        Etag(format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash[..15])))
    }

    /// As it is sent. Weak: links in an answer differ while it says the same.
    pub fn header(&self) -> String {
        format!("W/{}", self.0)
    }
}

/// The states that the caller has.
#[derive(Clone, Debug, Default)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    pub fn has(&self, etag: &Etag) -> bool {
        self.0.iter().any(|tags| any_tag_matches(tags, &etag.0))
    }

    /// Whether the caller has any.
    pub fn is_given(&self) -> bool {
        !self.0.is_empty()
    }
}

impl<'a> ApiExtractor<'a> for IfNoneMatch {
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
        let lines = request.headers().get_all(IF_NONE_MATCH).iter();
        Ok(IfNoneMatch(lines.filter_map(|line| line.to_str().ok().map(str::to_owned)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_found_in_any_list_and_by_the_star() {
        let (etag, other) = (Etag::of(&Value::from(1)), Etag::of(&Value::from(2)));
        assert_eq!(etag, Etag::of(&Value::from(1)));
        let (weak, strong) = (etag.header(), etag.0.clone());
        for lines in [
            vec![weak.clone()],
            vec![strong],
            vec!["*".to_owned()],
            vec![format!("{}, {weak}", other.header())],
            vec![other.header(), weak],
        ] {
            assert!(IfNoneMatch(lines.clone()).has(&etag), "{lines:?}");
        }
        for lines in [vec![], vec![other.header()], vec!["nonsense".to_owned()]] {
            assert!(!IfNoneMatch(lines.clone()).has(&etag), "{lines:?}");
        }
    }
}
