//! Fetching what a customer names by its address, through the guard.

use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::app::App;
use crate::media::Given;
use crate::video::upload::UploadError;

/// For one file, whatever its size.
const TIME_LIMIT: Duration = Duration::from_secs(120);
const REDIRECTS_MAX: usize = 5;

/// Why a file was not fetched; the reasons are safe to show.
#[derive(Debug)]
pub enum Unfetched {
    /// Asking again would get the same answer.
    Never(String),
    NotNow(String),
    Upload(UploadError),
}

pub async fn fetch(app: &App, address: &str) -> Result<Given, Unfetched> {
    let late = |_| Unfetched::NotNow(format!("it took more than {} s", TIME_LIMIT.as_secs()));
    tokio::time::timeout(TIME_LIMIT, take(app, address)).await.map_err(late)?
}

async fn take(app: &App, address: &str) -> Result<Given, Unfetched> {
    let answer = follow(app, address).await?;
    let uploads = &app.video.uploads;
    let limit_bytes = uploads.terms.largest();
    if answer.content_length().is_some_and(|bytes| bytes > limit_bytes) {
        return Err(Unfetched::Upload(UploadError::TooLarge { limit_bytes }));
    }
    let chunks = futures_util::TryStreamExt::map_err(answer.bytes_stream(), std::io::Error::other);
    uploads.take(Box::pin(chunks)).await.map_err(Unfetched::Upload)
}

/// Each step of a redirect is judged like the first address.
async fn follow(app: &App, address: &str) -> Result<Response, Unfetched> {
    let mut url = Url::parse(address).map_err(|error| Unfetched::Never(error.to_string()))?;
    for _ in 0..=REDIRECTS_MAX {
        let answer = ask(app, url.clone()).await?;
        match answer.status() {
            StatusCode::OK => return Ok(answer),
            status if status.is_redirection() => url = next(&url, &answer, status)?,
            status if is_passing(status) => {
                return Err(Unfetched::NotNow(format!("status {}", status.as_u16())));
            }
            status => return Err(Unfetched::Never(format!("status {}", status.as_u16()))),
        }
    }
    Err(Unfetched::Never("it is redirected too often".to_owned()))
}

async fn ask(app: &App, url: Url) -> Result<Response, Unfetched> {
    if url.scheme() != "https" && !app.video.uploads.terms.http {
        return Err(Unfetched::Never("it is not https".to_owned()));
    }
    let request = app.fetcher.request(Method::GET, url);
    let request = request.map_err(|refused| Unfetched::Never(refused.to_string()))?;
    // Why there is no connection may tell of our network.
    request.send().await.map_err(|error| {
        tracing::debug!(error = %error.without_url(), "an input's server does not answer");
        Unfetched::NotNow("its server does not answer".to_owned())
    })
}

fn next(url: &Url, answer: &Response, status: StatusCode) -> Result<Url, Unfetched> {
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let next = location.and_then(|location| url.join(location).ok());
    next.ok_or_else(|| Unfetched::Never(format!("status {} leads nowhere", status.as_u16())))
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}
