//! A task in this dialect's words.

use poem_openapi::{Object, Union};

use super::super::native::QuoteAnswer;
use super::super::record::{Failure, failure, links};
use super::scene::Scene;
use crate::app::App;
use crate::http::upload::UploadView;
use crate::http::value::{Amount, Moment, Shown};
use crate::video::read::TaskView;
use crate::video::state::State;

/// What an action answers: a task, and the same under `data`.
#[derive(Debug, Object)]
#[oai(rename = "ActionAnswer")]
pub struct Answer {
    /// Always 0.
    code: i32,
    /// Always `ok`.
    message: String,
    data: ActionTask,
    #[oai(flatten)]
    task: ActionTask,
}

/// What an action answers: a file that is kept, and the same under `data`.
#[derive(Debug, Object)]
#[oai(rename = "UploadAnswer")]
pub struct UploadAnswer {
    /// Always 0.
    code: i32,
    /// Always `ok`.
    message: String,
    data: UploadView,
    #[oai(flatten)]
    upload: UploadView,
}

/// What an action answers: a price, and the same under `data`.
#[derive(Debug, Object)]
#[oai(rename = "PriceAnswer")]
pub struct PriceAnswer {
    /// Always 0.
    code: i32,
    /// Always `ok`.
    message: String,
    data: QuoteAnswer,
    #[oai(flatten)]
    quote: QuoteAnswer,
}

impl PriceAnswer {
    pub fn of(quote: QuoteAnswer) -> PriceAnswer {
        PriceAnswer { code: 0, message: "ok".into(), data: quote.clone(), quote }
    }
}

impl UploadAnswer {
    pub fn of(upload: UploadView) -> UploadAnswer {
        UploadAnswer { code: 0, message: "ok".into(), data: upload.clone(), upload }
    }
}

/// What an action came to.
#[derive(Debug, Union)]
pub enum Outcome {
    Task(Box<Answer>),
    Quote(Box<PriceAnswer>),
    Upload(Box<UploadAnswer>),
}

impl Answer {
    pub fn of(task: ActionTask) -> Answer {
        Answer { code: 0, message: "ok".into(), data: task.clone(), task }
    }
}

/// A task.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ActionTask {
    /// A UUID.
    task_id: String,
    /// `pending`, `processing`, `success`, `failed` or `canceled`.
    status: String,
    /// The first clip, once it is there: a link that works for an hour without a key. Query the task again for a fresh one.
    #[oai(nullable)]
    video_url: Option<String>,
    /// As `videoUrl`.
    #[oai(nullable)]
    url: Option<String>,
    /// Every clip; empty until the task has ended.
    video_urls: Vec<String>,
    /// The one that was asked for, or else the home of the model.
    #[oai(nullable)]
    provider: Option<String>,
    /// The model that it is billed as.
    model: String,
    /// Held while the task is under way, then what was charged.
    credits_used: Amount,
    /// `text-to-video`, `image-to-video`, `video-to-video` or `ad-video`.
    scene: String,
    #[oai(nullable)]
    prompt: Option<String>,
    #[oai(nullable)]
    workspace_id: Option<String>,
    created_at: Moment,
    /// When the task ended, however it did.
    #[oai(nullable)]
    completed_at: Option<Moment>,
    /// Why there is no video.
    #[oai(skip_serializing_if_is_none)]
    error: Option<String>,
    /// The same for programs: stable.
    #[oai(skip_serializing_if_is_none)]
    error_code: Option<String>,
    /// What was accepted but has no effect.
    warnings: Vec<String>,
}

impl ActionTask {
    /// Says what the order's own warnings are, in place of those that are stored.
    pub fn warned(self, warnings: Vec<String>) -> ActionTask {
        ActionTask { warnings, ..self }
    }
}

pub fn status(state: State) -> &'static str {
    match state {
        State::Queued | State::Submitting => "pending",
        State::Running | State::Reconciling | State::Storing => "processing",
        State::Completed => "success",
        State::Failed | State::Expired => "failed",
        State::Canceled => "canceled",
    }
}

/// Words a task for its owner.
pub fn task(app: &App, view: &TaskView) -> ActionTask {
    let (task, request) = (&view.task, &view.terms.request);
    let video_urls = links(app, view);
    let home = || app.video.catalog.model(&task.model)?.routes.first().map(|route| route.provider.clone());
    let (error, error_code) =
        failure(view).map(|Failure { code, message }| (message, code.to_owned())).unzip();
    ActionTask {
        task_id: task.id.0.to_string(),
        status: status(view.state).into(),
        video_url: video_urls.first().cloned(),
        url: video_urls.first().cloned(),
        video_urls,
        provider: request.provider.clone().or_else(home),
        model: task.model.clone(),
        credits_used: Shown(view.credits_used()),
        scene: Scene::of(view).as_str().into(),
        prompt: request.prompt.clone(),
        workspace_id: request.metadata.get("workspaceId").and_then(|id| id.as_str()).map(str::to_owned),
        created_at: Shown(task.created_at),
        completed_at: task.terminal_at.map(Shown),
        error,
        error_code,
        warnings: view.terms.warnings.clone(),
    }
}
