//! Videos from the command line: ordered, followed, fetched, and the ways in which that fails.

use entity::Mode;
use serde_json::{Value, json};
use tests::{TestApp, on_both_engines};

use super::{Reel, is_playable};
use crate::uploads::picture;

on_both_engines!(
    the_published_examples_work_as_they_are_written,
    an_order_has_all_that_was_said_and_local_files_are_uploaded,
    the_price_is_asked_first_and_never_exceeded,
    each_way_to_fail_has_its_exit_code,
    tasks_are_listed_watched_canceled_and_deleted,
    a_task_is_made_again_with_another_prompt,
    prices_are_shown_for_one_order_and_for_all_of_a_model,
);

fn id(task: &Value) -> String {
    task["taskId"].as_str().unwrap_or_else(|| panic!("no task in {task:#}")).to_owned()
}

async fn the_published_examples_work_as_they_are_written(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let reel = Reel::nobody();
    reel.run(&["login", "--host", &app.url, "--api-key", &customer.key]).await.expect(0);
    let prompt = "cinematic product shot, soft lighting, slow camera push";
    let out = "./output/video.mp4";
    let first = ["video", "generate", "--prompt", prompt, "--scene", "text-to-video", "--out", out];
    let ran = reel.run(&first).await.expect(0);
    assert!(is_playable(&reel.path("output/video.mp4")));
    assert!(ran.stdout.contains("output/video.mp4") && ran.stderr.contains("running"), "{ran:?}");
    let image = "https://example.com/reference.jpg";
    let second = [
        "video",
        "generate",
        "--prompt",
        "gentle camera motion, natural lighting",
        "--scene",
        "image-to-video",
        "--image-input",
        image,
        "--out",
        "./output/motion.mp4",
    ];
    let made = reel.json(&second).await;
    let names: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let told = ["taskId", "status", "videoUrl", "localPath", "url", "provider", "model", "creditsUsed"];
    assert_eq!(names, told);
    assert_eq!((&made["status"], &made["provider"]), (&json!("success"), &json!("kie")));
    assert_eq!(made["localPath"], json!("./output/motion.mp4"));
    assert!(is_playable(&reel.path("output/motion.mp4")));
    let queried = reel.json(&["video", "query", "--task-id", &id(&made)]).await;
    assert_eq!((&queried["taskId"], &queried["status"]), (&made["taskId"], &json!("success")));
    assert_eq!(queried["localPath"], Value::Null);
    app
}

async fn an_order_has_all_that_was_said_and_local_files_are_uploaded(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let reel = Reel::of(&app, &customer);
    std::fs::write(reel.path("a cat, sitting.png"), picture(640, 640)).unwrap();
    std::fs::write(reel.path("end.png"), picture(720, 720)).unwrap();
    let order = [
        "video",
        "generate",
        "--no-wait",
        "--prompt",
        "-",
        "--scene",
        "image-to-video",
        "--model",
        "kling-3.0/video",
        "--image-input",
        "a cat, sitting.png",
        "--last-frame",
        "end.png",
        "--duration",
        "5s",
        "--resolution",
        "720p",
        "--audio=false",
        "--external-task-id",
        "scene-7",
        "--json",
    ];
    let made = reel.run_with(&order, "The cat wakes up\n").await.json();
    assert_eq!(made["status"], json!("pending"));
    let task = app.get(&customer, &format!("/api/ai/tasks/{}", id(&made))).await.expect(200);
    let told =
        ["prompt", "model", "inputMode", "duration", "resolution", "externalTaskId"].map(|name| &task[name]);
    let said = json!(["The cat wakes up", "kling-3.0/video", "image_to_video", 5, "720p", "scene-7"]);
    assert_eq!(json!(told), said);
    std::fs::write(reel.path("notes.png"), "no picture").unwrap();
    let odd =
        ["video", "generate", "--prompt", "x", "--scene", "image-to-video", "--image-input", "notes.png"];
    let ran = reel.run(&odd).await.expect(2);
    assert!(ran.stderr.contains("notes.png: "), "{}", ran.stderr);
    let missing =
        ["video", "generate", "--prompt", "x", "--scene", "image-to-video", "--image-input", "dog.png"];
    let ran = reel.run(&missing).await.expect(2);
    assert!(ran.stderr.contains("there is no file dog.png"), "{}", ran.stderr);
    let empty = reel.run_with(&["video", "generate", "--prompt", "-"], " \n").await.expect(2);
    assert!(empty.stderr.contains("stdin is empty"), "{}", empty.stderr);
    app
}

