//! Servers as processes of their own, which say where they listen and end with us.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// What a server of ours prints before its address.
pub const LISTENING: &str = "listening on ";

#[derive(Debug)]
pub struct Process {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Process {
    /// Starts this program with other arguments.
    pub async fn of_ours<I>(arguments: I) -> anyhow::Result<Process>
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Process::start(command).await
    }

    /// Starts a program that prints where it listens on its first line.
    pub async fn start(mut command: Command) -> anyhow::Result<Process> {
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("stdout is a pipe")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next_line().await?.context("the server ended before it listened")?;
        // Whatever else it says must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let Some((_, rest)) = line.split_once("http://").or_else(|| line.split_once(LISTENING)) else {
            bail!("the server's first line names no address: {line}");
        };
        let address = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        Ok(Process { child, address })
    }

    /// Resident memory in MiB.
    pub fn memory_mib(&self) -> anyhow::Result<f64> {
        let id = self.child.id().context("the server runs")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1_024.0)
    }

    /// Stops it as a supervisor does.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("the server runs")?.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .context("the server stops")??;
        Ok(())
    }
}

/// The product's own program, with nothing of our environment.
pub fn product(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEL")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("REELMETER_LISTEN", "127.0.0.1:0").stderr(Stdio::null());
    command
}
