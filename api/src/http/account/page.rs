//! `GET /reset-password`: the page that a link for choosing a password opens.
//!
//! The link's token is in the address's fragment, which browsers never send: the page's script passes it on in a body. Nothing
//! in the page is inline and nothing comes from elsewhere, which the browser is told to insist on.

use poem::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use poem::{Response, Route, endpoint::make_sync, get};

const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The paths of the page, which are no operations of the API.
pub const PATHS: [(&str, &[&str]); 3] = [
    ("/reset-password", &["GET"]),
    ("/reset-password/reset.js", &["GET"]),
    ("/reset-password/reset.css", &["GET"]),
];

/// Content type and text of each path.
const FILES: [(&str, &str); 3] = [
    ("text/html; charset=utf-8", include_str!("page/reset.html")),
    ("text/javascript; charset=utf-8", include_str!("page/reset.js")),
    ("text/css; charset=utf-8", include_str!("page/reset.css")),
];

/// Adds these routes.
pub fn routes(route: Route) -> Route {
    let files = PATHS.iter().zip(FILES);
    files.fold(route, |route, ((path, _), (content_type, text))| {
        route.at(path, get(make_sync(move |_| file(content_type, text))))
    })
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    Response::builder()
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header(X_FRAME_OPTIONS, "DENY")
        .body(text)
}
