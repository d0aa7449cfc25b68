//! Clips that are not there, broken off, too large, too short, no video, or somewhere where nobody should look.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Call, Ending, Lie, TestApp, Upstream, UpstreamAnswer as Answer, on_both_engines, tiny_mp4};

use super::{PRICE, SECRET, Stage, error};

on_both_engines!(
    a_clip_that_cannot_be_had_is_not_charged,
    a_clip_that_is_gone_is_asked_for_again_and_not_charged,
    an_address_that_has_grown_old_is_asked_for_again,
    a_clip_that_moved_is_fetched_where_it_is,
    a_clip_that_is_no_video_is_not_charged,
    a_clip_that_never_comes_to_an_end_is_given_up,
    a_clip_that_breaks_off_is_fetched_again,
    a_clip_that_drips_in_is_delivered,
    a_clip_of_another_length_than_asked_is_charged_by_what_was_delivered,
    a_success_without_a_clip_is_not_charged,
    a_clip_that_nobody_asked_for_is_not_charged,
);

/// Upstream says that it made this.
fn made(url: &str) -> Lie {
    Lie::Change(json!({ "clips": [{ "url": url, "seconds": 5 }] }))
}

/// A task for each of these clips; none of them can be used, for this reason.
async fn none_is_charged(stage: &Stage, urls: &[String], code: &str) {
    stage.upstream.on(Call::Poll, urls.iter().map(|url| made(url)));
    for id in stage.generate_many(urls.len()).await {
        let task = stage.costs_nothing(&id, "failed", code).await;
        assert_eq!(task["clips"][0]["url"], Value::Null, "{task:#}");
    }
    let scratch = stage.app.app.config.data_dir.join("scratch");
    let left: Vec<_> = std::fs::read_dir(scratch).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

async fn a_clip_that_cannot_be_had_is_not_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let video = || Answer::video(tiny_mp4(5));
    let redirect = |to| video().with_status(302).with_header("location", to);
    let files = [
        ("broken", video().with_status(500), Ending::Whole),
        ("not-yet", video().with_status(202), Ending::Whole),
        ("part", video().with_status(206), Ending::Whole),
        ("moved", redirect("http://169.254.169.254/latest/meta-data"), Ending::Whole),
        ("moved-nowhere", redirect("http://"), Ending::Whole),
        ("lost", video(), Ending::Lost),
        ("cut", video(), Ending::Cut),
        ("huge", video().claiming(6 * 1024 * 1024 * 1024), Ending::Stuck),
        ("endless", video(), Ending::Endless),
    ];
    for (name, answer, ending) in files.clone() {
        stage.upstream.file(name, answer, ending);
    }
    let ours = files.iter().map(|(name, ..)| stage.upstream.url(&format!("/files/{name}")));
    let others = [
        "http://10.0.0.1/clip.mp4",
        "http://127.0.0.1:1/clip.mp4",
        "http://[::1]/clip.mp4",
        "http://user:password@example.com/clip.mp4",
        "file:///etc/passwd",
        "clip.mp4",
        "",
    ];
    let urls: Vec<String> = ours.chain(others.map(str::to_owned)).collect();
    none_is_charged(&stage, &urls, "empty_result").await;
    stage.end(0).await
}

async fn a_clip_that_is_gone_is_asked_for_again_and_not_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.file("gone", error(404, "not_found"), Ending::Whole);
    stage.upstream.always(Call::Poll, made(&stage.upstream.url("/files/gone")));
    let id = stage.generate().await;
    stage.costs_nothing(&id, "failed", "empty_result").await;
    stage.end(0).await
}

