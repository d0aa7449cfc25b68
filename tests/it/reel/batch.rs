//! Many orders from a file.

use entity::Mode;
use serde_json::{Value, json};
use tests::{TestApp, on_both_engines};

use super::{Ran, Reel, is_playable};

on_both_engines!(
    a_file_is_priced_as_a_whole_and_bought_once,
    a_line_that_is_wrong_is_named_before_anything_is_bought
);

const FILE: &str = r#"{"prompt": "one", "model": "kling-3.0/video", "options": {"duration": 5, "resolution": "720p"}}

{"prompt": "two", "model": "kling-3.0/video", "options": {"duration": 5, "resolution": "720p"}}
"#;

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn a_file_is_priced_as_a_whole_and_bought_once(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    std::fs::write(reel.path("jobs.jsonl"), FILE).unwrap();
    let submit = |most: &'static str| ["batch", "submit", "jobs.jsonl", "--max-credits", most, "--json"];
    let dear = reel.run(&submit("21")).await.expect(6);
    assert!(dear.failure()["message"].as_str().unwrap().contains("22 credits"), "{}", dear.stderr);
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    let first = lines(&reel.run(&submit("22")).await.expect(0));
    assert_eq!(first.iter().map(|line| line["line"].clone()).collect::<Vec<_>>(), [json!(1), json!(3)]);
    let second = lines(&reel.run(&[&submit("22")[..], &["--out", "clips"]].concat()).await.expect(0));
    for (one, other) in first.iter().zip(&second) {
        assert_eq!(one["taskId"], other["taskId"]);
        assert!(is_playable(&reel.path(other["localPath"].as_str().unwrap())));
    }
    assert_eq!(app.balance(&customer).await, (json!(78), json!(0)));
    let third = reel.run(&[&submit("22")[..], &["--name", "again"]].concat()).await.expect(0);
    assert_ne!(lines(&third)[0]["taskId"], first[0]["taskId"]);
    app
}

async fn a_line_that_is_wrong_is_named_before_anything_is_bought(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    for (line, expected) in [
        (r#"{"prompt": "three", "options": {"duration": 99}}"#, "options.duration"),
        (r#"{"prompt": "#, "line 4 of -"),
        ("[]", "an order is a JSON object"),
        (
            r#"{"prompt": "x", "scene": "image-to-video", "imageInput": "cat.png"}"#,
            "there is no file cat.png",
        ),
    ] {
        let ran =
            reel.run_with(&["batch", "submit", "-", "--max-credits", "90"], &format!("{FILE}{line}\n")).await;
        let ran = ran.expect(2);
        assert!(ran.stderr.contains("line 4") && ran.stderr.contains(expected), "{}", ran.stderr);
    }
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}
