//! `POST /callbacks/{provider}/{token}`: providers calling us. What they say is kept before they are answered, and is nothing
//! but a reason to ask them.
//!
//! No part of the API: the description does not name it. The token says which attempt is meant, and nobody can make one up; it
//! is not logged.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use poem::endpoint::make;
use poem::http::{HeaderMap, StatusCode};
use poem::web::Json;
use poem::{IntoResponse, Request, Response, Route, post};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::app::App;
use crate::db;
use crate::video::inbox::Arrived;

pub const PATHS: [(&str, &[&str]); 1] = [("/callbacks/{provider}/{token}", &["POST"])];

const PREFIX: &str = "/callbacks/";
/// Callbacks are reports, not clips.
const BODY_MAX: usize = 256 * 1024;
const HEADER_MAX: usize = 1_024;
/// Headers that say nothing about a callback and should not lie about.
const NOT_KEPT: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Adds the route.
pub fn routes(route: Route, app: Arc<App>) -> Route {
    let hear = make(move |request| hear(app.clone(), request));
    route.at("/callbacks/:provider/:token", post(hear))
}

/// A path as it may be logged.
pub fn loggable(path: &str) -> Cow<'_, str> {
    match path.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')) {
        Some((provider, _)) => format!("{PREFIX}{provider}/…").into(),
        None => path.into(),
    }
}

async fn hear(app: Arc<App>, mut request: Request) -> poem::Result<Response> {
    let (provider, token) = request.path_params::<(String, String)>()?;
    let known = app.read_callback(&provider, &token).zip(app.providers.get(&provider));
    let ((task, attempt), instance) = known.ok_or(ApiError::UnknownPath)?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let headers = kept_headers(request.headers());
    let body = request.take_body().into_bytes_limit(BODY_MAX).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    if let Some(challenge) = challenge(instance.challenge, &body) {
        return Ok(Json(challenge).into_response());
    }
    let content = json!({ "path": path, "headers": headers, "body": body }).to_string();
    let kept = app.video.arrived(Arrived { provider, task, attempt, content }).await;
    kept.map_err(|error| ApiError::database(db::fault(&error), error))?;
    Ok(Json(json!({ "ok": true })).with_status(StatusCode::OK).into_response())
}

/// What has to be sent back at once, where the provider asks whether somebody is here before it says anything else.
fn challenge(member: Option<&str>, body: &str) -> Option<Value> {
    let member = member?;
    let said: Value = serde_json::from_str(body).ok()?;
    let members = said.as_object().filter(|members| members.len() == 1)?;
    Some(json!({ member: members.get(member)? }))
}

fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter(|(name, value)| value.len() <= HEADER_MAX && !NOT_KEPT.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_sent_back_as_it_came() {
        let asked = r#"{"challenge":"abc-1"}"#;
        assert_eq!(challenge(Some("challenge"), asked), Some(json!({ "challenge": "abc-1" })));
        // Nothing else is.
        assert_eq!(challenge(None, asked), None);
        for said in [r#"{"challenge":"abc","task_id":"t1"}"#, r#"{"task_id":"t1"}"#, "[]", "abc", ""] {
            assert_eq!(challenge(Some("challenge"), said), None, "{said}");
        }
    }

    #[test]
    fn a_token_is_not_logged() {
        assert_eq!(loggable("/callbacks/kie/abcdef"), "/callbacks/kie/…");
        assert_eq!(loggable("/v1/videos/video_1"), "/v1/videos/video_1");
    }
}
