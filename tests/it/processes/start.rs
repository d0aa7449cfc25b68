//! What a process says when it starts, and what it does once it was told to stop.

use std::path::Path;

use entity::Mode;
use reqwest::Method;
use serde_json::json;
use tests::{TestApp, on_postgres};

use super::child::{Quiet, command, log_file, redis};
use crate::program::{PATIENCE, Server, reelmeter};
use crate::sora;

on_postgres!(
    a_process_without_redis_says_once_what_is_different,
    a_process_that_drains_is_not_ready_and_does_whatever_it_is_asked,
);

const WARNING: &str = "REELMETER_REDIS_URL is not set";

fn warnings(log: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().filter(|line| line.contains(WARNING)).map(str::to_owned).collect()
}

async fn a_process_without_redis_says_once_what_is_different(app: TestApp) -> TestApp {
    let log = app.folder.path().join("log");
    let mut serve = command(&app, &["serve"]);
    Server::of(serve.stderr(log_file(&log))).await.stop("-TERM").await;
    let said = warnings(&log);
    assert_eq!(said.len(), 1, "{said:?}");
    for difference in [" WARN ", "within a second", "rate limits", "sessions"] {
        assert!(said[0].contains(difference), "{said:?}");
    }

    let worker = Quiet::start(&mut command(&app, &["worker"]), log.clone());
    let said = async {
        while warnings(&log).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.expect("a worker says so as well");
    worker.stop().await;
    assert_eq!(warnings(&log).len(), 1);

    let mut with_redis = command(&app, &["serve"]);
    with_redis.env("REELMETER_REDIS_URL", redis());
    Server::of(with_redis.stderr(log_file(&log))).await.stop("-TERM").await;
    assert_eq!(warnings(&log), Vec::<String>::new());

    // Nobody shares a file.
    let folder = tempfile::tempdir().unwrap();
    Server::of(reelmeter(folder.path(), &[]).stderr(log_file(&log))).await.stop("-TERM").await;
    assert_eq!(warnings(&log), Vec::<String>::new());
    app
}

async fn a_process_that_drains_is_not_ready_and_does_whatever_it_is_asked(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let ready = async || app.send(None, Method::GET, "/readyz", None, &[]).await;
    let before = ready().await;
    assert_eq!((before.status.as_u16(), before.header("connection")), (200, None));
    app.app.draining.cancel();
    ready().await.expect(503);
    let submitted = app.post(&customer, "/api/ai/video/generate", &sora(json!({}))).await;
    assert_eq!((submitted.status.as_u16(), submitted.header("connection")), (200, Some("close")));
    let waited = [("prefer", "wait=1, until=\"change\"")];
    let body = submitted.body;
    let path = format!("/api/ai/tasks/{}", body["taskId"].as_str().unwrap());
    app.send(Some(&customer), Method::GET, &path, None, &waited).await.expect(200);
    assert!(!app.app.stopping.is_cancelled(), "who waits is not sent away yet");
    app
}
