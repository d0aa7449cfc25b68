//! What people are shown of themselves, and the answers that set their cookie.

use poem::http::header::SET_COOKIE;
use poem_openapi::Object;
use poem_openapi::payload::{Json, Response};
use poem_openapi::types::{ToJSON, Type};

use crate::app::App;
use crate::customer::person::{Customer, Place};
use crate::customer::reception::SignedIn;
use crate::http::auth::session::{cookies, id};
use crate::http::error::ApiError;

/// Who is signed in.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Me {
    user: UserBody,
    /// Null for staff.
    #[oai(nullable)]
    customer: Option<CustomerBody>,
    /// `live` or `test`: whose credits and tasks this session sees. `POST /api/auth/mode` switches.
    mode: String,
    /// Send it as `X-CSRF-Token` where a browser says neither `Origin` nor `Sec-Fetch-Site`. It changes with the cookie.
    csrf_token: String,
    /// Whether signing in takes a second factor.
    totp_enabled: bool,
    session_id: String,
    /// Whether people need an invite code to register.
    closed_beta: bool,
}

/// A person.
#[derive(Debug, Object)]
#[oai(rename = "User", rename_all = "camelCase", skip_serializing_if_is_none)]
struct UserBody {
    id: String,
    email: String,
    /// `owner`, `developer`, `viewer` or `billing`; absent for staff.
    role: Option<String>,
    /// Of a member of staff.
    staff_role: Option<String>,
}

/// Who pays.
#[derive(Debug, Object)]
#[oai(rename = "Customer", rename_all = "camelCase")]
struct CustomerBody {
    id: String,
    name: String,
    /// Whether they may make API keys and videos.
    admitted: bool,
}

pub type Answer<T> = Result<Response<Json<T>>, ApiError>;

pub fn me(app: &App, who: &SignedIn) -> Me {
    Me {
        user: user(who),
        customer: who.person.customer().map(customer),
        mode: who.session.mode.clone(),
        csrf_token: who.token.csrf(),
        totp_enabled: who.person.has_second_factor,
        session_id: id(who).to_string(),
        closed_beta: app.reception.is_closed_beta(),
    }
}

fn user(who: &SignedIn) -> UserBody {
    let (role, staff_role) = match who.person.place {
        Place::Member { role, .. } => (Some(role.as_str().to_owned()), None),
        Place::Staff(role) => (None, Some(role.as_str().to_owned())),
    };
    UserBody { id: who.person.id.to_string(), email: who.person.email.clone(), role, staff_role }
}

fn customer(customer: &Customer) -> CustomerBody {
    let Customer { id, name, is_admitted, .. } = customer;
    CustomerBody { id: id.to_string(), name: name.clone(), admitted: *is_admitted }
}

/// Somebody is signed in from here on, with a new cookie.
pub fn signed_in(app: &App, who: &SignedIn) -> Response<Json<Me>> {
    with_cookie(app, who, me(app, who))
}

/// An answer with the cookie that belongs to a session's new token.
pub fn with_cookie<T: Type + ToJSON>(app: &App, who: &SignedIn, body: T) -> Response<Json<T>> {
    Response::new(Json(body)).header(SET_COOKIE, cookies(app).set(&who.token))
}
