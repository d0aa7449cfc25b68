//! `GET` and `HEAD /api/ai/tasks/{id}/content`: the clip itself, or a picture of it.

use std::sync::Arc;

use entity::clip::{self, ClipState};
use entity::{AccountId, TaskId};
use poem::http::HeaderMap;
use poem::web::Data;
use poem::{Request, RequestBody};
use poem_openapi::param::{Path, Query};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, OpenApi};
use sha2::{Digest, Sha256};

use super::link::{ClipIndex, SignedQuery, first_clip, the_video};
use super::task_id;
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{self, VideosRead, authenticate};
use crate::http::error::ApiError;
use crate::http::file::{FileAnswer, Kinds, ReadyFile, Source, asked};
use crate::http::query::OneOf;
use crate::media::{NoPicture, Variant};
use crate::video::read::TaskView;

/// Seconds that a browser may keep a clip, which never changes.
const MAX_AGE_SECONDS: u64 = 86_400;

pub struct Content;

/// What a clip's content can be.
#[derive(Debug)]
pub struct ClipKinds;

impl Kinds for ClipKinds {
    const CONTENT_TYPES: &'static [&'static str] = &["video/mp4", "image/webp"];
}

#[OpenApi(tag = "Tag::Videos")]
impl Content {
    /// Fetch a clip
    ///
    /// The MP4, or a picture of it (WebP): `thumbnail` is one frame, `spritesheet` shows sixteen moments in four rows, evenly
    /// spread over the clip. By key or by a link (`videoUrl`, or `GET /api/ai/tasks/{id}/link`), which needs none. Takes a
    /// single `Range` with `If-Range`, and `If-None-Match`; `ETag` is strong and `Repr-Digest` is the SHA-256 of the whole.
    ///
    /// Until the task has ended this is 404 `not_ready` with `Retry-After`; a clip that failed is 404 `no_clip`, and one whose
    /// pictures can't be had 404 `variant_unavailable`.
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
        /// The clip, or a picture of it.
        #[oai(default = "the_video")]
        variant: Query<OneOf<Variant>>,
        request: &Request,
    ) -> Result<FileAnswer<ClipKinds>, ApiError> {
        viewer.fetch(&app, task_id(&id)?, (index.0.0, variant.0.0), request.headers()).await
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
        /// The clip, or a picture of it.
        #[oai(default = "the_video")]
        variant: Query<OneOf<Variant>>,
        request: &Request,
    ) -> Result<FileAnswer<ClipKinds>, ApiError> {
        viewer.look(&app, task_id(&id)?, (index.0.0, variant.0.0), request.headers()).await
    }
}

/// Somebody who may see a clip: by a key, which wins if there is one, or by a link. Which clip it opens is not known
/// before the task is, so [`Viewer::fetch`] and [`Viewer::look`] are the only ways on.
pub struct Viewer {
    claim: Claim,
    /// What the address of a link names, which holds for a key as well.
    named: Option<(u32, Variant)>,
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
        let named = link.as_ref().map(SignedQuery::names).transpose()?;
        let has_key = auth::secret(request.headers())?.is_some();
        let claim = match link {
            Some(link) if !has_key => Claim::Link(link),
            _ => Claim::Owner(authenticate::<VideosRead>(request).await?.account),
        };
        Ok(Viewer { claim, named })
    }
}

impl Viewer {
    /// The file, or the part of it that is asked for.
    pub async fn fetch(
        &self,
        app: &App,
        task: TaskId,
        what: (u32, Variant),
        headers: &HeaderMap,
    ) -> Result<FileAnswer<ClipKinds>, ApiError> {
        self.file(app, task, what).await?.answer(&app.store, asked(headers)).await
    }

    /// What is said about the file before it is sent.
    pub async fn look(
        &self,
        app: &App,
        task: TaskId,
        what: (u32, Variant),
        headers: &HeaderMap,
    ) -> Result<FileAnswer<ClipKinds>, ApiError> {
        Ok(self.file(app, task, what).await?.headers_only(asked(headers)))
    }

    async fn file(&self, app: &App, task: TaskId, asked: (u32, Variant)) -> Result<ReadyFile, ApiError> {
        let (owner, seconds) = match &self.claim {
            Claim::Owner(account) => (Some(*account), MAX_AGE_SECONDS),
            Claim::Link(link) => (None, link.opens(app, task)?),
        };
        let (index, variant) = self.named.unwrap_or(asked);
        let file = ready_file(app, owner, task, (index, variant)).await?;
        Ok(ReadyFile { max_age_s: seconds.min(MAX_AGE_SECONDS), ..file })
    }
}

/// A delivered clip of its owner's task, or of one that a link was made for, or a picture of it.
pub async fn ready_file(
    app: &App,
    owner: Option<AccountId>,
    task: TaskId,
    (index, variant): (u32, Variant),
) -> Result<ReadyFile, ApiError> {
    let clip = ready_clip(app, owner, task, index).await?;
    let (Variant::Thumbnail | Variant::Spritesheet, Source::Stored(key)) = (variant, &clip.source) else {
        return Ok(clip);
    };
    let picture = app.pictures.of(key, clip.bytes, variant).await.map_err(|error| match error {
        NoPicture::Store(error) => ApiError::Unavailable(error.into()),
        NoPicture::Undecodable(why) => {
            tracing::info!(%task, why, "there is no picture of a clip");
            ApiError::VariantUnavailable
        }
    })?;
    Ok(ReadyFile {
        name: format!("{task}.{variant}.webp"),
        content_type: "image/webp".to_owned(),
        bytes: picture.len() as u64,
        sha256: Sha256::digest(&picture).to_vec(),
        source: Source::Memory(picture),
        ..clip
    })
}

/// A delivered clip of its owner's task, or of one that a link was made for.
pub async fn ready_clip(
    app: &App,
    owner: Option<AccountId>,
    task: TaskId,
    index: u32,
) -> Result<ReadyFile, ApiError> {
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
    Ok(ReadyFile {
        name: format!("{}.mp4", task.id),
        content_type: "video/mp4".to_owned(),
        bytes,
        sha256,
        stored_at: task.terminal_at.unwrap_or(task.created_at),
        max_age_s: MAX_AGE_SECONDS,
        source: Source::Stored(storage_key),
    })
}
