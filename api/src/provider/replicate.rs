//! Replicate's predictions. Facts from its HTTP reference, the page of the model and its client libraries, 2026.
//!
//! A prediction shows the address of its callbacks, whose last part nobody else knows: by that, one whose answer was lost is
//! found again. Clips are kept there for an hour.

mod order;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::instance::{Adapter, Opening, Setting};
use super::json::{first_text, seconds_at, text_at, url_at};
use super::wire::{Reply, Wire, segment};
use super::{
    Abilities, Callback, FailureCode, Found, Heard, Pace, Progress, Provider, ProviderError, Rate, Reconcile,
    Submission, UpstreamId, rate, signed,
};

pub const ADAPTER: Adapter =
    Adapter { name: "replicate", key: "key", settings: SETTINGS, challenge: None, open };

const SETTINGS: &[Setting] = &[Setting {
    name: "webhook_secret",
    is_required: false,
    about: "the signing secret of its webhooks (whsec_…); with it, callbacks without a valid signature are refused",
}];

/// Of an account with a means of payment. Others make six a minute, one at a time.
const RATE: Rate = rate(600, 60);
/// From its creation on: what waits or runs for longer is stopped by them.
const CANCEL_AFTER: &str = "30m";
/// How far back the list is looked through, in pages of a hundred.
const PAGES: usize = 5;

#[derive(Debug)]
struct Replicate {
    name: String,
    wire: Wire,
    key: SecretString,
    webhook_secret: Option<SecretString>,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let webhook_secret = opening.setting("webhook_secret").cloned();
    let Opening { name, wire, key, .. } = opening;
    Ok(Arc::new(Replicate { name, wire, key, webhook_secret }))
}

#[async_trait]
impl Provider for Replicate {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 50,
            rate: Some(RATE),
            pace: Pace::stretching(Duration::from_secs(3), Duration::from_secs(15)),
            can_cancel: true,
            reconcile: Reconcile::Listable,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let input = order::input(submission)
            .map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let mut body = json!({ "input": input });
        if let Some(url) = &submission.callback_url {
            body["webhook"] = json!(url);
            body["webhook_events_filter"] = json!(["start", "completed"]);
        }
        let path = path(&submission.native_id, &mut body);
        let call = self.wire.post(&path).header("cancel-after", CANCEL_AFTER).json(&body);
        let reply = call.bearer(&self.key).submit().await?;
        let id = text_at(&judged(&reply)?, "/id");
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let reply = self.wire.get(&of(id)).bearer(&self.key).ask().await?;
        let prediction = about_one(&reply)?;
        let status = text_at(&prediction, "/status").ok_or_else(|| ProviderError::Broken(reply.excerpt()))?;
        Ok(match status.as_str() {
            "starting" => Progress::Queued,
            "succeeded" => done(&prediction, submission),
            "failed" => failed(&prediction),
            "canceled" | "aborted" => Progress::Canceled,
            _ => Progress::Running { percent: None },
        })
    }

    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        let reply = self.wire.post(&format!("{}/cancel", of(id))).bearer(&self.key).ask().await?;
        about_one(&reply).map(drop)
    }

    /// Those that told us of themselves first, then the newest of all.
    async fn find(&self, submission: &Submission, heard: &[UpstreamId]) -> Result<Found, ProviderError> {
        let Some(address) = &submission.callback_url else { return Ok(Found::Unsure) };
        for id in heard {
            let reply = self.wire.get(&of(id)).bearer(&self.key).ask().await?;
            let is_ours = reply.is_success() && is_calling(&reply.json_or_null(), address);
            if is_ours {
                return Ok(Found::Accepted(id.clone()));
            }
        }
        self.listed(address).await
    }

    fn hear(&self, callback: &Callback) -> Heard {
        if self.webhook_secret.as_ref().is_some_and(|secret| !signed::standard(secret, callback)) {
            return Heard::Forged;
        }
        let prediction: Value = serde_json::from_str(&callback.body).unwrap_or_default();
        Heard::News(text_at(&prediction, "/id").map(UpstreamId))
    }
}

