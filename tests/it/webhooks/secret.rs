//! Who is believed: secrets, their rotation with an overlap, the stream, and a library in another language.

use std::process::Stdio;

use entity::Mode;
use poem::http::HeaderMap;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{believes, customer, endpoint, json_of, post, read, receiver, test, text};
use crate::callback::worker_that_may_call;
use crate::wan;

on_both_engines!(
    both_secrets_of_an_endpoint_sign_until_the_overlap_is_over,
    the_secret_of_an_account_signs_callbacks_and_is_rotated_like_one_of_an_endpoint,
    a_library_in_another_language_believes_what_we_sign,
    the_stream_tells_what_an_endpoint_would_be_sent,
    a_stream_goes_on_after_the_last_webhook_that_came,
);

async fn both_secrets_of_an_endpoint_sign_until_the_overlap_is_over(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, old) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    let overlap = json!({ "overlapSeconds": 100 });
    let rotated = post(&app, &customer, &format!("/{id}/rotate"), overlap).await.expect(200);
    let new = text(&rotated["secret"]);
    assert!(new != old && rotated["previousUntil"].is_string());
    test(&app, &customer, &id).await;
    let received = receiver.has(1).await;
    assert!(believes(&old, &received[0]) && believes(&new, &received[0]));
    app.advance(101);
    test(&app, &customer, &id).await;
    let received = receiver.has(2).await;
    assert_eq!((believes(&old, &received[1]), believes(&new, &received[1])), (false, true));
    assert_eq!(read(&app, &customer, &format!("/{id}")).await["previousUntil"], Value::Null);
    // Twice in a row: only the one before the last still counts.
    let second = post(&app, &customer, &format!("/{id}/rotate"), Value::Null).await.expect(200);
    let third = post(&app, &customer, &format!("/{id}/rotate"), Value::Null).await.expect(200);
    test(&app, &customer, &id).await;
    let received = receiver.has(3).await;
    let counts = |secret: &str| believes(secret, &received[2]);
    let (second, third) = (text(&second["secret"]), text(&third["secret"]));
    assert_eq!((counts(&new), counts(&second), counts(&third)), (false, true, true));
    worker.stop().await;
    app
}

/// Has a task tell its address how it ended.
async fn call_back(app: &TestApp, customer: &Customer, port: u16) {
    let url = format!("http://127.0.0.1:{port}/hook");
    let id = app.generate(customer, &wan(json!({ "callbackUrl": url }))).await;
    app.finished(customer, &id).await;
}

async fn the_secret_of_an_account_signs_callbacks_and_is_rotated_like_one_of_an_endpoint(
    app: TestApp,
) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let worker = worker_that_may_call(&app, port).await;
    let old = text(&read(&app, &customer, "/secret").await["secret"]);
    assert_eq!(text(&read(&app, &customer, "/secret").await["secret"]), old);
    call_back(&app, &customer, port).await;
    assert!(believes(&old, &receiver.has(1).await[0]));
    let rotated = post(&app, &customer, "/secret", json!({ "overlapSeconds": 100 })).await.expect(200);
    let new = text(&rotated["secret"]);
    assert_eq!(text(&read(&app, &customer, "/secret").await["secret"]), new);
    call_back(&app, &customer, port).await;
    let received = receiver.has(2).await;
    assert!(believes(&old, &received[1]) && believes(&new, &received[1]));
    app.advance(101);
    call_back(&app, &customer, port).await;
    let received = receiver.has(3).await;
    assert_eq!((believes(&old, &received[2]), believes(&new, &received[2])), (false, true));
    post(&app, &customer, "/secret", json!({ "overlapSeconds": 0 })).await.expect(200);
    call_back(&app, &customer, port).await;
    let received = receiver.has(4).await;
    assert!(!believes(&new, &received[3]));
    // Nobody else's changed.
    let stranger = super::customer(&app, Mode::Live).await;
    assert_eq!(read(&app, &stranger, "/secret").await["previousUntil"], Value::Null);
    worker.stop().await;
    app
}

