//! xAI: Grok Imagine video. Facts from docs.x.ai and recorded exchanges, 2026.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::instance::{Adapter, Opening};
use super::json::{decimal_at, first_text, percent_at, seconds_at, text_at, url_at};
use super::wire::{Reply, Wire, segment};
use super::{
    Abilities, ClipSource, Cost, Failure, FailureCode, Pace, Progress, Provider, ProviderError, Rate,
    Reconcile, RemoteClip, Submission, UpstreamId, rate,
};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

pub const ADAPTER: Adapter = Adapter { name: "xai", key: "key", settings: &[], challenge: None, open };

/// By the header that they send.
const RATE: Rate = rate(60, 60);
/// A conversion that they use: ticks to a US dollar.
const TICKS: u64 = 10_000_000_000;

#[derive(Debug)]
struct Xai {
    name: String,
    wire: Wire,
    key: SecretString,
}

fn open(Opening { name, wire, key, .. }: Opening) -> Result<Arc<dyn Provider>, String> {
    Ok(Arc::new(Xai { name, wire, key }))
}

#[async_trait]
impl Provider for Xai {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 50,
            rate: Some(RATE),
            pace: Pace::stretching(Duration::from_secs(3), Duration::from_secs(15)),
            can_cancel: false,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        if let Some(reason) = beyond(submission) {
            return Err(ProviderError::refused(FailureCode::Unsupported, reason, None));
        }
        let (path, body) = order(submission);
        let reply = self.wire.post(path).bearer(&self.key).json(&body).submit().await?;
        let answer = judged(&reply)?;
        let id = text_at(&answer, "/request_id");
        id.map(UpstreamId).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let path = format!("videos/{}", segment(&id.0));
        let reply = self.wire.get(&path).bearer(&self.key).ask().await?;
        match reply.status {
            // Says nothing, or how far it is.
            202 => Ok(Progress::Running { percent: percent_at(&reply.json_or_null(), "/progress") }),
            _ if reply.is_missing("error") => Ok(Progress::failed(FailureCode::Expired, reply.excerpt())),
            _ => progress(&judged(&reply)?, submission),
        }
    }
}

/// What they don't make, although the model does in other modes.
fn beyond(submission: &Submission) -> Option<&'static str> {
    const LONGEST_EXTENSION_S: u32 = 10;
    match submission.mode {
        InputMode::VideoExtend if submission.duration_s > LONGEST_EXTENSION_S => {
            Some("extensions have 10 s at most")
        }
        InputMode::ReferenceToVideo if submission.resolution == "1080p" => {
            Some("there is no 1080p from references")
        }
        _ => None,
    }
}

/// Where a submission goes, and as what. Edits and extensions take their picture from the video they start with.
fn order(submission: &Submission) -> (&'static str, Value) {
    let mut body = json!({ "model": submission.native_id, "prompt": submission.prompt });
    let video = submission.one(MediaRole::SourceVideo).map(|video| json!({ "url": video.url }));
    match (submission.mode, video) {
        (InputMode::VideoToVideo, Some(video)) => {
            body["video"] = video;
            return ("videos/edits", body);
        }
        (InputMode::VideoExtend, Some(video)) => {
            body["video"] = video;
            body["duration"] = json!(submission.duration_s);
            return ("videos/extensions", body);
        }
        _ => {}
    }
    body["duration"] = json!(submission.duration_s);
    body["resolution"] = json!(submission.resolution);
    if submission.aspect_ratio != "auto" {
        body["aspect_ratio"] = json!(submission.aspect_ratio);
    }
    if let Some(image) = submission.one(MediaRole::FirstFrame) {
        body["image"] = json!({ "url": image.url });
    }
    let references: Vec<Value> =
        submission.all(MediaRole::ReferenceImage).map(|image| json!({ "url": image.url })).collect();
    if !references.is_empty() {
        body["reference_images"] = Value::from(references);
    }
    // The first generation of models has no sound to switch.
    if submission.native_id.contains("1.5") {
        body["generate_audio"] = json!(submission.audio);
    }
    ("videos/generations", body)
}

fn progress(answer: &Value, submission: &Submission) -> Result<Progress, ProviderError> {
    Ok(match text_at(answer, "/status").as_deref() {
        Some("done") => done(answer, submission),
        Some("failed") => {
            let reason = first_text(answer, &["/error/message", "/error/code", "/error"]).unwrap_or_default();
            let code =
                if is_moderation(&reason) { FailureCode::ModerationOutput } else { FailureCode::Internal };
            Progress::failed(code, reason)
        }
        Some("expired") => Progress::failed(FailureCode::Expired, "expired"),
        _ => Progress::Running { percent: percent_at(answer, "/progress") },
    })
}

/// What moderation holds back is billed all the same.
fn done(answer: &Value, submission: &Submission) -> Progress {
    let ticks = decimal_at(answer, "/usage/cost_in_usd_ticks");
    let cost = ticks.and_then(|ticks| Cost::usd(ticks.checked_div(Decimal::from(TICKS))?));
    let is_decent = answer.pointer("/video/respect_moderation") != Some(&Value::Bool(false));
    match url_at(answer, "/video/url") {
        Some(url) if is_decent => {
            let millis = seconds_at(answer, "/video/duration");
            let clip = RemoteClip { index: submission.clip, source: ClipSource::url(url), millis };
            Progress::Succeeded { clips: vec![clip], cost }
        }
        Some(_) | None if !is_decent => {
            let failure = Failure::new(FailureCode::ModerationOutput, "respect_moderation is false");
            Progress::Failed { failure, cost }
        }
        _ => Progress::Succeeded { clips: Vec::new(), cost },
    }
}

/// The answer, if it is none of their refusals.
fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    let said = reply.excerpt().to_lowercase();
    match reply.status {
        200..=299 => reply.json(),
        400 if is_moderation(&said) => Err(reply.refused(FailureCode::ModerationInput)),
        429 if said.contains("credits") || said.contains("spending limit") => {
            Err(reply.refused(FailureCode::Balance))
        }
        _ => Err(reply.by_status()),
    }
}

fn is_moderation(text: &str) -> bool {
    text.to_lowercase().contains("moderation")
}
