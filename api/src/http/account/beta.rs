//! `/api/beta`: getting in while in closed beta.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::form::Form;
use super::password::Noted;
use super::view::{Me, me};
use crate::app::App;
use crate::customer::access::Wish;
use crate::http::Tag;
use crate::http::auth::session::{Session, Visitor};
use crate::http::body::{Fields, JsonObject};
use crate::http::error::ApiError;

const NOTE_CHARS: usize = 500;

pub struct Beta;

/// Who asks to be let in.
#[derive(Debug, Object)]
struct RequestBody {
    /// Required unless you are signed in.
    email: Option<String>,
    /// What you want to do, in a line of at most 500 characters.
    note: Option<String>,
}

/// An invitation.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RedeemBody {
    invite_code: String,
}

#[OpenApi(tag = "Tag::Account")]
impl Beta {
    /// Ask to be let in
    ///
    /// With your address, or signed in. The answer is the same for everybody.
    ///
    /// Scope: none.
    #[oai(path = "/api/beta/request", method = "post", operation_id = "requestAccess")]
    async fn request(
        &self,
        app: Data<&Arc<App>>,
        visitor: Visitor,
        request: &Request,
        body: JsonObject<RequestBody>,
    ) -> Result<Noted, ApiError> {
        let session = visitor.session(request).await?;
        let wish = wish(body.fields, session.as_ref())?;
        app.reception.request_access(wish, &visitor.visit).await?;
        Ok(Noted::new("Your request is noted; we answer by mail"))
    }

    /// Redeem an invite code
    ///
    /// Lets your customer in, if they still wait for it. Whoever is in already uses nothing up.
    ///
    /// Scope: a session.
    #[oai(path = "/api/beta/redeem", method = "post", operation_id = "redeemInvite")]
    async fn redeem(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        body: JsonObject<RedeemBody>,
    ) -> Result<Json<Me>, ApiError> {
        let mut form = Form::new(body.fields);
        let code = form.secret("inviteCode");
        form.finish()?;
        let who = app.reception.redeem_invite(&session, code).await?;
        Ok(Json(me(&app, &who)))
    }
}

/// Whoever is signed in asks for themselves and for nobody else.
fn wish(fields: Fields, session: Option<&Session>) -> Result<Wish, ApiError> {
    let mut form = Form::new(fields);
    let given = form.optional_email("email");
    let note = form.line("note", NOTE_CHARS).unwrap_or_default();
    if given.is_none() && session.is_none() {
        form.require("email");
    }
    form.finish()?;
    let own = session.map(|session| session.person.email.clone());
    let customer = session.and_then(|session| session.person.customer()).map(|customer| customer.id);
    Ok(Wish { email: own.or(given).unwrap_or_default(), customer, note })
}
