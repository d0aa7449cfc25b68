//! `POST /api/ai/video/generate` and `/quote`.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use entity::{AccountId, TaskId};
use poem::web::Data;
use poem_openapi::payload::{Json, Response};
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};

use super::fold::{Folded, GenerateBody, Misread, fold};
use super::rendering::links_end_at;
use super::view::{TaskBody, status_number, task_body};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosWrite};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::live::{Prefer, Waiter};
use crate::http::value::{Amount, Moment, Shown};
use crate::video::catalog::{Date, Lifecycle};
use crate::video::price::{Explanation, Matchers, Unit};
use crate::video::read::TaskView;
use crate::video::submit::{Accepted, Quoted};

pub struct Generate;

/// A task that is paid for and queued.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Submitted {
    /// `tsk_` and a ULID. Poll `GET /api/ai/tasks/{id}`.
    task_id: String,
    /// 0: pending. A repeated request may find its task completed (1) or failed (2).
    status: u8,
    /// Held now, what is not delivered is given back; once the task has ended, what was charged.
    credits_used: Amount,
    /// What was accepted but will have no effect, and what goes away soon.
    #[oai(skip_serializing_if_is_none)]
    warnings: Option<Vec<String>>,
    /// With `Preference-Applied`: the task as it is now, as `GET /api/ai/tasks/{id}` shows it.
    #[oai(skip_serializing_if_is_none)]
    task: Option<Box<TaskBody>>,
}

/// A binding price.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct QuoteAnswer {
    /// What the task will cost.
    credits: Amount,
    /// How that came about.
    explanation: PriceExplanation,
    /// Send it as `quoteId` with the same body to get this price.
    quote_id: String,
    /// Until then.
    expires_at: Moment,
    /// What would be accepted but have no effect, and what goes away soon.
    warnings: Vec<String>,
}

/// How a price came about. Decimals are texts, so that they stay exact.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct PriceExplanation {
    /// Version of the price list.
    price_version: i64,
    /// Version of the rules that apply it.
    formula: u16,
    model: String,
    /// What a unit price is for: `clip`, `second` or `mtoken` (a million tokens).
    unit: String,
    /// Credits for one unit.
    unit_price: String,
    /// Units of one clip.
    quantity: String,
    /// Clips.
    count: u16,
    /// Seconds of one clip.
    asked_seconds: u32,
    /// What the applied rate depends on; empty for a flat one.
    matched: Any<Matchers>,
    /// Prices are whole multiples of this many credits.
    step: u32,
    /// Credits before rounding.
    exact: String,
    /// Credits.
    credits: Amount,
    /// The same in words: `5 s × 2.4 credits/s × 1 clip = 12 credits`.
    text: String,
}

impl From<Quoted> for QuoteAnswer {
    fn from(quoted: Quoted) -> Self {
        let Quoted { token, credits, explanation, expires_at, warnings } = quoted;
        QuoteAnswer {
            credits: Shown(credits),
            explanation: explanation.into(),
            quote_id: token,
            expires_at: Shown(expires_at),
            warnings,
        }
    }
}

impl From<Explanation> for PriceExplanation {
    fn from(explanation: Explanation) -> Self {
        PriceExplanation {
            price_version: explanation.price_version,
            formula: explanation.formula,
            model: explanation.model,
            unit: unit_name(explanation.unit).to_owned(),
            unit_price: explanation.unit_price.to_string(),
            quantity: explanation.quantity.to_string(),
            count: explanation.count,
            asked_seconds: explanation.asked_seconds,
            matched: Any(explanation.matched),
            step: explanation.step,
            exact: explanation.exact.to_string(),
            credits: Shown(explanation.credits),
            text: explanation.text,
        }
    }
}

pub fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Clip => "clip",
        Unit::Second => "second",
        Unit::Mtoken => "mtoken",
    }
}

#[OpenApi(tag = "Tag::Videos")]
impl Generate {
    /// Generate a video
    ///
    /// Accepts a task and holds its price in credits; when this answers, the task is paid for and queued. Credits for
    /// what is not delivered are given back by themselves.
    ///
    /// Send an `Idempotency-Key` so that a request that timed out can be sent again without buying twice: the same key
    /// and body give the same task, marked by the header `Idempotent-Replayed: true`; another body is refused with 422.
    /// A refusal uses no key up.
    ///
    /// With `Prefer: wait=30` the answer comes when the task has ended, or after 30 seconds (at most 60); it then says how
    /// far the task is, in `task` all of it. `Preference-Applied` says that it was waited; too many waits of an account at
    /// once are not. The task is paid for before the wait begins: hanging up ends the wait, not the task.
    ///
    /// Headers: `Location` is the task's address. `Deprecation`, `Sunset` and `Link` (`successor-version`) tell of a
    /// model that goes away. `x-should-retry: false` tells client libraries that the task exists.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/ai/video/generate", method = "post", operation_id = "generateVideo")]
    async fn generate(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the task.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        /// `wait=N`: answer when the task has ended, within so many seconds.
        #[oai(name = "Prefer")]
        prefer: Prefer,
        body: JsonObject<GenerateBody>,
    ) -> Result<Response<Json<Submitted>>, ApiError> {
        let Folded { submission, warnings } =
            fold(body.fields, key.0).map_err(|misread| everything(&app, &caller, misread))?;
        let keyed = submission.idempotency_key.is_some();
        let model = submission.request.model.clone();
        let accepted = app.video.submit(&caller.payer(), submission).await;
        let accepted = accepted.map_err(|error| ApiError::from(error).for_request(keyed))?;
        let waited = wait_for(&app, caller.account, accepted.task, prefer).await;
        Ok(with_lifecycle(submitted(&app, accepted, warnings, waited), &app, &model))
    }

