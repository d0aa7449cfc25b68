//! Bringing a clip to a local file from wherever its provider put it, through the guard.
//!
//! A key that a provider's address needs goes to that address's own origin, and is dropped where it leads elsewhere; a private
//! address is reached only where a provider's own settings name it, never by a redirect.

use std::path::Path;

use futures_util::stream;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::media::{GuardedClient, Stored, spool};
use crate::provider::ClipSource;

const REDIRECTS_MAX: usize = 5;

/// How an address is fetched that a provider names, and how one that it only leads to.
type Fetchers<'a> = (&'a GuardedClient, &'a GuardedClient);

/// Why a clip could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Missed {
    /// The address is old, or was never one: a newer one may lead there.
    #[error("{0}")]
    Gone(String),
    #[error("{0}")]
    Other(String),
}

impl From<String> for Missed {
    fn from(reason: String) -> Self {
        Missed::Other(reason)
    }
}

/// Writes the clip to a new file.
pub async fn collect(fetchers: Fetchers<'_>, source: &ClipSource, path: &Path) -> Result<Stored, Missed> {
    let most = fetchers.0.max_bytes();
    match source {
        ClipSource::File(_) => Err("it is a file already".to_owned().into()),
        ClipSource::Bytes(bytes) => {
            let whole = stream::iter([Ok::<_, std::io::Error>(bytes.clone())]);
            Ok(spool(whole, path, most).await.map_err(|error| error.to_string())?)
        }
        ClipSource::Url { url, headers } => {
            let answer = follow(fetchers, url, headers).await?;
            if answer.content_length().is_some_and(|bytes| bytes > most) {
                return Err("it is too large".to_owned().into());
            }
            Ok(spool(answer.bytes_stream(), path, most).await.map_err(|error| error.to_string())?)
        }
    }
}

async fn follow(
    (named, led_to): Fetchers<'_>,
    address: &str,
    headers: &HeaderMap,
) -> Result<Response, Missed> {
    let first = Url::parse(address).map_err(|error| error.to_string())?;
    let mut url = first.clone();
    for step in 0..=REDIRECTS_MAX {
        // Where an address leads is judged like one that anybody names.
        let fetcher = if step == 0 { named } else { led_to };
        let own = if url.origin() == first.origin() { headers.clone() } else { HeaderMap::new() };
        let answer = ask(fetcher, url.clone(), own).await?;
        match answer.status() {
            StatusCode::OK => return Ok(answer),
            status if status.is_redirection() => url = next(&url, &answer)?,
            status @ (StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE) => return Err(Missed::Gone(status.to_string())),
            // The body of any other answer is a part, a promise or a page, even where it looks like a video.
            status => return Err(status.to_string().into()),
        }
    }
    Err("it is redirected too often".to_owned().into())
}

async fn ask(fetcher: &GuardedClient, url: Url, headers: HeaderMap) -> Result<Response, String> {
    let request = fetcher.request(Method::GET, url).map_err(|refused| refused.to_string())?;
    request.headers(headers).send().await.map_err(|error| error.without_url().to_string())
}

fn next(url: &Url, answer: &Response) -> Result<Url, String> {
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let next = location.and_then(|location| url.join(location).ok());
    next.ok_or_else(|| format!("{} leads nowhere", answer.status()))
}
