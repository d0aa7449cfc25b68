//! The wire formats that customers speak: each turns its own words into the one request of the video room, and our tasks and
//! refusals back into its own words. What is the same for several of them is in [`gateway`].

pub mod accept;
pub mod actions;
pub mod gateway;
pub mod jobs;
pub mod native;
pub mod openai;

use poem_openapi::registry::Registry;
use poem_openapi::types::Type;
use serde_json::Value;

use super::error::{ApiError, Rendering};
use crate::app::App;
use crate::app::message::Wording;
use crate::video::read::TaskView;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Native,
    OpenAi,
    Actions,
    Jobs,
}

impl Dialect {
    /// The format that a path belongs to: whatever goes wrong there is told in it, before any handler is reached, too.
    pub fn of_path(path: &str) -> Dialect {
        match path {
            path if path.starts_with("/v1/") => Dialect::OpenAi,
            path if path == "/api/actions" || path.starts_with("/api/actions/") => Dialect::Actions,
            path if path.starts_with("/api/v1/") => Dialect::Jobs,
            _ => Dialect::Native,
        }
    }

    /// The format that a stored task was made in; tasks of a format that we no longer speak are told in our own.
    pub fn named(name: &str) -> Dialect {
        match name {
            openai::DIALECT => Dialect::OpenAi,
            actions::DIALECT => Dialect::Actions,
            jobs::DIALECT => Dialect::Jobs,
            _ => Dialect::Native,
        }
    }

    /// What the names of its schemas begin with in the API's description.
    pub fn prefix(self) -> &'static str {
        match self {
            Dialect::Native => "",
            Dialect::OpenAi => "OpenAi",
            Dialect::Actions => "Actions",
            Dialect::Jobs => "Jobs",
        }
    }

    /// Describes how its refusals look.
    pub fn register_errors(registry: &mut Registry) {
        openai::ErrorAnswer::register(registry);
        actions::ActionError::register(registry);
        jobs::JobsError::register(registry);
    }

    /// A refusal in this format's own shape; `None` for ours.
    pub fn error(self, error: &ApiError, rendering: &Rendering) -> Option<Value> {
        match self {
            Dialect::Native => None,
            Dialect::OpenAi => Some(openai::error_body(error, &rendering.request_id)),
            Dialect::Actions => Some(actions::error_body(error, &rendering.request_id)),
            Dialect::Jobs => Some(jobs::error_body(error, &rendering.request_id)),
        }
    }
}

/// A task in the words of the dialect that it was made in: what a poll answers, and what a callback is told.
pub fn wording(app: &App, view: &TaskView) -> Wording {
    let data = match Dialect::named(&view.task.dialect) {
        Dialect::Native => native::poll_answer(app, view),
        Dialect::OpenAi => openai::poll_answer(app, view),
        Dialect::Actions => actions::poll_answer(app, view),
        Dialect::Jobs => jobs::poll_answer(app, view),
    };
    Wording { data, callback: None }
}
