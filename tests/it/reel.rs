//! `reel`, as a process against a live server: what it prints, what it leaves, and how it ends.

mod account;
mod actions;
mod batch;
mod doctor;
mod interrupt;
mod keys;
mod listen;
mod manual;
mod mcp;
mod models;
mod settings;
mod video;
mod webhooks;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Customer, TestApp};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::program::{PATIENCE, text};

/// A person at a terminal of their own, with a home and nothing stored in it.
pub struct Reel {
    pub home: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Reel {
    /// Somebody who has set nothing.
    pub fn nobody() -> Reel {
        Reel { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A customer who has the host and the key in the environment.
    pub fn of(app: &TestApp, customer: &Customer) -> Reel {
        let variables = vec![("REEL_HOST", app.url.clone()), ("REEL_API_KEY", customer.key.clone())];
        Reel { variables, ..Reel::nobody() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.other(env!("CARGO_BIN_EXE_reel-under-test"), arguments)
    }

    /// Another program, where this one would run.
    pub fn other(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let set_by_others = |name: &str| name.starts_with("REEL") || name.starts_with("XDG_");
        for (name, _) in std::env::vars().filter(|(name, _)| set_by_others(name)) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.home.path()).env("HOME", self.home.path());
        command.envs(self.variables.iter().cloned()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        ended(self.command(arguments)).await
    }

    /// With something on stdin.
    pub async fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).await.unwrap();
        Ran::of(tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap())
    }

    /// The one JSON document that a command prints when all is well.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).await.json()
    }
}

pub async fn ended(mut command: Command) -> Ran {
    Ran::of(tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap())
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(self) -> Value {
        let ran = self.expect(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    /// The failure as `--json` tells it on stderr.
    #[track_caller]
    pub fn failure(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        let told: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", self.stderr));
        told["error"].clone()
    }
}

/// Whether a file is a video that a player would take for one.
pub fn is_playable(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.get(4..8) == Some(b"ftyp") && bytes.windows(4).any(|word| word == b"moov")
}
