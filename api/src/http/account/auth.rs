//! `/api/auth/register`, `/login`, `/logout`, `/me` and `/mode`.

use std::sync::Arc;

use entity::Mode;
use poem::http::header::SET_COOKIE;
use poem::web::Data;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::form::Form;
use super::view::{Answer, Me, me, signed_in};
use crate::app::App;
use crate::customer::reception::{Credentials, Registration};
use crate::http::Tag;
use crate::http::auth::session::{Session, Visitor, cookies};
use crate::http::body::{Fields, JsonObject};
use crate::http::error::ApiError;
use crate::http::value::ModeName;

const NAME_CHARS: usize = 100;

pub struct Auth;

/// Somebody new.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RegisterBody {
    email: String,
    /// At least 10 characters, at most 1024 bytes.
    password: String,
    /// Of the company; by default what stands before the @.
    name: Option<String>,
    /// Required while in closed beta.
    invite_code: Option<String>,
}

/// Somebody who has registered.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct LoginBody {
    email: String,
    password: String,
    /// The authenticator app's code, or a recovery code, if the second factor is on.
    totp_code: Option<String>,
}

/// The mode to switch to.
#[derive(Debug, Object)]
struct ModeBody {
    mode: ModeName,
}

/// Done; there is nothing to say.
#[derive(ApiResponse)]
pub enum Done {
    /// Done.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(tag = "Tag::Account")]
impl Auth {
    /// Register
    ///
    /// Makes a customer with a live and a test account, and signs its owner in. While in closed beta an invite code is
    /// needed, and admits; otherwise a customer without one waits until they are let in, and makes no API keys before.
    ///
    /// Scope: none.
    #[oai(path = "/api/auth/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        app: Data<&Arc<App>>,
        visitor: Visitor,
        body: JsonObject<RegisterBody>,
    ) -> Answer<Me> {
        let who = app.reception.register(registration(body.fields)?, &visitor.visit).await?;
        visitor.leave(&app).await?;
        Ok(signed_in(&app, &who))
    }

    /// Sign in
    ///
    /// Sets the session's cookie; a session that this browser had before ends. With a second factor the first try without
    /// a code is 401 `totp_required`. Too many wrong tries are 429 with `Retry-After`.
    ///
    /// A session ends 12 hours after it was last used, and after 30 days. It begins in test mode.
    ///
    /// Scope: none.
    #[oai(path = "/api/auth/login", method = "post", operation_id = "login")]
    async fn login(&self, app: Data<&Arc<App>>, visitor: Visitor, body: JsonObject<LoginBody>) -> Answer<Me> {
        let who = app.reception.sign_in(credentials(body.fields)?, &visitor.visit).await?;
        visitor.leave(&app).await?;
        Ok(signed_in(&app, &who))
    }

    /// Sign out
    ///
    /// Ends the session, at once and everywhere.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, app: Data<&Arc<App>>, session: Session) -> Result<Response<Done>, ApiError> {
        app.reception.leave(&session.token).await?;
        Ok(Response::new(Done::Done).header(SET_COOKIE, cookies(&app).clear()))
    }

    /// Read who is signed in
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/me", method = "get", operation_id = "getMe")]
    async fn me(&self, app: Data<&Arc<App>>, session: Session) -> Result<Json<Me>, ApiError> {
        Ok(Json(me(&app, &session)))
    }

    /// Switch between live and test
    ///
    /// From here on this session sees and spends the credits of the other mode. Live and test never meet.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/mode", method = "post", operation_id = "setMode")]
    async fn mode(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        body: JsonObject<ModeBody>,
    ) -> Result<Json<Me>, ApiError> {
        let who = app.reception.set_mode(&session, wanted_mode(body.fields)?).await?;
        Ok(Json(me(&app, &who)))
    }
}

fn registration(fields: Fields) -> Result<Registration, ApiError> {
    let mut form = Form::new(fields);
    let registration = Registration {
        email: form.email("email"),
        password: form.new_password("password"),
        name: form.line("name", NAME_CHARS),
        invite: form.optional_secret("inviteCode"),
    };
    form.finish().map(|()| registration)
}

fn credentials(fields: Fields) -> Result<Credentials, ApiError> {
    let mut form = Form::new(fields);
    let credentials = Credentials {
        email: form.email("email"),
        password: form.secret("password"),
        code: form.optional_secret("totpCode"),
    };
    form.finish().map(|()| credentials)
}

fn wanted_mode(fields: Fields) -> Result<Mode, ApiError> {
    let mut form = Form::new(fields);
    let known = |text: &str| [Mode::Live, Mode::Test].into_iter().find(|mode| mode.as_str() == text);
    let mode = form.word("mode", "live or test", known);
    form.finish().map(|()| mode.unwrap_or(Mode::Test))
}
