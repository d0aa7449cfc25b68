//! `reel doctor`: what is in the way, from here to a video.

mod report;

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap};
use serde_json::Value;

use super::whoami::blocked;
use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::moment::now;
use crate::output::cell;
use crate::settings::{Settings, user_file};
use report::Report;

/// From here on receivers of webhooks refuse what is signed.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);
const ANOTHER_HOST: &str = "Is it a Reelmeter host? `reel config get` shows where it comes from.";

/// Looks at one thing after the other; what can't be looked at because of a failure before it is left out.
pub async fn run(global: &Global) -> Result<(), Failure> {
    // Somebody who asks what is wrong wants to know it now.
    let global = Global { retries: 0, ..global.clone() };
    let mut report = Report::default();
    examine(&global, &mut report).await;
    report.print(global.json)?;
    report.verdict()
}

/// `None` once nothing more can be looked at.
async fn examine(global: &Global, report: &mut Report) -> Option<()> {
    let settings = report.of("settings", Settings::load(global))?;
    tell_settings(&settings, report);
    server(&settings, report).await?;
    let client = report.of("key", settings.client())?;
    let key = report.of("key", client.get("/api/key", &[]).await)?;
    tell_key(&key, report);
    balance(&client, &key, report).await;
    models(&client, &key, report).await
}

fn tell_settings(settings: &Settings, report: &mut Report) {
    let host = settings.host.value.as_str().trim_end_matches('/');
    let told = format!("profile {}, host {host} ({})", settings.profile.value, settings.host.origin);
    match user_file() {
        Ok(path) if is_open(&path) => report.warning(
            "settings",
            format!("others on this machine can read {}", path.display()),
            format!("It holds keys: chmod 600 {}", path.display()),
        ),
        _ => report.ok("settings", told),
    }
}

/// Whether others than its owner can read a file.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}

async fn server(settings: &Settings, report: &mut Report) -> Option<()> {
    let client = report.of("server", settings.stranger())?;
    let answer = client.read("/healthz", &[]).await.map_err(reach);
    let answer = report.of("server", answer)?;
    if answer.body["status"] != "ok" {
        let another = Failure::new(Exit::Other, "it answers, but not as Reelmeter does");
        report.failed("server", another.hint(ANOTHER_HOST));
        return None;
    }
    report.ok("server", format!("{} answers", client.host()));
    let ready = client.get("/readyz", &[]).await.map_err(|failure| {
        failure.hint("It is up but takes no requests now: try again soon, or ask its operator.")
    });
    if report.of("ready", ready).is_some() {
        report.ok("ready", "it takes requests".to_owned());
    }
    clock(&answer.headers, report);
    Some(())
}

/// Says which step of reaching a host failed.
fn reach(failure: Failure) -> Failure {
    let text = failure.message.as_str();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let hint = match () {
        () if says(&["lookup", "dns"]) => "Its name is unknown: check --host, and DNS here.",
        () if says(&["certificate"]) => {
            "Its certificate is not trusted here: check --host, and this machine's clock."
        }
        () if says(&["can't be reached"]) => {
            "Nothing answers there: check --host, a proxy or firewall, and that the server runs."
        }
        () if says(&["in time", "broke"]) => {
            "The server, or the network on the way to it, is slow: try again."
        }
        () => ANOTHER_HOST,
    };
    failure.hint(hint)
}

fn clock(headers: &HeaderMap, report: &mut Report) {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let Some(there) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) else {
        return report.warning("clock", "the server doesn't say what time it is".to_owned(), String::new());
    };
    let off = now() - there.with_timezone(&Utc);
    let told = match off.num_seconds() {
        -1..=1 => "as the server's".to_owned(),
        seconds if seconds > 0 => format!("{seconds} s ahead of the server's"),
        seconds => format!("{} s behind the server's", -seconds),
    };
    if off.abs() < CLOCK_TOLERANCE {
        return report.ok("clock", told);
    }
    report.warning(
        "clock",
        told,
        "Set this machine's clock: signatures of webhooks won't verify here.".to_owned(),
    );
}

fn tell_key(key: &Value, report: &mut Report) {
    let told = format!("{} key {:?} ({})", cell(&key["mode"]), cell(&key["name"]), cell(&key["scopes"]));
    let reasons = blocked(&key["blockedBy"]);
    if reasons.is_empty() || may(key, "keys:manage") {
        return report.ok("key", told);
    }
    let hint = "`reel whoami` shows its limits and when they start again.".to_owned();
    report.warning("key", format!("{told}; a task would be refused: {reasons}"), hint);
}

fn may(key: &Value, scope: &str) -> bool {
    key["scopes"].as_array().is_some_and(|scopes| scopes.iter().any(|other| other == scope))
}

async fn balance(client: &Client, key: &Value, report: &mut Report) -> Option<()> {
    let balance = if may(key, "billing:read") {
        report.of("balance", client.get("/api/ai/credits", &[]).await)?
    } else {
        key.clone()
    };
    let available = &balance["available"];
    let told = format!("{} credits are available", cell(available));
    if available.as_f64().is_some_and(|available| available > 0.0) {
        report.ok("balance", told);
    } else {
        report.warning("balance", told, "Nothing can be ordered before there are more.".to_owned());
    }
    Some(())
}

async fn models(client: &Client, key: &Value, report: &mut Report) -> Option<()> {
    if !may(key, "videos:read") {
        return Some(());
    }
    let query = [("available", true.to_string())];
    let models = report.of("models", client.get("/api/ai/models", &query).await)?;
    match models["data"].as_array().map_or(0, Vec::len) {
        0 => report.warning(
            "models",
            "none is served now".to_owned(),
            "`reel models list` shows those that there are; ask the operator.".to_owned(),
        ),
        count => report.ok("models", format!("{count} are served now")),
    }
    Some(())
}
