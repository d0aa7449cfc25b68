//! How a stream is written: Server-Sent Events, as browsers read them.

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use poem::http::header::CACHE_CONTROL;
use poem::{Body, IntoResponse, Response};
use poem_openapi::Object;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{Any, Type};
use serde_json::Value;

use crate::http::value::Moment;

/// Milliseconds after which a client that was cut off comes back.
const RETRY_MS: u32 = 2_000;

/// A comment: nothing but a sign of life.
pub const BEAT: &str = ":\n\n";

/// The first thing that is sent. An id without data tells a client where to go on before anything has happened.
pub fn opening(after: Option<i64>) -> String {
    let id = after.map(|n| format!("id: {n}\n")).unwrap_or_default();
    format!("retry: {RETRY_MS}\n{id}: hello\n\n")
}

/// One event. Written JSON has no line breaks.
pub fn sent(id: Option<i64>, kind: &str, body: &Value) -> String {
    let id = id.map(|n| format!("id: {n}\n")).unwrap_or_default();
    format!("{id}event: {kind}\ndata: {body}\n\n")
}

/// An answer that goes on.
pub struct EventStream(BoxStream<'static, String>);

impl EventStream {
    pub fn new(texts: impl Stream<Item = String> + Send + 'static) -> EventStream {
        EventStream(texts.boxed())
    }
}

/// One event of a stream: the JSON in its `data:`.
#[derive(Debug, Object)]
#[oai(rename = "Event", rename_all = "camelCase")]
struct Told {
    /// `video.queued`, `video.progress`, `video.completed`, `video.failed`, `video.canceled`, `video.expired`,
    /// `credits.granted`, `credits.adjusted`, `credits.refunded`, `credits.expired` … or `gap`. Expect others.
    #[oai(rename = "type")]
    kind: String,
    timestamp: Moment,
    /// Which task it is about, if it is about one.
    #[oai(skip_serializing_if_is_none)]
    task_id: Option<String>,
    /// What happened; depends on the type. `balance` says what the account has after it.
    data: Any<Value>,
}

impl Payload for EventStream {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        let items = Some(Box::new(Told::schema_ref()));
        let stream = MetaSchema { items, ..MetaSchema::new_with_format("array", "event-stream") };
        MetaSchemaRef::Inline(Box::new(stream))
    }

    fn register(registry: &mut Registry) {
        Told::register(registry);
    }
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let chunks = self.0.map(|text| Ok::<_, io::Error>(Bytes::from(text)));
        Response::builder()
            .content_type(Self::CONTENT_TYPE)
            .header(CACHE_CONTROL, "no-store")
            // Some proxies keep back what they can.
            .header("X-Accel-Buffering", "no")
            .body(Body::from_bytes_stream(chunks))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_block_whatever_is_in_it() {
        let text = sent(Some(7), "video.queued", &json!({ "data": "a\nb\r\n\u{2028}" }));
        assert_eq!(text, "id: 7\nevent: video.queued\ndata: {\"data\":\"a\\nb\\r\\n\u{2028}\"}\n\n");
        assert_eq!(sent(None, "gap", &json!({})), "event: gap\ndata: {}\n\n");
    }

    #[test]
    fn the_opening_says_when_to_come_back_and_where_to_go_on() {
        assert_eq!(opening(Some(41)), "retry: 2000\nid: 41\n: hello\n\n");
        assert_eq!(opening(None), "retry: 2000\n: hello\n\n");
    }
}
