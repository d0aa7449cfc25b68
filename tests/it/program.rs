//! The program as a process: its first and second start, its stop, and the commands beside it.
//!
//! What starts, stops and asks it is here for other files too.

use std::collections::HashMap;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a test waits for something that is certain to happen before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn reelmeter(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reelmeter-under-test"));
    // The tests' own settings are none of the program's.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEL")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).env("REELMETER_LISTEN", "127.0.0.1:0").kill_on_drop(true);
    command
}

pub async fn output(folder: &Path, arguments: &[&str]) -> Output {
    output_of(reelmeter(folder, arguments)).await
}

pub async fn output_of(mut command: Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server that has said on which address it listens.
pub struct Server {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Its first line.
    pub banner: String,
}

impl Server {
    pub async fn start(folder: &Path, arguments: &[&str]) -> Server {
        let mut command = reelmeter(folder, arguments);
        Server::of(command.stderr(Stdio::null())).await
    }

    /// Starts a server by a command that says where its log goes.
    pub async fn of(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, stdout.next_line()).await.expect("a banner").unwrap();
        Server { child, stdout, banner: first.expect("a banner") }
    }

    /// `http://…`, as the banner says it.
    pub fn url(&self) -> String {
        let (_, rest) = self.banner.split_once("http://").expect("an address");
        let host: String = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        format!("http://{host}")
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }

    /// Ends it as a power failure does.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Stops it as a supervisor or a person does; what else it said on stdout is the answer.
    pub async fn stop(mut self, signal: &str) -> String {
        stop(&mut self.child, signal).await;
        let mut rest = String::new();
        while let Some(line) = self.stdout.next_line().await.unwrap() {
            rest.push_str(&line);
            rest.push('\n');
        }
        rest
    }
}

async fn stop(child: &mut Child, signal: &str) {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it stops").unwrap();
    assert!(status.success(), "{status}");
}

/// The names and values of `data/demo.env`.
pub fn demo(folder: &Path) -> HashMap<String, String> {
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
async fn an_operator_limits_lists_and_rotates_keys_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).await;
    let made = output(folder.path(), &["admin", "customer", "create", "--name", "Acme", "--admit"]).await;
    let made = text(&made.stdout);
    let customer = made.lines().find_map(|line| line.strip_prefix("customer")).unwrap().trim();
    let create = ["admin", "key", "create", "--customer", customer, "--mode", "test", "--name", "ci"];
    let with = |more: &[&'static str]| [&create[..], more].concat();
    let refused = output(folder.path(), &with(&["--group", "friends"])).await;
    assert!(!refused.status.success() && text(&refused.stderr).contains("no price group is called"));
    let limits = ["--management", "--ip", "127.0.0.1,10.0.0.0/8", "--rate", "600", "--max-tasks", "3"];
    let old = text(&output(folder.path(), &with(&limits)).await.stdout).trim().to_owned();
    let mut demo = demo(folder.path());
    demo.insert("REEL_API_KEY".into(), old.clone());
    let key = call(&demo, "/api/key", None).await;
    assert_eq!(key["scopes"], json!(["keys:manage", "billing:read", "billing:write"]));
    assert_eq!(key["ipRanges"], json!(["127.0.0.1/32", "10.0.0.0/8"]));
    assert_eq!(
        (&key["ratePerMinute"], &key["maxTasks"], &key["createdBy"]),
        (&json!(600), &json!(3), &json!(null))
    );
    let id = key["id"].as_str().unwrap();
    let rotate = output(folder.path(), &["admin", "key", "rotate", id, "--overlap", "0"]).await;
    let new = text(&rotate.stdout).trim().to_owned();
    let url = format!("{}/api/key", demo["REEL_HOST"]);
    assert_eq!(tests::client().get(url).bearer_auth(&old).send().await.unwrap().status(), 401);
    demo.insert("REEL_API_KEY".into(), new.clone());
    assert_eq!(call(&demo, "/api/key", None).await["id"], json!(id));
    let list = text(&output(folder.path(), &["admin", "key", "list", "--customer", customer]).await.stdout);
    assert!(list.contains(id) && list.contains("active") && list.ends_with("1 key(s)\n"), "{list}");
    assert!(!list.contains(&old) && !list.contains(&new), "{list}");
    server.stop("-TERM").await;
}

#[tokio::test]
async fn promotions_are_made_shown_and_taken_back_by_commands() {
    let folder = tempfile::tempdir().unwrap();
    assert!(output(folder.path(), &["migrate"]).await.status.success());
    let admin = async |arguments: &[&str]| {
        output(folder.path(), &[&["admin", "promotion"], arguments].concat()).await
    };
    let many = ["--credits", "50", "--mode", "test", "--redemptions", "100", "--expires", "2200-01-31"];
    let more = ["--grant-days", "90", "--note", "spring fair", "--actor", "ada"];
    let create = [&["create", "--code", "spring-27"], &many[..], &more[..]].concat();
    let made = admin(&create).await;
    assert_eq!(text(&made.stdout).trim(), "SPRING-27", "{}", text(&made.stderr));
    let taken = admin(&create).await;
    assert!(!taken.status.success() && text(&taken.stderr).contains("SPRING-27 is in use"));
    let own = text(&admin(&["create", "--credits", "0.5"]).await.stdout).trim().to_owned();
    assert!(own.len() == 19 && own.bytes().filter(|b| *b == b'-').count() == 3, "{own}");
    for wrong in [
        &["create", "--credits", "0"][..],
        &["create", "--credits", "5", "--code", "a b c d"],
        &["create", "--credits", "5", "--redemptions", "0"],
        &["create", "--credits", "5", "--grant-days", "0"],
        &["create", "--credits", "5", "--expires", "2020-01-01"],
        &["revoke", "UNKNOWN"],
    ] {
        assert!(!admin(wrong).await.status.success(), "{wrong:?}");
    }
    let revoked = admin(&["revoke", &own.to_lowercase()]).await;
    assert!(revoked.status.success(), "{}", text(&revoked.stderr));
    let listed = text(&admin(&["list"]).await.stdout);
    let line = |code: &str| listed.lines().find(|line| line.starts_with(code)).unwrap().to_owned();
    let spring =
        "SPRING-27  test  50 credits for 90 day(s)  0 of 100 redeemed  open, until 2200-01-31T00:00:00.000Z";
    assert!(line("SPRING-27").starts_with(spring), "{listed}");
    assert!(
        line("SPRING-27").contains("by ada at ") && line("SPRING-27").ends_with("spring fair"),
        "{listed}"
    );
    assert!(line(&own).contains("live  0.5 credits  0 of 1 redeemed  revoked"), "{listed}");
    assert!(listed.ends_with("2 promotion(s)\n"), "{listed}");
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
