//! The wire formats that customers speak: each turns its own words into the one request of the video room, and our tasks and
//! refusals back into its own words. What is the same for several of them is in [`gateway`].

pub mod accept;
pub mod actions;
pub mod gateway;
pub mod generations;
pub mod jimeng;
pub mod jobs;
pub mod kling;
pub mod native;
pub mod openai;
pub mod record;

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
    Generations,
    Kling,
    Jimeng,
}

impl Dialect {
    /// The format that a path belongs to: whatever goes wrong there is told in it, before any handler is reached, too.
    pub fn of_path(path: &str) -> Dialect {
        match path {
            path if path.starts_with("/v1/") => Dialect::OpenAi,
            path if path == "/api/actions" || path.starts_with("/api/actions/") => Dialect::Actions,
            path if path.starts_with("/api/v1/") => Dialect::Jobs,
            path if path.starts_with("/kling/") => Dialect::Kling,
            path if path == "/jimeng" || path.starts_with("/jimeng/") => Dialect::Jimeng,
            _ => Dialect::Native,
        }
    }

    /// The format that a stored task was made in; tasks of a format that we no longer speak are told in our own.
    pub fn named(name: &str) -> Dialect {
        match name {
            openai::DIALECT => Dialect::OpenAi,
            actions::DIALECT => Dialect::Actions,
            jobs::DIALECT => Dialect::Jobs,
            generations::DIALECT => Dialect::Generations,
            name if kling::is_name(name) => Dialect::Kling,
            jimeng::DIALECT => Dialect::Jimeng,
            _ => Dialect::Native,
        }
    }

    /// What the names of its schemas begin with in the API's description.
    pub fn prefix(self) -> &'static str {
        match self {
            Dialect::Native => "",
            // Its paths are below `/v1/`, where refusals are OpenAI's.
            Dialect::OpenAi | Dialect::Generations => "OpenAi",
            Dialect::Kling => "Kling",
            Dialect::Jimeng => "Jimeng",
            Dialect::Actions => "Actions",
            Dialect::Jobs => "Jobs",
        }
    }

    /// Describes how its refusals look.
    pub fn register_errors(registry: &mut Registry) {
        openai::ErrorAnswer::register(registry);
        actions::ActionError::register(registry);
        jobs::JobsError::register(registry);
        kling::KlingError::register(registry);
        jimeng::JimengError::register(registry);
    }

    /// A refusal in this format's own shape; `None` for ours.
    pub fn error(self, error: &ApiError, rendering: &Rendering) -> Option<Value> {
        match self {
            Dialect::Native => None,
            Dialect::OpenAi | Dialect::Generations => Some(openai::error_body(error, &rendering.request_id)),
            Dialect::Kling => Some(kling::error_body(error, &rendering.request_id)),
            Dialect::Jimeng => Some(jimeng::error_body(error, &rendering.request_id)),
            Dialect::Actions => Some(actions::error_body(error, &rendering.request_id)),
            Dialect::Jobs => Some(jobs::error_body(error, &rendering.request_id)),
        }
    }
}

/// A task in the words of the dialect that it was made in: what a poll answers, and what a callback is told.
pub fn wording(app: &App, view: &TaskView) -> Wording {
    let dialect = Dialect::named(&view.task.dialect);
    let data = match dialect {
        Dialect::Native => native::poll_answer(app, view),
        Dialect::OpenAi => openai::poll_answer(app, view),
        Dialect::Generations => generations::poll_answer(app, view),
        Dialect::Kling => kling::poll_answer(app, view),
        Dialect::Jimeng => jimeng::poll_answer(app, view),
        Dialect::Actions => actions::poll_answer(app, view),
        Dialect::Jobs => jobs::poll_answer(app, view),
    };
    // Kling's own clients wait for its own object, alone.
    let callback = (dialect == Dialect::Kling).then(|| kling::callback_body(app, view));
    Wording { data, callback }
}
