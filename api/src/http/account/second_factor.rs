//! `/api/auth/totp`: an authenticator app as the second factor.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use secrecy::ExposeSecret;
use web_session::totp;

use super::form::Form;
use super::view::{Answer, Me, me, signed_in, with_cookie};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::session::Session;
use crate::http::body::JsonObject;
use crate::http::error::ApiError;

/// What an app calls us.
const ISSUER: &str = "Reelmeter";

pub struct SecondFactor;

/// A proof that it is you.
#[derive(Debug, Object)]
struct ProofBody {
    password: String,
}

/// The app's first code.
#[derive(Debug, Object)]
struct CodeBody {
    code: String,
}

/// Proofs that it is you.
#[derive(Debug, Object)]
struct RemoveBody {
    password: String,
    /// The app's code, or a recovery code, if the second factor is on.
    code: Option<String>,
}

/// What the app needs to know. Shown this once.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AppSecret {
    /// To type, in base 32.
    secret: String,
    /// To scan, as a QR code.
    otpauth_url: String,
}

/// The second factor is on.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Confirmed {
    /// Each is good once in place of a code. Shown this once: keep them where the phone is not.
    recovery_codes: Vec<String>,
    me: Me,
}

#[OpenApi(tag = "Tag::Account")]
impl SecondFactor {
    /// Begin with a second factor
    ///
    /// Answers with a secret for an authenticator app (six digits, 30 seconds, SHA-1). Nothing is asked for before the app's
    /// first code is confirmed; begun anew, the secret is another.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/totp", method = "post", operation_id = "beginTotp")]
    async fn begin(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        body: JsonObject<ProofBody>,
    ) -> Result<Json<AppSecret>, ApiError> {
        let mut form = Form::new(body.fields);
        let password = form.secret("password");
        form.finish()?;
        let secret = app.reception.begin_second_factor(&session, password).await?;
        let url = totp::url(&secret, ISSUER, &session.person.email).map_err(internal)?;
        let secret = totp::base32(&secret).map_err(internal)?;
        Ok(Json(AppSecret { secret, otpauth_url: url }))
    }

    /// Turn the second factor on
    ///
    /// With the app's first code. From here on signing in takes a code, and each code is good once. This session gets a new
    /// cookie.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/totp/confirm", method = "post", operation_id = "confirmTotp")]
    async fn confirm(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        body: JsonObject<CodeBody>,
    ) -> Answer<Confirmed> {
        let mut form = Form::new(body.fields);
        let code = form.secret("code");
        form.finish()?;
        let (who, codes) = app.reception.confirm_second_factor(&session, code).await?;
        let recovery_codes = codes.iter().map(|code| code.expose_secret().to_owned()).collect();
        Ok(with_cookie(&app, &who, Confirmed { recovery_codes, me: me(&app, &who) }))
    }

    /// Turn the second factor off
    ///
    /// Takes the password and, if the second factor is on, a code. Recovery codes are worthless then. This session gets a new
    /// cookie.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/totp", method = "delete", operation_id = "deleteTotp")]
    async fn remove(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        body: JsonObject<RemoveBody>,
    ) -> Answer<Me> {
        let mut form = Form::new(body.fields);
        let (password, code) = (form.secret("password"), form.optional_secret("code"));
        form.finish()?;
        let who = app.reception.remove_second_factor(&session, password, code).await?;
        Ok(signed_in(&app, &who))
    }
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::internal(anyhow::anyhow!("{error}"))
}
