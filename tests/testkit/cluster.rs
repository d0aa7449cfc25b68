//! A PostgreSQL of a test's own, with full durability, that can be killed.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    child: Child,
}

/// What `tests/run` says about the programs: where they are, and as whom they run.
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run"))
}

/// A command as the user that the servers run as.
fn as_server(program: &str) -> Command {
    let prefix = setting("REELMETER_TEST_AS_SERVER");
    let mut words = prefix.split(' ').map(str::to_owned).chain([program.to_owned()]);
    let mut command = Command::new(words.next().expect("a word"));
    command.args(words).current_dir("/").stdin(Stdio::null());
    command
}

fn postgres(program: &str) -> Command {
    as_server(&format!("{}/{program}", setting("REELMETER_TEST_POSTGRES_PROGRAMS")))
}

async fn run(mut command: Command) {
    let output = command.output().await.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Cluster {
    pub async fn start() -> Cluster {
        let name = format!("cluster-{:016x}", rand::random::<u64>());
        let folder = PathBuf::from(setting("REELMETER_TEST_SERVER_FOLDER")).join(name);
        let mut create = postgres("initdb");
        create.arg("-D").arg(&folder).args(["--username=postgres", "--auth=trust", "--locale=C"]);
        create.args(["--encoding=UTF8", "--no-sync"]);
        run(create).await;
        let port = free_port();
        let child = serve(&folder, port).await.expect("a new cluster starts");
        Cluster { folder, port, child }
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends every process of it at once, as a power failure does.
    pub async fn kill(&mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let children = Command::new("pgrep").args(["-P", &id]).output().await.expect("pgrep runs");
        let children = String::from_utf8(children.stdout).expect("ids");
        let all = children.split_whitespace().chain([id.as_str()]);
        run_quietly(Command::new("kill").arg("-9").args(all)).await;
        self.child.wait().await.expect("it has ended");
    }

    /// After it was killed.
    pub async fn start_again(&mut self) {
        let starting = async {
            loop {
                // Refused while a process of the one before is still about to end.
                if let Some(child) = serve(&self.folder, self.port).await {
                    return child;
                }
            }
        };
        self.child = tokio::time::timeout(PATIENCE, starting).await.expect("it starts again");
    }

    pub async fn stop(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        run_quietly(Command::new("kill").args(["-INT", &id])).await;
        self.child.wait().await.expect("it ends");
        let mut remove = as_server("rm");
        remove.arg("-rf").arg(&self.folder);
        run(remove).await;
    }
}

/// A process may have ended by itself meanwhile.
async fn run_quietly(command: &mut Command) {
    command.stderr(Stdio::null()).status().await.expect("kill runs");
}

/// Starts the server and waits for its word; `None` when it ended instead.
async fn serve(folder: &PathBuf, port: u16) -> Option<Child> {
    let mut command = postgres("postgres");
    command.arg("-D").arg(folder).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    command.args(["-c", "unix_socket_directories=", "-c", "max_connections=60", "-c", "shared_buffers=32MB"]);
    let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("postgres starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    while let Some(line) = lines.next_line().await.expect("its log can be read") {
        if line.contains("ready to accept connections") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(child);
        }
    }
    child.wait().await.expect("it has ended");
    None
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