/// What the library of the standard makes of a message, in Python: the body that it read, if it believes it.
async fn read_by_python(secret: &str, (headers, body): &(HeaderMap, String)) -> Option<Value> {
    let python = std::env::var("REELMETER_TEST_PYTHON")
        .expect("REELMETER_TEST_PYTHON names a Python with standardwebhooks: tests/run brings one");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/verify_webhook.py");
    let headers: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect();
    let given = json!({ "secret": secret, "headers": headers, "body": body }).to_string();
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(given.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    if output.status.success() {
        return Some(serde_json::from_slice(&output.stdout).unwrap());
    }
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("WebhookVerificationError"), "{error}");
    None
}

async fn a_library_in_another_language_believes_what_we_sign(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, old) = endpoint(&app, &customer, port, Value::Null).await;
    let rotated = post(&app, &customer, &format!("/{id}/rotate"), Value::Null).await.expect(200);
    let worker = worker_that_may_call(&app, port).await;
    super::task(&app, &customer).await;
    let received = receiver.has(1).await;
    let (headers, body) = &received[0];
    for secret in [&old, &text(&rotated["secret"])] {
        assert_eq!(read_by_python(secret, &received[0]).await, Some(json_of(body)));
    }
    let other = text(&read(&app, &customer, "/secret").await["secret"]);
    assert_eq!(read_by_python(&other, &received[0]).await, None);
    let changed = (headers.clone(), body.replace("completed", "failed"));
    assert_eq!(read_by_python(&old, &changed).await, None);
    worker.stop().await;
    app
}

fn streamed(data: &Value) -> (HeaderMap, String) {
    let headers = data["headers"].as_object().unwrap().iter();
    let header = |(name, value): (&String, &Value)| {
        (name.parse::<poem::http::HeaderName>().unwrap(), text(value).parse().unwrap())
    };
    (headers.map(header).collect(), text(&data["body"]))
}

async fn the_stream_tells_what_an_endpoint_would_be_sent(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = customer(&app, Mode::Live).await;
    let mut stream = app.follow(&customer, "/api/webhooks/stream", &[]).await;
    let task = super::task(&app, &customer).await;
    let event = stream.next().await.unwrap();
    assert_eq!(event.kind, "video.completed");
    let message = streamed(&event.data);
    let secret = text(&read(&app, &customer, "/secret").await["secret"]);
    assert!(believes(&secret, &message));
    assert_eq!(json_of(&message.1)["data"]["taskId"], *task);
    // Alerts are for who may read the balance.
    let blind = app.customer_with(
        Mode::Live,
        100,
        reelmeter::customer::key::NewKey {
            scopes: ["videos:read", "videos:write"].map(str::to_owned).to_vec(),
            ..Default::default()
        },
    );
    let blind = blind.await;
    let mut stream = app.follow(&blind, "/api/webhooks/stream", &[]).await;
    let alerts = reelmeter::ledger::Thresholds::new(
        entity::Credits::from_whole(200).unwrap(),
        entity::Credits::from_whole(300).unwrap(),
    );
    reelmeter::customer::credits::set_alert(&app.app.ledger, blind.account, alerts).await.unwrap();
    super::task(&app, &blind).await;
    assert_eq!(stream.next().await.unwrap().kind, "video.completed");
    app
}

async fn a_stream_goes_on_after_the_last_webhook_that_came(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, 1, Value::Null).await;
    let events = [test(&app, &customer, &id).await, test(&app, &customer, &id).await];
    let mut stream = app.follow(&customer, "/api/webhooks/stream?lastEventId=0", &[]).await;
    let mut come = Vec::new();
    for _ in 0..2 {
        come.push(stream.next().await.unwrap());
    }
    let ids = come.iter().map(|event| text(&event.data["headers"]["webhook-id"]));
    assert_eq!(ids.collect::<Vec<_>>(), events);
    let last = come[0].id.unwrap().to_string();
    let mut stream = app.follow(&customer, "/api/webhooks/stream", &[("last-event-id", &last)]).await;
    assert_eq!(stream.next().await.unwrap().data["headers"]["webhook-id"], *events[1]);
    app
}
