//! Orders and downloads that are cut short: gone on with, and never paid twice.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use entity::Mode;
use serde_json::{Value, json};
use tests::{Customer, Step, TestApp, on_both_engines};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::{Reel, is_playable};
use crate::program::PATIENCE;

on_both_engines!(
    ctrl_c_leaves_the_task_alone_and_it_is_gone_on_with,
    an_order_whose_answer_never_came_is_bought_once,
    the_name_of_an_order_under_way_is_no_other_s,
    a_download_goes_on_where_it_was_and_nothing_damaged_gets_its_name,
    a_clip_is_streamed_to_stdout,
);

/// An order that the fake provider makes.
const ORDER: [&str; 10] = [
    "video",
    "generate",
    "--prompt",
    "a fox",
    "--model",
    "wan/2-6-text-to-video",
    "--duration",
    "5",
    "--resolution",
    "720p",
];

/// Between the program and the server: passes everything on, notes what was asked, and can keep answers to itself.
#[derive(Clone)]
struct Middleman {
    url: String,
    state: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    is_mute: bool,
    asked: String,
}

impl Middleman {
    async fn before(app: &TestApp) -> Middleman {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let middleman = Middleman { url, state: Arc::default() };
        let (server, state) = (app.url.trim_start_matches("http://").to_owned(), middleman.state.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let there = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass_on(client, there, state.clone()));
            }
        });
        middleman
    }

    fn mute(&self, is_mute: bool) {
        self.state.lock().unwrap().is_mute = is_mute;
    }

    fn asked(&self) -> String {
        self.state.lock().unwrap().asked.clone()
    }
}

async fn pass_on(client: TcpStream, server: TcpStream, state: Arc<Mutex<Heard>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let heard = state.clone();
    let there = async move {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            heard.lock().unwrap().asked.push_str(&String::from_utf8_lossy(&buffer[..count]));
            if to_server.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    let back = async move {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let is_mute = state.lock().unwrap().is_mute;
            if !is_mute && to_client.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(there, back);
}

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads what is told on stderr until it has this in it.
pub(super) async fn until_told(child: &mut Child, wanted: &str) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it goes on");
            if line.contains(wanted) {
                return line;
            }
        }
    };
    let line = tokio::time::timeout(PATIENCE, told).await.expect("it is told");
    // What comes later is read on by the pipe's owner.
    child.stderr = Some(lines.into_inner().into_inner());
    line
}

pub(super) async fn signal(child: &Child, signal: &str) {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
}

async fn tasks(app: &TestApp, customer: &Customer) -> Vec<Value> {
    app.get(customer, "/api/ai/tasks").await.expect(200)["data"].as_array().unwrap().clone()
}

async fn ctrl_c_leaves_the_task_alone_and_it_is_gone_on_with(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Wait]);
    let customer = app.customer(Mode::Live, 100).await;
    let reel = Reel::of(&app, &customer);
    let mut child = started(reel.command(&[&ORDER[..], &["--out", "fox.mp4"]].concat()));
    until_told(&mut child, "running").await;
    signal(&child, "-INT").await;
    let ended =
        super::Ran::of(tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap());
    let ended = ended.expect(130);
    assert!(ended.stderr.contains("reel video resume"), "{}", ended.stderr);
    let waiting = reel.json(&["video", "resume", "--list"]).await;
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    assert!(!waiting.to_string().contains(&customer.key));
    app.fake.go_on();
    let resumed = reel.json(&["video", "resume"]).await;
    assert_eq!((&resumed["status"], &resumed["creditsUsed"]), (&json!("success"), &json!(30)));
    assert!(is_playable(&reel.path("fox.mp4")));
    assert_eq!((tasks(&app, &customer).await.len(), app.fake.accepted()), (1, 1));
    assert_eq!(reel.json(&["video", "resume", "--list"]).await, json!([]));
    app
}

async fn an_order_whose_answer_never_came_is_bought_once(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let middleman = Middleman::before(&app).await;
    let reel = Reel {
        variables: vec![("REEL_HOST", middleman.url.clone()), ("REEL_API_KEY", customer.key.clone())],
        ..Reel::nobody()
    };
    middleman.mute(true);
    let mut child = started(reel.command(&[&ORDER[..], &["--out", "fox.mp4"]].concat()));
    let is_taken = async {
        while tasks(&app, &customer).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_taken).await.expect("the order arrives");
    child.kill().await.unwrap();
    middleman.mute(false);
    let app = app.with_worker().await;
    let resumed = reel.json(&["video", "resume"]).await;
    assert_eq!(resumed["status"], json!("success"));
    assert!(is_playable(&reel.path("fox.mp4")));
    assert_eq!((tasks(&app, &customer).await.len(), app.fake.accepted()), (1, 1));
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    app
}

async fn the_name_of_an_order_under_way_is_no_other_s(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let order = |prompt: &'static str| {
        ["video", "generate", "--prompt", prompt, "--idempotency-key", "fox-1", "--timeout", "1s"]
    };
    reel.run(&order("[sandbox:hang]")).await.expect(8);
    let other = reel.run(&order("a fox")).await.expect(9);
    assert!(other.stderr.contains("Nothing was ordered"), "{}", other.stderr);
    let noted = reel.json(&["video", "resume", "--list"]).await;
    assert_eq!(noted[0]["body"]["prompt"], json!("[sandbox:hang]"));
    reel.run(&order("[sandbox:hang]")).await.expect(8);
    assert_eq!(tasks(&app, &customer).await.len(), 1);
    reel.run(&["video", "resume", "fox-1", "--forget"]).await.expect(0);
    assert_eq!(reel.json(&["video", "resume", "--list"]).await, json!([]));
    app
}

async fn a_download_goes_on_where_it_was_and_nothing_damaged_gets_its_name(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let middleman = Middleman::before(&app).await;
    let reel = Reel {
        variables: vec![("REEL_HOST", middleman.url.clone()), ("REEL_API_KEY", customer.key.clone())],
        ..Reel::nobody()
    };
    let made = reel.json(&["video", "generate", "--prompt", "a boat", "--out", "boat.mp4"]).await;
    let id = made["taskId"].as_str().unwrap();
    let whole = std::fs::read(reel.path("boat.mp4")).unwrap();
    assert!(!middleman.asked().contains("range: bytes="));
    let again = ["video", "download", id, "--out", "again.mp4"];
    std::fs::write(reel.path("again.mp4.part"), &whole[..1_000]).unwrap();
    reel.run(&again).await.expect(0);
    assert!(middleman.asked().contains("range: bytes=1000-") && middleman.asked().contains("if-range: "));
    assert!(std::fs::read(reel.path("again.mp4")).unwrap() == whole);
    std::fs::write(reel.path("again.mp4.part"), vec![7; 2_000]).unwrap();
    reel.run(&again).await.expect(0);
    assert!(std::fs::read(reel.path("again.mp4")).unwrap() == whole);
    assert!(!reel.path("again.mp4.part").exists());
    app
}

async fn a_clip_is_streamed_to_stdout(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let output =
        reel.command(&["video", "generate", "--prompt", "a boat", "--out", "-"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout.get(4..8), Some(&b"ftyp"[..]));
    app
}
