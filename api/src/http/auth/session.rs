//! Who has signed in: the session of the request's cookie.
//!
//! A cookie comes by itself, whoever makes the browser send the request. So a request that changes something has to come from
//! our own pages, or with the page's token: that is checked here, where the session is found, so it can't be forgotten.

use std::ops::Deref;
use std::sync::Arc;

use entity::{Mode, SessionId};
use poem::http::HeaderMap;
use poem::http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, ORIGIN};
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use web_session::csrf::{self, Asked};
use web_session::{Cookies, Token};

use super::{app, secret};
use crate::app::App;
use crate::customer::caller::Identity;
use crate::customer::reception::{SignedIn, Visit};
use crate::db::fault;
use crate::http::error::ApiError;
use crate::http::peer;

/// Its name in the API's description.
pub const SCHEME: &str = "session";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const USER_AGENT_CHARS: usize = 1_000;

/// A person who has signed in, of a customer or of the staff.
#[derive(Clone, Debug)]
pub struct Session(SignedIn);

impl Deref for Session {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl<'a> ApiExtractor<'a> for Session {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_scheme(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        if secret(request.headers())?.is_some() {
            return Err(ApiError::SessionRequired.into());
        }
        Ok(find(request).await?)
    }
}

/// Describes the cookie.
pub fn register_scheme(registry: &mut Registry) {
    let scheme = MetaSecurityScheme {
        ty: "apiKey",
        description: Some(
            "The cookie that signing in sets (`session` on a local server without https). A request that changes something \
             must come from a page of this site, or carry `X-CSRF-Token` with the token of `GET /api/auth/me`.",
        ),
        name: Some("__Host-session"),
        key_in: Some("cookie"),
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    registry.create_security_scheme(SCHEME, scheme);
}

/// The session of the request's cookie.
async fn find(request: &Request) -> Result<Session, ApiError> {
    let app = app(request)?;
    let token = cookie(app, request.headers()).ok_or(ApiError::Unauthorized)?;
    let found = app.reception.find(&token).await?.ok_or(ApiError::Unauthorized)?;
    if csrf::is_allowed(&asked(request), &app.config.origin(), &token) {
        Ok(Session(found))
    } else {
        Err(ApiError::CsrfRefused)
    }
}

/// For which customer the session's person asks, in the mode that the session is in.
pub async fn identity(request: &Request) -> Result<Identity, ApiError> {
    let session = find(request).await?;
    let app = app(request)?;
    let customer = session.person.customer().ok_or(ApiError::NoCustomer)?;
    let identity = session.person.identity(app.db.read(), session.id(), session.mode()?).await;
    let identity = identity.map_err(|error| ApiError::database(fault(&error), error))?;
    identity.ok_or_else(|| ApiError::internal(anyhow::anyhow!("{} has no account", customer.id)))
}

impl Session {
    pub fn id(&self) -> SessionId {
        id(&self.0)
    }

    pub fn mode(&self) -> Result<Mode, ApiError> {
        mode(&self.0)
    }
}

pub fn id(who: &SignedIn) -> SessionId {
    SessionId(who.session.id)
}

pub fn mode(who: &SignedIn) -> Result<Mode, ApiError> {
    let known = [Mode::Live, Mode::Test].into_iter().find(|mode| mode.as_str() == who.session.mode);
    known.ok_or_else(|| ApiError::internal(anyhow::anyhow!("{} is in no mode", id(who))))
}

/// How cookies are written on this server.
pub fn cookies(app: &App) -> Cookies {
    Cookies::new(!app.config.is_local_http())
}

fn cookie(app: &App, headers: &HeaderMap) -> Option<Token> {
    cookies(app).read(headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()))
}

fn asked(request: &Request) -> Asked<'_> {
    let headers = request.headers();
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    Asked {
        method: request.method().as_str(),
        sec_fetch_site: text(&SEC_FETCH_SITE),
        origin: text(&ORIGIN),
        host: text(&HOST),
        content_type: text(&CONTENT_TYPE),
        token: text(&CSRF_TOKEN),
    }
}

/// Somebody who has not said who they are, or not yet.
#[derive(Debug)]
pub struct Visitor {
    pub visit: Visit,
    /// The cookie that came along. It is never adopted.
    cookie: Option<Token>,
}

impl<'a> FromRequest<'a> for Visitor {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let app = app(request)?;
        // Another site must not sign our visitors in as somebody else.
        if csrf::is_foreign(&asked(request), &app.config.origin()) {
            return Err(ApiError::CsrfRefused.into());
        }
        let agent = request.header(poem::http::header::USER_AGENT).unwrap_or_default();
        let agent = agent.chars().take(USER_AGENT_CHARS).collect();
        let visit = Visit { address: peer::address(request)?, agent };
        Ok(Visitor { visit, cookie: cookie(app, request.headers()) })
    }
}

impl Visitor {
    /// Ends the session of whoever used this browser before.
    pub async fn leave(&self, app: &Arc<App>) -> Result<(), ApiError> {
        match &self.cookie {
            Some(token) => Ok(app.reception.leave(token).await?),
            None => Ok(()),
        }
    }

    /// The session of the cookie, if the visitor is signed in and means it.
    pub async fn session(&self, request: &Request) -> Result<Option<Session>, ApiError> {
        match find(request).await {
            Ok(session) => Ok(Some(session)),
            Err(ApiError::Unauthorized) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
