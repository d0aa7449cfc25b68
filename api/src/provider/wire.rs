//! Calls of an upstream over HTTP: where they go, how long they may take and how much is read, and what is known when there is
//! no answer.
//!
//! A wire leads to one host, the instance's own, whatever that host says: redirects are answers like any other, and no address
//! in an answer is ever followed here.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Client, Method, RequestBuilder, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::json::seconds_at;
use super::{ClipSource, FailureCode, ProviderError};
use crate::media::StoreError;

/// How long an upstream may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// For a whole call. The worker gives up a little later.
const TOTAL: Duration = Duration::from_secs(55);
/// The most that is read of an ordinary answer, in bytes.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// Leads to one upstream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wire {
    client: Client,
    base: Url,
}

/// The client behind all wires of a process.
pub fn client() -> reqwest::Result<Client> {
    // Installed once a process; a second time changes nothing.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().connect_timeout(CONNECT).timeout(TOTAL);
    client.redirect(redirect::Policy::none()).no_proxy().build()
}

impl Wire {
    pub fn new(client: Client, base: Url) -> Self {
        Wire { client, base }
    }

    /// One that leads to another host, for what an upstream keeps apart, such as tokens.
    pub fn to(&self, base: Url) -> Wire {
        Wire { client: self.client.clone(), base }
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: &str) -> Call {
        Call { request: self.client.request(method, self.address(path)), answer_max: ANSWER_MAX }
    }

    /// A path below the base, which may have one itself, or nothing for the base. Whoever puts an id of the upstream's into
    /// it encodes that ([`segment`]).
    fn address(&self, path: &str) -> String {
        let base = self.base.as_str().trim_end_matches('/');
        match path {
            "" => self.base.to_string(),
            _ => format!("{base}/{}", path.trim_start_matches('/')),
        }
    }

    /// A clip at a path below the base, which is fetched with the key.
    pub fn clip(&self, path: &str, key: &SecretString) -> ClipSource {
        ClipSource::Url { url: self.address(path), headers: bearer(key) }
    }

    /// A clip at an address that an answer gave: fetched with the key if that is below the base, else as a public one.
    ///
    /// How an address begins does not say where it leads: `https://our.host@other.host` leads to the other one.
    pub fn clip_at(&self, url: String, key: &SecretString) -> ClipSource {
        let headers = if self.is_own(&url) { bearer(key) } else { HeaderMap::new() };
        ClipSource::Url { url, headers }
    }

    fn is_own(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let rest = url.path().strip_prefix(self.base.path().trim_end_matches('/'));
        url.origin() == self.base.origin() && rest.is_some_and(|rest| rest.starts_with('/'))
    }
}

fn bearer(key: &SecretString) -> HeaderMap {
    let value = SecretString::from(format!("Bearer {}", key.expose_secret()));
    HeaderMap::from_iter([(AUTHORIZATION, sensitive(&value))])
}

