//! What a task is made from is fetched before it is submitted: once, through the guard, and told by its bytes.

use base64::Engine;
use serde_json::json;
use tests::{Call, Ending, Lie, TestApp, Upstream, UpstreamAnswer as Answer, on_both_engines, tiny_mp4};

use super::{CREDITS, SECRET, Stage};

on_both_engines!(
    an_address_is_fetched_once_and_sent_as_a_copy_of_ours,
    what_lies_with_us_is_sent_without_being_fetched,
    an_input_that_can_t_be_had_ends_the_task_and_is_nobody_s_failure,
    an_input_s_server_is_asked_again_as_long_as_it_is_only_away,
    a_redirect_is_followed_only_to_where_an_address_may_lead,
);

const EDIT: &str = "wan/2-7-videoedit";

/// A stage whose customers may name files of the upstream's own server.
async fn stage(app: TestApp) -> Stage {
    let upstream = Upstream::start().await;
    let port = upstream.port();
    let app = app
        .restart_with(move |config| {
            config.http_inputs = true;
            config.private_hosts = reelmeter::media::Allow::new(&[("127.0.0.1", port)]);
        })
        .await;
    let worker = upstream.worker(&app).await;
    Stage::with(app, upstream, worker).await
}

impl Stage {
    async fn edit(&self, url: &str) -> String {
        let body = json!({
            "model": EDIT, "inputMode": "video_to_video", "prompt": "at night", "duration": 5, "resolution": "720p",
            "inputVideoUrls": [url],
        });
        self.app.generate(&self.customer, &body).await
    }

    async fn leave(self) -> TestApp {
        self.worker.stop().await;
        self.app
    }

    /// The task has failed for this reason, and gave everything back.
    async fn fails(&self, id: &str, code: &str) -> String {
        let task = self.app.finished(&self.customer, id).await;
        assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!(code)), "{task:#}");
        assert_eq!(task["creditsRefunded"], json!(true));
        assert_eq!(self.app.balance(&self.customer).await, (json!(CREDITS), json!(0)));
        task["errorMessage"].as_str().unwrap().to_owned()
    }
}

async fn an_address_is_fetched_once_and_sent_as_a_copy_of_ours(app: TestApp) -> TestApp {
    let stage = stage(app).await;
    stage.upstream.file("cat", Answer::of(200, "text/plain", tiny_mp4(5)), Ending::Whole);
    // The submission and its answer are lost: it is sent again.
    stage.upstream.on(Call::Submit, [Lie::LoseRequest]);
    let task = stage.edit(&stage.upstream.url("/files/cat")).await;
    let done = stage.app.finished(&stage.customer, &task).await;
    assert_eq!(done["state"], "completed", "{done:#}");
    // Its own clip is the other one that was fetched.
    assert_eq!(stage.upstream.calls(Call::Fetch), 2);
    let sent = stage.upstream.media();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1], "the same bytes under the same address");
    let medium = &sent[0][0];
    let expected = (&json!("inputVideoUrls"), &json!("video/mp4"), &json!(tiny_mp4(5).len()));
    assert_eq!((&medium["role"], &medium["type"], &medium["bytes"]), expected);
    let url = medium["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/api/uploads/upl_", stage.app.url)), "{url}");
    assert_eq!(stage.app.client.get(url).send().await.unwrap().bytes().await.unwrap(), tiny_mp4(5));
    stage.leave().await
}

async fn what_lies_with_us_is_sent_without_being_fetched(app: TestApp) -> TestApp {
    let stage = stage(app).await;
    let source = stage.generate().await;
    stage.is_paid(&source).await;
    let file = format!("data:;base64,{}", base64::prelude::BASE64_STANDARD.encode(tiny_mp4(4)));
    for (given, place, bytes) in [
        (&source, format!("/api/ai/tasks/{source}/content?clip=0"), tiny_mp4(5)),
        (&file, "/api/uploads/upl_".to_owned(), tiny_mp4(4)),
    ] {
        let before = stage.upstream.calls(Call::Fetch);
        let task = stage.edit(given).await;
        assert_eq!(stage.app.finished(&stage.customer, &task).await["state"], "completed");
        assert_eq!(stage.upstream.calls(Call::Fetch), before + 1, "only the clip");
        let sent = stage.upstream.media().pop().unwrap();
        let url = sent[0]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}{place}", stage.app.url)), "{url}");
        assert_eq!(stage.app.client.get(url).send().await.unwrap().bytes().await.unwrap(), bytes);
    }
    stage.leave().await
}

