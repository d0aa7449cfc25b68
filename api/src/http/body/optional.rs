//! A JSON body that may be left out, because everything in it may be.

use std::marker::PhantomData;

use poem::{Request, RequestBody};
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::Fields;

/// The request's body: a JSON object, described as `S`, or nothing at all.
#[derive(Debug)]
pub struct OptionalJson<S> {
    pub fields: Fields,
    described_as: PhantomData<S>,
}

impl<'a, S: Type> ApiExtractor<'a> for OptionalJson<S> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        S::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content_type = Json::<S>::CONTENT_TYPE;
        let content = vec![MetaMediaType { content_type, schema: S::schema_ref() }];
        Some(MetaRequest { description: None, content, required: false })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let length = request.headers().get("content-length");
        let is_chunked = request.headers().contains_key("transfer-encoding");
        let is_empty = !is_chunked && length.is_none_or(|length| length == "0");
        let fields = if is_empty { Fields::default() } else { super::read(request, body).await? };
        Ok(OptionalJson { fields, described_as: PhantomData })
    }
}
