//! MiniMax: Hailuo by its first API, H3 by its second. Facts from platform.minimax.io, 2026, its own command line's source, and
//! refusals that its users reported.
//!
//! Neither API shows anything of ours in what it says of a task, so a submission whose answer was lost can't be found again. An
//! id names its API first (`v1/1061…`).

mod first;
mod refusal;
mod second;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use super::instance::{Adapter, Opening};
use super::json::{text_at, url_at};
use super::wire::{Wire, segment};
use super::{
    Abilities, Callback, FailureCode, Heard, Pace, Progress, Provider, ProviderError, Rate, Reconcile,
    Submission, UpstreamId, rate,
};

/// It calls an address with a challenge before it takes it, and refuses the submission unless that comes back.
pub const ADAPTER: Adapter =
    Adapter { name: "minimax", key: "key", settings: &[], challenge: Some("challenge"), open };

/// Of an account as it is opened; theirs grow.
const RATE: Rate = rate(5, 60);

#[derive(Debug)]
struct MiniMax {
    name: String,
    wire: Wire,
    key: SecretString,
}

fn open(Opening { name, wire, key, .. }: Opening) -> Result<Arc<dyn Provider>, String> {
    Ok(Arc::new(MiniMax { name, wire, key }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    First,
    Second,
}

impl Api {
    fn of_model(native_id: &str) -> Api {
        if native_id.starts_with("MiniMax-H") && !native_id.contains("Hailuo") {
            Api::Second
        } else {
            Api::First
        }
    }

    fn id(self, task: &str) -> UpstreamId {
        let name = if self == Api::First { "v1" } else { "v2" };
        UpstreamId(format!("{name}/{task}"))
    }

    fn split(id: &UpstreamId) -> Option<(Api, &str)> {
        match id.0.split_once('/')? {
            ("v1", task) => Some((Api::First, task)),
            ("v2", task) => Some((Api::Second, task)),
            _ => None,
        }
    }
}

#[async_trait]
impl Provider for MiniMax {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 20,
            rate: Some(RATE),
            pace: Pace::stretching(Duration::from_secs(10), Duration::from_secs(30)),
            can_cancel: true,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let api = Api::of_model(&submission.native_id);
        let (path, body) = match api {
            Api::First => ("v1/video_generation", first::body(submission)),
            Api::Second => ("v2/video_generation", second::body(submission)),
        };
        let body = body.map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let reply = self.wire.post(path).bearer(&self.key).json(&body).submit().await?;
        let task = text_at(&refusal::judged(&reply)?, "/task_id");
        task.map(|task| api.id(&task)).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        match Api::split(id) {
            Some((Api::First, task)) => self.poll_first(task, submission).await,
            Some((Api::Second, task)) => {
                let path = format!("v2/query/video_generation/{}", segment(task));
                let reply = self.wire.get(&path).bearer(&self.key).ask().await?;
                // An id that they don't know is no verdict: they look at what is a second old at least.
                second::progress(&refusal::judged(&reply)?, submission)
            }
            None => Err(ProviderError::Broken(format!("{} is no id of ours", id.0))),
        }
    }

    /// Only the second API can, and only what waits. The same call deletes what is done, so that is looked at first: what waits
    /// is not done in the time between.
    async fn cancel(&self, id: &UpstreamId, submission: &Submission) -> Result<(), ProviderError> {
        let Some((Api::Second, task)) = Api::split(id) else { return Ok(()) };
        if !matches!(self.poll(id, submission).await?, Progress::Queued) {
            return Ok(());
        }
        let call = self.wire.delete(&format!("v2/video_generation/{}", segment(task)));
        refusal::judged(&call.bearer(&self.key).ask().await?).map(|_| ())
    }

    /// They sign nothing.
    fn hear(&self, callback: &Callback) -> Heard {
        let said: Value = serde_json::from_str(&callback.body).unwrap_or_default();
        let second = text_at(&said, "/task/id").map(|task| Api::Second.id(&task));
        Heard::News(second.or_else(|| text_at(&said, "/task_id").map(|task| Api::First.id(&task))))
    }
}

/// What both APIs are told in the same words.
fn common(body: &mut Value, submission: &Submission) {
    if let Some(mark) = submission.options.get("watermark") {
        body["aigc_watermark"] = mark.clone();
    }
    if let Some(url) = &submission.callback_url {
        body["callback_url"] = Value::from(url.as_str());
    }
    for (name, value) in &submission.extra {
        if body.get(name).is_none() {
            body[name.as_str()] = value.clone();
        }
    }
}

impl MiniMax {
    /// A success names a file, and only a second question where that is.
    async fn poll_first(&self, task: &str, submission: &Submission) -> Result<Progress, ProviderError> {
        let query = self.wire.get("v1/query/video_generation").query(&[("task_id", task)]);
        let reply = query.bearer(&self.key).ask().await?;
        match first::read(&reply)? {
            first::Said::Progress(progress) => Ok(progress),
            first::Said::File(None) => Ok(Progress::Succeeded { clips: Vec::new(), cost: None }),
            first::Said::File(Some(file)) => {
                let reply = self.wire.get("v1/files/retrieve").query(&[("file_id", &file)]);
                let reply = reply.bearer(&self.key).ask().await?;
                let url = url_at(&refusal::judged(&reply)?, "/file/download_url");
                let url = url.ok_or_else(|| ProviderError::Broken(reply.excerpt()))?;
                Ok(Progress::delivered(submission, url, None))
            }
        }
    }
}
