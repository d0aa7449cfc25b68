//! `/api/credits/alerts`: when a customer wants to be told of their balance.

use std::sync::Arc;

use entity::Credits;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::repeatable;
use crate::app::App;
use crate::customer::credits;
use crate::db;
use crate::http::Tag;
use crate::http::auth::{BillingRead, BillingWrite, Caller};
use crate::http::body::{Fields, JsonObject};
use crate::http::error::ApiError;
use crate::http::value::{Amount, Shown};
use crate::ledger::{Thresholds, read};

pub struct Alerts;

/// When to tell of the balance.
#[derive(Debug, Object)]
#[oai(rename = "SetAlerts", rename_all = "camelCase")]
struct AlertsBody {
    /// Below this many credits the account is low; null turns the alerts off.
    #[oai(nullable)]
    low: Option<Amount>,
    /// From this many credits on it is ok again: `low` or more. Without it a quarter more than `low`, rounded up to a whole
    /// credit.
    recover: Option<Amount>,
}

/// What the account is watched for.
#[derive(Debug, Object)]
#[oai(rename = "Alerts", rename_all = "camelCase")]
struct AlertsAnswer {
    /// Below it the account is low; null: the alerts are off.
    #[oai(nullable)]
    low: Option<Amount>,
    /// From it on the account is ok again.
    #[oai(nullable)]
    recover: Option<Amount>,
    /// What was last said: `ok`, `low` or `depleted`.
    state: String,
    /// What can be spent now.
    available: Amount,
}

#[OpenApi(tag = "Tag::Credits")]
impl Alerts {
    /// Read the balance alerts
    ///
    /// Scope: `billing:read`.
    #[oai(path = "/api/credits/alerts", method = "get", operation_id = "getAlerts")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<BillingRead>,
    ) -> Result<Json<AlertsAnswer>, ApiError> {
        answer(&app, &caller).await
    }

    /// Set the balance alerts
    ///
    /// Events tell when the account crosses a threshold, each once: `credits.low` when less than `low` can be spent,
    /// `credits.depleted` when less than one credit can, and `credits.recovered` when `recover` or more can again.
    /// Between the thresholds nothing is said. If the balance is low already, that is told at once.
    ///
    /// Scope: `billing:write`.
    #[oai(path = "/api/credits/alerts", method = "put", operation_id = "setAlerts")]
    async fn set(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<BillingWrite>,
        body: JsonObject<AlertsBody>,
    ) -> Result<Json<AlertsAnswer>, ApiError> {
        let thresholds = read_thresholds(body.fields)?;
        credits::set_alert(&app.ledger, caller.account, thresholds).await.map_err(repeatable)?;
        answer(&app, &caller).await
    }
}

async fn answer<S>(app: &App, caller: &Caller<S>) -> Result<Json<AlertsAnswer>, ApiError> {
    let alerts = read::alerts(app.db.read(), caller.account, app.clock.now()).await;
    let alerts = alerts.map_err(|error| ApiError::database(db::fault(&error), error))?;
    let missing = || ApiError::internal(anyhow::anyhow!("{} does not exist", caller.account));
    let alerts = alerts.ok_or_else(missing)?;
    Ok(Json(AlertsAnswer {
        low: alerts.thresholds.map(|thresholds| Shown(thresholds.low())),
        recover: alerts.thresholds.map(|thresholds| Shown(thresholds.recover())),
        state: alerts.state.as_str().to_owned(),
        available: Shown(alerts.available),
    }))
}

/// `None` turns the alerts off. That has to be said: an empty body is more likely a mistake.
fn read_thresholds(mut fields: Fields) -> Result<Option<Thresholds>, ApiError> {
    let is_said = fields.is_mentioned("low");
    let (low, recover) = (fields.positive_credits("low"), fields.positive_credits("recover"));
    fields.finish()?;
    match (low, recover) {
        _ if !is_said => Err(ApiError::field("low", "Required: credits, or null to turn the alerts off")),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ApiError::field("recover", "Only together with low")),
        (Some(low), recover) => thresholds(low, recover).map(Some),
    }
}

fn thresholds(low: Credits, recover: Option<Credits>) -> Result<Thresholds, ApiError> {
    let too_large = || ApiError::field("low", "Is out of range");
    let recover = recover.or_else(|| Thresholds::usual_recover(low)).ok_or_else(too_large)?;
    Thresholds::new(low, recover).ok_or_else(|| ApiError::field("recover", "Must be low or more"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: serde_json::Value) -> Result<Option<(String, String)>, ApiError> {
        let thresholds = read_thresholds(Fields::parse(body.to_string().as_bytes()).unwrap())?;
        Ok(thresholds.map(|t| (t.low().to_string(), t.recover().to_string())))
    }

    #[test]
    fn thresholds_are_read_and_the_usual_recovery_is_filled_in() {
        for (body, low, recover) in [
            (json!({ "low": 10 }), "10", "13"),
            (json!({ "low": 0.001, "recover": null }), "0.001", "1"),
            (json!({ "low": 2.5, "recover": 2.5 }), "2.5", "2.5"),
            (json!({ "low": 8.0, "recover": 9 }), "8", "9"),
        ] {
            assert_eq!(read(body).unwrap(), Some((low.into(), recover.into())));
        }
        assert_eq!(read(json!({ "low": null })).unwrap(), None);
    }

    #[test]
    fn what_is_no_threshold_is_filed_under_its_field() {
        for (body, field) in [
            (json!({}), "low"),
            (json!({ "recover": 5 }), "low"),
            (json!({ "low": 0 }), "low"),
            (json!({ "low": -1 }), "low"),
            (json!({ "low": "10" }), "low"),
            (json!({ "low": 0.0001 }), "low"),
            (json!({ "low": 9_223_372_036_854_775_i64 }), "low"),
            (json!({ "low": 1e300 }), "low"),
            (json!({ "low": 5, "recover": 4.999 }), "recover"),
            (json!({ "low": 5, "recover": 0 }), "recover"),
            (json!({ "low": null, "recover": 5 }), "recover"),
        ] {
            let error = read(body.clone()).unwrap_err();
            assert_eq!(error.field_errors().unwrap().of(field).len(), 1, "{body}: {error}");
        }
    }
}