async fn the_price_is_asked_first_and_never_exceeded(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let reel = Reel::of(&app, &customer);
    let order = [
        "video",
        "generate",
        "--no-wait",
        "--prompt",
        "a kite",
        "--model",
        "kling-3.0/video",
        "-d",
        "5",
        "-r",
        "720p",
    ];
    let with = |more: &[&'static str]| [&order[..], more].concat();
    let dear = reel.run(&with(&["--max-credits", "10.9"])).await.expect(6);
    assert!(
        dear.stderr.contains("11 credits") && dear.stderr.contains("Nothing was ordered"),
        "{}",
        dear.stderr
    );
    let alone = reel.run(&with(&["--quote"])).await.expect(2);
    assert!(alone.stderr.contains("11 credits") && alone.stderr.contains("--yes"), "{}", alone.stderr);
    std::fs::write(reel.path(".reel.toml"), "max_credits = \"10\"\n").unwrap();
    reel.run(&order).await.expect(6);
    assert_eq!(app.balance(&customer).await, (json!(1_000), json!(0)));
    let agreed = reel.run(&with(&["--quote", "--yes", "--max-credits", "11"])).await.expect(0);
    assert!(agreed.stderr.contains("This will cost 11 credits"), "{}", agreed.stderr);
    assert_eq!(app.balance(&customer).await.1, json!(11));
    app
}

async fn each_way_to_fail_has_its_exit_code(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let generate = |prompt: &'static str| ["video", "generate", "--prompt", prompt, "--json"];
    let failed = reel.run(&generate("[sandbox:fail]")).await.expect(3);
    let task: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!((&task["status"], &task["creditsUsed"]), (&json!("failed"), &json!(0)));
    assert!(failed.failure()["hint"].as_str().unwrap().contains("given back"));
    reel.run(&generate("[sandbox:moderation]")).await.expect(10);
    let waited = ["video", "generate", "--prompt", "[sandbox:hang]", "--timeout", "1500ms", "--json"];
    let late = reel.run(&waited).await.expect(8);
    let task: Value = serde_json::from_str(&late.stdout).unwrap();
    reel.run(&["video", "cancel", &id(&task)]).await.expect(0);
    let refused =
        reel.run(&["video", "generate", "--prompt", "x", "--duration", "99", "--json"]).await.expect(2);
    assert_eq!(refused.failure()["code"], json!("invalid_request"));
    assert!(
        refused.failure()["message"].as_str().unwrap().contains("options.duration"),
        "{}",
        refused.stderr
    );
    reel.run(&["video", "query", "tsk_01K5ZZZZZZZZZZZZZZZZZZZZZZ"]).await.expect(5);
    reel.run(&["video", "generate", "--promt", "x"]).await.expect(2);
    let wrong_key = ["whoami", "--api-key", "sk-rm_test_00000000000000000000000000000000"];
    let unknown = reel.run(&wrong_key).await.expect(4);
    assert!(unknown.stderr.contains("reel login"), "{}", unknown.stderr);
    let nowhere = ["whoami", "--host", "http://127.0.0.1:9", "--retries", "0"];
    let unreachable = reel.run(&nowhere).await.expect(1);
    assert!(unreachable.stderr.contains("http://127.0.0.1:9 can't be reached"), "{}", unreachable.stderr);
    let poor = app.customer(Mode::Test, 1).await;
    let ran = Reel::of(&app, &poor).run(&["video", "generate", "--prompt", "x"]).await.expect(6);
    assert!(ran.stderr.contains("credits"), "{}", ran.stderr);
    app
}

async fn tasks_are_listed_watched_canceled_and_deleted(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let reel = Reel::of(&app, &customer);
    let quick = reel.json(&["video", "generate", "--prompt", "a boat", "--no-wait"]).await;
    let watched = reel.run(&["video", "watch", &id(&quick), "--jsonl"]).await.expect(0);
    let states: Vec<Value> = watched.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(states.last().unwrap()["state"], json!("completed"));
    let slow = reel.json(&["video", "generate", "--prompt", "[sandbox:hang]", "--no-wait"]).await;
    let early = reel.run(&["video", "download", &id(&slow)]).await.expect(5);
    assert!(early.stderr.contains("reel video watch"), "{}", early.stderr);
    let table = reel.run(&["video", "list"]).await.expect(0).stdout;
    assert!(table.starts_with("TASK") && table.contains("a boat") && table.lines().count() == 3, "{table}");
    let done = reel.json(&["video", "list", "--state", "completed"]).await;
    assert_eq!(done["data"].as_array().unwrap().len(), 1);
    let asked = reel.json(&["video", "cancel", &id(&slow)]).await;
    assert_eq!(asked["taskId"].as_str().map(|id| id.len()), Some("tsk_".len() + 26));
    reel.run(&["video", "watch", &id(&slow)]).await.expect(3);
    let late = reel.run(&["video", "cancel", &id(&quick)]).await.expect(9);
    assert!(late.stderr.contains("too late"), "{}", late.stderr);
    reel.run(&["video", "delete", &id(&slow), &id(&quick)]).await.expect(0);
    assert_eq!(reel.json(&["video", "list", "--all"]).await["data"], json!([]));
    reel.run(&["video", "delete", &id(&quick)]).await.expect(5);
    app
}

async fn a_task_is_made_again_with_another_prompt(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let reel = Reel::of(&app, &customer);
    let first = ["video", "generate", "--prompt", "a boat", "--model", "sora-2"];
    let first = reel.json(&first).await;
    let again = ["video", "remix", &id(&first), "--prompt", "a boat at night", "--out", "night.mp4"];
    let again = reel.json(&again).await;
    assert_eq!((&again["status"], again["taskId"] == first["taskId"]), (&json!("success"), false));
    assert!(is_playable(&reel.path("night.mp4")));
    app
}

async fn prices_are_shown_for_one_order_and_for_all_of_a_model(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let one = [
        "quote",
        "--prompt",
        "a kite",
        "--model",
        "kling-3.0/video",
        "--duration",
        "5",
        "--resolution",
        "720p",
    ];
    assert_eq!(reel.json(&one).await["credits"], json!(11));
    let told = reel.run(&one).await.expect(0).stdout;
    assert!(told.contains("credits") && told.contains("5 s"), "{told}");
    let matrix = reel.run(&["quote", "--model", "kling-3.0/video", "--matrix"]).await.expect(0).stdout;
    let header: Vec<&str> = matrix.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header[0], "RESOLUTION");
    assert!(matrix.lines().skip(1).any(|line| line.starts_with("720p")), "{matrix}");
    reel.run(&["quote", "--matrix"]).await.expect(2);
    let unknown = reel.run(&["quote", "--model", "kling-9/video", "--matrix"]).await.expect(5);
    assert!(unknown.stderr.contains("reel models list"), "{}", unknown.stderr);
    app
}
