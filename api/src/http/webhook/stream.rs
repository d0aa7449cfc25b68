//! `GET /api/webhooks/stream`: webhooks for a machine that can't be reached from outside.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Header, Query};
use poem_openapi::{ApiResponse, OpenApi};

use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::live::Feed;
use crate::http::live::feed::{Follow, Telling};
use crate::http::live::place::{EventNumber, number};
use crate::http::live::signed::WebhookStream;

pub struct Stream;

#[derive(ApiResponse)]
enum Webhooks {
    /// The account's webhooks, as they happen.
    #[oai(status = 200)]
    Stream(WebhookStream),
}

#[OpenApi(tag = "Tag::Webhooks")]
impl Stream {
    /// Follow the account's webhooks
    ///
    /// Server-Sent Events: what an endpoint would be sent from now on, or after the event named by `Last-Event-ID`. Each holds
    /// the `headers` and the `body` of one request, signed with the account's own secret: pass them on, unchanged, to the
    /// server that you are building. `webhook-timestamp` is of the moment at which it was streamed.
    ///
    /// Scope: `videos:read`; events of credits (`credits.…`) need `billing:read` too and are left out without it.
    #[oai(path = "/api/webhooks/stream", method = "get", operation_id = "streamWebhooks")]
    async fn stream(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The `id` of the last event that you have; without it the stream begins now.
        #[oai(name = "Last-Event-ID")]
        last: Header<Option<EventNumber>>,
        /// As `Last-Event-ID`, which wins, for clients that can't set headers.
        #[oai(name = "lastEventId")]
        last_event_id: Query<Option<EventNumber>>,
        request: &Request,
    ) -> Result<Webhooks, ApiError> {
        let after = number(&last, &last_event_id);
        let follow = Follow { account: caller.account, task: None, after, telling: Telling::Webhooks };
        let feed = Feed::open(&app, request, follow).await?;
        Ok(Webhooks::Stream(WebhookStream::of(feed.stream())))
    }
}
