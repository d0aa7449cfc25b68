//! The adapter to the lying upstream: as careful as a real one has to be, since every answer may be wrong.
//!
//! A submission is not accepted only where that is certain: no connection, or a refusal in so many words. Of a poll only a
//! readable report about the very job that was asked for is a verdict. Nothing that upstream writes is ever shown.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use reelmeter::provider::{
    Abilities, ClipSource, Cost, Failure, FailureCode, Found, Pace, Progress, Provider, ProviderError,
    Reconcile, RemoteClip, Submission, UpstreamId,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Courier {
    name: String,
    base: Url,
    client: Client,
}

/// What came back: a status, and the body if it could be read.
struct Heard {
    status: StatusCode,
    retry_after_ms: Option<u64>,
    body: Result<Value, String>,
}

impl Courier {
    pub fn new(name: &str, base: &str, patience: Duration) -> Courier {
        let client = Client::builder().timeout(patience).redirect(redirect::Policy::none()).no_proxy();
        let base = Url::parse(base).expect("a URL");
        Courier { name: name.to_owned(), base, client: client.build().expect("a client") }
    }

    fn jobs(&self, id: Option<&UpstreamId>) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("a base").push("jobs").extend(id.map(|id| &id.0));
        url
    }

    fn request(&self, method: Method, id: Option<&UpstreamId>) -> RequestBuilder {
        self.client.request(method, self.jobs(id))
    }
}

async fn hear(request: RequestBuilder) -> Result<Heard, reqwest::Error> {
    let answer = request.send().await?;
    let seconds =
        answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    Ok(Heard {
        status: answer.status(),
        retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)),
        body: answer.json().await.map_err(|error| error.without_url().to_string()),
    })
}

/// Whatever came instead of an answer says nothing about the job.
async fn ask(request: RequestBuilder) -> Result<Value, ProviderError> {
    let heard = hear(request).await.map_err(|_| ProviderError::unavailable(""))?;
    match (heard.status, heard.body) {
        (StatusCode::OK, body) => body.map_err(ProviderError::Broken),
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            Err(ProviderError::refused(FailureCode::RateLimited, "", heard.retry_after_ms))
        }
        (status, _) if status.is_server_error() => Err(ProviderError::unavailable("")),
        (status, _) => Err(ProviderError::Broken(status.to_string())),
    }
}

#[async_trait]
impl Provider for Courier {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 10_000,
            rate: None,
            pace: Pace::steady(Duration::from_millis(20)),
            can_cancel: true,
            reconcile: Reconcile::Keyed,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let body = json!({
            "key": submission.submit_key, "model": submission.native_id, "prompt": submission.prompt,
            "seconds": submission.duration_s, "media": media(submission).await?,
        });
        let heard = match hear(self.request(Method::POST, None).json(&body)).await {
            Ok(heard) => heard,
            Err(error) if error.is_connect() => {
                return Err(ProviderError::unavailable(""));
            }
            Err(error) => return Err(ProviderError::Unknown(error.without_url().to_string())),
        };
        match heard.status.as_u16() {
            200..=299 => match heard.body.map(|body| body["id"].as_str().map(str::to_owned)) {
                Ok(Some(id)) => Ok(UpstreamId(id)),
                Ok(None) => Err(ProviderError::Broken("no id".into())),
                Err(error) => Err(ProviderError::Broken(error)),
            },
            400 | 422 => Err(ProviderError::Rejected(failure(&heard.body.unwrap_or_default()))),
            // The key is known, so an earlier send has arrived after all.
            409 => Err(ProviderError::Unknown("the key was used before".into())),
            401..=499 => Err(ProviderError::refused(FailureCode::RateLimited, "", heard.retry_after_ms)),
            status => Err(ProviderError::Unknown(format!("status {status}"))),
        }
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let report = ask(self.request(Method::GET, Some(id))).await?;
        if report["id"].as_str() != Some(&id.0) {
            return Err(ProviderError::Broken("a report about another job".into()));
        }
        Ok(match report["status"].as_str() {
            Some("queued") => Progress::Queued,
            Some("succeeded") => succeeded(&report, submission.clip)?,
            Some("failed") => Progress::Failed { failure: failure(&report), cost: None },
            Some("canceled") => Progress::Canceled,
            // Also what nobody has ever heard of.
            _ => {
                Progress::Running { percent: number(&report["progress"]).and_then(|n| u8::try_from(n).ok()) }
            }
        })
    }

    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        ask(self.request(Method::DELETE, Some(id))).await.map(|_| ())
    }

    async fn find(&self, submission: &Submission, _: &[UpstreamId]) -> Result<Found, ProviderError> {
        let key = submission.submit_key.as_str();
        let mut jobs = self.jobs(None);
        jobs.query_pairs_mut().append_pair("key", key);
        let list = ask(self.client.get(jobs)).await?;
        let Some(jobs) = list["jobs"].as_array() else { return Err(ProviderError::Broken("no list".into())) };
        let Some(job) = jobs.iter().find(|job| job["key"] == key) else { return Ok(Found::Absent) };
        let id = job["id"].as_str().ok_or_else(|| ProviderError::Broken("a job without an id".into()))?;
        Ok(Found::Accepted(UpstreamId(id.to_owned())))
    }
}

/// Each with its address and, for who would rather have the bytes, how many there are.
async fn media(submission: &Submission) -> Result<Vec<Value>, ProviderError> {
    let mut media = Vec::new();
    for medium in &submission.media {
        let file = medium.file.as_ref().expect("every input is at hand");
        let chunks = file.read().await.map_err(|_| ProviderError::unavailable(""))?;
        let bytes = chunks.try_fold(0, async |sum, chunk| Ok(sum + chunk.len())).await;
        let bytes = bytes.map_err(|_| ProviderError::unavailable(""))?;
        media.push(json!({
            "role": medium.role.field(), "url": medium.url, "type": file.content_type, "bytes": bytes,
        }));
    }
    Ok(media)
}

fn succeeded(report: &Value, index: u32) -> Result<Progress, ProviderError> {
    let Some(clips) = report["clips"].as_array() else {
        return Err(ProviderError::Broken("no clips".into()));
    };
    let urls = clips.iter().map(|clip| Some((clip["url"].as_str()?, number(&clip["seconds"]))));
    let Some(urls) = urls.collect::<Option<Vec<_>>>() else {
        return Err(ProviderError::Broken("a clip without a place".into()));
    };
    let clip = |(n, (url, seconds)): (u32, (&str, Option<u64>))| RemoteClip {
        index: index + n,
        source: ClipSource::url(url.to_owned()),
        millis: seconds.and_then(|seconds| seconds.checked_mul(1_000)),
    };
    let cost = number(&report["cost_micro_usd"]).and_then(|cost| i64::try_from(cost).ok());
    Ok(Progress::Succeeded { clips: (0..).zip(urls).map(clip).collect(), cost: cost.map(Cost::MicroUsd) })
}

/// A whole number, also one that is written as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// In our words: theirs may name what is nobody's business.
fn failure(report: &Value) -> Failure {
    let (code, message) = match report["error"]["code"].as_str() {
        Some("moderation") => (FailureCode::ModerationInput, "The provider's moderation refused it"),
        Some("invalid_input") => (FailureCode::InvalidInput, "The provider refused the request"),
        _ => (FailureCode::Internal, "The provider failed"),
    };
    Failure { message: message.to_owned(), ..Failure::new(code, "") }
}
