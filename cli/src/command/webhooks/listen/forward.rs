//! Sending on what came, unchanged, to a server of the customer's own. It never gets our key.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use serde_json::Value;
use url::Url;

use crate::failure::Failure;
use crate::output::cell;

/// As long as the server waits for an endpoint.
const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Forward {
    http: reqwest::Client,
    pub url: Url,
}

/// What became of one event.
pub struct Told {
    /// The event's id, as it is sent in `webhook-id`.
    pub event: String,
    /// The status that was answered, or why there was none.
    pub outcome: Result<u16, String>,
}

impl Forward {
    pub fn to(url: Url) -> Result<Forward, Failure> {
        // As for an endpoint a redirect is an answer; and what is near needs no proxy.
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(TIMEOUT).build();
        Ok(Forward { http: http.map_err(Failure::local("could not prepare requests"))?, url })
    }

    /// `data` is the streamed webhook: its headers and its body.
    pub async fn send(&self, data: &str) -> Told {
        let webhook: Value = serde_json::from_str(data).unwrap_or_default();
        let headers = webhook["headers"].as_object();
        let (Some(headers), Some(body)) = (headers, webhook["body"].as_str()) else {
            let outcome = Err("the server sent what is no webhook; it was left out".to_owned());
            return Told { event: String::new(), outcome };
        };
        let mut request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let answer = request.body(body.to_owned()).send().await;
        let outcome = answer
            .map(|answer| answer.status().as_u16())
            .map_err(|error| Failure::network(error, self.url.as_str()).message.clone());
        Told { event: cell(&headers.get("webhook-id").cloned().unwrap_or_default()), outcome }
    }
}

/// `localhost:3000/hooks` is meant as http.
pub fn target(text: &str) -> Result<Url, String> {
    let has_scheme = text.starts_with("http://") || text.starts_with("https://");
    let whole = if has_scheme { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|error| error.to_string())?;
    if has_scheme || !text.contains("://") {
        Ok(url)
    } else {
        Err("only http and https can be sent to".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_scheme_is_meant_as_http() {
        for (text, url) in [
            ("localhost:3000/hooks", Some("http://localhost:3000/hooks")),
            ("https://example.com", Some("https://example.com/")),
            ("ftp://example.com", None),
            ("", None),
        ] {
            assert_eq!(target(text).ok().as_ref().map(Url::as_str), url, "{text}");
        }
    }
}
