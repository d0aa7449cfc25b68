//! A task as a record of this dialect.

use entity::Timestamp;
use poem_openapi::Object;
use poem_openapi::types::{ParseFromJSON, ToJSON};
use serde_json::{Map, Value, json};

use super::super::record::{Failure, failure, links, task_name};
use crate::app::App;
use crate::http::value::{Amount, Shown};
use crate::video::read::{TaskView, Terms};
use crate::video::request::MediaRole;
use crate::video::state::State;

/// What every route of this dialect answers.
#[derive(Debug, Object)]
pub struct Answer<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// Always 200.
    code: u16,
    /// Always `success`.
    msg: String,
    data: T,
}

impl<T: ParseFromJSON + ToJSON + Send + Sync> Answer<T> {
    pub fn of(data: T) -> Answer<T> {
        Answer { code: 200, msg: "success".into(), data }
    }
}

/// A task.
#[derive(Debug, Object)]
#[oai(rename = "JobRecord", rename_all = "camelCase")]
pub struct Record {
    /// `task_` and 26 characters.
    task_id: String,
    /// The model that it is billed as.
    model: String,
    /// `waiting`, `queuing`, `generating`, `success` or `fail`.
    state: String,
    /// What was asked for, defaults filled in: the JSON of a body of `createTask`, as text.
    param: String,
    /// Once the task has succeeded, JSON as text: `{"resultUrls": ["https://…"]}`, links that work for an hour without a key.
    /// Empty until then.
    result_json: String,
    /// Why there is no video, for programs: stable.
    #[oai(nullable)]
    fail_code: Option<String>,
    #[oai(nullable)]
    fail_msg: Option<String>,
    /// Milliseconds from the order to the end.
    #[oai(nullable)]
    cost_time: Option<i64>,
    /// When the task ended, however it did. Unix time in milliseconds, as every time here.
    #[oai(nullable)]
    complete_time: Option<i64>,
    create_time: i64,
    /// What was charged; 0 until the task has ended.
    credits_consumed: Amount,
}

pub fn state(state: State) -> &'static str {
    match state {
        State::Queued => "waiting",
        State::Submitting => "queuing",
        State::Running | State::Reconciling | State::Storing => "generating",
        State::Completed => "success",
        State::Failed | State::Canceled | State::Expired => "fail",
    }
}

/// Words a task for its owner.
pub fn record(app: &App, view: &TaskView) -> Record {
    let task = &view.task;
    let (fail_code, fail_msg) =
        failure(view).map(|Failure { code, message }| (code.to_owned(), message)).unzip();
    let result = || json!({ "resultUrls": links(app, view) }).to_string();
    Record {
        task_id: task_name(task.id),
        model: task.model.clone(),
        state: state(view.state).into(),
        param: param(view),
        result_json: if view.state == State::Completed { result() } else { String::new() },
        fail_code,
        fail_msg,
        cost_time: task.terminal_at.map(|end| end.millis() - task.created_at.millis()),
        complete_time: task.terminal_at.map(Timestamp::millis),
        create_time: task.created_at.millis(),
        credits_consumed: Shown(view.hold.captured),
    }
}

/// The order in the words of `createTask`.
fn param(view: &TaskView) -> String {
    let Terms { request, effective, .. } = &*view.terms;
    let mut input = Map::new();
    let asked = [
        ("prompt", effective.prompt.clone().map(Value::from)),
        ("negative_prompt", effective.negative_prompt.clone().map(Value::from)),
        ("duration", Some(effective.duration_s.into())),
        ("resolution", Some(effective.resolution.to_string().into())),
        ("aspect_ratio", Some(effective.aspect_ratio.to_string().into())),
        ("generate_audio", Some(effective.audio.into())),
        ("n", Some(effective.count.into())),
        ("seed", effective.seed.map(Value::from)),
    ];
    input.extend(asked.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    for role in MediaRole::ALL {
        let given = effective.media.iter().filter(|medium| medium.role == role);
        let urls: Vec<Value> = given.map(|medium| medium.url.as_str().into()).collect();
        if !urls.is_empty() {
            input.insert(key_of(role).to_owned(), urls.into());
        }
    }
    let own = effective.options.iter().chain(&effective.extra);
    input.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    let mut param = json!({ "model": request.model, "input": input });
    if let Some(url) = &request.callback_url {
        param["callBackUrl"] = json!(url);
    }
    param.to_string()
}

fn key_of(role: MediaRole) -> &'static str {
    match role {
        MediaRole::FirstFrame => "image_urls",
        MediaRole::LastFrame => "last_frame_url",
        MediaRole::ReferenceImage => "reference_image_urls",
        MediaRole::SourceVideo => "video_urls",
        MediaRole::ReferenceVideo => "reference_video_urls",
        MediaRole::Audio => "reference_audio_urls",
    }
}