async fn an_input_that_can_t_be_had_ends_the_task_and_is_nobody_s_failure(app: TestApp) -> TestApp {
    let stage = stage(app).await;
    stage.upstream.file("page", Answer::page(200, SECRET), Ending::Whole);
    stage.upstream.file(
        "picture",
        Answer::of(200, "video/mp4", crate::uploads::picture(640, 360)),
        Ending::Whole,
    );
    stage.upstream.file("gone", Answer::page(404, SECRET), Ending::Whole);
    for (name, code, told) in [
        ("page", "invalid_input", "inputVideoUrls: Can't be used: it is none of PNG"),
        ("picture", "invalid_input", "inputVideoUrls: Must be of the kind video"),
        ("gone", "input_unreachable", "inputVideoUrls: could not be fetched: status 404"),
    ] {
        let task = stage.edit(&stage.upstream.url(&format!("/files/{name}"))).await;
        let message = stage.fails(&task, code).await;
        assert!(message.starts_with(told) && !message.contains(SECRET), "{message}");
        let attempts = stage.attempts(&task).await;
        assert_eq!(attempts.iter().map(|attempt| attempt.sends).collect::<Vec<_>>(), [0]);
    }
    assert_eq!(stage.upstream.calls(Call::Submit), 0);
    let text = reelmeter::scrape::text(&stage.app.app).await;
    assert!(
        !text.lines().any(|line| line.starts_with("reelmeter_provider_failures") && line.contains("input")),
        "{text}"
    );
    stage.leave().await
}

async fn an_input_s_server_is_asked_again_as_long_as_it_is_only_away(app: TestApp) -> TestApp {
    let stage = stage(app).await;
    stage.upstream.file("cat", Answer::video(tiny_mp4(5)), Ending::Whole);
    stage.upstream.on(Call::Fetch, [Lie::Refuse(Answer::page(503, SECRET)), Lie::End(Ending::Cut)]);
    let task = stage.edit(&stage.upstream.url("/files/cat")).await;
    assert_eq!(stage.app.finished(&stage.customer, &task).await["state"], "completed");
    assert_eq!(stage.upstream.calls(Call::Fetch), 4);
    stage.leave().await
}

async fn a_redirect_is_followed_only_to_where_an_address_may_lead(app: TestApp) -> TestApp {
    let stage = stage(app).await;
    let leads = |to: &str| Answer::page(302, "").with_header("location", to);
    stage.upstream.file("cat", Answer::video(tiny_mp4(5)), Ending::Whole);
    stage.upstream.file("here", leads("cat"), Ending::Whole);
    stage.upstream.file("inside", leads("http://169.254.169.254/latest/meta-data/"), Ending::Whole);
    stage.upstream.file("round", leads("round"), Ending::Whole);
    let task = stage.edit(&stage.upstream.url("/files/here")).await;
    assert_eq!(stage.app.finished(&stage.customer, &task).await["state"], "completed");
    let stage = Stage { customer: stage.app.customer(entity::Mode::Live, CREDITS).await, ..stage };
    for (name, told) in [
        ("inside", "inputVideoUrls: could not be fetched: the address is not on the public internet"),
        ("round", "inputVideoUrls: could not be fetched: it is redirected too often"),
    ] {
        let task = stage.edit(&stage.upstream.url(&format!("/files/{name}"))).await;
        assert_eq!(stage.fails(&task, "input_unreachable").await, told);
    }
    stage.leave().await
}
