//! The native dialect: `/api/ai/…`.
//!
//! Its published pages disagree on a task's spelling (`taskId` and `id`, `imageUrls` and `outputImageUrls`,
//! `creditsRefunded` and `creditRefunded`): every answer has both.

mod content;
mod credits;
mod events;
mod fold;
mod generate;
mod link;
mod model_view;
mod models;
mod rendering;
mod task;
mod tasks;
mod usage;
mod view;

use entity::{KeyId, TaskId};
use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::app::App;
use crate::http::error::ApiError;
use crate::video::read::TaskView;

pub use content::{ClipKinds, Content, Viewer};
pub use credits::Credits;
pub use events::Events;
pub use generate::{Generate, QuoteAnswer};
pub use link::{ClipIndex, Link, clip_url, first_clip, the_video};
pub use models::Models;
pub use rendering::links_end_at;
pub use task::Task;
pub use tasks::Tasks;
pub use usage::Usage;
pub use view::updated_at;

/// Names these routes: the same idempotency key and content on another dialect's route is another request.
pub const DIALECT: &str = "native";

/// What `GET /api/ai/tasks/{id}` answers.
pub fn poll_answer(app: &App, view: &TaskView) -> Value {
    view::task_body(app, view, links_end_at(app.clock.now())).to_json().unwrap_or_default()
}

/// A task's id in any dialect's spelling; what is none is the id of no task.
pub fn task_id(text: &str) -> Result<TaskId, ApiError> {
    text.parse().map_err(|_| ApiError::TaskNotFound)
}

/// The parameter `key`.
fn key_id(text: &str) -> Result<KeyId, ApiError> {
    let id = text.parse();
    id.map_err(|_| {
        ApiError::field("key", "Must be the id of an API key, such as key_01J9XA5M2R9W4QZC4PYJF3N7ND")
    })
}
