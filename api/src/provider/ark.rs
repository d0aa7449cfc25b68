//! Volcengine Ark and BytePlus ModelArk: Seedance. Facts from docs.byteplus.com/ModelArk and volcengine.com/docs/82379, and of
//! what a task shows from the vendor's own client library, as of 2026-11.
//!
//! Nothing of ours is seen in a task there: neither the prompt nor the callback's address, only `safety_identifier`, a name for
//! the end user that is to stay the same from task to task. So a lost submission is found again only by an operator's leave
//! (the setting `mark`), and no list proves that there was none: nobody says how soon a task is in it.
//!
//! Tasks are billed by tokens, which a finished one tells.

mod order;
mod refusal;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use super::instance::{Adapter, Opening, Setting};
use super::json::{first_text, int_at, seconds_at, text_at, url_at};
use super::wire::{Wire, segment};
use super::{
    Abilities, Callback, ClipSource, Cost, FailureCode, Found, Heard, Pace, Progress, Provider,
    ProviderError, Rate, Reconcile, RemoteClip, Submission, UpstreamId, rate,
};
use order::MARK;
pub(super) use order::parts;
use refusal::{class_of, judged};

pub const ADAPTER: Adapter = Adapter { name: "ark", key: "key", settings: SETTINGS, challenge: None, open };

const SETTINGS: &[Setting] = &[Setting {
    name: "mark",
    is_required: false,
    about: "safety_identifier: each submission carries a key of ours there, by which a lost one is found again; the vendor \
            asks for a value that stays the same for an end user",
}];

const TASKS: &str = "contents/generations/tasks";
/// Limits differ by account and model, and are not documented: as many as the smallest accounts are known to have.
const SLOTS: usize = 10;
const RATE: Rate = rate(60, 60);
/// Tasks on one page of the list; up to 500 are allowed.
const PAGE: usize = 100;
/// How many pages are looked at for a lost submission. The newest tasks come first.
const PAGES: usize = 5;

#[derive(Debug)]
struct Ark {
    name: String,
    wire: Wire,
    key: SecretString,
    /// Whether submissions are marked.
    marks: bool,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let marks = match opening.text("mark") {
        None => false,
        Some(MARK) => true,
        Some(_) => return Err(format!("the mark must be {MARK}, the only member that a task shows")),
    };
    let Opening { name, wire, key, .. } = opening;
    Ok(Arc::new(Ark { name, wire, key, marks }))
}

#[async_trait]
impl Provider for Ark {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: SLOTS,
            rate: Some(RATE),
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(30)),
            can_cancel: true,
            reconcile: if self.marks { Reconcile::Listable } else { Reconcile::Opaque },
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let body = order::body(submission, self.marks)
            .map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let reply = self.wire.post(TASKS).bearer(&self.key).json(&body).submit().await?;
        let id = text_at(&judged(&reply)?, "/id");
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        Ok(progress(&self.task(id).await?, submission))
    }

    /// Only a waiting task can be stopped. The same call removes a finished one, clip and all, so it is not made blindly.
    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        const RUNS: u16 = 409;
        if text_at(&self.task(id).await?, "/status").as_deref() != Some("queued") {
            return Ok(());
        }
        let reply = self.wire.delete(&path(id)).bearer(&self.key).ask().await?;
        match reply.status {
            200..=299 | RUNS => Ok(()),
            _ => judged(&reply).map(drop),
        }
    }

    async fn find(&self, submission: &Submission, heard: &[UpstreamId]) -> Result<Found, ProviderError> {
        if !order::is_marked(submission, self.marks) {
            return Ok(Found::Unsure);
        }
        for id in heard {
            let reply = self.wire.get(&path(id)).bearer(&self.key).ask().await?;
            if reply.is_success() && is_ours(&reply.json_or_null(), submission) {
                return Ok(Found::Accepted(id.clone()));
            }
        }
        self.listed(submission).await
    }

    /// Callbacks are unsigned; their body is the task.
    fn hear(&self, callback: &Callback) -> Heard {
        let body: Value = serde_json::from_str(&callback.body).unwrap_or_default();
        Heard::News(text_at(&body, "/id").map(UpstreamId))
    }
}

impl Ark {
    async fn task(&self, id: &UpstreamId) -> Result<Value, ProviderError> {
        let reply = self.wire.get(&path(id)).bearer(&self.key).ask().await?;
        match reply.status {
            // Tasks are kept for days, so one that isn't there is not there yet, or is another account's. No verdict.
            404 => Err(reply.refused(FailureCode::Expired)),
            _ => judged(&reply),
        }
    }

    /// The newest task in the list that carries our mark.
    async fn listed(&self, submission: &Submission) -> Result<Found, ProviderError> {
        let size = PAGE.to_string();
        for page in 1..=PAGES {
            let page = page.to_string();
            let query =
                [("page_num", &*page), ("page_size", &*size), ("filter.model", &*submission.native_id)];
            let reply = self.wire.get(TASKS).bearer(&self.key).query(&query).ask().await?;
            let answer = judged(&reply)?;
            let items = answer.get("items").and_then(Value::as_array);
            let items = items.ok_or_else(|| ProviderError::Broken(reply.excerpt()))?;
            if let Some(id) = items.iter().find_map(|task| id_if_ours(task, submission)) {
                return Ok(Found::Accepted(id));
            }
            if items.len() < PAGE {
                break;
            }
        }
        Ok(Found::Unsure)
    }
}

fn path(id: &UpstreamId) -> String {
    format!("{TASKS}/{}", segment(&id.0))
}

fn is_ours(task: &Value, submission: &Submission) -> bool {
    task.get(MARK).and_then(Value::as_str) == Some(submission.submit_key.as_str())
}

fn id_if_ours(task: &Value, submission: &Submission) -> Option<UpstreamId> {
    is_ours(task, submission).then(|| text_at(task, "/id").map(UpstreamId))?
}

fn progress(task: &Value, submission: &Submission) -> Progress {
    match text_at(task, "/status").as_deref() {
        Some("queued") => Progress::Queued,
        Some("succeeded") => done(task, submission),
        Some("failed") => failed(task),
        Some("cancelled") => Progress::Canceled,
        Some("expired") => Progress::failed(FailureCode::Expired, "expired"),
        _ => Progress::Running { percent: None },
    }
}

fn done(task: &Value, submission: &Submission) -> Progress {
    let clip = url_at(task, "/content/video_url").map(|url| RemoteClip {
        index: submission.clip,
        source: ClipSource::url(url),
        millis: seconds_at(task, "/duration"),
    });
    let tokens = int_at(task, "/usage/completion_tokens").and_then(|tokens| u64::try_from(tokens).ok());
    Progress::Succeeded { clips: clip.into_iter().collect(), cost: tokens.map(Cost::Tokens) }
}

fn failed(task: &Value) -> Progress {
    let code = text_at(task, "/error/code").unwrap_or_default();
    let message = first_text(task, &["/error/message", "/error"]).unwrap_or_default();
    Progress::failed(class_of(&code).unwrap_or(FailureCode::Internal), format!("{code}: {message}"))
}