/// A text as one segment of a path.
pub fn segment(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

/// A header's value that is never printed. What can't be one is no key: the upstream will say so.
fn sensitive(value: &SecretString) -> HeaderValue {
    let value = HeaderValue::from_str(value.expose_secret());
    let mut value = value.unwrap_or_else(|_| HeaderValue::from_static("unreadable"));
    value.set_sensitive(true);
    value
}

/// A call that was not made yet.
#[derive(Debug)]
pub struct Call {
    request: RequestBuilder,
    answer_max: usize,
}

/// What came back, whatever it says.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    headers: HeaderMap,
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
enum NoReply {
    /// There was no connection: nothing was sent.
    #[error("no connection")]
    NotSent,
    #[error("{0}")]
    Lost(String),
}

impl Call {
    pub fn bearer(self, key: &SecretString) -> Self {
        self.authorization("Bearer", key)
    }

    /// `Authorization: SCHEME KEY`.
    pub fn authorization(self, scheme: &str, key: &SecretString) -> Self {
        self.secret(AUTHORIZATION, &SecretString::from(format!("{scheme} {}", key.expose_secret())))
    }

    /// A header that is never printed.
    pub fn secret(mut self, name: HeaderName, value: &SecretString) -> Self {
        self.request = self.request.header(name, sensitive(value));
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.request = self.request.query(pairs);
        self
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// A body of exactly these bytes, such as one that was signed.
    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.request = self.request.header(CONTENT_TYPE, content_type).body(body);
        self
    }

    /// A body of so many bytes that is sent as it is read.
    pub fn stream(
        mut self,
        content_type: &str,
        bytes: u64,
        chunks: BoxStream<'static, Result<Bytes, StoreError>>,
    ) -> Self {
        let headers = self.request.header(CONTENT_TYPE, content_type).header(CONTENT_LENGTH, bytes);
        self.request = headers.body(reqwest::Body::wrap_stream(chunks));
        self
    }

    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        self.request = self.request.form(pairs);
        self
    }

    /// For the few answers that hold a whole clip.
    pub fn read_up_to(self, bytes: usize) -> Self {
        Call { answer_max: bytes, ..self }
    }

    /// Sends something that may be billed: without an answer it is unknown what became of it.
    pub async fn submit(self) -> Result<Reply, ProviderError> {
        self.send().await.map_err(|none| match none {
            NoReply::NotSent => ProviderError::unavailable("no connection"),
            NoReply::Lost(reason) => ProviderError::Unknown(reason),
        })
    }

    /// Asks something: no answer says nothing.
    pub async fn ask(self) -> Result<Reply, ProviderError> {
        self.send().await.map_err(|none| ProviderError::unavailable(none.to_string()))
    }

    async fn send(self) -> Result<Reply, NoReply> {
        let answer = self.request.send().await.map_err(|error| {
            // A reused connection that turns out to be closed is reported as an error of the request.
            if error.is_connect() || error.is_builder() { NoReply::NotSent } else { lost(&error) }
        })?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = read(answer, self.answer_max).await?;
        Ok(Reply { status, headers, body })
    }
}

async fn read(mut answer: reqwest::Response, most: usize) -> Result<Bytes, NoReply> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > most {
            return Err(NoReply::Lost(format!("the answer has more than {most} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn lost(error: &reqwest::Error) -> NoReply {
    let what = if error.is_timeout() { "no answer in time" } else { "the connection broke off" };
    NoReply::Lost(what.to_owned())
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|_| ProviderError::Broken(self.excerpt()))
    }

    /// The body as JSON, or nothing: for refusals, which are known by their status as well.
    pub fn json_or_null(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long they want to be left alone, given as seconds or as a date.
    pub fn retry_after_ms(&self) -> Option<u64> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let date = |text: &str| httpdate::parse_http_date(text).ok();
        let by_date = || {
            // By their own clock.
            let time = date(text)?.duration_since(date(self.header("date")?)?);
            Some(time.unwrap_or_default().as_secs().saturating_mul(1_000))
        };
        seconds_at(&Value::from(text), "").or_else(by_date)
    }

    /// The start of what was said, for operators.
    pub fn excerpt(&self) -> String {
        let start = &self.body[..self.body.len().min(300)];
        format!("status {}: {}", self.status, String::from_utf8_lossy(start).trim())
    }

    /// Whether the upstream itself says that there is no such thing, in the body of its errors, of which this is a member. A page
    /// of whoever stands in front of it says nothing about a task.
    pub fn is_missing(&self, member: &str) -> bool {
        self.status == 404 && self.json_or_null().get(member).is_some()
    }

    /// A refusal by its status alone, for answers in no shape that the upstream documents. Who stands in front of an upstream
    /// may have passed the request on before it gave up.
    pub fn by_status(&self) -> ProviderError {
        let code = match self.status {
            400 | 405 | 413 | 415 | 422 => FailureCode::InvalidInput,
            401 | 403 | 407 => FailureCode::Auth,
            402 => FailureCode::Balance,
            404 | 410 => FailureCode::ModelUnavailable,
            429 => FailureCode::RateLimited,
            451 => FailureCode::ModerationInput,
            409 | 423 | 425 | 503 => FailureCode::Transient,
            500.. => return ProviderError::Unknown(self.excerpt()),
            _ => return ProviderError::Broken(self.excerpt()),
        };
        self.refused(code)
    }

    /// A refusal of a class, with what was said for operators.
    pub fn refused(&self, code: FailureCode) -> ProviderError {
        ProviderError::refused(code, self.excerpt(), self.retry_after_ms())
    }
}

#[cfg(test)]
mod tests;
