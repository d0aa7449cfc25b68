//! Jimeng, on Volcengine's visual API. Facts from volcengine.com/docs/85621, as of 2026-11.
//!
//! What is made, and how large, is chosen by `req_key`. A task is asked about with the same one, so ids here hold both. There is
//! no callback, no list, no way to stop a task, and no word on what it cost.

mod order;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::instance::{Adapter, Opening, Setting};
use super::json::{int_at, text_at, url_at};
use super::wire::{Call, Reply, Wire};
use super::{
    Abilities, FailureCode, Pace, Progress, Provider, ProviderError, Rate, Reconcile, Submission, UpstreamId,
    rate,
};
use crate::clock::Clock;
use order::{beyond, order, req_key};
use signature::{Credentials, Request};

pub const ADAPTER: Adapter =
    Adapter { name: "jimeng", key: "key", settings: SETTINGS, challenge: None, open };

const SETTINGS: &[Setting] = &[Setting {
    name: "secret",
    is_required: false,
    about: "the secret access key that belongs to the access key; not needed if the key is both, as AK|SK",
}];

const SUBMIT: &str = "CVSync2AsyncSubmitTask";
const RESULT: &str = "CVSync2AsyncGetResult";
const VERSION: &str = "2022-08-31";
const JSON: &str = "application/json";
const OK: i64 = 10_000;
/// Accounts have one or two tasks at once.
const SLOTS: usize = 1;
const RATE: Rate = rate(1, 1);

#[derive(Debug)]
struct Jimeng {
    name: String,
    wire: Wire,
    credentials: Credentials,
    clock: Clock,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let credentials = credentials(opening.key.expose_secret(), opening.text("secret"))?;
    let Opening { name, wire, clock, .. } = opening;
    Ok(Arc::new(Jimeng { name, wire, credentials, clock }))
}

fn credentials(key: &str, secret: Option<&str>) -> Result<Credentials, String> {
    let (access_key, secret) = match (key.split_once('|'), secret) {
        (Some((access_key, secret)), _) => (access_key, secret),
        (None, Some(secret)) => (key, secret),
        (None, None) => {
            return Err("the setting secret is missing: a key is AK|SK, or AK with SK as secret".to_owned());
        }
    };
    let secret = SecretString::from(secret.trim());
    Ok(Credentials { access_key: access_key.trim().to_owned(), secret })
}

#[async_trait]
impl Provider for Jimeng {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: SLOTS,
            rate: Some(RATE),
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(15)),
            can_cancel: false,
            reconcile: Reconcile::Opaque,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        if let Some(reason) = beyond(submission) {
            return Err(ProviderError::refused(FailureCode::Unsupported, reason, None));
        }
        let req_key = req_key(submission);
        let reply = self.call(SUBMIT, &order(submission, &req_key)).submit().await?;
        let answer = judged(&reply)?;
        let id = text_at(&answer, "/data/task_id").map(|id| UpstreamId(format!("{req_key}/{id}")));
        id.ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let (req_key, task) = id.0.split_once('/').unwrap_or((&submission.native_id, &id.0));
        let reply = self.call(RESULT, &json!({ "req_key": req_key, "task_id": task })).ask().await?;
        if let Some(failure) = verdict(&reply) {
            return Ok(Progress::failed(failure, reply.excerpt()));
        }
        Ok(progress(&judged(&reply)?, submission))
    }
}

impl Jimeng {
    /// A signed call.
    fn call(&self, action: &str, body: &Value) -> Call {
        let body = body.to_string().into_bytes();
        let base = self.wire.base();
        let request = Request {
            date: self.clock.now().date_time().format("%Y%m%dT%H%M%SZ").to_string(),
            host: match base.port() {
                Some(port) => format!("{}:{port}", base.host_str().unwrap_or_default()),
                None => base.host_str().unwrap_or_default().to_owned(),
            },
            path: format!("{}/", base.path().trim_end_matches('/')),
            query: format!("Action={action}&Version={VERSION}"),
            content_type: JSON,
            body: &body,
        };
        let authorization = SecretString::from(self.credentials.authorization(&request));
        let call = self.wire.post("/").query(&[("Action", action), ("Version", VERSION)]);
        let call = call.header("x-date", &request.date).header("x-content-sha256", &request.body_hash());
        call.secret(reqwest::header::AUTHORIZATION, &authorization).body(JSON, body)
    }
}

