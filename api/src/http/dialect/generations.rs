//! The generations dialect: `/v1/video/generations`, the generic route of video gateways. Its refusals are OpenAI's, as
//! everywhere below `/v1/`.

mod create;
mod view;

use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::app::App;
use crate::video::read::TaskView;

pub use create::Generations;

/// Names these routes: the same idempotency key and content on another dialect's route is another request.
pub const DIALECT: &str = "generations";

/// What `GET /v1/video/generations/{id}` answers.
pub fn poll_answer(app: &App, view: &TaskView) -> Value {
    view::generation(app, view).to_json().unwrap_or_default()
}
