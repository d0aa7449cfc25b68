//! Whether this process lives, and whether it can work.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use super::error::ApiError;
use crate::app::App;
use crate::db;

pub struct Health;

/// How the process is.
#[derive(Debug, Object)]
struct Status {
    /// `ok`.
    status: String,
}

fn ok() -> Json<Status> {
    Json(Status { status: "ok".to_owned() })
}

#[OpenApi(tag = "Tag::Health")]
impl Health {
    /// Is the process alive?
    ///
    /// Always 200; asks nothing of the database.
    #[oai(path = "/healthz", method = "get", operation_id = "health")]
    async fn alive(&self) -> Json<Status> {
        ok()
    }

    /// Can it take requests?
    ///
    /// 503 while the database does not answer, and once the process was told to stop.
    #[oai(path = "/readyz", method = "get", operation_id = "readiness")]
    async fn ready(&self, app: Data<&Arc<App>>) -> Result<Json<Status>, ApiError> {
        if app.draining.is_cancelled() {
            return Err(ApiError::Unavailable(anyhow::anyhow!("the process stops")));
        }
        let answered = app.db.ping().await;
        answered.map_err(|error| ApiError::database(db::Fault::Connection, error))?;
        Ok(ok())
    }
}