async fn an_address_that_has_grown_old_is_asked_for_again(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.file("old", error(403, "expired"), Ending::Whole);
    stage.upstream.on(Call::Poll, [made(&stage.upstream.url("/files/old"))]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    assert_eq!(stage.upstream.calls(Call::Poll), 2);
    stage.end(PRICE).await
}

async fn a_clip_that_moved_is_fetched_where_it_is(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let moved = Answer::page(302, "").with_header("location", "/clips/job-1");
    stage.upstream.file("moved", moved, Ending::Whole);
    stage.upstream.on(Call::Poll, [made(&stage.upstream.url("/files/moved"))]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    stage.end(PRICE).await
}

async fn a_clip_that_is_no_video_is_not_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let whole = tiny_mp4(5);
    let files = [
        ("page", Answer::page(200, SECRET)),
        ("empty", Answer::video(Vec::new())),
        ("zeros", Answer::video(vec![0; 4_096])),
        ("half", Answer::video(whole[..whole.len() / 2].to_vec())),
        ("said-to-be-shorter", Answer::video(whole.clone()).claiming(whole.len() - 100)),
        ("no-length", Answer::video(tiny_mp4(0))),
    ];
    for (name, answer) in files.clone() {
        stage.upstream.file(name, answer, Ending::Whole);
    }
    let urls = files.map(|(name, _)| stage.upstream.url(&format!("/files/{name}")));
    none_is_charged(&stage, &urls, "invalid_clip").await;
    stage.end(0).await
}

async fn a_clip_that_never_comes_to_an_end_is_given_up(app: TestApp) -> TestApp {
    let upstream = Upstream::start().await;
    let worker = upstream.hasty_worker(&app, Duration::from_millis(300)).await;
    let stage = Stage::with(app, upstream, worker).await;
    stage.upstream.file("stuck", Answer::video(tiny_mp4(5)), Ending::Stuck);
    let stuck = stage.upstream.url("/files/stuck");
    // Also for polls whose answer it has no patience for.
    stage.upstream.always(Call::Poll, made(&stuck));
    none_is_charged(&stage, &[stuck], "empty_result").await;
    stage.end(0).await
}

async fn a_clip_that_breaks_off_is_fetched_again(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Fetch, [Lie::End(Ending::Cut), Lie::Say(Answer::page(200, SECRET))]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    assert_eq!((stage.upstream.calls(Call::Fetch), stage.upstream.calls(Call::Poll)), (3, 1));
    stage.end(PRICE).await
}

async fn a_clip_that_drips_in_is_delivered(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Fetch, [Lie::End(Ending::Dripping)]);
    let id = stage.generate().await;
    stage.is_paid(&id).await;
    assert_eq!(stage.upstream.calls(Call::Fetch), 1);
    stage.end(PRICE).await
}

async fn a_clip_of_another_length_than_asked_is_charged_by_what_was_delivered(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let mut charged = 0;
    // What upstream says of the length counts nothing.
    for (seconds, captured) in [(1, 6), (4, 24), (5, 30), (60, 30)] {
        stage.upstream.on(Call::Fetch, [Lie::Say(Answer::video(tiny_mp4(seconds)))]);
        let id = stage.generate().await;
        let task = stage.is_paid_in_part(&id, captured).await;
        assert_eq!(task["clips"][0]["seconds"], json!(f64::from(seconds)));
        charged += captured;
    }
    stage.end(charged).await
}

async fn a_success_without_a_clip_is_not_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    stage.upstream.on(Call::Poll, [Lie::Change(json!({ "clips": [] }))]);
    let id = stage.generate().await;
    stage.costs_nothing(&id, "failed", "empty_result").await;
    stage.end(0).await
}

async fn a_clip_that_nobody_asked_for_is_not_charged(app: TestApp) -> TestApp {
    let stage = Stage::set(app).await;
    let clips = [1, 2, 3].map(|_| json!({ "url": stage.upstream.url("/clips/job-1"), "seconds": 5 }));
    stage.upstream.on(Call::Poll, [Lie::Change(json!({ "clips": clips }))]);
    let id = stage.generate().await;
    let task = stage.is_paid(&id).await;
    assert_eq!((task["clips"].as_array().unwrap().len(), stage.upstream.calls(Call::Fetch)), (1, 1));
    stage.end(PRICE).await
}
