//! API keys from the command line.

use entity::Mode;
use reelmeter::customer::caller::MANAGEMENT_SCOPES;
use reelmeter::customer::key::NewKey;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use super::Reel;

on_both_engines!(
    a_key_is_made_limited_rotated_and_revoked,
    a_key_has_every_limit_that_was_said,
    keys_are_a_matter_of_keys_that_manage,
);

/// Somebody whose key manages.
async fn manager(app: &TestApp) -> Reel {
    let scopes = MANAGEMENT_SCOPES.map(str::to_owned).to_vec();
    let customer = app.customer_with(Mode::Test, 100, NewKey { scopes, ..NewKey::default() }).await;
    Reel::of(app, &customer)
}

/// The secret is all that there is on stdout.
async fn made(reel: &Reel, arguments: &[&str]) -> String {
    let ran = reel.run(arguments).await.expect(0);
    let secret = ran.stdout.trim().to_owned();
    assert!(secret.starts_with("sk-rm_test_") && ran.stdout.lines().count() == 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("shown this once") && !ran.stderr.contains(&secret), "{}", ran.stderr);
    secret
}

fn newest(keys: &Value) -> String {
    keys["data"][0]["id"].as_str().unwrap().to_owned()
}

async fn a_key_is_made_limited_rotated_and_revoked(app: TestApp) -> TestApp {
    let reel = manager(&app).await;
    let secret = made(&reel, &["keys", "create", "--name", "worker", "--cap-day", "50"]).await;
    let keys = reel.json(&["keys", "list", "--status", "active"]).await;
    let id = newest(&keys);
    assert_eq!(json!([keys["data"][0]["name"], keys["data"][0]["caps"]["day"]]), json!(["worker", 50]));
    let table = reel.run(&["keys", "list"]).await.expect(0).stdout;
    assert!(table.starts_with("KEY") && table.contains(&id) && table.contains("day 50"), "{table}");
    assert!(!table.contains(&secret), "{table}");

    let shown = reel.run(&["keys", "limits", &id]).await.expect(0).stdout;
    assert!(shown.contains("worker") && shown.contains("SPENT"), "{shown}");
    let change = ["keys", "limits", &id, "--cap-day", "none", "--cap-week", "60.5", "--max-tasks", "3"];
    let changed = reel.json(&[&change[..], &["--name", "painter"]].concat()).await;
    assert_eq!(changed["caps"], json!({ "day": null, "week": 60.5, "month": null, "lifetime": null }));
    assert_eq!(json!([changed["maxTasks"], changed["name"]]), json!([3, "painter"]));
    let own = reel.run(&["whoami", "--api-key", &secret]).await.expect(0).stdout;
    assert!(own.contains("painter") && own.contains("60.5") && own.contains("of 3"), "{own}");

    let fresh = made(&reel, &["keys", "rotate", &id, "--overlap", "0s"]).await;
    reel.run(&["whoami", "--api-key", &secret]).await.expect(4);
    reel.run(&["whoami", "--api-key", &fresh]).await.expect(0);
    let both = reel.json(&["keys", "rotate", &id]).await;
    assert!(both["secret"].is_string() && both["previousUntil"].is_string(), "{both:#}");

    let revoked = reel.run(&["keys", "revoke", &id]).await.expect(0).stdout;
    assert!(revoked.contains("revoked"), "{revoked}");
    assert_eq!(reel.json(&["keys", "revoke", &id]).await["status"], json!("revoked"));
    reel.run(&["whoami", "--api-key", &fresh]).await.expect(4);
    let late = reel.run(&["keys", "limits", &id, "--cap-day", "1", "--json"]).await.expect(9);
    assert_eq!(late.failure()["code"], json!("key_revoked"));
    app
}

async fn a_key_has_every_limit_that_was_said(app: TestApp) -> TestApp {
    let reel = manager(&app).await;
    let who =
        ["keys", "create", "--name", "worker", "--mode", "test", "--scopes", "videos:read,billing:read"];
    let limits = [
        "--group",
        "default",
        "--models",
        "sora-2-text-to-video",
        "--networks",
        "127.0.0.1,10.0.0.0/8",
        "--expires-at",
        "2099-01-01",
        "--rate-per-minute",
        "600",
        "--concurrency",
        "5",
        "--cap-day",
        "50",
        "--cap-week",
        "none",
        "--cap-month",
        "60",
        "--cap-lifetime",
        "70.5",
    ];
    let key = reel.json(&[&who[..], &limits].concat()).await;
    for (field, value) in [
        ("scopes", json!(["videos:read", "billing:read"])),
        ("group", json!("default")),
        ("models", json!(["sora-2-text-to-video"])),
        ("ipRanges", json!(["127.0.0.1/32", "10.0.0.0/8"])),
        ("expiresAt", json!("2099-01-01T00:00:00.000Z")),
        ("ratePerMinute", json!(600)),
        ("maxTasks", json!(5)),
        ("caps", json!({ "day": 50, "week": null, "month": 60, "lifetime": 70.5 })),
    ] {
        assert_eq!(key[field], value, "{field}");
    }
    for wrong in [["--cap-day", "much"], ["--max-tasks", "1.5"], ["--expires-at", "soon"], ["--scopes", "x"]]
    {
        let ran = reel.run(&[&["keys", "create", "--name", "x"], &wrong[..]].concat()).await.expect(2);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{wrong:?}");
    }
    app
}

async fn keys_are_a_matter_of_keys_that_manage(app: TestApp) -> TestApp {
    let customer: Customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let id = customer.key_id.to_string();
    for command in
        [&["list"][..], &["create", "--name", "x"], &["limits", &id], &["rotate", &id], &["revoke", &id]]
    {
        let ran = reel.run(&[&["keys"], command, &["--json"]].concat()).await.expect(4);
        assert_eq!(ran.failure()["code"], json!("insufficient_scope"), "{command:?}");
    }
    manager(&app).await.run(&["keys", "limits", &id]).await.expect(5);
    app
}
