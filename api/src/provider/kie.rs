//! kie.ai: an aggregator with three products behind one key: market jobs, Veo and Midjourney. Facts from docs.kie.ai as of
//! 2026-08-19 and recorded exchanges, April to August 2026.
//!
//! Everything is answered with HTTP 200 and an envelope, whose code counts. An id of ours names its product first
//! (`market/5607…`), so that a task can be asked about whatever the catalog says later.

mod answer;
mod callback;
mod field;
mod limit;
mod model;
mod shot;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::instance::{Adapter, Opening, Setting};
use super::json::{decimal_at, text_at};
use super::wire::Wire;
use super::{
    Abilities, Callback, FailureCode, Found, Heard, Pace, Progress, Provider, ProviderError, Rate, Reconcile,
    Submission, UpstreamId, rate,
};
use crate::video::request::MediaRole;
use field::Origin;

pub const ADAPTER: Adapter = Adapter { name: "kie", key: "key", settings: SETTINGS, challenge: None, open };

const SETTINGS: &[Setting] = &[Setting {
    name: "webhook_key",
    is_required: false,
    about: "the webhook key of its console; with it, callbacks without a valid signature are refused",
}];

/// Of an account, not of a key.
const RATE: Rate = rate(20, 10);

#[derive(Debug)]
struct Kie {
    name: String,
    wire: Wire,
    key: SecretString,
    webhook_key: Option<SecretString>,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let webhook_key = opening.setting("webhook_key").cloned();
    Ok(Arc::new(Kie { name: opening.name, wire: opening.wire, key: opening.key, webhook_key }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    Market,
    Veo,
    Midjourney,
}

impl Product {
    const ALL: [Product; 3] = [Product::Market, Product::Veo, Product::Midjourney];

    fn of_model(native_id: &str) -> Product {
        match native_id {
            id if id.starts_with("veo3") => Product::Veo,
            id if id.starts_with("mj_video") => Product::Midjourney,
            _ => Product::Market,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Product::Market => "market",
            Product::Veo => "veo",
            Product::Midjourney => "midjourney",
        }
    }

    fn submit_path(self) -> &'static str {
        match self {
            Product::Market => "api/v1/jobs/createTask",
            Product::Veo => "api/v1/veo/generate",
            Product::Midjourney => "api/v1/mj/generate",
        }
    }

    fn poll_path(self) -> &'static str {
        match self {
            Product::Market => "api/v1/jobs/recordInfo",
            Product::Veo => "api/v1/veo/record-info",
            Product::Midjourney => "api/v1/mj/record-info",
        }
    }

    fn id(self, task: &str) -> UpstreamId {
        UpstreamId(format!("{}/{task}", self.name()))
    }

    /// The product and the task that an id names.
    fn split(id: &UpstreamId) -> Option<(Product, &str)> {
        let (name, task) = id.0.split_once('/')?;
        Some((Product::ALL.into_iter().find(|product| product.name() == name)?, task))
    }
}

#[async_trait]
impl Provider for Kie {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 100,
            rate: Some(RATE),
            pace: Pace::stretching(Duration::from_secs(3), Duration::from_secs(30)),
            can_cancel: false,
            reconcile: Reconcile::Callback,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let fields = model::fields(submission).ok_or_else(|| unsupported("they have no such model"))?;
        let origin = self.origin(submission).await?;
        let members = field::members(fields, submission, origin.as_ref()).map_err(unsupported)?;
        let product = Product::of_model(&submission.native_id);
        let body = order(product, submission, members);
        let reply = self.wire.post(product.submit_path()).bearer(&self.key).json(&body).submit().await?;
        answer::accepted(&reply).map(|task| product.id(&task))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let Some((product, task)) = Product::split(id) else {
            return Err(ProviderError::Broken(format!("an id without its product: {}", id.0)));
        };
        // What was accepted can take a minute to be seen; it is kept for two months.
        let Some(record) = self.record(product, task).await? else { return Ok(Progress::Queued) };
        match product {
            Product::Market => answer::market(&record, submission),
            Product::Veo => answer::flagged(&record, "/response", submission),
            Product::Midjourney => answer::flagged(&record, "/resultInfoJson", submission),
        }
    }

    /// Their record of a task shows the callback address that it was submitted with, which nobody else knows.
    async fn find(&self, submission: &Submission, heard: &[UpstreamId]) -> Result<Found, ProviderError> {
        let Some(address) = &submission.callback_url else { return Ok(Found::Unsure) };
        // A callback doesn't always tell its product; the model does.
        let product = Product::of_model(&submission.native_id);
        for id in heard {
            let task = id.0.rsplit('/').next().unwrap_or_default();
            let record = self.record(product, task).await?;
            if record.is_some_and(|record| asked(&record, "/callBackUrl").as_ref() == Some(address)) {
                return Ok(Found::Accepted(product.id(task)));
            }
        }
        Ok(Found::Unsure)
    }

    fn hear(&self, callback: &Callback) -> Heard {
        callback::judge(callback, self.webhook_key.as_ref())
    }
}

