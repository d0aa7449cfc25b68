//! Events as webhooks on a stream, for whoever passes them on to a server of theirs that we can't reach.

use std::collections::HashMap;

use entity::{AccountId, EventId, TaskId, event};
use poem::{IntoResponse, Response};
use poem_openapi::Object;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};

use super::sse::{EventStream, sent};
use crate::app::App;
use crate::app::message::{Reader, compose};
use crate::customer::endpoint::secret::{self, SigningSecret};
use crate::ledger::fan_out::{TEST, is_told};
use crate::video::read::ReadError;

/// One webhook: the JSON in an event's `data:`.
#[derive(Debug, Object)]
#[oai(rename = "StreamedWebhook", rename_all = "camelCase")]
struct StreamedWebhook {
    headers: Headers,
    /// What is signed, byte by byte.
    body: String,
}

/// The headers to pass on.
#[derive(Debug, Object)]
#[oai(rename = "WebhookHeaders")]
struct Headers {
    #[oai(rename = "webhook-id")]
    id: String,
    #[oai(rename = "webhook-timestamp")]
    timestamp: String,
    #[oai(rename = "webhook-signature")]
    signature: String,
}

/// What a stream sends of these events of an account.
pub async fn told(app: &App, account: AccountId, events: Vec<&event::Model>) -> Result<String, ReadError> {
    let secret = secret::of_account(app.db.read(), account).await?;
    let ids: Vec<TaskId> = events.iter().filter_map(|event| event.task_id).collect();
    let tasks = app.video.views.page(account, &ids).await?;
    let tasks: HashMap<TaskId, _> = tasks.into_iter().map(|view| (view.task.id, view)).collect();
    let mut text = String::new();
    for event in events.into_iter().filter(|event| is_told(&event.r#type) || event.r#type == TEST) {
        // What a deleted task had to say is gone.
        let task = event.task_id.and_then(|id| tasks.get(&id)).map(|view| &**view);
        if let Some(body) = compose(app, event, task, Reader::Endpoint) {
            let webhook = webhook(app, &secret, event, body).to_json().unwrap_or_default();
            text.push_str(&sent(Some(event.n), &event.r#type, &webhook));
        }
    }
    Ok(text)
}

fn webhook(app: &App, secret: &SigningSecret, event: &event::Model, body: String) -> StreamedWebhook {
    let id = EventId { account: event.account_id, n: event.n }.to_string();
    let [(_, id), (_, timestamp), (_, signature)] =
        secret.headers(&app.webhooks, &id, app.clock.now(), &body);
    StreamedWebhook { headers: Headers { id, timestamp, signature }, body }
}

/// An answer that goes on, of webhooks.
pub struct WebhookStream(EventStream);

impl WebhookStream {
    pub fn of(events: EventStream) -> WebhookStream {
        WebhookStream(events)
    }
}

impl Payload for WebhookStream {
    const CONTENT_TYPE: &'static str = EventStream::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        let items = Some(Box::new(StreamedWebhook::schema_ref()));
        let stream = MetaSchema { items, ..MetaSchema::new_with_format("array", "event-stream") };
        MetaSchemaRef::Inline(Box::new(stream))
    }

    fn register(registry: &mut Registry) {
        StreamedWebhook::register(registry);
    }
}

impl IntoResponse for WebhookStream {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
