//! `GET /api/actions` and `/{name}/schema`: what can be done, and what each takes.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::Value;

use super::action::Action;
use super::schema::schema;
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;

pub struct List;

/// What can be done.
#[derive(Debug, Object)]
struct ActionList {
    /// Always 0.
    code: i32,
    /// Always `ok`.
    message: String,
    data: Vec<ActionInfo>,
    /// As `data`.
    actions: Vec<ActionInfo>,
}

/// Something that can be done.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ActionInfo {
    /// The name to call it by.
    id: String,
    title: String,
    description: String,
    /// A JSON Schema (2020-12) of what it takes.
    input_schema: Any<Value>,
}

#[derive(ApiResponse)]
enum SchemaAnswer {
    /// A JSON Schema (2020-12).
    #[oai(status = 200, content_type = "application/schema+json")]
    Schema(Json<Any<Value>>),
}

#[OpenApi(tag = "Tag::Actions")]
impl List {
    /// List actions
    ///
    /// Everything that `POST /api/actions/{name}` does, with a schema of what each takes.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/actions", method = "get", operation_id = "listActions")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        _caller: Caller<VideosRead>,
    ) -> Result<Json<ActionList>, ApiError> {
        let actions: Vec<ActionInfo> = Action::ALL.map(|action| info(&app, action)).into();
        Ok(Json(ActionList { code: 0, message: "ok".into(), data: actions.clone(), actions }))
    }

    /// Read an action's schema
    ///
    /// What the action takes, as a JSON Schema. What a model allows of it is in `GET /api/ai/models/{id}/schema`.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/actions/:name/schema", method = "get", operation_id = "getActionSchema")]
    async fn schema(
        &self,
        app: Data<&Arc<App>>,
        _caller: Caller<VideosRead>,
        /// The action's name.
        name: Path<String>,
    ) -> Result<SchemaAnswer, ApiError> {
        let action = Action::named(&name)?;
        Ok(SchemaAnswer::Schema(Json(Any(schema(action, &app.video.catalog)))))
    }
}

fn info(app: &App, action: Action) -> ActionInfo {
    ActionInfo {
        id: action.id().into(),
        title: action.title().into(),
        description: action.description().into(),
        input_schema: Any(schema(action, &app.video.catalog)),
    }
}
