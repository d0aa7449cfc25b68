//! The program dies between two steps of a task. Each point of the source is here, and each is met by a process that aborts.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;

use entity::{attempt, hold, task, transfer};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::Engine;

use super::site::Site;
use crate::program::{PATIENCE, Server};

/// SIGABRT.
const ABORTED: i32 = 6;

/// The prompt of a task of which nothing is delivered, and of one that is drawn.
const FAILS: &str = "[sandbox:fail]";
const IS_MADE: &str = "a paper boat";

/// Tests that the program may die at a point when it comes there for the n-th time.
macro_rules! dies {
    ($($name:ident: $point:literal, $hit:literal, $prompt:expr;)*) => {
        const POINTS: &[&str] = &[$($point),*];

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::dies_at(super::Engine::Sqlite, $point, $hit, $prompt).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::dies_at(super::Engine::Postgres, $point, $hit, $prompt).await;
            })*
        }
    };
}

dies! {
    before_an_accept_is_committed: "lane.commit", 1, super::FAILS;
    between_an_accept_and_its_reply: "lane.reply", 1, super::FAILS;
    between_the_intent_and_the_call: "claim.call", 1, super::FAILS;
    right_before_a_submission_is_sent: "submit.call", 1, super::FAILS;
    between_a_submission_and_its_record: "submit.reply", 1, super::FAILS;
    after_a_submission_is_recorded: "submit.recorded", 1, super::FAILS;
    between_a_verdict_and_its_record: "poll.verdict", 1, super::FAILS;
    between_a_stored_clip_and_its_record: "store.kept", 1, super::IS_MADE;
    before_a_settlement_is_asked_for: "settle.ask", 1, super::FAILS;
    before_a_settlement_is_committed: "lane.commit", 2, super::FAILS;
    after_a_settlement_is_committed: "lane.reply", 2, super::IS_MADE;
}

#[test]
fn every_point_of_the_source_is_met() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/src");
    let mut found = BTreeSet::new();
    crate::tidy::each_line(&root, &mut |line| {
        if let Some((_, rest)) = line.split_once("fail_point!(\"") {
            found.extend(rest.split('"').next().map(str::to_owned));
        }
    });
    let met: BTreeSet<String> = POINTS.iter().map(|point| (*point).to_owned()).collect();
    assert_eq!(found, met);
}

async fn dies_at(engine: Engine, point: &str, hit: u32, prompt: &str) {
    let site = Site::with(engine, 1_000).await;
    let server = site.serve(Some(&format!("{point}:{hit}"))).await;
    // It may die before it answers.
    let told = submit(&site, &server, prompt).await;
    let status = server.ended().await;
    assert_eq!(status.signal(), Some(ABORTED), "{point} was not met: {status}");

    let server = site.serve(None).await;
    let accepted = submit(&site, &server, prompt).await.expect("an answer");
    let id = accepted["taskId"].as_str().unwrap().to_owned();
    if let Some(told) = told {
        assert_eq!(told["taskId"], accepted["taskId"], "what was acknowledged is there");
    }
    let ended = end_of(&site, &server, &id).await;
    assert_eq!(ended["state"], json!(if prompt == FAILS { "failed" } else { "completed" }));
    server.stop("-TERM").await;
    assert_once(&site, prompt == FAILS).await;
    site.close().await;
}

/// The same request each time, by its idempotency key.
async fn submit(site: &Site, server: &Server, prompt: &str) -> Option<Value> {
    let body = json!({
        "model": "doubao-seedance-1-0-lite-t2v-250428", "inputMode": "text_to_video", "prompt": prompt, "duration": 2,
        "resolution": "480p", "aspectRatio": "16:9",
    });
    let request = tests::client()
        .post(format!("{}/api/ai/video/generate", server.url()))
        .bearer_auth(&site.key)
        .header("idempotency-key", "once")
        .json(&body);
    let answer = request.send().await.ok()?;
    assert_eq!(answer.status(), 200);
    answer.json().await.ok()
}

/// Waits for the end of a task.
async fn end_of(site: &Site, server: &Server, id: &str) -> Value {
    let waiting = async {
        loop {
            let task = site.get(server, &format!("/api/ai/tasks/{id}")).await;
            if task["status"] != json!(0) {
                return task;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the task ends")
}

/// One task, one hold that is settled whole, one submission under one key, and the transfers of a run in which nobody died.
async fn assert_once(site: &Site, failed: bool) {
    let db = site.db().await;
    assert_eq!(task::Entity::find().all(db.read()).await.unwrap().len(), 1);
    let holds = hold::Entity::find().all(db.read()).await.unwrap();
    let [hold] = &holds[..] else { panic!("{holds:?}") };
    let (captured, released) = (hold.captured, hold.released);
    let nothing = entity::Credits::ZERO;
    assert_eq!((captured == nothing, released == nothing), (failed, !failed), "{hold:?}");
    let attempts = attempt::Entity::find().all(db.read()).await.unwrap();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    let transfers = transfer::Entity::find().all(db.read()).await.unwrap();
    let kinds: Vec<_> = transfers.iter().map(|transfer| transfer.kind).collect();
    use transfer::TransferKind::{Capture, Grant, Hold, Release};
    assert_eq!(kinds, [Grant, Hold, if failed { Release } else { Capture }]);
    db.close().await.unwrap();
}
