//! Jimeng's dialect: one path, whose parameter `Action` says what is done, with Jimeng's own envelope and numbers of errors.

mod call;
mod error;
mod fold;
mod view;

use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::app::App;
use crate::video::read::TaskView;

pub use call::Jimeng;
pub use error::{JimengError, error_body};

/// Names this path: the same idempotency key and content on another dialect's route is another request.
pub const DIALECT: &str = "jimeng";

/// What `CVSync2AsyncGetResult` answers.
pub fn poll_answer(app: &App, view: &TaskView) -> Value {
    view::result(app, view).to_json().unwrap_or_default()
}
