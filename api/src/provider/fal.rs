//! fal.ai's queue: models of many vendors behind one API. Facts from fal.ai/docs, from the pages of its models and from recorded
//! exchanges, 2026.
//!
//! COMPLETED only says that a request has ended: what came of it is a second question. A request is known by the first two
//! segments of its endpoint and an id of theirs; it carries nothing of ours but the address that they call.

mod callback;
mod memory;
mod order;
mod refusal;
mod request;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ed25519_dalek::VerifyingKey;
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::instance::{Adapter, Opening, Setting};
use super::json::{decimal, decimal_at, first_text, seconds_at, text_at, url_at};
use super::wire::{Call, Reply, Wire, segment};
use super::{
    Abilities, Callback, ClipSource, Cost, Failure, FailureCode, Found, Heard, Pace, Progress, Provider,
    ProviderError, Reconcile, RemoteClip, Submission, UpstreamId,
};
use memory::Memory;
use refusal::End;
use request::Request;

pub const ADAPTER: Adapter = Adapter { name: "fal", key: "key", settings: SETTINGS, challenge: None, open };

const SETTINGS: &[Setting] = &[
    Setting {
        name: "jwks_url",
        is_required: false,
        about: "where the keys are that its callbacks are signed with, if not at the vendor's",
    },
    Setting {
        name: "pricing_url",
        is_required: false,
        about: "where its API of unit prices is; the vendor's is asked if the queue is the vendor's",
    },
];

const QUEUE_HOST: &str = "queue.fal.run";
const JWKS_URL: &str = "https://rest.fal.ai/.well-known/jwks.json";
const PRICING_URL: &str = "https://api.fal.ai/v1";

/// Clips are fetched as soon as they are made; a day outlasts whatever may keep us from it. By itself theirs would last for long.
const LIFECYCLE: (&str, &str) =
    ("x-fal-object-lifecycle-preference", r#"{"expiration_duration_seconds":86400}"#);
/// The only name in the memory of keys.
const KEYS: &str = "keys";

#[derive(Debug)]
struct Fal {
    name: String,
    wire: Wire,
    key: SecretString,
    jwks: Wire,
    jwks_path: String,
    keys: Memory<Vec<VerifyingKey>>,
    pricing: Option<Wire>,
    /// US dollars a unit, by endpoint.
    prices: Memory<Decimal>,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let jwks = address(&opening, "jwks_url", Some(JWKS_URL))?.ok_or("jwks_url is missing")?;
    let is_vendors = opening.wire.base().host_str() == Some(QUEUE_HOST);
    // The key goes along: to the vendor's only if it is the vendor's.
    let pricing = address(&opening, "pricing_url", is_vendors.then_some(PRICING_URL))?;
    Ok(Arc::new(Fal {
        name: opening.name,
        jwks_path: jwks.path().to_owned(),
        jwks: opening.wire.to(origin(jwks)),
        keys: Memory::new(opening.clock.clone()),
        pricing: pricing.map(|url| opening.wire.to(url)),
        prices: Memory::new(opening.clock),
        wire: opening.wire,
        key: opening.key,
    }))
}

fn address(opening: &Opening, setting: &str, usual: Option<&str>) -> Result<Option<Url>, String> {
    let Some(text) = opening.text(setting).or(usual) else { return Ok(None) };
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.map(Some).ok_or_else(|| format!("{setting} must be a web address"))
}

fn origin(mut url: Url) -> Url {
    url.set_path("/");
    url.set_query(None);
    url
}

#[async_trait]
impl Provider for Fal {
    fn name(&self) -> &str {
        &self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            // Of a new account. What is more waits in their queue, where nobody else can make it.
            slots: 2,
            rate: None,
            pace: Pace::stretching(Duration::from_secs(3), Duration::from_secs(20)),
            can_cancel: true,
            reconcile: Reconcile::Callback,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let input = order::input(submission)
            .map_err(|reason| ProviderError::refused(FailureCode::Unsupported, reason, None))?;
        let endpoint: Vec<String> = submission.native_id.split('/').map(segment).collect();
        let mut call = self.wire.post(&endpoint.join("/")).header(LIFECYCLE.0, LIFECYCLE.1).json(&input);
        if let Some(url) = &submission.callback_url {
            call = call.query(&[("fal_webhook", url)]);
        }
        let reply = self.keyed(call).submit().await?;
        let answer = refusal::judged(&reply)?;
        let request = text_at(&answer, "/request_id").and_then(|id| Request::new(&submission.native_id, &id));
        request.map(|request| request.id()).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let request = Request::known(id)?;
        self.look_up(submission).await;
        let reply = self.keyed(self.wire.get(&request.path("/status"))).ask().await?;
        let answer = refusal::of_request(&reply)?;
        let status = text_at(&answer, "/status").ok_or_else(|| ProviderError::Broken(reply.excerpt()))?;
        match status.as_str() {
            "IN_QUEUE" => Ok(Progress::Queued),
            "COMPLETED" => self.result(&request, &answer, submission).await,
            _ => Ok(Progress::Running { percent: None }),
        }
    }

    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        let path = Request::known(id)?.path("/cancel");
        let reply = self.keyed(self.wire.put(&path)).ask().await?;
        // What has ended, or is gone, can't be stopped: the next poll says so.
        match text_at(&reply.json_or_null(), "/status").as_deref() {
            Some("ALREADY_COMPLETED" | "NOT_FOUND") => Ok(()),
            _ => refusal::of_request(&reply).map(drop),
        }
    }

    /// Ids only come with callbacks that are signed, to an address that was told to nobody but them and only for this
    /// submission. Their account of a request doesn't show that address; that there is one is all that can be looked up.
    async fn find(&self, submission: &Submission, heard: &[UpstreamId]) -> Result<Found, ProviderError> {
        for id in heard {
            let Some(request) = Request::new(&submission.native_id, &id.0) else { continue };
            let reply = self.keyed(self.wire.get(&request.path("/status"))).ask().await?;
            if reply.status == 404 {
                continue;
            }
            let answer = refusal::of_request(&reply)?;
            let is_other = text_at(&answer, "/request_id").is_some_and(|named| named != id.0);
            if text_at(&answer, "/status").is_some() && !is_other {
                return Ok(Found::Accepted(request.id()));
            }
        }
        Ok(Found::Unsure)
    }

    /// Until the keys are known, which the first poll sees to, a callback is a hint that names nobody.
    fn hear(&self, callback: &Callback) -> Heard {
        match self.keys.known(KEYS) {
            None => Heard::News(None),
            Some(keys) if callback::is_signed(callback, &keys) => {
                Heard::News(callback::request_id(callback).map(UpstreamId))
            }
            Some(_) => Heard::Forged,
        }
    }
}

