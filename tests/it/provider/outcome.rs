//! What came of a call, as it is written down in the cases.

use reelmeter::provider::{
    ClipSource, Cost, Failure, Found, Heard, Progress, ProviderError, RemoteClip, UpstreamId,
};
use serde_json::{Value, json};

pub fn of_submit(result: Result<UpstreamId, ProviderError>) -> Value {
    result.map_or_else(of_error, |id| json!({ "accepted": id.0 }))
}

pub fn of_poll(result: Result<Progress, ProviderError>) -> Value {
    match result {
        Err(error) => of_error(error),
        Ok(Progress::Queued) => json!("queued"),
        Ok(Progress::Running { percent: None }) => json!("running"),
        Ok(Progress::Running { percent: Some(percent) }) => json!({ "running": percent }),
        Ok(Progress::Succeeded { clips, cost }) => {
            let clips: Vec<Value> = clips.iter().map(of_clip).collect();
            costing(json!({ "succeeded": clips }), cost)
        }
        Ok(Progress::Failed { failure, cost }) => costing(json!({ "failed": class(&failure) }), cost),
        Ok(Progress::Canceled) => json!("canceled"),
    }
}

pub fn of_cancel(result: Result<(), ProviderError>) -> Value {
    result.map_or_else(of_error, |()| json!("asked"))
}

pub fn of_find(result: Result<Found, ProviderError>) -> Value {
    match result {
        Err(error) => of_error(error),
        Ok(Found::Accepted(id)) => json!({ "found": id.0 }),
        Ok(Found::Absent) => json!("absent"),
        Ok(Found::Unsure) => json!("unsure"),
    }
}

pub fn of_hear(heard: &Heard) -> Value {
    match heard {
        Heard::Forged => json!("forged"),
        Heard::News(None) => json!("news"),
        Heard::News(Some(id)) => json!({ "news": id.0 }),
    }
}

/// A verdict ends an attempt; everything else is asked again.
pub fn is_verdict(outcome: &Value) -> bool {
    let ends = ["accepted", "rejected", "succeeded", "failed", "found"];
    outcome == "canceled" || outcome == "absent" || ends.iter().any(|end| outcome.get(end).is_some())
}

fn of_error(error: ProviderError) -> Value {
    match error {
        ProviderError::Rejected(failure) => json!({ "rejected": class(&failure) }),
        ProviderError::Unavailable { failure, retry_after_ms: None } => {
            json!({ "unavailable": class(&failure) })
        }
        ProviderError::Unavailable { failure, retry_after_ms } => {
            json!({ "unavailable": class(&failure), "retry_after_ms": retry_after_ms })
        }
        ProviderError::Unknown(_) => json!("unknown"),
        ProviderError::Broken(_) => json!("broken"),
    }
}

fn class(failure: &Failure) -> &'static str {
    failure.code.class()
}

fn costing(mut outcome: Value, cost: Option<Cost>) -> Value {
    match cost {
        Some(Cost::MicroUsd(cost)) => outcome["cost_micro_usd"] = json!(cost),
        Some(Cost::Tokens(tokens)) => outcome["tokens"] = json!(tokens),
        Some(Cost::Seconds(seconds)) => outcome["seconds"] = json!(seconds.to_string()),
        None => {}
    }
    outcome
}

fn of_clip(clip: &RemoteClip) -> Value {
    let source = match &clip.source {
        ClipSource::File(path) => json!({ "file": path }),
        ClipSource::Bytes(bytes) => json!({ "bytes": bytes.len() }),
        ClipSource::Url { url, headers } if headers.is_empty() => json!(url),
        ClipSource::Url { url, headers } => {
            assert!(headers.values().all(|value| value.is_sensitive()), "a key that can be printed");
            let names: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
            json!({ "url": url, "headers": names })
        }
    };
    match clip.millis {
        None => source,
        Some(millis) => json!({ "from": source, "millis": millis }),
    }
}
