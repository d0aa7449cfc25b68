//! The program as a process: its first and second start, its stop, and the commands beside it.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn reelmeter(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reelmeter-under-test"));
    // The tests' own settings are none of the program's.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEL")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).env("REELMETER_LISTEN", "127.0.0.1:0").kill_on_drop(true);
    command
}

async fn output(folder: &Path, arguments: &[&str]) -> Output {
    tokio::time::timeout(PATIENCE, reelmeter(folder, arguments).output()).await.expect("it ends").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server that has said on which address it listens.
struct Server {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    banner: String,
}

impl Server {
    async fn start(folder: &Path, arguments: &[&str]) -> Server {
        let mut child =
            reelmeter(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, stdout.next_line()).await.expect("a banner").unwrap();
        Server { child, stdout, banner: first.expect("a banner") }
    }

    /// Stops it as a supervisor or a person does; what else it said on stdout is the answer.
    async fn stop(mut self, signal: &str) -> String {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it stops").unwrap();
        assert!(status.success(), "{status}");
        let mut rest = String::new();
        while let Some(line) = self.stdout.next_line().await.unwrap() {
            rest.push_str(&line);
            rest.push('\n');
        }
        rest
    }
}

/// The names and values of `data/demo.env`.
fn demo(folder: &Path) -> HashMap<String, String> {
    let text = std::fs::read_to_string(folder.join("data/demo.env")).unwrap();
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(pair).collect()
}

async fn call(demo: &HashMap<String, String>, path: &str, body: Option<Value>) -> Value {
    let client = tests::client();
    let url = format!("{}{path}", demo["REEL_HOST"]);
    let request = match body {
        Some(body) => client.post(url).json(&body),
        None => client.get(url),
    };
    let answer = request.bearer_auth(&demo["REEL_API_KEY"]).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

#[tokio::test]
async fn the_first_start_makes_a_demo_that_works_at_once_and_the_second_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).await;
    let first = demo(folder.path());
    assert!(server.banner.contains(&first["REEL_HOST"]), "{}", server.banner);
    let body = json!({
        "model": "kling-3.0/video", "inputMode": "text_to_video", "prompt": "[sandbox:hang]", "duration": 5,
        "resolution": "720p",
    });
    let accepted = call(&first, "/api/ai/video/generate", Some(body)).await;
    assert_eq!(accepted["creditsUsed"], json!(11));
    let rest = server.stop("-TERM").await;
    assert!(rest.contains("curl") && !rest.contains(&first["REEL_API_KEY"]), "{rest}");

    let server = Server::start(folder.path(), &["serve"]).await;
    let second = demo(folder.path());
    assert_eq!(second["REEL_API_KEY"], first["REEL_API_KEY"]);
    assert!(server.banner.contains(&second["REEL_HOST"]));
    let credits = call(&second, "/api/ai/credits", None).await;
    assert_eq!((&credits["available"], &credits["held"]), (&json!(989), &json!(11)));
    server.stop("-INT").await;
}

#[tokio::test]
async fn commands_work_beside_a_server_and_a_second_server_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).await;
    let refused = output(folder.path(), &[]).await;
    assert!(!refused.status.success() && text(&refused.stderr).contains("another server"));
    let made = text(
        &output(folder.path(), &["admin", "customer", "create", "--name", "Acme", "--admit"]).await.stdout,
    );
    let id_of = |what: &str| made.lines().find_map(|line| line.strip_prefix(what)).unwrap().trim().to_owned();
    let (customer, account) = (id_of("customer"), id_of("test"));
    let grant =
        ["--amount", "40", "--class", "paid", "--reason", "test", "--actor", "me", "--reference", "test:1"];
    let granted =
        output(folder.path(), &[&["admin", "grant", "--account", &account], &grant[..]].concat()).await;
    assert!(granted.status.success(), "{}", text(&granted.stderr));
    let key = ["admin", "key", "create", "--customer", &customer, "--mode", "test", "--name", "ci"];
    let key = text(&output(folder.path(), &key).await.stdout).trim().to_owned();
    let mut demo = demo(folder.path());
    demo.insert("REEL_API_KEY".into(), key);
    assert_eq!(call(&demo, "/api/ai/credits", None).await["available"], json!(40));
    let checked = output(folder.path(), &["admin", "check"]).await;
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    server.stop("-TERM").await;
}

#[tokio::test]
async fn a_restored_backup_is_served_only_when_the_operator_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).await;
    let copied = output(folder.path(), &["admin", "backup", "copy.db"]).await;
    assert!(copied.status.success(), "{}", text(&copied.stderr));
    server.stop("-TERM").await;
    for name in ["reelmeter.db", "reelmeter.db-wal", "reelmeter.db-shm"] {
        let path = folder.path().join("data").join(name);
        if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::rename(folder.path().join("copy.db"), folder.path().join("data/reelmeter.db")).unwrap();
    let refused = output(folder.path(), &[]).await;
    assert!(!refused.status.success() && text(&refused.stderr).contains("--after-restore"));
    Server::start(folder.path(), &["serve", "--after-restore"]).await.stop("-TERM").await;
    Server::start(folder.path(), &[]).await.stop("-TERM").await;
}