impl Fal {
    fn keyed(&self, call: Call) -> Call {
        call.authorization("Key", &self.key)
    }

    /// What came of a request that has ended.
    async fn result(
        &self,
        request: &Request,
        status: &Value,
        submission: &Submission,
    ) -> Result<Progress, ProviderError> {
        let reply = self.keyed(self.wire.get(&request.path(""))).ask().await?;
        let cost = self.cost(&reply, submission);
        if refusal::is_early(&reply) {
            return Ok(Progress::Running { percent: None });
        }
        let answer = reply.json_or_null();
        let video = answer.get("video").filter(|_| reply.is_success());
        if let Some(clip) = video.and_then(|video| clip(video, submission)) {
            return Ok(Progress::Succeeded { clips: vec![clip], cost });
        }
        match refusal::end(&reply, status) {
            Some(End::Canceled) => Ok(Progress::Canceled),
            Some(End::Failed(code)) => {
                let reason = first_text(status, &["/error", "/error_type"]).unwrap_or_default();
                let failure = Failure::new(code, format!("{reason} {}", reply.excerpt()));
                Ok(Progress::Failed { failure, cost })
            }
            // A result that says itself that there is none.
            None if video.is_some() => Ok(Progress::Succeeded { clips: Vec::new(), cost }),
            None => Err(refusal::of_request(&reply).err().unwrap_or(ProviderError::Broken(reply.excerpt()))),
        }
    }

    /// Units as they are billed, by what one of them costs this account.
    fn cost(&self, reply: &Reply, submission: &Submission) -> Option<Cost> {
        let units = decimal(&Value::from(reply.header("x-fal-billable-units")?))?;
        Cost::usd(units.checked_mul(self.prices.known(&submission.native_id)?)?)
    }

    /// Learns what can't be asked for when it is needed.
    async fn look_up(&self, submission: &Submission) {
        let endpoint = &submission.native_id;
        let keys = async {
            if submission.callback_url.is_some() {
                self.keys.learn(KEYS, self.ask_for_keys()).await;
            }
        };
        futures_util::future::join(keys, self.prices.learn(endpoint, self.ask_for_price(endpoint))).await;
    }

    async fn ask_for_keys(&self) -> Option<Vec<VerifyingKey>> {
        let reply = self.jwks.get(&self.jwks_path).ask().await.ok()?;
        let keys = callback::keys(&reply.json_or_null());
        (reply.is_success() && !keys.is_empty()).then_some(keys)
    }

    async fn ask_for_price(&self, endpoint: &str) -> Option<Decimal> {
        let call = self.pricing.as_ref()?.get("models/pricing").query(&[("endpoint_id", endpoint)]);
        let reply = self.keyed(call).ask().await.ok().filter(Reply::is_success)?;
        let answer = reply.json_or_null();
        let is_meant = |price: &&Value| text_at(price, "/endpoint_id").as_deref() == Some(endpoint);
        let price = answer.get("prices")?.as_array()?.iter().find(is_meant)?;
        decimal_at(price, "/unit_price").filter(|_| text_at(price, "/currency").as_deref() == Some("USD"))
    }
}

fn clip(video: &Value, submission: &Submission) -> Option<RemoteClip> {
    let source = ClipSource::url(url_at(video, "/url")?);
    Some(RemoteClip { index: submission.clip, source, millis: seconds_at(video, "/duration") })
}
