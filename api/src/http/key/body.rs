//! The bodies of requests, as the API's description shows them. They are read by `form`.

use poem_openapi::Object;

use crate::http::value::{Amount, Moment};

/// A key to be made. What is left out is not limited.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct NewKeyBody {
    /// What you call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// `live` or `test`; a person may choose, a management key makes keys of its own mode. Default: the caller's.
    mode: Option<String>,
    /// Some of `videos:write`, `videos:read`, `billing:read` (the key generates; the default is all three), or some of
    /// `keys:manage`, `billing:read`, `billing:write` (it manages; only a person can make one). Never of both.
    scopes: Option<Vec<String>>,
    /// Models that it may use, by id or alias.
    models: Option<Vec<String>>,
    /// Networks or addresses that it may be used from, such as `203.0.113.0/24`.
    #[oai(validator(max_items = 50))]
    ip_ranges: Option<Vec<String>>,
    /// From then on it is good no more.
    expires_at: Option<Moment>,
    /// Your own price group, to keep it.
    group: Option<String>,
    /// Requests that it may send in a minute.
    #[oai(validator(minimum(value = "1"), maximum(value = "60000")))]
    rate_per_minute: Option<u32>,
    /// Tasks that it may have under way at once.
    #[oai(validator(maximum(value = "100000")))]
    max_tasks: Option<u32>,
    /// Credits that it may spend; holds count.
    caps: Option<CapsBody>,
}

/// Credits that a key may spend in a UTC day, a week (from Monday), a month, and at all.
#[derive(Debug, Object)]
#[oai(rename = "KeyCapsBody", rename_all = "camelCase")]
pub struct CapsBody {
    pub day: Option<Amount>,
    pub week: Option<Amount>,
    pub month: Option<Amount>,
    pub lifetime: Option<Amount>,
}

/// What is to become different. What is left out stays; null lifts a limit.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct KeyChangeBody {
    /// What you call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: Option<String>,
    /// Models that it may use, by id or alias; null: all.
    models: Option<Vec<String>>,
    /// Networks or addresses that it may be used from; null: everywhere.
    #[oai(validator(max_items = 50))]
    ip_ranges: Option<Vec<String>>,
    /// From then on it is good no more; null: for ever.
    expires_at: Option<Moment>,
    /// Requests that it may send in a minute.
    #[oai(validator(minimum(value = "1"), maximum(value = "60000")))]
    rate_per_minute: Option<u32>,
    /// Tasks that it may have under way at once.
    #[oai(validator(maximum(value = "100000")))]
    max_tasks: Option<u32>,
    /// Credits that it may spend: each window by itself, or null for all of them.
    caps: Option<CapsBody>,
}

/// How a key is rotated.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct RotateBody {
    /// Seconds for which the old secret stays good as well; 86400 (a day) if left out.
    #[oai(validator(maximum(value = "604800")))]
    overlap_seconds: Option<u32>,
}
