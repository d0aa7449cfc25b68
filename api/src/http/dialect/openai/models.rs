//! `GET /v1/models` and `GET /v1/models/{id}`: what can be ordered with this key.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::video::catalog;

pub struct Models;

/// The models that can be ordered.
#[derive(Debug, Object)]
#[oai(rename = "OpenAiModelList")]
struct ModelList {
    /// Always `list`.
    object: String,
    data: Vec<Model>,
}

/// A model.
#[derive(Debug, Object)]
#[oai(rename = "OpenAiModel")]
struct Model {
    id: String,
    /// Always `model`.
    object: String,
    /// Always 0: nobody says when a model was made.
    created: i64,
    /// Its family.
    owned_by: String,
}

#[OpenApi(tag = "Tag::OpenAi")]
impl Models {
    /// List models
    ///
    /// The models that this key may use and that somebody serves now, by id; aliases are taken as well.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/v1/models", method = "get", operation_id = "listOpenAiModels")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
    ) -> Result<Json<ModelList>, ApiError> {
        let views = app.video.models(&caller.payer()).await?;
        let served = views.iter().filter(|view| view.available);
        Ok(Json(ModelList { object: "list".into(), data: served.map(|view| body(&view.model)).collect() }))
    }

    /// Read a model
    ///
    /// By its id or an alias. `GET /api/ai/models/{id}` says what it can do and what it costs.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/v1/models/:id", method = "get", operation_id = "retrieveOpenAiModel")]
    async fn retrieve(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// Id or alias.
        id: Path<String>,
    ) -> Result<Json<Model>, ApiError> {
        let view = app.video.model(&caller.payer(), &id).await?;
        Ok(Json(body(&view.model)))
    }
}

fn body(model: &catalog::Model) -> Model {
    Model { id: model.id.clone(), object: "model".into(), created: 0, owned_by: model.family.clone() }
}
