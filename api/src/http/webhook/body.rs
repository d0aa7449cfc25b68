//! The bodies of requests, as the API's description shows them. They are read by `form`.

use poem_openapi::Object;

/// An endpoint to be made.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct NewWebhookBody {
    /// Where to send to: https, on the public internet.
    #[oai(validator(max_length = 2048))]
    url: String,
    /// What it wants to hear of; all of it if left out. `video.completed`, `video.failed`, `video.canceled`,
    /// `video.expired`, `credits.low`, `credits.depleted`, `credits.recovered`, or several at once: `video.*`, `credits.*`,
    /// `*`.
    #[oai(validator(min_items = 1))]
    events: Option<Vec<String>>,
    /// For yourself.
    #[oai(validator(max_length = 200))]
    description: Option<String>,
}

/// What is to become different. What is left out stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct WebhookChangeBody {
    /// What is still owed is sent to the new address.
    #[oai(validator(max_length = 2048))]
    url: Option<String>,
    /// What it wants to hear of from now on; null: all of it.
    #[oai(validator(min_items = 1))]
    events: Option<Vec<String>>,
    /// True: nothing is sent, and nothing that happens is kept for it. False: it is sent to again, also when it was disabled.
    paused: Option<bool>,
    /// For yourself.
    #[oai(validator(max_length = 200))]
    description: Option<String>,
}

/// What is to be sent again.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ReplayBody {
    /// The first event, by its id or its time (RFC 3339).
    from: String,
    /// The last event, by its id or its time; now if left out.
    to: Option<String>,
}
