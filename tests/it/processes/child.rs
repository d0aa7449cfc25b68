//! The program as processes over the database of a test.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use secrecy::{ExposeSecret, SecretString};
use tests::TestApp;
use tokio::process::{Child, Command};

use crate::program::{PATIENCE, reelmeter};

/// A command with the settings of the test's own process.
pub fn command(app: &TestApp, arguments: &[&str]) -> Command {
    let config = &app.app.config;
    let exposed = |setting: &Option<SecretString>| setting.as_ref().unwrap().expose_secret().to_owned();
    let mut command = reelmeter(app.folder.path(), arguments);
    command
        .env("REELMETER_DATABASE_URL", exposed(&config.database_url))
        .env("REELMETER_SECRET", exposed(&config.secret))
        .env("REELMETER_DATA_DIR", &config.data_dir)
        .env("REELMETER_DRAIN_S", "0");
    command
}

pub fn redis() -> String {
    std::env::var("REELMETER_TEST_REDIS_URL")
        .expect("REELMETER_TEST_REDIS_URL is not set: run the tests with tests/run")
}

/// What a process logs to.
pub fn log_file(path: &Path) -> Stdio {
    std::fs::File::create(path).unwrap().into()
}

/// A process that says nothing on stdout.
pub struct Quiet {
    child: Child,
    pub log: PathBuf,
}

impl Quiet {
    pub fn start(command: &mut Command, log: PathBuf) -> Quiet {
        let child = command.stdout(Stdio::null()).stderr(log_file(&log)).spawn().unwrap();
        Quiet { child, log }
    }

    /// Stops it in order.
    pub async fn stop(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it stops").unwrap();
        assert!(status.success(), "{status}: {}", std::fs::read_to_string(&self.log).unwrap());
    }
}
