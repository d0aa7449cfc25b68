//! Requests to the server, sent again where that can't do or buy anything twice.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::failure::{Exit, Failure};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the server lets anything wait.
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// The longest pause that a server may ask for before we give up instead.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// What can't stand in a path as it is; slashes can.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b':');

/// A server, and who we are there.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    host: Url,
    key: Option<SecretString>,
    retries: usize,
}

/// An answer with its headers.
#[derive(Debug)]
pub struct Answer {
    pub headers: HeaderMap,
    pub body: Value,
}

impl Client {
    pub fn new(host: Url, key: Option<SecretString>, retries: usize) -> Result<Client, Failure> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("reel/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(Failure::local("could not prepare requests"))?;
        Ok(Client { http, host, key, retries })
    }

    pub fn host(&self) -> &str {
        self.host.as_str().trim_end_matches('/')
    }

    /// `path` begins with a slash; what stands in it for a name or an id goes through [`segment`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.host()));
        match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    /// Reads something; repeated while that may help.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        Ok(self.read(path, query).await?.body)
    }

    /// As [`Client::get`], with the headers.
    pub async fn read(&self, path: &str, query: &[(&str, String)]) -> Result<Answer, Failure> {
        self.repeated(|| self.request(Method::GET, path).query(query)).await
    }

    /// Does something that has the same effect however often it is asked for, such as an order with an idempotency key.
    pub async fn repeated(&self, build: impl Fn() -> RequestBuilder) -> Result<Answer, Failure> {
        let policy =
            ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_jitter().with_max_times(self.retries);
        let pause = |failure: &Failure, planned: Option<Duration>| {
            let asked = failure.retry_after_s.map(Duration::from_secs);
            planned.map(|planned| asked.map_or(planned, |asked| asked.max(planned)))
        };
        let helps = |failure: &Failure| {
            failure.is_retryable && failure.retry_after_s.is_none_or(|asked| asked <= PATIENCE.as_secs())
        };
        (|| self.once(build())).retry(policy).when(helps).adjust(pause).await
    }

    /// Does something once: what got no answer may or may not have happened.
    pub async fn once(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let response = self.send(request).await?;
        let headers = response.headers().clone();
        let bytes = response.bytes().await.map_err(|error| Failure::network(error, self.host()))?;
        if bytes.is_empty() {
            return Ok(Answer { headers, body: Value::Null });
        }
        let body = serde_json::from_slice(&bytes).map_err(|_| {
            Failure::new(Exit::Other, format!("{} answered something that is not JSON", self.host()))
                .hint("Is it a Reelmeter host? `reel doctor` looks.")
        })?;
        Ok(Answer { headers, body })
    }

    /// Does something once that is said by its path alone.
    pub async fn act(&self, method: Method, path: &str) -> Result<Value, Failure> {
        Ok(self.once(self.request(method, path)).await?.body)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        Ok(self.once(self.request(Method::POST, path).json(body)).await?.body)
    }

    /// Orders something that is paid for: the key makes sure that it is paid for once.
    pub async fn order(&self, path: &str, body: &Value, idempotency_key: &str) -> Result<Value, Failure> {
        let build = || self.request(Method::POST, path).header("Idempotency-Key", idempotency_key).json(body);
        Ok(self.repeated(build).await?.body)
    }

    /// Sends a file of so many bytes as it is.
    pub async fn upload(&self, path: &str, length: u64, body: Body) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/octet-stream");
        Ok(self.once(request.header(CONTENT_LENGTH, length).body(body)).await?.body)
    }

    /// The answer while it comes in, if it is a success.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| Failure::network(error, self.host()))?;
        let status = response.status();
        if status.is_success() || status.is_redirection() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response.bytes().await.unwrap_or_default();
        Err(Failure::answered(status, &headers, &body))
    }
}

/// A name or an id as a part of a path. Slashes stay: models have them.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}
