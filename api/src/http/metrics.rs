//! `GET /metrics`, for operators: on an address of its own without a key, and on the ordinary one with one, if there is one.
//!
//! No part of the API: the description does not name it, and without a key in the settings there is no such path.

use std::sync::Arc;

use poem::endpoint::make;
use poem::http::Method;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, handler};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::auth;
use super::error::ApiError;
use crate::app::App;
use crate::scrape;

pub const PATH: &str = "/metrics";

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An address that serves nothing else, also in a process that does only the work.
pub fn endpoint(app: App) -> impl Endpoint<Output = Response> {
    let metrics = make(move |_| {
        let app = app.clone();
        async move { Ok::<_, poem::Error>(text(&app).await) }
    });
    Route::new().at(PATH, get(metrics)).at("/healthz", get(alive)).map_to_response()
}

#[handler]
fn alive() -> &'static str {
    "ok\n"
}

/// The path on the ordinary address.
pub fn on_ordinary_address(app: Arc<App>) -> impl Endpoint<Output = Response> {
    make(move |request| answer(app.clone(), request))
}

async fn answer(app: Arc<App>, request: Request) -> poem::Result<Response> {
    let Some(key) = &app.config.metrics_key else { return Err(ApiError::UnknownPath.into()) };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(ApiError::MethodNotAllowed { allow: "GET, HEAD".to_owned() }.into());
    }
    let given = auth::secret(request.headers())?.ok_or(ApiError::Unauthorized)?;
    if !is_same(key, &given) {
        return Err(ApiError::Unauthorized.into());
    }
    Ok(text(&app).await)
}

/// Compares digests, which are of one length, without a hint of how much was right.
fn is_same(key: &SecretString, given: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(key.expose_secret()).as_slice().ct_eq(digest(given).as_slice()).into()
}

async fn text(app: &App) -> Response {
    scrape::text(app).await.with_content_type(TEXT).into_response()
}
