//! `GET` and `HEAD /api/ai/tasks/{id}/content`: the clip itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use entity::clip::{self, ClipState};
use entity::{AccountId, TaskId, Timestamp};
use poem::http::{HeaderMap, HeaderName, StatusCode, header};
use poem::web::Data;
use poem::{Body, IntoResponse, Request, RequestBody, ResponseBuilder};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Binary, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, OpenApi};

use super::link::{ClipIndex, SignedQuery, first_clip};
use super::task_id;
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{self, VideosRead, authenticate};
use crate::http::error::ApiError;
use crate::media::{Asked, Plan, Representation, Store, plan};
use crate::video::read::TaskView;

/// Seconds that a browser may keep a clip, which never changes.
const MAX_AGE_SECONDS: u64 = 86_400;

pub struct Content;

#[OpenApi(tag = "Tag::Videos")]
impl Content {
    /// Fetch a clip
    ///
    /// The MP4, by key or by a link (`videoUrl`, or `GET /api/ai/tasks/{id}/link`), which needs none. Takes a single
    /// `Range` with `If-Range`, and `If-None-Match`; `ETag` is strong and `Repr-Digest` is the SHA-256 of the whole clip.
    ///
    /// Until the task has ended this is 404 `not_ready` with `Retry-After`; a clip that failed is 404 `no_clip`.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/tasks/:id/content", method = "get", operation_id = "getTaskContent")]
    async fn content(
        &self,
        app: Data<&Arc<App>>,
        viewer: Viewer,
        /// The task's id.
        id: Path<String>,
        /// Which clip, counted from 0.
        #[oai(default = "first_clip")]
        index: Query<ClipIndex>,
        request: &Request,
    ) -> Result<ClipAnswer, ApiError> {
        viewer.fetch(&app, task_id(&id)?, index.0.0, request.headers()).await
    }

    /// Look at a clip's headers
    ///
    /// As `GET`, without the clip.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/tasks/:id/content", method = "head", operation_id = "headTaskContent")]
    async fn headers(
        &self,
        app: Data<&Arc<App>>,
        viewer: Viewer,
        /// The task's id.
        id: Path<String>,
        /// Which clip, counted from 0.
        #[oai(default = "first_clip")]
        index: Query<ClipIndex>,
        request: &Request,
    ) -> Result<ClipAnswer, ApiError> {
        viewer.look(&app, task_id(&id)?, index.0.0, request.headers()).await
    }
}

/// Somebody who may see a clip: by a key, which wins if there is one, or by a link. Which clip it opens is not known
/// before the task is, so [`Viewer::clip`] is the only way on.
pub struct Viewer {
    claim: Claim,
    /// The clip that the address of a link names, which holds for a key as well.
    named: Option<u32>,
}

enum Claim {
    Owner(AccountId),
    Link(SignedQuery),
}

impl<'a> ApiExtractor<'a> for Viewer {
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
        let link = SignedQuery::of(request)?;
        let named = link.as_ref().map(|link| link.clip);
        let has_key = auth::secret(request.headers())?.is_some();
        let claim = match link {
            Some(link) if !has_key => Claim::Link(link),
            _ => Claim::Owner(authenticate::<VideosRead>(request).await?.account),
        };
        Ok(Viewer { claim, named })
    }
}

impl Viewer {
    /// The clip, or the part of it that is asked for.
    pub async fn fetch(
        &self,
        app: &App,
        task: TaskId,
        index: u32,
        headers: &HeaderMap,
    ) -> Result<ClipAnswer, ApiError> {
        self.clip(app, task, index).await?.answer(&app.store, asked(headers)).await
    }

    /// What is said about the clip before it is sent.
    pub async fn look(
        &self,
        app: &App,
        task: TaskId,
        index: u32,
        headers: &HeaderMap,
    ) -> Result<ClipAnswer, ApiError> {
        Ok(self.clip(app, task, index).await?.headers_only(asked(headers)))
    }

    async fn clip(&self, app: &App, task: TaskId, index: u32) -> Result<ReadyClip, ApiError> {
        let (owner, seconds) = match &self.claim {
            Claim::Owner(account) => (Some(*account), MAX_AGE_SECONDS),
            Claim::Link(link) => (None, link.opens(app, task)?),
        };
        let mut clip = ready_clip(app, owner, task, self.named.unwrap_or(index)).await?;
        clip.max_age_s = seconds.min(MAX_AGE_SECONDS);
        Ok(clip)
    }
}

/// A clip in our storage.
pub struct ReadyClip {
    task: TaskId,
    storage_key: String,
    bytes: u64,
    sha256: Vec<u8>,
    stored_at: SystemTime,
    max_age_s: u64,
}

