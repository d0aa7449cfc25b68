//! `GET /api/webhooks/{id}/deliveries`, `POST …/deliveries/{event}/resend` and `POST /api/webhooks/{id}/replay`.

use std::sync::Arc;

use entity::EventId;
use entity::delivery::DeliveryState;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Json, Response};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::body::ReplayBody;
use super::view::{DeliveryPage, DeliveryView, delivery_view};
use super::{find, form};
use crate::app::App;
use crate::customer::endpoint::log;
use crate::db;
use crate::http::Tag;
use crate::http::auth::{Caller, KeysManage};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;
use crate::http::page::{Limit, cut, next_link, read_cursor, twenty, write_cursor};
use crate::http::query::{OneOf, Word};

pub struct Deliveries;

const CURSOR_KIND: &str = "delivery";

impl Word for DeliveryState {
    fn all() -> &'static [DeliveryState] {
        &[DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed]
    }

    fn as_str(self) -> &'static str {
        DeliveryState::as_str(self)
    }
}

#[derive(ApiResponse)]
enum Resent {
    /// The event is sent again.
    #[oai(status = 202)]
    Delivery(Json<Box<DeliveryView>>),
}

#[derive(ApiResponse)]
enum Replaying {
    /// The events are sent again.
    #[oai(status = 202)]
    Events(Json<Replay>),
}

/// What is sent again.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Replay {
    /// How many events.
    events: u64,
    /// Send it as `from` to go on; null when these were all.
    #[oai(nullable)]
    next_from: Option<String>,
    /// What was sent but has no effect.
    warnings: Vec<String>,
}

#[OpenApi(tag = "Tag::Webhooks")]
impl Deliveries {
    /// List deliveries
    ///
    /// What the endpoint was told and is still to be told, newest event first: how often it was tried, and what came of it.
    /// Kept for 30 days.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/:id/deliveries", method = "get", operation_id = "listDeliveries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
        /// Only those in this state.
        state: Query<Option<OneOf<DeliveryState>>>,
        /// Deliveries on a page.
        #[oai(default = "twenty")]
        limit: Query<Limit>,
        /// `nextCursor` of the page before.
        cursor: Query<Option<String>>,
        request: &Request,
    ) -> Result<Response<Json<DeliveryPage>>, ApiError> {
        let limit = limit.0.0;
        let read = |cursor| read_cursor(CURSOR_KIND, cursor, |n| n.parse().ok());
        let before = cursor.0.as_deref().map(read).transpose()?;
        let endpoint = find(&app, &caller, &id).await?;
        let state = state.0.map(|state| state.0);
        // One more than asked for tells whether there is a next page.
        let entries = log::page(app.db.read(), &endpoint, state, before, u64::from(limit) + 1).await;
        let mut entries = entries.map_err(|error| ApiError::database(db::fault(&error), error))?;
        let next_cursor = cut(&mut entries, limit)
            .map(|entry| write_cursor(CURSOR_KIND, &entry.delivery.event_n.to_string()));
        let link = next_cursor.as_deref().map(|cursor| next_link(request, cursor));
        let data = entries.into_iter().map(delivery_view).collect();
        let response = Response::new(Json(DeliveryPage { data, next_cursor }));
        Ok(match link {
            Some(link) => response.header("Link", link),
            None => response,
        })
    }

    /// Send an event again
    ///
    /// Whatever became of it, from the first try on and under the same `webhook-id`.
    ///
    /// Scope: `keys:manage`.
    #[oai(
        path = "/api/webhooks/:id/deliveries/:event/resend",
        method = "post",
        operation_id = "resendDelivery"
    )]
    async fn resend(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
        /// The event's id.
        event: Path<String>,
    ) -> Result<Resent, ApiError> {
        let endpoint = find(&app, &caller, &id).await?;
        let event: EventId = event.parse().map_err(|_| ApiError::DeliveryNotFound)?;
        if event.account != caller.account {
            return Err(ApiError::DeliveryNotFound);
        }
        let entry = log::resend(&app.db, &endpoint, event.n, app.clock.now()).await?;
        Ok(Resent::Delivery(Json(Box::new(delivery_view(entry)))))
    }

    /// Send a range of events again
    ///
    /// Every event of the range that the endpoint wants to hear of, in one go and under the same `webhook-id` as before: also
    /// what happened while it was paused or was not there yet. At most 10,000 events; `nextFrom` goes on.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/:id/replay", method = "post", operation_id = "replayWebhook")]
    async fn replay(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
        body: JsonObject<ReplayBody>,
    ) -> Result<Replaying, ApiError> {
        let endpoint = find(&app, &caller, &id).await?;
        let (range, warnings) = form::range(body.fields, caller.account)?;
        let replayed = log::replay(&app.db, &endpoint, range, app.clock.now()).await?;
        let id_of = |n| EventId { account: caller.account, n }.to_string();
        Ok(Replaying::Events(Json(Replay {
            events: replayed.events,
            next_from: replayed.next.map(id_of),
            warnings,
        })))
    }
}
