//! `GET /api/v1/jobs/recordInfo` and `GET /api/v1/chat/credit`.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Response};

use super::super::record::polled;
use super::view::{Answer, Record, record};
use crate::app::App;
use crate::db;
use crate::http::Tag;
use crate::http::auth::{BillingRead, Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::live::wait::find;
use crate::http::value::{Amount, Shown};
use crate::ledger::read::balance;

pub struct Read;

#[OpenApi(tag = "Tag::Jobs")]
impl Read {
    /// Read a task
    ///
    /// Poll it every 2 seconds until `state` is `success` or `fail`. Somebody else's task is not found.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/v1/jobs/recordInfo", method = "get", operation_id = "getJob")]
    async fn record(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The task's id, in any dialect's spelling.
        #[oai(name = "taskId")]
        id: Query<String>,
    ) -> Result<Response<Json<Answer<Record>>>, ApiError> {
        let id = id.0.parse().map_err(|_| ApiError::TaskNotFound)?;
        let view = find(&app, caller.account, id).await?;
        Ok(polled(&view, Answer::of(record(&app, &view))))
    }

    /// Read the credits
    ///
    /// What can be spent now.
    ///
    /// Scope: `billing:read`.
    #[oai(path = "/api/v1/chat/credit", method = "get", operation_id = "getJobCredits")]
    async fn credit(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<BillingRead>,
    ) -> Result<Json<Answer<Amount>>, ApiError> {
        let balance = balance(app.db.read(), caller.account, app.clock.now()).await;
        let balance = balance.map_err(|error| ApiError::database(db::fault(&error), error))?;
        let missing = || {
            ApiError::internal(anyhow::anyhow!(
                "{} is the account of a key but does not exist",
                caller.account
            ))
        };
        Ok(Json(Answer::of(Shown(balance.ok_or_else(missing)?.available))))
    }
}
