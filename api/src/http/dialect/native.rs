//! The native dialect: `/api/ai/…`.
//!
//! Its published pages disagree on a task's spelling (`taskId` and `id`, `imageUrls` and `outputImageUrls`,
//! `creditsRefunded` and `creditRefunded`): every answer has both.

mod content;
mod credits;
mod fold;
mod generate;
mod link;
mod task;
mod view;

use entity::TaskId;

use crate::http::error::ApiError;

pub use content::Content;
pub use credits::Credits;
pub use generate::Generate;
pub use link::Link;
pub use task::Task;

/// Names these routes: the same idempotency key and content on another dialect's route is another request.
pub const DIALECT: &str = "native";

/// A task's id in any dialect's spelling; what is none is the id of no task.
fn task_id(text: &str) -> Result<TaskId, ApiError> {
    text.parse().map_err(|_| ApiError::TaskNotFound)
}
