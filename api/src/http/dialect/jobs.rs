//! The jobs dialect: `/api/v1/jobs/…`, which aggregators of models speak. What is asked for lies in `input`, under each
//! model's own names.

mod create;
mod error;
mod fold;
mod read;
mod view;

use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::app::App;
use crate::video::read::TaskView;

pub use create::Create;
pub use error::{JobsError, error_body};
pub use read::Read;

/// Names these routes: the same idempotency key and content on another dialect's route is another request.
pub const DIALECT: &str = "jobs";

/// What `recordInfo` answers.
pub fn poll_answer(app: &App, view: &TaskView) -> Value {
    view::Answer::of(view::record(app, view)).to_json().unwrap_or_default()
}
