//! What is shown of an endpoint, and of what was sent to it. A secret is only in the answer that makes it.

use entity::delivery::DeliveryState;
use entity::{EventId, Timestamp, endpoint};
use poem_openapi::Object;

use crate::customer::endpoint::log::Entry;
use crate::http::key::Revealed;
use crate::http::value::{Moment, Shown};

/// An endpoint: where you are told what happens.
#[derive(Debug, Object)]
#[oai(rename = "Webhook", rename_all = "camelCase")]
pub struct WebhookView {
    id: String,
    url: String,
    description: String,
    /// What it wants to hear of.
    events: Vec<String>,
    /// `active`, `paused` (by you) or `disabled` (by us).
    status: String,
    /// When it answered 410, or had taken nothing for five days. Set `paused` to false when it works again.
    #[oai(nullable)]
    disabled_at: Option<Moment>,
    /// Why, in a sentence.
    #[oai(nullable)]
    disabled_reason: Option<String>,
    /// The first failure since the last success; null when the last send was taken.
    #[oai(nullable)]
    failing_since: Option<Moment>,
    /// After a rotation: until then the secret before it signs as well.
    #[oai(nullable)]
    previous_until: Option<Moment>,
    created_at: Moment,
}

pub fn webhook_view(row: endpoint::Model, now: Timestamp) -> WebhookView {
    let status = match &row {
        endpoint::Model { disabled_at: Some(_), .. } => "disabled",
        endpoint::Model { paused_at: Some(_), .. } => "paused",
        _ => "active",
    };
    WebhookView {
        id: row.id.to_string(),
        url: row.url,
        description: row.description,
        events: serde_json::from_str(&row.events).unwrap_or_default(),
        status: status.to_owned(),
        disabled_at: row.disabled_at.map(Shown),
        disabled_reason: row.disabled_reason,
        failing_since: row.failing_since.map(Shown),
        previous_until: row.previous_until.filter(|end| *end > now).map(Shown),
        created_at: Shown(row.created_at),
    }
}

/// An endpoint, and the secret that is shown this once.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct WebhookWithSecret {
    #[oai(flatten)]
    pub webhook: WebhookView,
    /// What its verifier is given: `whsec_` and Base64. Keep it: it is shown this once.
    pub secret: Revealed,
    /// What was sent but has no effect.
    pub warnings: Vec<String>,
}

/// An endpoint after a change.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ChangedWebhook {
    #[oai(flatten)]
    pub webhook: WebhookView,
    /// What was sent but has no effect.
    pub warnings: Vec<String>,
}

/// A page of endpoints, newest first.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct WebhookPage {
    pub data: Vec<WebhookView>,
    /// Send it as `cursor` for the next page; null on the last one.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}

/// An event that an endpoint was or is to be told of.
#[derive(Debug, Object)]
#[oai(rename = "WebhookDelivery", rename_all = "camelCase")]
pub struct DeliveryView {
    /// The event's id, which is sent as `webhook-id`.
    event: String,
    /// Such as `video.completed`; null when the event is forgotten.
    #[oai(rename = "type", nullable)]
    kind: Option<String>,
    /// The task that it is about.
    #[oai(nullable)]
    task_id: Option<String>,
    /// `pending` (it is sent, or sent again), `delivered` or `failed` (given up).
    state: String,
    tries: i64,
    /// Of the last answer; null without one.
    #[oai(nullable)]
    last_status: Option<i64>,
    /// Why there was no answer, or why it was given up.
    #[oai(nullable)]
    last_error: Option<String>,
    created_at: Moment,
    /// The last try.
    #[oai(nullable)]
    tried_at: Option<Moment>,
    /// The next try; null when there is none.
    #[oai(nullable)]
    next_at: Option<Moment>,
    #[oai(nullable)]
    delivered_at: Option<Moment>,
}

pub fn delivery_view(Entry { delivery, event }: Entry) -> DeliveryView {
    let is_pending = delivery.state == DeliveryState::Pending;
    DeliveryView {
        event: EventId { account: delivery.account_id, n: delivery.event_n }.to_string(),
        task_id: event.as_ref().and_then(|event| event.task_id).map(|task| task.to_string()),
        kind: event.map(|event| event.r#type),
        state: delivery.state.as_str().to_owned(),
        tries: delivery.tries,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
        created_at: Shown(delivery.created_at),
        tried_at: delivery.tried_at.map(Shown),
        next_at: is_pending.then_some(Shown(delivery.next_at)),
        delivered_at: delivery.delivered_at.map(Shown),
    }
}

/// A page of what was sent to an endpoint, newest event first.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct DeliveryPage {
    pub data: Vec<DeliveryView>,
    /// Send it as `cursor` for the next page; null on the last one.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}
