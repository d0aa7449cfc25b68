//! The actions dialect: `/api/actions`, a list of things that can be done by name, each with a schema of what it takes.
//!
//! Its answers say everything twice, flat and under `data`, because its clients are found to read either.

mod action;
mod call;
mod error;
mod fold;
mod list;
mod scene;
mod schema;
mod view;

use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::app::App;
use crate::video::read::TaskView;

pub use call::Call;
pub use error::{ActionError, error_body};
pub use list::List;

/// Names these routes: the same idempotency key and content on another dialect's route is another request.
pub const DIALECT: &str = "actions";

/// What `ai.video.query` answers.
pub fn poll_answer(app: &App, view: &TaskView) -> Value {
    view::Answer::of(view::task(app, view)).to_json().unwrap_or_default()
}
