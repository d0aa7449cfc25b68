//! Every scenario, in one binary: through the front door, on a real database, real sockets and real files.

mod actions;
mod adapters;
mod alerts;
mod beta;
mod callback;
mod canary;
mod clock;
mod content;
mod crash;
mod deploy;
mod description;
mod docs;
mod endpoint;
mod errors;
mod generations;
mod grants;
mod holes;
mod idempotency;
mod jimeng;
mod jobs;
mod keys;
mod kling;
mod ledger;
mod limits;
mod live;
mod metrics;
mod models;
mod openai;
mod ownership;
mod people;
mod pictures;
mod processes;
mod program;
mod promotions;
mod provider;
mod proxy;
mod reel;
mod review;
mod routes;
mod sandbox;
mod schema;
mod submit;
mod tasks;
mod tidy;
mod trace;
mod uploads;
mod upstream;
mod usage;
mod webhooks;
mod worker;

/// A model that the fake provider serves to live keys: 5 s at 720p cost 30 credits.
fn wan(extra: serde_json::Value) -> serde_json::Value {
    with(
        serde_json::json!({
            "model": "wan/2-6-text-to-video", "inputMode": "text_to_video", "prompt": "a fox jumps over a creek",
            "duration": 5, "resolution": "720p",
        }),
        extra,
    )
}

/// The example of the API's contract: 12 credits.
fn sora(extra: serde_json::Value) -> serde_json::Value {
    with(
        serde_json::json!({
            "prompt": "A slow cinematic dolly around a ceramic coffee cup on a kitchen island, morning light, 35mm film",
            "model": "sora-2-text-to-video", "inputMode": "text_to_video", "aspectRatio": "16:9", "duration": 5,
        }),
        extra,
    )
}

fn with(mut body: serde_json::Value, extra: serde_json::Value) -> serde_json::Value {
    for (key, value) in extra.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}
