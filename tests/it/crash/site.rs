//! The program over a database of its own, with a customer; it can die and start again.

use std::process::Stdio;

use reelmeter::app;
use reelmeter::config::Config;
use reelmeter::ledger::chain::Chain;
use reelmeter::ledger::check::{Scope, check};
use reelmeter::secret::Secret;
use secrecy::SecretString;
use serde_json::Value;
use tests::{Engine, TestDatabase};
use tokio::process::Command;

use crate::program::{Server, output_of, reelmeter, text};

/// Signs the journal and everything else.
const SECRET: &str = "k1:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

pub struct Site {
    folder: tempfile::TempDir,
    database: TestDatabase,
    /// Of the customer, in test mode.
    pub key: String,
}

impl Site {
    /// A customer with so many test credits.
    pub async fn with(engine: Engine, credits: u32) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::create(engine, folder.path()).await;
        Site::over(folder, database, credits).await
    }

    pub async fn over(folder: tempfile::TempDir, database: TestDatabase, credits: u32) -> Site {
        let mut site = Site { folder, database, key: String::new() };
        site.run(&["migrate"]).await;
        site.run(&["pricing", "publish"]).await;
        let made = site.run(&["admin", "customer", "create", "--name", "Acme", "--admit"]).await;
        let id_of =
            |what: &str| made.lines().find_map(|line| line.strip_prefix(what)).unwrap().trim().to_owned();
        let (customer, account) = (id_of("customer"), id_of("test"));
        let amount = credits.to_string();
        let why = ["--reason", "test", "--actor", "me", "--reference", "test:1"];
        let grant = ["admin", "grant", "--account", &account, "--amount", &amount, "--class", "paid"];
        site.run(&[&grant[..], &why[..]].concat()).await;
        let key = ["admin", "key", "create", "--customer", &customer, "--mode", "test", "--name", "ci"];
        site.key = site.run(&key).await.trim().to_owned();
        site
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = reelmeter(self.folder.path(), arguments);
        command
            .env("REELMETER_DATABASE_URL", &self.database.url)
            .env("REELMETER_SECRET", SECRET)
            .env("REELMETER_HEARTBEAT_LIMIT_S", "2");
        command
    }

    /// A command of an operator.
    async fn run(&self, arguments: &[&str]) -> String {
        let output = output_of(self.command(arguments)).await;
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Starts the server; with a crash it dies there: `POINT:N`.
    pub async fn serve(&self, crash: Option<&str>) -> Server {
        let mut command = self.command(&["serve"]);
        if let Some(crash) = crash {
            command.env("TEST_CRASH_AT", crash);
        }
        Server::of(command.stderr(Stdio::null())).await
    }

    pub async fn get(&self, server: &Server, path: &str) -> Value {
        let request = tests::client().get(format!("{}{path}", server.url())).bearer_auth(&self.key);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// The database, with the program stopped or beside it.
    pub async fn db(&self) -> reelmeter::db::Db {
        app::connect(&self.config()).await.unwrap()
    }

    fn config(&self) -> Config {
        Config {
            database_url: Some(SecretString::from(self.database.url.clone())),
            data_dir: self.folder.path().join("data"),
            ..Config::default()
        }
    }

    /// The books balance.
    pub async fn assert_clean(&self) {
        let db = self.db().await;
        let secret = Secret::parse(SECRET).unwrap();
        let report = check(&db, &Chain::new(&secret), Scope::Everything).await.unwrap();
        let lines: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "the books do not balance:\n{}", lines.join("\n"));
        db.close().await.unwrap();
    }

    pub async fn close(self) {
        self.assert_clean().await;
        self.database.drop().await;
    }
}
