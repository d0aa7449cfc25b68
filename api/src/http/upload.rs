//! `/api/uploads`: files to work from, given once and named by id afterwards.

mod body;

use std::sync::Arc;

use entity::{AccountId, UploadId, upload};
use poem::web::Data;
use poem::{Request, RequestBody};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::auth::{self, Caller, VideosRead, VideosWrite, authenticate};
use super::error::ApiError;
use super::file::{FileAnswer, Kinds, ReadyFile, Source, asked};
use super::value::{Moment, Shown};
use crate::app::App;
use crate::media::sniff::extension;
use crate::media::{LinkError, Proof};
use body::Brought;

pub use body::file_of;

pub struct Uploads;

/// A file that tasks can be made from.
#[derive(Clone, Debug, Object)]
#[oai(rename = "Upload", rename_all = "camelCase")]
pub struct UploadView {
    /// Of its content: the same file again has the same id.
    id: String,
    /// `image`, `video` or `audio`.
    #[oai(rename = "type")]
    kind: String,
    /// What it is by its bytes, whatever was said.
    content_type: String,
    bytes: u64,
    /// Pixels; of an image or video.
    #[oai(nullable)]
    width: Option<u32>,
    #[oai(nullable)]
    height: Option<u32>,
    /// Of a video or audio file that tells its length.
    #[oai(nullable)]
    duration_seconds: Option<f64>,
    /// Whoever has it may fetch the file for an hour.
    url: String,
    /// The file is forgotten then, unless it is given again before.
    expires_at: Moment,
}

#[derive(ApiResponse)]
enum Forgotten {
    /// The file can't be used any more.
    #[oai(status = 204)]
    Forgotten,
}

/// What an upload can be.
#[derive(Debug)]
struct FileKinds;

impl Kinds for FileKinds {
    const CONTENT_TYPES: &'static [&'static str] = &[
        "image/png",
        "image/jpeg",
        "image/webp",
        "video/mp4",
        "video/quicktime",
        "video/webm",
        "audio/wav",
        "audio/mpeg",
    ];
}

/// Seconds that a link in an answer works.
const LINK_SECONDS: i64 = 3_600;

#[OpenApi(tag = "Tag::Videos")]
impl Uploads {
    /// Upload a file
    ///
    /// Keeps an image, video or audio file to make tasks from: name its `id` wherever a request takes a URL. Send it as the
    /// part `file` of a form (`multipart/form-data`), as the body itself, or as JSON: `{"data": "<data: URL or base64>"}`.
    ///
    /// PNG, JPEG and WebP images, MP4, MOV and WebM videos, WAV and MP3 are taken, told by their bytes. The same file again
    /// gets the same id and is kept longer; nothing is stored twice.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/uploads", method = "post", operation_id = "createUpload")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        body: Brought,
    ) -> Result<Json<UploadView>, ApiError> {
        let upload = app.video.uploads.keep(caller.account, &body.0).await?;
        Ok(Json(view(&app, &upload)))
    }

    /// Read about an upload
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/uploads/:id", method = "get", operation_id = "getUpload")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The upload's id.
        id: Path<String>,
    ) -> Result<Json<UploadView>, ApiError> {
        let found = app.video.uploads.find(caller.account, upload_id(&id)?).await?;
        let upload = found.ok_or(ApiError::UploadNotFound)?;
        Ok(Json(view(&app, &upload)))
    }

    /// Delete an upload
    ///
    /// It can't be named or fetched any more. Tasks that were accepted with it still get it.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/uploads/:id", method = "delete", operation_id = "deleteUpload")]
    async fn forget(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// The upload's id.
        id: Path<String>,
    ) -> Result<Forgotten, ApiError> {
        let forgotten = app.video.uploads.forget(caller.account, upload_id(&id)?).await?;
        let object = forgotten.ok_or(ApiError::UploadNotFound)?;
        app.store.delete_all(object.into_iter().collect()).await;
        Ok(Forgotten::Forgotten)
    }

    /// Fetch an upload
    ///
    /// The file, by key or by the link in `url`, which needs none. Takes a single `Range` with `If-Range`, and
    /// `If-None-Match`; `ETag` is strong and `Repr-Digest` is the SHA-256 of the whole.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/uploads/:id/content", method = "get", operation_id = "getUploadContent")]
    async fn content(
        &self,
        app: Data<&Arc<App>>,
        reader: Reader,
        /// The upload's id.
        id: Path<String>,
        request: &Request,
    ) -> Result<FileAnswer<FileKinds>, ApiError> {
        let file = reader.file(&app, upload_id(&id)?).await?;
        file.answer(&app.store, asked(request.headers())).await
    }

    /// Look at an upload's headers
    ///
    /// As `GET`, without the file.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/uploads/:id/content", method = "head", operation_id = "headUploadContent")]
    async fn headers(
        &self,
        app: Data<&Arc<App>>,
        reader: Reader,
        /// The upload's id.
        id: Path<String>,
        request: &Request,
    ) -> Result<FileAnswer<FileKinds>, ApiError> {
        let file = reader.file(&app, upload_id(&id)?).await?;
        Ok(file.headers_only(asked(request.headers())))
    }
}

