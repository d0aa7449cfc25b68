//! Actions by their names from the command line.

use entity::Mode;
use serde_json::json;
use tests::{TestApp, on_both_engines};

use super::Reel;

on_both_engines!(
    actions_are_listed_with_what_they_take,
    an_action_takes_json_and_fields_and_buys_once,
    an_action_that_waits_ends_with_its_task,
    an_action_that_makes_no_sense_is_refused,
);

const ORDER: [&str; 4] =
    ["prompt=a kite", "model=kling-3.0/video", "options.duration=5", "options.resolution=720p"];

async fn actions_are_listed_with_what_they_take(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let table = reel.run(&["actions", "list"]).await.expect(0).stdout;
    assert!(table.starts_with("ACTION") && table.contains("ai.video.generate_and_wait"), "{table}");
    let listed = reel.json(&["actions", "list"]).await;
    let schema = reel.json(&["actions", "schema", "ai.video.generate"]).await;
    assert_eq!((&schema["title"], &listed["data"][0]["inputSchema"]), (&json!("ai.video.generate"), &schema));
    let fields = reel.run(&["actions", "schema", "ai.video.generate"]).await.expect(0).stdout;
    assert!(fields.starts_with("FIELD") && fields.contains("prompt"), "{fields}");
    app
}

async fn an_action_takes_json_and_fields_and_buys_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let quote = [&["actions", "run", "ai.video.quote"], &ORDER[..]].concat();
    assert_eq!(reel.json(&quote).await["credits"], json!(11));
    let told = reel.run(&quote).await.expect(0).stdout;
    assert!(told.lines().any(|line| line.starts_with("credits") && line.ends_with(" 11")), "{told}");

    let input = json!({ "prompt": "a boat", "model": "kling-3.0/video", "options": { "duration": 5 } });
    std::fs::write(reel.path("order.json"), input.to_string()).unwrap();
    let order = ["actions", "run", "ai.video.generate", "--input", "@order.json", "options.resolution=720p"];
    let order = [&order[..], &["prompt=a kite", "--idempotency-key", "order-42"]].concat();
    let first = reel.json(&order).await;
    assert_eq!(json!([first["status"], first["prompt"]]), json!(["pending", "a kite"]));
    assert_eq!(reel.json(&order).await["taskId"], first["taskId"]);
    assert_eq!(app.balance(&customer).await.1, json!(11));
    assert_eq!(reel.json(&["video", "resume", "--list"]).await, json!([]));
    let reused = [&order[..order.len() - 1], &["order-42", "options.duration=10", "--json"]].concat();
    assert_eq!(reel.run(&reused).await.expect(9).failure()["code"], json!("idempotency_key_reused"));

    let query = json!({ "taskId": first["taskId"] }).to_string();
    let by_stdin = ["actions", "run", "ai.video.query", "--input", "-", "--json"];
    assert_eq!(reel.run_with(&by_stdin, &query).await.json()["taskId"], first["taskId"]);
    app
}

async fn an_action_that_waits_ends_with_its_task(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let wait = ["actions", "run", "ai.video.generate_and_wait"];
    let done = reel.json(&[&wait, &ORDER[..]].concat()).await;
    assert_eq!(json!([done["status"], done["creditsUsed"]]), json!(["success", 11]));
    let failed = reel.run(&[&wait[..], &["prompt=[sandbox:fail]", "--json"]].concat()).await.expect(3);
    assert!(failed.stdout.contains("failed"), "{}", failed.stdout);
    let late = [&wait[..], &["prompt=[sandbox:hang]", "timeoutMs=1"]].concat();
    let late = reel.run(&late).await.expect(8);
    assert!(late.stderr.contains("reel video watch"), "{}", late.stderr);
    assert_eq!(reel.json(&["video", "resume", "--list"]).await, json!([]));
    let running = reel.json(&["video", "list", "-n", "1"]).await;
    reel.run(&["video", "cancel", running["data"][0]["taskId"].as_str().unwrap()]).await.expect(0);
    app
}

async fn an_action_that_makes_no_sense_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    for command in [&["schema", "ai.video.dream"][..], &["run", "ai.video.dream"]] {
        let ran = reel.run(&[&["actions"], command, &["--json"]].concat()).await.expect(5);
        assert!(ran.failure()["hint"].as_str().unwrap().contains("reel actions list"), "{}", ran.stderr);
    }
    for wrong in [
        &["ai.video.quote", "prompt"][..],
        &["ai.video.quote", "--input", "[1]"],
        &["ai.video.quote", "--input", "{"],
        &["ai.video.quote", "--input", "@nowhere.json"],
        &["ai.video.quote", "--input", "{\"options\":1}", "options.duration=5"],
        &["ai.video.quote", "prompt=x", "--idempotency-key", "order-1"],
        &["ai.video.generate", "prompt=x", "options.duration=99"],
    ] {
        let ran = reel.run(&[&["actions", "run"], wrong].concat()).await.expect(2);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{wrong:?}");
    }
    assert_eq!(app.balance(&customer).await.1, json!(0));
    app
}
