//! A file in a request's body: as a part of a form, as the body itself, or inside JSON. However large it is, memory stays flat,
//! except for JSON, which is read whole and has a smaller limit.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use poem::http::header::CONTENT_LENGTH;
use poem::web::Multipart;
use poem::{Body, FromRequest, Request, RequestBody};
use poem_openapi::payload::{Binary, Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object};
use tokio_util::io::ReaderStream;

use crate::http::auth::app;
use crate::http::body::{Fields, is_json, read};
use crate::http::error::ApiError;
use crate::media::Given;
use crate::video::input::decode;
use crate::video::upload::Uploads;

/// The file of a request.
pub struct Brought(pub Given);

// Only describes the body.
/// A file inside JSON.
#[derive(Debug, Object)]
#[oai(rename = "UploadData")]
struct InJson {
    /// A `data:` URL, or the file in base64.
    data: String,
}

impl<'a> ApiExtractor<'a> for Brought {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        InJson::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = [
            (Json::<InJson>::CONTENT_TYPE, InJson::schema_ref()),
            ("multipart/form-data", form()),
            (Binary::<Body>::CONTENT_TYPE, Binary::<Body>::schema_ref()),
        ];
        let content = content.map(|(content_type, schema)| MetaMediaType { content_type, schema });
        Some(MetaRequest { description: None, content: content.into(), required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let uploads = &app(request)?.video.uploads;
        let content_type = request.content_type().unwrap_or_default();
        let given = match content_type {
            json if is_json(json) => in_json(request, body).await?,
            form if form.trim_start().starts_with("multipart/") => in_form(request, body, uploads).await?,
            _ => itself(request, body, uploads).await?,
        };
        Ok(Brought(given))
    }
}

fn form() -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema {
        required: vec!["file"],
        properties: vec![("file", Binary::<Body>::schema_ref())],
        ..MetaSchema::new("object")
    }))
}

async fn in_json(request: &Request, body: &mut RequestBody) -> Result<Given, ApiError> {
    file_of(read(request, body).await?)
}

/// The file that stands in the field `data`.
pub fn file_of(mut fields: Fields) -> Result<Given, ApiError> {
    fields.require("data");
    let data = fields.text("data").unwrap_or_default();
    fields.finish()?;
    let file =
        if data.starts_with("data:") { data.split_once(',').map_or("", |(_, file)| file) } else { &data };
    let wrong = || ApiError::field("data", "Must be a data: URL with base64, or base64");
    decode(file).map(Given::Bytes).ok_or_else(wrong)
}

/// The other parts are passed over.
async fn in_form(request: &Request, body: &mut RequestBody, uploads: &Uploads) -> poem::Result<Given> {
    let broken = || ApiError::form("The form could not be read");
    let mut form = <Multipart as FromRequest>::from_request(request, body).await.map_err(|_| broken())?;
    while let Some(part) = form.next_field().await.map_err(|_| broken())? {
        if part.name() == Some("file") {
            return Ok(take(uploads, Box::pin(ReaderStream::new(part.into_async_read()))).await?);
        }
    }
    Err(ApiError::field("file", "Required").into())
}

async fn itself(request: &Request, body: &mut RequestBody, uploads: &Uploads) -> Result<Given, ApiError> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let largest = uploads.terms.largest();
    if length.is_some_and(|length: u64| length > largest) {
        return Err(ApiError::TooLarge { limit_bytes: usize::try_from(largest).unwrap_or(usize::MAX) });
    }
    let body = body.take().map_err(ApiError::internal)?;
    take(uploads, Box::pin(body.into_bytes_stream())).await
}

async fn take(
    uploads: &Uploads,
    stream: impl Stream<Item = io::Result<Bytes>> + Unpin,
) -> Result<Given, ApiError> {
    Ok(uploads.take(stream).await?)
}
