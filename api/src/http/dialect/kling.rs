//! Kling's dialect: `/kling/v1/videos/…`, with Kling's own envelope, words and numbers of errors, and beside them the members
//! that gateways answer with on these paths.

mod error;
mod external;
mod fold;
mod kind;
mod read;
mod tasks;
mod view;

use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::app::App;
use crate::video::read::TaskView;

pub use error::{KlingError, error_body};
pub use kind::is_name;
pub use read::Read;
pub use tasks::Tasks;

/// What `GET /kling/v1/videos/{kind}/{id}` answers.
pub fn poll_answer(app: &App, view: &TaskView) -> Value {
    view::answer(app, view, None).to_json().unwrap_or_default()
}

/// What Kling sends to a `callback_url`: the task alone.
pub fn callback_body(app: &App, view: &TaskView) -> Value {
    view::task(app, view).to_json().unwrap_or_default()
}