/// A delivered clip of its owner's task, or of one that a link was made for.
pub async fn ready_clip(
    app: &App,
    owner: Option<AccountId>,
    task: TaskId,
    index: u32,
) -> Result<ReadyClip, ApiError> {
    let view = match owner {
        Some(account) => app.video.task(account, task).await?,
        None => app.video.shared_task(task).await?,
    };
    let view = view.ok_or(ApiError::TaskNotFound)?;
    if !view.state.is_terminal() {
        return Err(ApiError::NotReady);
    }
    let TaskView { task, clips, .. } = &*view;
    let delivered = |clip: &clip::Model| clip.idx == i64::from(index) && clip.state == ClipState::Delivered;
    let clip = clips.iter().find(|clip| delivered(clip)).cloned().ok_or(ApiError::NoClip)?;
    let bytes = clip.bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let (Some(storage_key), Some(bytes), Some(sha256)) = (clip.storage_key, bytes, clip.sha256) else {
        return Err(ApiError::internal(anyhow::anyhow!(
            "clip {index} of {} is delivered but not stored",
            task.id
        )));
    };
    let stored_at = system_time(task.terminal_at.unwrap_or(task.created_at));
    Ok(ReadyClip { task: task.id, storage_key, bytes, sha256, stored_at, max_age_s: MAX_AGE_SECONDS })
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0))
}

fn asked(headers: &HeaderMap) -> Asked<'_> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Asked {
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
        if_none_match: text(header::IF_NONE_MATCH),
    }
}

impl ReadyClip {
    async fn answer(&self, store: &Store, asked: Asked<'_>) -> Result<ClipAnswer, ApiError> {
        let plan = self.plan(&asked);
        let range = match &plan {
            Plan::NotModified => return Ok(self.not_modified()),
            Plan::Unsatisfiable => return Err(ApiError::RangeNotSatisfiable { len: self.bytes }),
            Plan::Full => 0..self.bytes,
            Plan::Partial(range) => range.clone(),
        };
        let length = range.end - range.start;
        let chunks = store.read(&self.storage_key, range).await.map_err(ApiError::internal)?;
        let mut response = self.described().header(header::CONTENT_LENGTH, length);
        if let Some(content_range) = plan.content_range(self.bytes) {
            response =
                response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, content_range);
        }
        Ok(ClipAnswer(response.body(Body::from_bytes_stream(chunks))))
    }

    /// Ranges are defined for `GET` only.
    fn headers_only(&self, asked: Asked<'_>) -> ClipAnswer {
        match self.plan(&Asked { range: None, ..asked }) {
            Plan::NotModified => self.not_modified(),
            _ => ClipAnswer(self.described().header(header::CONTENT_LENGTH, self.bytes).finish()),
        }
    }

    fn plan(&self, asked: &Asked<'_>) -> Plan {
        let etag = self.etag();
        plan(asked, &Representation { len: self.bytes, etag: &etag, last_modified: self.stored_at })
    }

    fn etag(&self) -> String {
        format!("\"{}\"", hex::encode(&self.sha256))
    }

    fn not_modified(&self) -> ClipAnswer {
        ClipAnswer(self.validators().status(StatusCode::NOT_MODIFIED).finish())
    }

    /// What a 304 repeats.
    fn validators(&self) -> ResponseBuilder {
        poem::Response::builder()
            .header(header::ETAG, self.etag())
            .header(header::LAST_MODIFIED, httpdate::fmt_http_date(self.stored_at))
            .header(header::CACHE_CONTROL, format!("private, max-age={}", self.max_age_s))
    }

    fn described(&self) -> ResponseBuilder {
        let digest = BASE64_STANDARD.encode(&self.sha256);
        self.validators()
            .content_type("video/mp4")
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CONTENT_DISPOSITION, format!("inline; filename=\"{}.mp4\"", self.task))
            .header(HeaderName::from_static("repr-digest"), format!("sha-256=:{digest}:"))
    }
}

/// All or a part of a clip, or that the caller has it already.
pub struct ClipAnswer(poem::Response);

impl IntoResponse for ClipAnswer {
    fn into_response(self) -> poem::Response {
        self.0
    }
}

impl ApiResponse for ClipAnswer {
    fn meta() -> MetaResponses {
        let clip = || vec![MetaMediaType { content_type: "video/mp4", schema: Binary::<Body>::schema_ref() }];
        let answer = |status, description, content| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers: vec![],
        };
        let responses = vec![
            answer(200, "The whole clip", clip()),
            answer(206, "The asked range of the clip", clip()),
            answer(304, "The caller has this clip already", vec![]),
        ];
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}