fn progress(answer: &Value, submission: &Submission) -> Progress {
    match text_at(answer, "/data/status").as_deref() {
        Some("in_queue") => Progress::Queued,
        Some("done") => match url_at(answer, "/data/video_url") {
            Some(url) => Progress::delivered(submission, url, None),
            // This is how they tell of a failure.
            None => Progress::failed(FailureCode::Internal, "done without a clip"),
        },
        Some(gone @ ("not_found" | "expired")) => Progress::failed(FailureCode::Expired, gone),
        _ => Progress::Running { percent: None },
    }
}

/// The answer, if it is none of their refusals.
fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    let answer = reply.json_or_null();
    if reply.is_success() && int_at(&answer, "/code") == Some(OK) {
        return Ok(answer);
    }
    let class = class_of(&answer).or_else(|| class_at_the_door(&answer));
    Err(class.map_or_else(|| reply.by_status(), |class| reply.refused(class)))
}

/// What a refused question tells of the task itself. All else may be about the question.
fn verdict(reply: &Reply) -> Option<FailureCode> {
    let is_final =
        |class: &FailureCode| matches!(class, FailureCode::ModerationInput | FailureCode::ModerationOutput);
    class_of(&reply.json_or_null()).filter(is_final)
}

/// Of their own codes. There are others that are not documented.
fn class_of(answer: &Value) -> Option<FailureCode> {
    Some(match int_at(answer, "/code")? {
        50_411..=50_413 | 50_518 => FailureCode::ModerationInput,
        50_511 | 50_512 | 50_516 | 50_517 | 50_519 => FailureCode::ModerationOutput,
        50_429 | 50_430 => FailureCode::RateLimited,
        // The last three are of what looks for moderation's cases.
        50_500 | 50_501 | 50_520..=50_522 => FailureCode::Transient,
        _ => return None,
    })
}

/// Of Volcengine's front door, which checks signatures and rights.
fn class_at_the_door(answer: &Value) -> Option<FailureCode> {
    let code = text_at(answer, "/ResponseMetadata/Error/Code")?;
    if matches!(code.as_str(), "AccessDenied" | "ServiceNotOpen") {
        return Some(FailureCode::ModelUnavailable);
    }
    // Whatever it says of a signature is no fault of the request's content.
    let of_signature = ["Signature", "Auth", "Credential", "AccessKey", "Timestamp"];
    of_signature.iter().any(|word| code.contains(word)).then_some(FailureCode::Auth)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_key_holds_its_secret_or_has_one_beside_it() {
        let of = |key, secret| {
            let credentials = credentials(key, secret).ok()?;
            Some((credentials.access_key, credentials.secret.expose_secret().to_owned()))
        };
        let both = Some(("AK".to_owned(), "SK".to_owned()));
        assert_eq!(of("AK", Some("SK")), both);
        assert_eq!(of("AK|SK", None), both);
        assert_eq!(of("AK | SK", Some("of another key")), both);
        assert_eq!(of("AK", None), None);
    }

    /// Whatever host is configured, and whatever the client makes of the headers.
    #[tokio::test]
    async fn what_is_signed_is_what_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/front", listener.local_addr().unwrap());
        let credentials = Credentials { access_key: "AK".to_owned(), secret: SecretString::from("SK") };
        let wire = Wire::new(crate::provider::wire::client().unwrap(), base.parse().unwrap());
        let jimeng = Jimeng { name: "jimeng".to_owned(), wire, credentials, clock: Clock::system() };
        let call = jimeng.call(SUBMIT, &json!({ "prompt": "小船" }));
        let (_, sent) = tokio::join!(call.ask(), heard(listener));
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let is_it = |line: &&str| line.to_lowercase().starts_with(&format!("{name}: "));
            head.lines().find(is_it).unwrap()[name.len() + 2..].to_owned()
        };
        let request = Request {
            date: header("x-date"),
            host: header("host"),
            path: "/front/".to_owned(),
            query: "Action=CVSync2AsyncSubmitTask&Version=2022-08-31".to_owned(),
            content_type: JSON,
            body: body.as_bytes(),
        };
        assert!(head.starts_with(&format!("POST {}?{} HTTP/1.1", request.path, request.query)), "{head}");
        assert_eq!(header("content-type"), JSON);
        assert_eq!(header("x-content-sha256"), request.body_hash());
        assert_eq!(header("authorization"), jimeng.credentials.authorization(&request));
    }

    /// The request that comes, which is not answered.
    async fn heard(listener: TcpListener) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = Vec::new();
        while !sent.ends_with(b"}") {
            assert!(stream.read_buf(&mut sent).await.unwrap() > 0);
        }
        String::from_utf8(sent).unwrap()
    }
}
