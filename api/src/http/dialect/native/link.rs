//! Links to clips that work without a key: making them, and reading them back.

use std::sync::Arc;

use entity::{TaskId, Timestamp};
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::content::ready_clip;
use super::task_id;
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::query::{OneOf, Word};
use crate::http::value::{Bounded, Moment, Shown};
use crate::media::{ClipRef, LinkError, Proof, Variant};

/// Seconds that a link in a task's answer works.
pub const LINK_SECONDS: i64 = 3_600;

pub type ClipIndex = Bounded<0, 65_535>;
type Ttl = Bounded<60, 86_400>;

pub fn first_clip() -> ClipIndex {
    Bounded(0)
}

pub fn the_video() -> OneOf<Variant> {
    OneOf(Variant::Video)
}

impl Word for Variant {
    fn all() -> &'static [Variant] {
        &[Variant::Video, Variant::Thumbnail, Variant::Spritesheet]
    }

    fn as_str(self) -> &'static str {
        Variant::as_str(self)
    }
}

fn an_hour() -> Ttl {
    Bounded(3_600)
}

pub struct Link;

/// A link to a clip.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct LinkAnswer {
    /// Whoever has it may fetch the clip until `expiresAt`.
    url: String,
    expires_at: Moment,
}

#[OpenApi(tag = "Tag::Videos")]
impl Link {
    /// Make a link to a clip
    ///
    /// The link works without a key until it expires, for whoever has it.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/tasks/:id/link", method = "get", operation_id = "getTaskLink")]
    async fn link(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The task's id.
        id: Path<String>,
        /// Seconds that the link works.
        #[oai(default = "an_hour")]
        ttl: Query<Ttl>,
        /// Which clip, counted from 0.
        #[oai(default = "first_clip")]
        index: Query<ClipIndex>,
        /// The clip, or a picture of it.
        #[oai(default = "the_video")]
        variant: Query<OneOf<Variant>>,
    ) -> Result<Json<LinkAnswer>, ApiError> {
        let (id, index) = (task_id(&id)?, index.0.0);
        ready_clip(&app, Some(caller.account), id, index).await?;
        let expires_at = app.clock.now().plus_seconds(i64::from(ttl.0.0));
        let url = app.clip_url(id, index, variant.0.0, expires_at);
        // A link carries whole seconds.
        Ok(Json(LinkAnswer { url, expires_at: Shown(Timestamp::from_seconds(expires_at.seconds())) }))
    }
}

/// The address of a clip, signed until `expires_at`.
pub fn clip_url(app: &App, task: TaskId, index: u32, expires_at: Timestamp) -> String {
    app.clip_url(task, index, Variant::Video, expires_at)
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.seconds()).unwrap_or(0)
}

/// The query of a link as it came; nothing of it is believed before [`SignedQuery::opens`].
#[derive(Clone, Debug, Deserialize)]
pub struct SignedQuery {
    clip: u32,
    variant: String,
    exp: u64,
    kid: String,
    sig: String,
}

impl SignedQuery {
    /// `None` when the query is not that of a link at all.
    pub fn of(request: &Request) -> Result<Option<SignedQuery>, ApiError> {
        let query = request.uri().query().unwrap_or_default();
        let signed = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "sig");
        let read = || request.params().map_err(|_| ApiError::Link(LinkError::Invalid));
        signed.then(read).transpose()
    }

    /// What it says that it is for.
    pub fn names(&self) -> Result<(u32, Variant), ApiError> {
        Ok((self.clip, self.variant.parse().map_err(ApiError::Link)?))
    }

    /// How many seconds the link still works; an error unless we signed it for this very task.
    pub fn opens(&self, app: &App, task: TaskId) -> Result<u64, ApiError> {
        let now = seconds(app.clock.now());
        let proof = Proof { exp: self.exp, kid: &self.kid, sig: &self.sig };
        let (clip, variant) = self.names()?;
        let clip = ClipRef { task: task.0, clip, variant };
        app.links.verify(&clip, &proof, now).map_err(ApiError::Link)?;
        Ok(self.exp.saturating_sub(now))
    }
}
