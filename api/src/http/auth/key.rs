//! The caller by their key: who stands behind it, where it may be used from and how often.

use std::num::NonZeroU32;
use std::sync::Arc;

use poem::Request;

use super::{Again, app};
use crate::app::App;
use crate::customer::caller::Identity;
use crate::customer::key_caller::KeyCaller;
use crate::db;
use crate::http::error::ApiError;
use crate::http::limit::{Report, requests_a_minute};
use crate::http::peer;
use crate::limit::{Policy, subject_of};

/// How often an address may fail to authenticate. Good keys from there are not counted, and work all the same.
const FAILURES: Policy =
    Policy { name: "auth", quota: NonZeroU32::new(120).unwrap(), window_s: NonZeroU32::new(60).unwrap() };

/// Who sent the request, if their key is good and may be used like this.
pub async fn identify(request: &Request, secret: &str) -> Result<Arc<Identity>, ApiError> {
    let app = app(request)?;
    let now = app.clock.now();
    let caller = app.key_callers.find(secret).await;
    let caller = caller.map_err(|error| ApiError::database(db::fault(&error), error))?;
    let Some(caller) = caller else { return Err(failed(app, request).await) };
    from_an_allowed_address(request, &caller)?;
    if request.data::<Again>().is_none() {
        within_rate(app, request, &caller).await?;
        app.key_uses.note(&caller, now);
    }
    Ok(caller.identity.clone())
}

/// A key that is no good: after too many of them, who tries is told to wait.
async fn failed(app: &Arc<App>, request: &Request) -> ApiError {
    let address = match peer::address(request) {
        Ok(address) => address,
        Err(error) => return error,
    };
    let taken = app.limiter.take(FAILURES, &subject_of(address)).await;
    if taken.is_allowed {
        return ApiError::Unauthorized;
    }
    ApiError::TooManyAttempts { retry_after_s: taken.retry_after_s }
}

fn from_an_allowed_address(request: &Request, caller: &KeyCaller) -> Result<(), ApiError> {
    let Some(ranges) = &caller.ip_ranges else { return Ok(()) };
    let address = peer::address(request)?;
    let is_allowed = ranges.iter().any(|range| range.contains(&address));
    if is_allowed { Ok(()) } else { Err(ApiError::IpNotAllowed) }
}

async fn within_rate(app: &Arc<App>, request: &Request, caller: &KeyCaller) -> Result<(), ApiError> {
    if let Some(limit) = caller.max_tasks {
        Report::note(request, |limits| limits.tasks = Some((caller.id, limit)));
    }
    let Some(quota) = caller.rate_per_minute else { return Ok(()) };
    let policy = requests_a_minute(quota);
    let taken = app.limiter.take(policy, &caller.id.to_string()).await;
    Report::note(request, |limits| limits.requests = Some((policy, taken)));
    if taken.is_allowed { Ok(()) } else { Err(ApiError::RateLimited { retry_after_s: taken.retry_after_s }) }
}