fn upload_id(text: &str) -> Result<UploadId, ApiError> {
    text.parse().map_err(|_| ApiError::UploadNotFound)
}

pub fn view(app: &App, upload: &upload::Model) -> UploadView {
    let pixels = |side: Option<i64>| side.and_then(|side| u32::try_from(side).ok());
    let link_ends = app.clock.now().plus_seconds(LINK_SECONDS).min(upload.expires_at);
    UploadView {
        id: upload.id.to_string(),
        kind: upload.kind.as_str().to_owned(),
        content_type: upload.content_type.clone(),
        bytes: u64::try_from(upload.bytes).unwrap_or(0),
        width: pixels(upload.width),
        height: pixels(upload.height),
        duration_seconds: upload.millis.map(|millis| millis as f64 / 1_000.0),
        url: app.upload_url(upload.id, link_ends),
        expires_at: Shown(upload.expires_at),
    }
}

/// The query of a link; nothing of it is believed before [`Reader::file`].
#[derive(Debug, Deserialize)]
struct Signed {
    exp: u64,
    kid: String,
    sig: String,
}

/// Somebody who may fetch a file: by a key, which wins if there is one, or by a link.
enum Reader {
    Owner(AccountId),
    Link(Signed),
}

impl<'a> ApiExtractor<'a> for Reader {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        auth::register_schemes(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        auth::SCHEMES.to_vec()
    }

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let query = request.uri().query().unwrap_or_default();
        let is_signed = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "sig");
        if is_signed && auth::secret(request.headers())?.is_none() {
            let signed = request.params().map_err(|_| ApiError::Link(LinkError::Invalid))?;
            return Ok(Reader::Link(signed));
        }
        Ok(Reader::Owner(authenticate::<VideosRead>(request).await?.account))
    }
}

/// Seconds that a browser may keep an upload.
const MAX_AGE_SECONDS: u64 = 3_600;

impl Reader {
    /// A link is signed for providers too: it works as long as the bytes are there.
    async fn file(&self, app: &App, id: UploadId) -> Result<ReadyFile, ApiError> {
        let uploads = &app.video.uploads;
        let (found, seconds) = match self {
            Reader::Owner(account) => (uploads.find(*account, id).await?, MAX_AGE_SECONDS),
            Reader::Link(Signed { exp, kid, sig }) => {
                let now = u64::try_from(app.clock.now().seconds()).unwrap_or(0);
                let proof = Proof { exp: *exp, kid, sig };
                app.links.verify_file(id.0, &proof, now).map_err(ApiError::Link)?;
                (uploads.any(id).await?, exp.saturating_sub(now))
            }
        };
        let upload = found.ok_or(ApiError::UploadNotFound)?;
        Ok(ReadyFile {
            name: format!("{}.{}", upload.id, extension(&upload.content_type)),
            bytes: u64::try_from(upload.bytes).unwrap_or(0),
            content_type: upload.content_type,
            sha256: upload.sha256,
            stored_at: upload.created_at,
            max_age_s: seconds.min(MAX_AGE_SECONDS),
            source: Source::Stored(upload.storage_key),
        })
    }
}
