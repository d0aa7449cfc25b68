//! `reel webhooks listen`: what happens reaches a server on this machine, once and in order, also when connections are cut.

use std::process::Stdio;

use entity::Mode;
use poem::http::{HeaderMap, StatusCode};
use reelmeter::customer::caller::{BILLING_READ, KEYS_MANAGE, VIDEOS_READ, VIDEOS_WRITE};
use reelmeter::customer::key::NewKey;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tests::{Customer, TestApp, on_both_engines};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;

use super::Reel;
use super::interrupt::{signal, until_told};
use crate::callback::Receiver;
use crate::program::PATIENCE;
use crate::wan;

on_both_engines!(
    events_are_passed_on_as_they_are_and_their_signatures_verify,
    a_stream_that_is_cut_loses_nothing_and_repeats_nothing,
    only_what_is_wanted_is_passed_on_and_a_server_that_is_away_is_told,
    a_key_that_ends_ends_the_listening,
    what_keeps_it_from_listening_is_told_at_once,
);

/// A key that generates and manages.
async fn customer(app: &TestApp, mode: Mode) -> Customer {
    let scopes = [VIDEOS_WRITE, VIDEOS_READ, BILLING_READ, KEYS_MANAGE].map(str::to_owned).to_vec();
    app.customer_with(mode, 1_000, NewKey { scopes, ..NewKey::default() }).await
}

/// An endpoint that nobody answers for; its tests are in the stream.
async fn endpoint(app: &TestApp, customer: &Customer) -> String {
    let made =
        app.post(customer, "/api/webhooks", &json!({ "url": "http://127.0.0.1:1/hook" })).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Makes an event, and answers its id.
async fn test(app: &TestApp, customer: &Customer, endpoint: &str) -> String {
    let sent = app.post(customer, &format!("/api/webhooks/{endpoint}/test"), &json!({})).await.expect(202);
    sent["event"].as_str().unwrap().to_owned()
}

fn id_of((headers, _): &(HeaderMap, String)) -> String {
    headers["webhook-id"].to_str().unwrap().to_owned()
}

/// The program while it listens.
struct Listening {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Listening {
    async fn start(reel: &Reel, port: u16, more: &[&str]) -> Listening {
        let to = format!("http://127.0.0.1:{port}/hook");
        let arguments = [&["webhooks", "listen", "--forward-to", &to], more].concat();
        let mut command = reel.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until_told(&mut child, "Listening").await;
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        Listening { child, stdout }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.stdout.next_line()).await.expect("it is told in time");
        line.unwrap().expect("it goes on")
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    /// What it says and how it ends, by itself.
    async fn ended(mut self) -> (Vec<String>, Option<i32>) {
        let ending = async {
            let mut lines = Vec::new();
            while let Some(line) = self.stdout.next_line().await.unwrap() {
                lines.push(line);
            }
            (lines, self.child.wait().await.unwrap().code())
        };
        tokio::time::timeout(PATIENCE, ending).await.expect("it ends")
    }

    /// The same after Ctrl-C.
    async fn stop(self) -> (Vec<String>, Option<i32>) {
        signal(&self.child, "-INT").await;
        self.ended().await
    }
}

async fn events_are_passed_on_as_they_are_and_their_signatures_verify(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = customer(&app, Mode::Live).await;
    let reel = Reel::of(&app, &customer);
    let (receiver, port) = Receiver::start(&[StatusCode::IM_A_TEAPOT, StatusCode::FOUND]).await;
    let mut listening = Listening::start(&reel, port, &["--json"]).await;
    let mut told = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let task = app.generate(&customer, &wan(json!({}))).await;
        app.finished(&customer, &task).await;
        told.push(listening.json().await);
        tasks.push(task);
    }
    let statuses: Vec<&Value> = told.iter().map(|line| &line["status"]).collect();
    assert_eq!(json!(statuses), json!([418, 302, 204]));
    let received = receiver.has(3).await;
    let shown = reel.run(&["webhooks", "listen", "--print-secret"]).await.expect(0).stdout;
    assert_eq!(reel.json(&["webhooks", "listen", "--print-secret"]).await["secret"], *shown.trim());
    let webhook = Webhook::new(shown.trim()).unwrap();
    for ((line, message), task) in told.iter().zip(&received).zip(&tasks) {
        let (headers, body) = message;
        webhook.verify(body.as_bytes(), headers).unwrap();
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&event["type"], &event["data"]["taskId"]), (&json!("video.completed"), &json!(task)));
        assert_eq!((&line["type"], &line["event"]), (&json!("video.completed"), &json!(id_of(message))));
        assert!(!headers.contains_key("authorization") && headers["content-type"] == "application/json");
    }
    assert_eq!(received.len(), 3);

    let (headers, body) = &received[0];
    std::fs::write(reel.path("body.json"), body).unwrap();
    let header = |name: &str| headers[name].to_str().unwrap();
    let (id, timestamp, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let verify = ["webhooks", "verify", "--secret", shown.trim(), "--id", id, "--timestamp", timestamp];
    reel.run(&[&verify[..], &["--signature", signature, "--body", "body.json"]].concat()).await.expect(0);
    assert_eq!(listening.stop().await, (Vec::new(), Some(0)));
    app
}

