//! Where the description is served: without a key, made once, and not sent again to who has it.

use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use poem::http::StatusCode;
use poem::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use poem::{Request, Response, Route, endpoint::make_sync, get};
use sha2::{Digest, Sha256};

use super::{document, json, page, yaml};
use crate::http::error::ApiError;
use crate::media::{Asked, Plan, Representation, plan};

/// The paths of the description, which are no operations of the API.
pub const PATHS: [(&str, &[&str]); 7] = [
    ("/openapi.json", &["GET"]),
    ("/openapi.yaml", &["GET"]),
    ("/openapi-3.0.json", &["GET"]),
    ("/docs", &["GET"]),
    ("/docs/ui.js", &["GET"]),
    ("/docs/ui.css", &["GET"]),
    ("/docs/start.js", &["GET"]),
];

/// Asks whether it is current every time.
const FRESH: &str = "no-cache";
/// For an address that changes with its content.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Something that is the same for everybody.
struct File {
    path: &'static str,
    media_type: &'static str,
    caching: &'static str,
    etag: String,
    body: Bytes,
}

/// Adds these routes. `old` is the 3.0 document.
pub fn routes(mut route: Route, old: String, page: fn() -> String, public_url: Option<String>) -> Route {
    let files = Arc::new(OnceLock::new());
    let source = Arc::new((old, page, public_url));
    for (path, _) in PATHS {
        let (files, source) = (files.clone(), source.clone());
        let answer = move |request: Request| -> poem::Result<Response> {
            let made = files.get_or_init(|| made(&source.0, source.1, source.2.as_deref()));
            let files = made.as_ref().map_err(|error| ApiError::internal(anyhow::anyhow!("{error:#}")))?;
            let file = files.iter().find(|file| file.path == path).ok_or(ApiError::UnknownPath)?;
            Ok(file.answer(&request))
        };
        route = route.at(path, get(make_sync(answer)));
    }
    route
}

/// Takes a moment and some memory, so it waits until somebody asks.
fn made(old: &str, page: fn() -> String, public_url: Option<&str>) -> anyhow::Result<Vec<File>> {
    let document = document(old, public_url)?;
    let parts = page::parts(&page())?;
    Ok(vec![
        File::new("/openapi.json", "application/json; charset=utf-8", FRESH, json(&document)?),
        File::new("/openapi.yaml", "application/yaml; charset=utf-8", FRESH, yaml(&document)?),
        File::new("/openapi-3.0.json", "application/json; charset=utf-8", FRESH, old.to_owned()),
        File::new("/docs", "text/html; charset=utf-8", FRESH, parts.html),
        File::new("/docs/ui.js", "text/javascript; charset=utf-8", FOREVER, parts.script),
        File::new("/docs/ui.css", "text/css; charset=utf-8", FOREVER, parts.style),
        File::new("/docs/start.js", "text/javascript; charset=utf-8", FOREVER, parts.start),
    ])
}

/// A name of a content that no other content has.
pub fn fingerprint(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..12])
}

impl File {
    fn new(path: &'static str, media_type: &'static str, caching: &'static str, text: String) -> File {
        let etag = format!("\"{}\"", fingerprint(&text));
        File { path, media_type, caching, etag, body: text.into() }
    }

    fn answer(&self, request: &Request) -> Response {
        let response = Response::builder().header(ETAG, &self.etag).header(CACHE_CONTROL, self.caching);
        if self.is_known_to(request) {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
        let response = response.content_type(self.media_type);
        match self.path {
            "/docs" => response.header("content-security-policy", page::POLICY).body(self.body.clone()),
            _ => response.body(self.body.clone()),
        }
    }

    fn is_known_to(&self, request: &Request) -> bool {
        let tags = request.headers().get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags: Vec<&str> = tags.collect();
        let tags = tags.join(",");
        let asked = Asked { if_none_match: (!tags.is_empty()).then_some(&tags), ..Asked::default() };
        // Nothing here has a date.
        let have =
            Representation { len: self.body.len() as u64, etag: &self.etag, last_modified: UNIX_EPOCH };
        plan(&asked, &have) == Plan::NotModified
    }
}