impl Kie {
    /// What they have written down of a task; nothing if they don't know it, or don't know it yet.
    async fn record(&self, product: Product, task: &str) -> Result<Option<Value>, ProviderError> {
        let call = self.wire.get(product.poll_path()).query(&[("taskId", task)]);
        answer::record(&call.bearer(&self.key).ask().await?)
    }

    /// Where a submission goes on from a task of theirs: that task.
    async fn origin(&self, submission: &Submission) -> Result<Option<Origin>, ProviderError> {
        if !matches!(submission.native_id.as_str(), "grok-imagine/extend" | "grok-imagine/upscale") {
            return Ok(None);
        }
        let made_by = submission.one(MediaRole::SourceVideo).and_then(|video| video.made_by.as_ref());
        let ours = made_by.filter(|made_by| made_by.provider == self.name);
        let Some((Product::Market, task)) = ours.and_then(|made_by| Product::split(&made_by.id)) else {
            return Err(unsupported("they go on from their own clips only"));
        };
        let ends_at_s = match submission.native_id.as_str() {
            "grok-imagine/extend" => Some(self.end_of(task, submission).await?),
            _ => None,
        };
        Ok(Some(Origin { task: task.to_owned(), ends_at_s }))
    }

    /// How long the clip is that is extended. What its extension costs depends on its resolution, which nobody can choose.
    async fn end_of(&self, task: &str, submission: &Submission) -> Result<Value, ProviderError> {
        let record = self.record(Product::Market, task).await.map_err(nothing_sent)?.unwrap_or_default();
        if !text_at(&record, "/model").is_some_and(|model| model.starts_with("grok-imagine/")) {
            return Err(unsupported("only clips of the same family are extended"));
        }
        if asked(&record, "/input/resolution").as_ref() != Some(&submission.resolution) {
            return Err(unsupported("an extension has the resolution of its source"));
        }
        let seconds = asked(&record, "/input/duration").and_then(|text| decimal_at(&json!(text), ""));
        let seconds = seconds.and_then(|seconds| i64::try_from(seconds.trunc()).ok());
        seconds.map(Value::from).ok_or_else(|| unsupported("the length of the source is not known"))
    }
}

/// The body: market jobs wrap what the model takes.
fn order(product: Product, submission: &Submission, members: serde_json::Map<String, Value>) -> Value {
    let mut body = match product {
        Product::Market => json!({ "model": submission.native_id, "input": members }),
        Product::Veo | Product::Midjourney => Value::Object(members),
    };
    if let Some(address) = &submission.callback_url {
        body["callBackUrl"] = json!(address);
    }
    body
}

/// A text of the request as their record of the task shows it. It is JSON inside a text, and so is its `input`.
fn asked(record: &Value, path: &str) -> Option<String> {
    let written = record.get("param").or(record.get("paramJson"))?;
    let mut request = answer::embedded(written)?;
    if let Some(input) = request.get("input").and_then(answer::embedded) {
        request["input"] = input;
    }
    text_at(&request, path)
}

/// A question before a submission that went wrong: nothing runs.
fn nothing_sent(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Unknown(detail) | ProviderError::Broken(detail) => ProviderError::unavailable(detail),
        told => told,
    }
}

fn unsupported(reason: &'static str) -> ProviderError {
    ProviderError::refused(FailureCode::Unsupported, reason, None)
}
