//! A key, for people.

use serde_json::Value;

use crate::failure::Failure;
use crate::output::{self, cell, moment};

pub const WINDOWS: [&str; 4] = ["day", "week", "month", "lifetime"];

/// What it is and what it may do.
pub fn facts(key: &Value) -> Vec<(&'static str, String)> {
    vec![
        ("key", cell(&key["id"])),
        ("name", cell(&key["name"])),
        ("secret", cell(&key["hint"])),
        ("mode", cell(&key["mode"])),
        ("status", cell(&key["status"])),
        ("scopes", cell(&key["scopes"])),
        ("models", cell(&key["models"])),
        ("networks", cell(&key["ipRanges"])),
        ("price group", cell(&key["group"])),
        ("rate", per_minute(&key["ratePerMinute"])),
        ("tasks", tasks(key)),
        ("created", moment(&key["createdAt"])),
        ("expires", moment(&key["expiresAt"])),
        ("revoked", moment(&key["revokedAt"])),
        ("last used", moment(&key["lastUsedAt"])),
        ("old secret good until", moment(&key["previousUntil"])),
    ]
}

fn per_minute(rate: &Value) -> String {
    if rate.is_null() { String::new() } else { format!("{} requests a minute", cell(rate)) }
}

fn tasks(key: &Value) -> String {
    let most =
        if key["maxTasks"].is_null() { String::new() } else { format!(" of {}", cell(&key["maxTasks"])) };
    format!("{}{most} under way", cell(&key["openTasks"]))
}

/// A row for each time that its spending is counted in.
pub fn spending(key: &Value) -> Result<(), Failure> {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let row = |window: &str| {
        let (cap, used) = (&key["caps"][window], &key["usage"][window]);
        let cells = [cell(&used["spent"]), cell(cap), cell(&used["remaining"]), moment(&used["resetsAt"])];
        [window.to_owned()].into_iter().chain(cells.map(or_dash)).collect()
    };
    output::line("")?;
    output::table(
        &["in a", "spent", "cap", "left", "starts again"],
        WINDOWS.iter().map(|name| row(name)).collect(),
    )
}

/// What it may spend, in few words: `day 50, lifetime 70.5`.
pub fn caps(key: &Value) -> String {
    let caps = &key["caps"];
    let told = WINDOWS.iter().filter(|window| !caps[**window].is_null());
    told.map(|window| format!("{window} {}", cell(&caps[*window]))).collect::<Vec<_>>().join(", ")
}