    /// Quote a price
    ///
    /// Takes the body of `POST /api/ai/video/generate` and answers with its price, which binds us until `expiresAt` if
    /// the same body is sent with the `quoteId`. Buys nothing and holds nothing.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/ai/video/quote", method = "post", operation_id = "quoteVideo")]
    async fn quote(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        body: JsonObject<GenerateBody>,
    ) -> Result<Response<Json<QuoteAnswer>>, ApiError> {
        let Folded { submission, warnings } =
            fold(body.fields, None).map_err(|misread| everything(&app, &caller, misread))?;
        let model = submission.request.model.clone();
        let quoted = app.video.quote(&caller.payer(), submission).await?;
        let quoted = Quoted { warnings: [warnings, quoted.warnings].concat(), ..quoted };
        let answer = QuoteAnswer::from(quoted);
        Ok(with_lifecycle(Response::new(Json(answer)), &app, &model))
    }
}

/// A body whose types are wrong is held to the rules as well, so that one answer names everything. What could not be read is
/// not asked for again.
fn everything(app: &App, caller: &Caller<VideosWrite>, misread: Misread) -> ApiError {
    let Misread { mut errors, request } = misread;
    let mut more = app.video.objections(caller.mode, &request);
    more.fields.retain(|field, _| errors.of(field).is_empty());
    errors.merge(more);
    errors.into()
}

/// The accepted task after the wait that was asked for, and what was applied. What goes wrong with a wait must not look as
/// if the task had: it is as if nobody had asked for it.
async fn wait_for(
    app: &App,
    account: AccountId,
    task: TaskId,
    prefer: Prefer,
) -> Option<(Arc<TaskView>, String)> {
    let waiter = Waiter::new(app, account, prefer.wait?)?;
    let applied = waiter.applied();
    match waiter.task(app, account, task, |view| view.state.is_terminal()).await {
        Ok(view) => Some((view, applied)),
        Err(error) => {
            tracing::warn!(%task, "a wait for an accepted task is given up: {error}");
            None
        }
    }
}

fn submitted(
    app: &App,
    accepted: Accepted,
    mut warnings: Vec<String>,
    waited: Option<(Arc<TaskView>, String)>,
) -> Response<Json<Submitted>> {
    warnings.extend(accepted.warnings);
    let (view, applied) = waited.unzip();
    let state = view.as_ref().map_or(accepted.state, |view| view.state);
    let credits_used = view.as_ref().map_or(accepted.credits_used, |view| view.credits_used());
    let answer = Submitted {
        task_id: accepted.task.to_string(),
        status: status_number(state),
        credits_used: Shown(credits_used),
        warnings: Some(warnings).filter(|warnings| !warnings.is_empty()),
        task: view.map(|view| Box::new(task_body(app, &view, links_end_at(app.clock.now())))),
    };
    let mut response = Response::new(Json(answer))
        .header("Location", format!("/api/ai/tasks/{}", accepted.task))
        .header("x-should-retry", "false");
    if let Some(applied) = applied {
        response = response.header("Preference-Applied", applied);
    }
    if accepted.replayed { response.header("Idempotent-Replayed", "true") } else { response }
}

/// Tells of a model that goes away: RFC 9745, RFC 8594 and RFC 5829.
fn with_lifecycle<T>(mut response: Response<T>, app: &App, model: &str) -> Response<T> {
    let Some(model) = app.video.catalog.model(model) else { return response };
    let Lifecycle { deprecated_at, sunset_at, replacement } = &model.lifecycle;
    if let Some(date) = deprecated_at {
        response = response.header("Deprecation", format!("@{}", date.unix_seconds()));
    }
    if let Some(date) = sunset_at {
        response = response.header("Sunset", http_date(*date));
    }
    match replacement {
        Some(id) => response.header("Link", format!("<{}>; rel=\"successor-version\"", model_uri(id))),
        None => response,
    }
}

fn http_date(date: Date) -> String {
    let seconds = u64::try_from(date.unix_seconds()).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn model_uri(id: &str) -> String {
    let escaped: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("urn:reelmeter:model:{escaped}")
}
