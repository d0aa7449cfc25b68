//! `/api/auth/password`: changing it, and choosing another when it is forgotten.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use secrecy::ExposeSecret;
use web_session::Token;

use super::auth::Done;
use super::form::Form;
use super::view::{Answer, Me, signed_in};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::session::{Session, Visitor};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;

pub struct Password;

/// The old password and the new one.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ChangeBody {
    current_password: String,
    /// At least 10 characters, at most 1024 bytes.
    new_password: String,
}

/// Who has forgotten their password.
#[derive(Debug, Object)]
struct ForgotBody {
    email: String,
}

/// A link's token and the new password.
#[derive(Debug, Object)]
struct ResetBody {
    /// What stands behind `#token=` in the link.
    token: String,
    /// At least 10 characters, at most 1024 bytes.
    password: String,
}

/// The same for everybody.
#[derive(ApiResponse)]
pub enum Noted {
    /// Noted.
    #[oai(status = 202)]
    Noted(Json<NotedBody>),
}

/// What happens next.
#[derive(Debug, Object)]
pub struct NotedBody {
    message: String,
}

impl Noted {
    pub fn new(message: &str) -> Self {
        Noted::Noted(Json(NotedBody { message: message.to_owned() }))
    }
}

#[OpenApi(tag = "Tag::Account")]
impl Password {
    /// Change my password
    ///
    /// Ends your other sessions and gives this one a new cookie. Links for choosing a password are worthless then.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/password", method = "post", operation_id = "changePassword")]
    async fn change(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        body: JsonObject<ChangeBody>,
    ) -> Answer<Me> {
        let mut form = Form::new(body.fields);
        let (current, new) = (form.secret("currentPassword"), form.new_password("newPassword"));
        form.finish()?;
        let who = app.reception.change_password(&session, current, new).await?;
        Ok(signed_in(&app, &who))
    }

    /// Ask for a new password
    ///
    /// Mails a link, good once and for an hour, if somebody has registered with this address. The answer is the same for
    /// everybody.
    ///
    /// Scope: none.
    #[oai(path = "/api/auth/password/forgot", method = "post", operation_id = "forgotPassword")]
    async fn forgot(
        &self,
        app: Data<&Arc<App>>,
        visitor: Visitor,
        body: JsonObject<ForgotBody>,
    ) -> Result<Noted, ApiError> {
        let mut form = Form::new(body.fields);
        let email = form.email("email");
        form.finish()?;
        app.reception.forgot_password(email, &visitor.visit).await?;
        Ok(Noted::new("If somebody has registered with this address, a link is on its way to it"))
    }

    /// Choose a new password
    ///
    /// By the token of a link. Ends every session of its owner; their second factor stays. A link that has expired or was
    /// used is 410 `reset_invalid`.
    ///
    /// Scope: none.
    #[oai(path = "/api/auth/password/reset", method = "post", operation_id = "resetPassword")]
    async fn reset(
        &self,
        app: Data<&Arc<App>>,
        visitor: Visitor,
        body: JsonObject<ResetBody>,
    ) -> Result<Done, ApiError> {
        let mut form = Form::new(body.fields);
        let (token, password) = (form.secret("token"), form.new_password("password"));
        form.finish()?;
        let token = Token::parse(token.expose_secret()).ok_or(ApiError::ResetInvalid)?;
        app.reception.reset_password(&token, password, &visitor.visit).await?;
        Ok(Done::Done)
    }
}
