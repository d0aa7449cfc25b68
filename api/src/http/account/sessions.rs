//! `/api/auth/sessions`: where somebody is signed in.

use std::sync::Arc;

use entity::{SessionId, Timestamp};
use poem::http::header::SET_COOKIE;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};

use super::auth::Done;
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::session::{Session, cookies};
use crate::http::error::ApiError;
use crate::http::value::{Moment, Shown};

pub struct Sessions;

/// Where somebody is signed in, the newest first.
#[derive(Debug, Object)]
struct SessionList {
    data: Vec<SessionBody>,
}

/// A browser that is signed in.
#[derive(Debug, Object)]
#[oai(rename = "Session", rename_all = "camelCase")]
struct SessionBody {
    id: String,
    created_at: Moment,
    /// To the minute.
    seen_at: Moment,
    /// Where it signed in from.
    address: String,
    /// What the browser calls itself.
    agent: String,
    /// Whether it is the one that asks.
    current: bool,
}

#[OpenApi(tag = "Tag::Account")]
impl Sessions {
    /// List my sessions
    ///
    /// Everywhere that you are signed in, the newest first; at most 100.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/sessions", method = "get", operation_id = "listSessions")]
    async fn list(&self, app: Data<&Arc<App>>, session: Session) -> Result<Json<SessionList>, ApiError> {
        let open = app.reception.sessions(&session).await?;
        let data = open.into_iter().map(|open| body(open, session.id())).collect();
        Ok(Json(SessionList { data }))
    }

    /// Sign out everywhere else
    ///
    /// Ends all of your sessions but this one.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/sessions", method = "delete", operation_id = "deleteOtherSessions")]
    async fn end_others(&self, app: Data<&Arc<App>>, session: Session) -> Result<Done, ApiError> {
        app.reception.end_other_sessions(&session).await?;
        Ok(Done::Done)
    }

    /// End a session
    ///
    /// Ends one of your sessions. Somebody else's is not found.
    ///
    /// Scope: a session.
    #[oai(path = "/api/auth/sessions/:id", method = "delete", operation_id = "deleteSession")]
    async fn end(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        /// The session's id.
        id: Path<String>,
    ) -> Result<Response<Done>, ApiError> {
        let id: SessionId = id.parse().map_err(|_| ApiError::SessionNotFound)?;
        if !app.reception.end_session(&session, id).await? {
            return Err(ApiError::SessionNotFound);
        }
        let done = Response::new(Done::Done);
        Ok(if id == session.id() { done.header(SET_COOKIE, cookies(&app).clear()) } else { done })
    }
}

fn body(open: web_session::Session, asking: SessionId) -> SessionBody {
    let id = SessionId(open.id);
    SessionBody {
        id: id.to_string(),
        created_at: Shown(Timestamp::from_micros(open.created_at)),
        seen_at: Shown(Timestamp::from_micros(open.seen_at)),
        address: open.address,
        agent: open.agent,
        current: id == asking,
    }
}