/// Between the program and the server: cuts everybody off while it is shut.
struct Door {
    url: String,
    is_open: watch::Sender<bool>,
}

impl Door {
    async fn before(app: &TestApp) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let door = Door { url, is_open: watch::Sender::new(true) };
        let (server, is_open) = (app.url.trim_start_matches("http://").to_owned(), door.is_open.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), is_open.subscribe()));
            }
        });
        door
    }
}

async fn pass(mut client: TcpStream, server: String, mut is_open: watch::Receiver<bool>) {
    if !*is_open.borrow_and_update() {
        return;
    }
    let mut server = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = is_open.changed() => {}
    }
}

async fn a_stream_that_is_cut_loses_nothing_and_repeats_nothing(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Test).await;
    let endpoint = endpoint(&app, &customer).await;
    let door = Door::before(&app).await;
    let (receiver, port) = Receiver::start(&[]).await;
    let reel = Reel::of(&app, &customer);
    // What was before it listens is none of its business.
    test(&app, &customer, &endpoint).await;
    let listening = Listening::start(&reel, port, &["--host", &door.url]).await;
    let mut events = Vec::new();
    // The first cut is before the first event.
    for round in 1..=3 {
        door.is_open.send_replace(false);
        events.push(test(&app, &customer, &endpoint).await);
        events.push(test(&app, &customer, &endpoint).await);
        door.is_open.send_replace(true);
        receiver.has(3 * round - 1).await;
        events.push(test(&app, &customer, &endpoint).await);
        receiver.has(3 * round).await;
    }
    let (lines, code) = listening.stop().await;
    let received: Vec<String> = receiver.received().iter().map(id_of).collect();
    assert_eq!(received, events);
    // The last line may be cut off by Ctrl-C, which comes once the receiver has the event.
    let told: Vec<&str> = lines.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert!(
        told.len() + 1 >= events.len() && events.iter().zip(&told).all(|(event, told)| event == told),
        "{lines:?}"
    );
    assert_eq!(code, Some(0));
    app
}

async fn only_what_is_wanted_is_passed_on_and_a_server_that_is_away_is_told(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let endpoint = endpoint(&app, &customer).await;
    test(&app, &customer, &endpoint).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    app.post(&customer, &format!("/api/ai/tasks/{task}/cancel"), &json!({})).await.expect(200);
    let reel = Reel::of(&app, &customer);
    let (receiver, port) = Receiver::start(&[]).await;
    let from_the_start = ["--last-event-id", "0"];
    let wanted = [&from_the_start[..], &["--events", "credits.*,video.*"]].concat();
    let mut listening = Listening::start(&reel, port, &wanted).await;
    let line = listening.line().await;
    assert!(line.starts_with("video.canceled  evt_") && line.ends_with("  204"), "{line}");
    assert_eq!(listening.stop().await, (Vec::new(), Some(0)));
    assert_eq!(receiver.received().len(), 1);

    // Somebody listened there once.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut listening = Listening::start(&reel, dead, &[&from_the_start[..], &["--json"]].concat()).await;
    for kind in ["webhook.test", "video.canceled"] {
        let told = listening.json().await;
        assert_eq!((&told["type"], &told["status"]), (&json!(kind), &Value::Null));
        assert!(told["error"].as_str().unwrap().contains("can't be reached"), "{told}");
    }
    listening.stop().await;
    app
}

async fn a_key_that_ends_ends_the_listening(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Test).await;
    let endpoint = endpoint(&app, &customer).await;
    let reel = Reel::of(&app, &customer);
    let key = reel.json(&["keys", "create", "--name", "listener"]).await;
    let (receiver, port) = Receiver::start(&[]).await;
    let listening = Listening::start(&reel, port, &["--api-key", key["secret"].as_str().unwrap()]).await;
    reel.run(&["keys", "revoke", key["id"].as_str().unwrap()]).await.expect(0);
    test(&app, &customer, &endpoint).await;
    assert_eq!(listening.ended().await, (Vec::new(), Some(4)));
    assert!(receiver.received().is_empty());
    app
}

async fn what_keeps_it_from_listening_is_told_at_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let listen = ["webhooks", "listen"];
    let to = ["webhooks", "listen", "--forward-to", "localhost:1/hook", "--json"];
    reel.run(&listen).await.expect(2);
    reel.run(&[&listen[..], &["--forward-to", "ftp://localhost"]].concat()).await.expect(2);
    let secret = reel.run(&[&listen[..], &["--print-secret", "--json"]].concat()).await.expect(4);
    assert!(secret.failure()["hint"].as_str().unwrap().contains("keys:manage"), "{}", secret.stderr);
    let wrong = ["--api-key", "sk-rm_test_00000000000000000000000000000000"];
    reel.run(&[&to[..], &wrong].concat()).await.expect(4);
    let nowhere = reel.run(&[&to[..], &["--host", "http://127.0.0.1:9"]].concat()).await.expect(1);
    assert!(
        nowhere.failure()["message"].as_str().unwrap().contains("can't be reached"),
        "{}",
        nowhere.stderr
    );
    app
}
