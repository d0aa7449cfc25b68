//! Endpoints from the command line, and the signatures of what they are sent.

use entity::Mode;
use reelmeter::customer::caller::MANAGEMENT_SCOPES;
use reelmeter::customer::key::NewKey;
use serde_json::json;
use standardwebhooks::Webhook;
use tests::{TestApp, on_both_engines};

use super::Reel;

on_both_engines!(
    endpoints_are_made_tested_and_removed,
    an_endpoint_that_makes_no_sense_is_refused,
    a_signature_is_checked_without_a_server,
);

const URL: &str = "http://127.0.0.1:1/hook";

async fn manager(app: &TestApp) -> Reel {
    let scopes = MANAGEMENT_SCOPES.map(str::to_owned).to_vec();
    let customer = app.customer_with(Mode::Test, 100, NewKey { scopes, ..NewKey::default() }).await;
    Reel::of(app, &customer)
}

async fn endpoints_are_made_tested_and_removed(app: TestApp) -> TestApp {
    let reel = manager(&app).await;
    let create = ["webhooks", "create", URL, "--events", "video.*,credits.low", "--description", "mine"];
    let made = reel.run(&create).await.expect(0);
    assert!(made.stdout.starts_with("whsec_") && made.stdout.lines().count() == 1, "{}", made.stdout);
    assert!(made.stderr.contains("shown this once") && !made.stderr.contains("whsec_"), "{}", made.stderr);
    let listed = reel.json(&["webhooks", "list"]).await;
    let endpoint = listed["data"][0].clone();
    let id = endpoint["id"].as_str().unwrap();
    let told = json!([endpoint["url"], endpoint["events"], endpoint["description"]]);
    assert_eq!(told, json!([URL, ["video.*", "credits.low"], "mine"]));
    let table = reel.run(&["webhooks", "list"]).await.expect(0).stdout;
    assert!(table.starts_with("ENDPOINT") && table.contains(id) && table.contains(URL), "{table}");

    let sent = reel.json(&["webhooks", "trigger", id]).await;
    assert_eq!(sent["type"], json!("webhook.test"));
    let event = sent["event"].as_str().unwrap();
    let triggered = reel.run(&["webhooks", "trigger", id]).await.expect(0);
    assert!(triggered.stdout.contains("webhook.test"), "{}", triggered.stdout);
    assert!(triggered.stderr.contains("reel webhooks deliveries"), "{}", triggered.stderr);
    let owed = reel.json(&["webhooks", "deliveries", id, "--state", "pending"]).await;
    assert_eq!(owed["data"].as_array().unwrap().len(), 2);
    let table = reel.run(&["webhooks", "deliveries", id, "-n", "2"]).await.expect(0).stdout;
    assert!(table.starts_with("EVENT") && table.contains(event), "{table}");
    let again = reel.json(&["webhooks", "resend", id, event]).await;
    assert_eq!(json!([again["event"], again["state"]]), json!([event, "pending"]));
    let again = reel.run(&["webhooks", "resend", id, event]).await.expect(0).stdout;
    assert!(again.contains(event), "{again}");

    let deleted = reel.run(&["webhooks", "delete", id]).await.expect(0).stdout;
    assert_eq!(deleted.trim(), format!("deleted {id}"));
    assert_eq!(reel.json(&["webhooks", "list"]).await["data"], json!([]));
    reel.run(&["webhooks", "delete", id]).await.expect(5);
    app
}

async fn an_endpoint_that_makes_no_sense_is_refused(app: TestApp) -> TestApp {
    let reel = manager(&app).await;
    reel.run(&["webhooks", "create", "nowhere"]).await.expect(2);
    reel.run(&["webhooks", "create", URL, "--events", "video.dreamt"]).await.expect(2);
    let made = reel.json(&["webhooks", "create", URL]).await;
    let id = made["id"].as_str().unwrap();
    reel.run(&["webhooks", "resend", id, "evt_00000000000000000000000000000007_1"]).await.expect(5);
    let customer = app.customer(Mode::Test, 100).await;
    let other = Reel::of(&app, &customer);
    for command in [&["list"][..], &["create", URL], &["trigger", id], &["deliveries", id], &["delete", id]] {
        let ran = other.run(&[&["webhooks"], command, &["--json"]].concat()).await.expect(4);
        assert_eq!(ran.failure()["code"], json!("insufficient_scope"), "{command:?}");
    }
    app
}

async fn a_signature_is_checked_without_a_server(app: TestApp) -> TestApp {
    let (secret, body) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "{\"type\":\"video.completed\"}\n");
    let signature = Webhook::new(secret).unwrap().sign("evt_1", 1_600_000_000, body.as_bytes()).unwrap();
    let signatures = format!("v1,bm90aGluZw== {signature}");
    let reel = Reel::nobody();
    std::fs::write(reel.path("body.json"), body).unwrap();
    std::fs::write(reel.path("other.json"), body.trim()).unwrap();
    let verify = |file: &'static str, more: &[&'static str]| {
        let came = ["--id", "evt_1", "--timestamp", "1600000000", "--signature", &signatures, "--body", file];
        let mut command = reel.command(&[&["webhooks", "verify"], &came[..], more].concat());
        command.env("REEL_WEBHOOK_SECRET", secret);
        super::ended(command)
    };
    assert!(verify("body.json", &["--any-age"]).await.expect(0).stdout.contains("good"));
    assert_eq!(verify("body.json", &["--any-age", "--json"]).await.json()["verified"], json!(true));
    let old = verify("body.json", &["--json"]).await.expect(1);
    assert!(old.failure()["hint"].as_str().unwrap().contains("--any-age"), "{}", old.stderr);
    let changed = verify("other.json", &["--any-age"]).await.expect(1);
    assert!(changed.stderr.contains("another body") && changed.stdout.is_empty(), "{changed:?}");
    let others = ["--any-age", "--secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    let refused = verify("body.json", &others).await.expect(1);
    assert!(!refused.stderr.contains("AAAAAAAA"), "{}", refused.stderr);
    verify("body.json", &["--secret", "no secret"]).await.expect(2);
    verify("nowhere.json", &[]).await.expect(2);
    verify("-", &["--secret", "-"]).await.expect(2);

    let by_stdin = ["--id", "evt_1", "--timestamp", "1600000000", "--signature", &signature, "--body", "-"];
    let by_stdin = [&["webhooks", "verify", "--any-age", "--secret", secret], &by_stdin[..]].concat();
    reel.run_with(&by_stdin, body).await.expect(0);
    app
}