impl Replicate {
    /// The prediction that calls this address. That there is none is no proof: one may be listed late, or without its address.
    async fn listed(&self, address: &str) -> Result<Found, ProviderError> {
        let mut cursor = None;
        for _ in 0..PAGES {
            let query: Vec<(&str, &str)> =
                cursor.iter().map(|cursor: &String| ("cursor", &**cursor)).collect();
            let reply = self.wire.get("predictions").query(&query).bearer(&self.key).ask().await?;
            let page = judged(&reply)?;
            let results = page.get("results").and_then(Value::as_array);
            let mut results = results.ok_or_else(|| ProviderError::Broken(reply.excerpt()))?.iter();
            let ours = results.find(|prediction| is_calling(prediction, address));
            if let Some(id) = ours.and_then(|prediction| text_at(prediction, "/id")) {
                return Ok(Found::Accepted(UpstreamId(id)));
            }
            cursor = next(&page);
            if cursor.is_none() {
                break;
            }
        }
        Ok(Found::Unsure)
    }
}

fn of(id: &UpstreamId) -> String {
    format!("predictions/{}", segment(&id.0))
}

/// Where predictions of a model are made: official models at their own address, others by the version after a colon.
fn path(native_id: &str, body: &mut Value) -> String {
    if let Some((_, version)) = native_id.split_once(':') {
        body["version"] = json!(version);
        return "predictions".to_owned();
    }
    let model: Vec<String> = native_id.split('/').map(segment).collect();
    format!("models/{}/predictions", model.join("/"))
}

fn is_calling(prediction: &Value, address: &str) -> bool {
    prediction.get("webhook").and_then(Value::as_str) == Some(address)
}

/// What the address of the next page says of it. The address itself is never followed.
fn next(page: &Value) -> Option<String> {
    let url = Url::parse(&text_at(page, "/next")?).ok()?;
    url.query_pairs().find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.into_owned())
}

fn done(prediction: &Value, submission: &Submission) -> Progress {
    let url = ["/output", "/output/0"].iter().find_map(|path| url_at(prediction, path));
    match url {
        Some(url) => Progress::delivered(submission, url, None),
        None if prediction.get("data_removed") == Some(&Value::Bool(true)) => {
            Progress::failed(FailureCode::Expired, "the output was removed")
        }
        None => Progress::Succeeded { clips: Vec::new(), cost: None },
    }
}

/// They say in words that something was flagged, and not whether it was the input or the output.
fn failed(prediction: &Value) -> Progress {
    let reason = first_text(prediction, &["/error", "/error/detail", "/error/message"]).unwrap_or_default();
    let said = reason.to_lowercase();
    let is_moderation = ["e005", "flagged as sensitive", "moderation"].iter().any(|word| said.contains(word));
    let code = if is_moderation { FailureCode::ModerationOutput } else { FailureCode::Internal };
    Progress::failed(code, reason)
}

/// The answer, if it is none of their refusals.
fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    if reply.is_success() {
        return reply.json();
    }
    let problem = reply.json_or_null();
    let is_theirs = first_text(&problem, &["/detail", "/title"]).is_some();
    Err(match reply.status {
        429 => {
            let retry_after_ms = seconds_at(&problem, "/retry_after").or_else(|| reply.retry_after_ms());
            ProviderError::refused(FailureCode::RateLimited, reply.excerpt(), retry_after_ms)
        }
        500.. if is_theirs => reply.refused(FailureCode::Transient),
        _ => reply.by_status(),
    })
}

/// The same for one prediction. Whoever doesn't know it says nothing about what came of it.
fn about_one(reply: &Reply) -> Result<Value, ProviderError> {
    match reply.status {
        404 => Err(reply.refused(FailureCode::Expired)),
        _ => judged(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_with_a_version_is_asked_for_by_that() {
        let mut body = json!({});
        assert_eq!(path("owner/na me", &mut body), "models/owner/na%20me/predictions");
        assert_eq!(body, json!({}));
        assert_eq!(path("owner/name:5c7d", &mut body), "predictions");
        assert_eq!(body, json!({ "version": "5c7d" }));
    }

    #[test]
    fn of_the_next_page_only_its_cursor_is_believed() {
        let cursor = |next: Value| super::next(&json!({ "next": next }));
        assert_eq!(
            cursor(json!("https://elsewhere.example/v1/predictions?cursor=cD0%3D")).as_deref(),
            Some("cD0=")
        );
        for none in
            [json!(null), json!("https://api.replicate.com/v1/predictions"), json!("?cursor=a"), json!(7)]
        {
            assert_eq!(cursor(none.clone()), None, "{none}");
        }
    }
}
