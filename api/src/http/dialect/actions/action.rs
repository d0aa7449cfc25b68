//! What can be done.

use crate::http::error::ApiError;

/// Something that can be done by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Quote,
    Generate,
    GenerateAndWait,
    Query,
    Upload,
}

impl Action {
    pub const ALL: [Action; 5] =
        [Action::Generate, Action::GenerateAndWait, Action::Quote, Action::Query, Action::Upload];

    pub fn id(self) -> &'static str {
        match self {
            Action::Generate => "ai.video.generate",
            Action::GenerateAndWait => "ai.video.generate_and_wait",
            Action::Quote => "ai.video.quote",
            Action::Query => "ai.video.query",
            Action::Upload => "storage.upload",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Action::Generate => "Generate a video",
            Action::GenerateAndWait => "Generate a video and wait for it",
            Action::Quote => "Quote a price",
            Action::Query => "Read a task",
            Action::Upload => "Upload a file",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            Action::Generate => {
                "Holds what the video costs, queues it and answers at once. Then poll ai.video.query."
            }
            Action::GenerateAndWait => {
                "The same, and answers when the video is there, or after timeoutMs with the task as it is then."
            }
            Action::Quote => {
                "What ai.video.generate would hold for the same input. Its quoteId buys that at that price, for a while."
            }
            Action::Query => "A task as it is now, in whichever format it was made.",
            Action::Upload => {
                "Keeps an image, video or audio file to make videos from: name its id where an action takes a URL."
            }
        }
    }

    /// The action of this name; the refusal names those that there are.
    pub fn named(name: &str) -> Result<Action, ApiError> {
        let found = Action::ALL.into_iter().find(|action| action.id() == name);
        found.ok_or_else(|| ApiError::ActionNotFound(Action::ALL.map(Action::id).join(", ")))
    }
}
