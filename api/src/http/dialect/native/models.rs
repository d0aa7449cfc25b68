//! `GET /api/ai/models`, `/{id}` and `/{id}/schema`: what there is to choose from.

use std::sync::Arc;

use poem::Request;
use poem::http::header::IF_NONE_MATCH;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::{Any, ParseFromJSON, ToJSON};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::model_view::{ModelBody, model_body};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::query::{OneOf, Word};
use crate::media::any_tag_matches;
use crate::video::catalog::{InputMode, join};
use crate::video::offer::{ModelError, ModelView};
use crate::video::schema::schema;

pub struct Models;

/// Models in the order of the catalog.
#[derive(Debug, Object)]
struct ModelList {
    data: Vec<ModelBody>,
}

/// Something that may be kept for a minute, or that the caller has already.
#[derive(ApiResponse)]
enum Cacheable<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// As it is now.
    #[oai(status = 200)]
    Fresh(Json<T>, #[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
    /// The caller has this already: `If-None-Match` names it.
    #[oai(status = 304)]
    NotModified(#[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
}

#[derive(ApiResponse)]
enum SchemaAnswer {
    /// A JSON Schema.
    #[oai(status = 200, content_type = "application/schema+json")]
    Fresh(Json<Any<Value>>, #[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
    /// The caller has this already: `If-None-Match` names it.
    #[oai(status = 304)]
    NotModified(#[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
}

/// It depends on the caller: their mode, their group, their key's models.
const CACHE_CONTROL: &str = "private, max-age=60";

impl Word for InputMode {
    fn all() -> &'static [InputMode] {
        &InputMode::ALL
    }

    fn as_str(self) -> &'static str {
        InputMode::as_str(self)
    }
}

#[OpenApi(tag = "Tag::Videos")]
impl Models {
    /// List models
    ///
    /// Every model that this key may use, with what it can do and what it costs you. Send the `ETag` as `If-None-Match` and
    /// get 304 while nothing has changed.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/models", method = "get", operation_id = "listModels")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        request: &Request,
        /// Only models of this family.
        family: Query<Option<String>>,
        /// Only models that take this input mode.
        #[oai(name = "inputMode")]
        input_mode: Query<Option<OneOf<InputMode>>>,
        /// Only models that a task can (true) or can't (false) be made with now.
        available: Query<Option<bool>>,
    ) -> Result<Cacheable<ModelList>, ApiError> {
        known_family(&app, family.0.as_deref())?;
        let wanted = |view: &ModelView| {
            family.0.as_ref().is_none_or(|family| *family == view.model.family)
                && input_mode.0.is_none_or(|mode| view.model.modes.contains(&mode.0))
                && available.0.is_none_or(|available| available == view.available)
        };
        let views = app.video.models(&caller.payer()).await?;
        let data = views.into_iter().filter(wanted).map(model_body).collect();
        Ok(cacheable(request, ModelList { data }))
    }

    /// Read a model
    ///
    /// By its id or an alias. An id may hold a slash, which can be sent as it is or as `%2F`.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/models/:id", method = "get", operation_id = "getModel")]
    async fn model(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        request: &Request,
        /// The model's id, or an alias.
        id: Path<String>,
    ) -> Result<Cacheable<ModelBody>, ApiError> {
        let view = app.video.model(&caller.payer(), &id).await?;
        Ok(cacheable(request, model_body(view)))
    }

    /// Read a model's schema
    ///
    /// A JSON Schema (2020-12) of the body of `POST /api/ai/video/generate` for this model: what fits it is accepted. It has
    /// one spelling for everything; the API also reads `null` as absent, whole numbers as text, and words in either case.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/models/:id/schema", method = "get", operation_id = "getModelSchema")]
    async fn schema(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        request: &Request,
        /// The model's id, or an alias.
        id: Path<String>,
    ) -> Result<SchemaAnswer, ApiError> {
        let model = app.video.named_model(&caller.payer(), &id)?;
        Ok(match cacheable(request, Any(schema(&model))) {
            Cacheable::Fresh(body, tag, cache) => SchemaAnswer::Fresh(body, tag, cache),
            Cacheable::NotModified(tag, cache) => SchemaAnswer::NotModified(tag, cache),
        })
    }
}

fn known_family(app: &App, family: Option<&str>) -> Result<(), ApiError> {
    let Some(family) = family else { return Ok(()) };
    let mut families: Vec<&str> =
        app.video.catalog.models().iter().map(|model| model.family.as_str()).collect();
    families.sort_unstable();
    families.dedup();
    if families.contains(&family) {
        return Ok(());
    }
    Err(ApiError::field("family", format!("Must be one of {}", join(families))))
}

/// The tag is the content's, so that it is the same in every process.
fn cacheable<T: ParseFromJSON + ToJSON + Send + Sync>(request: &Request, body: T) -> Cacheable<T> {
    let digest = Sha256::digest(body.to_json_string());
    let tag = format!("\"{}\"", hex::encode(&digest[..16]));
    let known = request.headers().get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.into_iter().any(|tags| any_tag_matches(tags, &tag));
    match is_known {
        true => Cacheable::NotModified(tag, CACHE_CONTROL.to_owned()),
        false => Cacheable::Fresh(Json(body), tag, CACHE_CONTROL.to_owned()),
    }
}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Unknown(hint) => ApiError::ModelNotFound(hint),
            ModelError::NotAllowed(model) => ApiError::ModelNotAllowed(model),
            ModelError::Prices(error) => ApiError::Unavailable(error.into()),
            ModelError::Db(error) => ApiError::database(crate::db::fault(&error), error),
        }
    }
}

#[cfg(test)]
mod tests;
