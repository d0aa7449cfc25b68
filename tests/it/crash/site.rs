//! The program over a database of its own, with a customer; it can die and start again.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Stdio;

use entity::{delivery, job};
use reelmeter::app;
use reelmeter::config::Config;
use reelmeter::ledger::chain::Chain;
use reelmeter::ledger::check::{Scope, check};
use reelmeter::secret::Secret;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use secrecy::SecretString;
use tests::{Engine, TestDatabase};
use tokio::process::Command;

use crate::callback::Receiver;
use crate::program::{PATIENCE, Server, output_of, reelmeter, text};

/// Signs the journal and everything else.
const SECRET: &str = "k1:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

pub struct Site {
    folder: tempfile::TempDir,
    database: TestDatabase,
    /// The customer's id.
    pub customer: String,
    /// Of the customer, in test mode.
    pub key: String,
    /// The customer's own server.
    pub receiver: Receiver,
    port: u16,
}

impl Site {
    /// A customer with so many test credits.
    pub async fn with(engine: Engine, credits: u32) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::create(engine, folder.path()).await;
        Site::over(folder, database, credits).await
    }

    pub async fn over(folder: tempfile::TempDir, database: TestDatabase, credits: u32) -> Site {
        let (receiver, port) = Receiver::start(&[]).await;
        let (customer, key) = (String::new(), String::new());
        let mut site = Site { folder, database, customer, key, receiver, port };
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
        site.customer = customer;
        site
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = reelmeter(self.folder.path(), arguments);
        command
            .env("REELMETER_DATABASE_URL", &self.database.url)
            .env("REELMETER_SECRET", SECRET)
            .env("REELMETER_HEARTBEAT_LIMIT_S", "2")
            .env("REELMETER_DRAIN_S", "0")
            .env("REELMETER_PRIVATE_HOSTS", format!("127.0.0.1:{}", self.port));
        command
    }

    /// Where the customer wants to be told.
    pub fn callback_url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A command of an operator.
    pub async fn run(&self, arguments: &[&str]) -> String {
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

    /// What `admin check` finds wrong with the whole book.
    pub async fn violations(&self) -> usize {
        let output = output_of(self.command(&["admin", "check"])).await;
        let told = text(&output.stdout);
        if output.status.success() {
            assert!(told.starts_with("the books balance"), "{told}");
            return 0;
        }
        eprintln!("{told}{}", text(&output.stderr));
        told.lines().count().max(1)
    }

    /// Waits until every task has come to its end.
    pub async fn all_ended(&self) {
        let db = self.db().await;
        let ending = async {
            while job::Entity::find().one(db.read()).await.unwrap().is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ending).await.expect("every task ends");
        db.close().await.unwrap();
    }

    /// With the program stopped: what a worker that died had taken up is for others again, as after a minute.
    pub async fn let_leases_end(&self) {
        let db = self.db().await;
        let tx = db.begin().await.unwrap();
        let now = Expr::col(delivery::Column::CreatedAt);
        delivery::Entity::update_many().col_expr(delivery::Column::NextAt, now).exec(&tx).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await.unwrap();
    }

    /// The receiver was told of one event: at least once, each time under the same id and in the same words, but for links,
    /// which are made anew for each try.
    pub fn assert_one_webhook(&self) {
        let received = self.receiver.received();
        let told: HashSet<_> =
            received.iter().map(|(headers, body)| (&headers["webhook-id"], without_links(body))).collect();
        assert!(told.len() <= 1, "{told:?}");
    }

    /// The database, with the program stopped or beside it.
    pub async fn db(&self) -> reelmeter::db::Db {
        app::connect(&self.config()).await.unwrap()
    }

    fn config(&self) -> Config {
        Config {
            database_url: Some(SecretString::from(self.database.url.clone())),
            data_dir: self.data(),
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

fn without_links(body: &str) -> String {
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["data"]["videoUrl"].take();
    body["data"]["clips"].as_array_mut().into_iter().flatten().for_each(|clip| drop(clip["url"].take()));
    body.to_string()
}
