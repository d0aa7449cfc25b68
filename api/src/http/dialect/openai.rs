//! The OpenAI dialect: `/v1/videos`, as OpenAI's own client libraries speak it, and with the members that the gateways of its
//! shape add: one body for all of their clients.

mod content;
mod derive;
mod error;
mod item;
mod list;
mod models;
mod videos;
mod view;

use serde_json::Value;

use crate::app::App;
use crate::video::read::TaskView;

pub use content::Content;
pub use derive::{Derive, derived, source};
pub use error::{ErrorAnswer, ErrorBody, error_body, told};
pub use item::Item;
pub use models::Models;
pub use videos::Videos;
pub use view::status;

/// Names these routes: the same idempotency key and content on another dialect's route is another request.
pub const DIALECT: &str = "openai";

/// What `GET /v1/videos/{id}` answers.
pub fn poll_answer(app: &App, view: &TaskView) -> Value {
    poem_openapi::types::ToJSON::to_json(&view::video(app, view)).unwrap_or_default()
}
