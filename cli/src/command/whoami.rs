//! `reel whoami`.

use serde_json::Value;

use super::Context;
use super::keys::view;
use crate::failure::Failure;
use crate::output::{self, cell};

pub async fn run(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let key = client.get("/api/key", &[]).await?;
    if context.as_json() {
        return output::json(&key);
    }
    let mut told =
        vec![("host", client.host().to_owned()), ("profile", context.settings.profile.value.clone())];
    told.extend(view::facts(&key));
    told.extend([
        ("available", cell(&key["available"])),
        ("requests left", cell(&key["requestsLeft"])),
        ("tasks left", cell(&key["tasksLeft"])),
        ("blocked by", blocked(&key["blockedBy"])),
    ]);
    output::pairs(&told)?;
    view::spending(&key)
}

/// `insufficient_credits, key_limit_reached (day)`, or nothing.
pub fn blocked(reasons: &Value) -> String {
    let reason = |reason: &Value| match cell(&reason["windows"]) {
        windows if windows.is_empty() => cell(&reason["code"]),
        windows => format!("{} ({windows})", cell(&reason["code"])),
    };
    reasons.as_array().into_iter().flatten().map(reason).collect::<Vec<_>>().join(", ")
}
