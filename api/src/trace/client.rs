//! The HTTP client that carries spans to the collector: ours, so that there is one TLS and one set of roots in the process.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

#[derive(Debug)]
pub struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    pub fn new(timeout: Duration) -> anyhow::Result<Client> {
        let client = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none());
        Ok(Client { client: client.build()?, runtime: Handle::try_current()? })
    }
}

#[async_trait]
impl HttpClient for Client {
    /// Batches are sent from a thread of their own, which has no runtime: the work is done in ours.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        self.runtime.spawn(send(self.client.clone(), request)).await?
    }
}

async fn send(client: reqwest::Client, request: reqwest::Request) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = std::mem::take(answer.headers_mut());
    }
    Ok(response.body(answer.bytes().await.map_err(reqwest::Error::without_url)?)?)
}
