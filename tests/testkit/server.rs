//! A running Reelmeter and the customers that a test makes on it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use entity::grant::GrantClass;
use entity::{AccountId, Credits, CustomerId, KeyId, Mode};
use reelmeter::app::{self, App};
use reelmeter::clock::Clock;
use reelmeter::config::Config;
use reelmeter::customer::caller::INFERENCE_SCOPES;
use reelmeter::customer::credits::NewGrant;
use reelmeter::customer::key::NewKey;
use reelmeter::customer::{credits, key, people};
use reelmeter::http::serve::serve;
use reelmeter::ledger::Lane;
use reelmeter::ledger::check::{Scope, check};
use reelmeter::provider::Registry;
use reelmeter::video::price_version;
use reelmeter::worker::Worker;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::database::{Engine, TestDatabase};
use crate::fake::Fake;
use crate::stream::EventStream;

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct TestApp {
    pub app: App,
    pub url: String,
    pub client: reqwest::Client,
    /// Serves live keys; the sandbox serves test keys.
    pub fake: Fake,
    pub folder: tempfile::TempDir,
    database: TestDatabase,
    clock: Clock,
    changes: Changes,
    lane: Option<Lane>,
    worker: Option<Worker>,
    server: JoinHandle<()>,
}

/// What a test changes of the settings and the providers.
#[derive(Clone)]
struct Changes {
    adjust: Arc<dyn Fn(&mut Config) + Send + Sync>,
    stock: Arc<dyn Fn(&mut Registry) + Send + Sync>,
}

impl Default for Changes {
    fn default() -> Self {
        Changes { adjust: Arc::new(|_| {}), stock: Arc::new(|_| {}) }
    }
}

/// Another process over the same data, as far as a test can tell.
pub struct Beside {
    pub app: App,
    pub url: String,
    lane: Lane,
    worker: Option<Worker>,
    server: JoinHandle<()>,
}

/// A customer of the test, with one key.
#[derive(Clone, Debug)]
pub struct Customer {
    pub id: CustomerId,
    pub account: AccountId,
    pub key_id: KeyId,
    pub key: String,
}

/// What came back: status, headers and the body as JSON (null when it is none).
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

/// Runs a scenario on an engine, then stops everything and checks the books.
pub async fn run<F: Future<Output = TestApp>>(engine: Engine, scenario: impl FnOnce(TestApp) -> F) {
    let app = TestApp::start(engine).await;
    scenario(app).await.finish().await;
}

impl TestApp {
    pub async fn start(engine: Engine) -> TestApp {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = TestDatabase::create(engine, folder.path()).await;
        let clock = Clock::system();
        let fake = Fake::new("kie", folder.path().to_owned());
        let config = config(&database, folder.path());
        let db = app::connect(&config).await.expect("the database opens");
        app::migrate(&db).await.expect("the schema is made");
        publish_prices(&db, &config, &clock).await;
        db.close().await.expect("the database closes");
        let changes = Changes::default();
        let (app, lane, server, url) = boot(&database, folder.path(), clock.clone(), &fake, &changes).await;
        let (client, lane) = (client(), Some(lane));
        TestApp { app, url, client, fake, folder, database, clock, changes, lane, worker: None, server }
    }

    /// Starts a worker; tests that only look at submission need none.
    pub async fn with_worker(mut self) -> TestApp {
        self.worker = Some(Worker::start(self.app.clone()).await.expect("a worker starts"));
        self
    }

    /// Stops everything as a clean shutdown does, and starts it again over the same data. No worker runs afterwards.
    pub async fn restart(mut self) -> TestApp {
        self.stop().await;
        let (app, lane, server, url) = self.boot().await;
        TestApp { app, url, lane: Some(lane), server, ..self }
    }

    /// The same with other settings.
    pub async fn restart_with(self, adjust: impl Fn(&mut Config) + Send + Sync + 'static) -> TestApp {
        let changes = Changes { adjust: Arc::new(adjust), ..self.changes.clone() };
        TestApp { changes, ..self }.restart().await
    }

    /// The same with more providers.
    pub async fn restart_among(self, stock: impl Fn(&mut Registry) + Send + Sync + 'static) -> TestApp {
        let changes = Changes { stock: Arc::new(stock), ..self.changes.clone() };
        TestApp { changes, ..self }.restart().await
    }

    /// Another process over the same database with the same settings, as far as one process can have another: nothing in
    /// memory is shared, but time is moved for both.
    pub async fn beside(&self) -> Beside {
        self.beside_wrong_by(0).await
    }

    /// The same on a machine whose clock is so many seconds wrong.
    pub async fn beside_wrong_by(&self, seconds: i64) -> Beside {
        let clock = self.clock.beside();
        clock.be_wrong_by(seconds);
        Beside::of(boot(&self.database, self.folder.path(), clock, &self.fake, &self.changes).await)
    }

    /// The same with other settings.
    pub async fn beside_with(&self, adjust: impl Fn(&mut Config) + Send + Sync + 'static) -> Beside {
        let changes = Changes { adjust: Arc::new(adjust), ..self.changes.clone() };
        let clock = self.clock.beside();
        Beside::of(boot(&self.database, self.folder.path(), clock, &self.fake, &changes).await)
    }

    async fn boot(&self) -> (App, Lane, JoinHandle<()>, String) {
        boot(&self.database, self.folder.path(), self.clock.clone(), &self.fake, &self.changes).await
    }

    /// Opens a stream of events.
    pub async fn follow(&self, customer: &Customer, path: &str, headers: &[(&str, &str)]) -> EventStream {
        EventStream::open(&self.client, &format!("{}{path}", self.url), customer, headers).await
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    async fn stop(&mut self) {
        self.app.stopping.cancel();
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
        self.server.abort();
        if let Some(lane) = self.lane.take() {
            lane.stop().await;
        }
    }

    /// A customer with so many whole credits and a key, in a mode.
    pub async fn customer(&self, mode: Mode, whole_credits: i64) -> Customer {
        self.customer_with(mode, whole_credits, NewKey::default()).await
    }

    /// The same with a key of other rights; without scopes it generates.
    pub async fn customer_with(&self, mode: Mode, whole_credits: i64, new: NewKey) -> Customer {
        let now = self.app.clock.now();
        let tx = self.app.db.begin().await.expect("a transaction");
        let customer = people::create(&tx, &self.app.clock, "Test", false).await.expect("a customer");
        people::admit(&tx, customer.id, now).await.expect("an admission");
        let account = customer.account(mode);
        let key_id = KeyId(self.app.clock.new_id());
        let inference = INFERENCE_SCOPES.map(str::to_owned).to_vec();
        let scopes = if new.scopes.is_empty() { inference } else { new.scopes };
        let new = NewKey { name: "test".into(), scopes, ..new };
        let secret: SecretString =
            key::create(&tx, key_id, (customer.id, account, mode), new, now).await.expect("a key");
        tx.commit().await.expect("a commit");
        let made = Customer { id: customer.id, account, key_id, key: secret.expose_secret().to_owned() };
        if whole_credits > 0 {
            self.grant(&made, whole_credits).await;
        }
        made
    }

    /// Gives paid credits that never expire.
    pub async fn grant(&self, customer: &Customer, whole_credits: i64) {
        let new = NewGrant {
            class: GrantClass::Paid,
            amount: Credits::from_whole(whole_credits).expect("a small amount"),
            expires_at: None,
            cost_basis: 50_000,
            reference: format!("test:{}", self.app.clock.new_id()),
        };
        credits::grant(&self.app.ledger, &self.app.clock, customer.account, new).await.expect("a grant");
    }

    pub async fn get(&self, customer: &Customer, path: &str) -> Answer {
        self.send(Some(customer), Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, customer: &Customer, path: &str, body: &Value) -> Answer {
        self.send(Some(customer), Method::POST, path, Some(body), &[]).await
    }

    /// Submits on the native route, with an idempotency key.
    pub async fn post_keyed(&self, customer: &Customer, path: &str, body: &Value, key: &str) -> Answer {
        self.send(Some(customer), Method::POST, path, Some(body), &[("idempotency-key", key)]).await
    }

    /// Submits on the native route of a process, which may be another one.
    pub async fn post_at(&self, url: &str, customer: &Customer, body: &Value, key: Option<&str>) -> Answer {
        let mut request = self.client.post(format!("{url}/api/ai/video/generate")).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Answer::of(request.bearer_auth(&customer.key).send().await.expect("the server answers")).await
    }

    pub async fn send(
        &self,
        customer: Option<&Customer>,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(customer) = customer {
            request = request.bearer_auth(&customer.key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.expect("the server answers")).await
    }

    /// Submits on the native route and answers with the task's id.
    pub async fn generate(&self, customer: &Customer, body: &Value) -> String {
        let answer = self.post(customer, "/api/ai/video/generate", body).await;
        answer.expect(200)["taskId"].as_str().expect("a task id").to_owned()
    }

    /// Waits until a task is in one of these states and answers with it.
    pub async fn wait_for(&self, customer: &Customer, task: &str, states: &[&str]) -> Value {
        let path = format!("/api/ai/tasks/{task}");
        let waiting = async {
            loop {
                let body = self.get(customer, &path).await.expect(200);
                if states.iter().any(|state| body["state"] == *state) {
                    return body;
                }
                tokio::task::yield_now().await;
            }
        };
        let last = tokio::time::timeout(PATIENCE, waiting).await;
        last.unwrap_or_else(|_| panic!("task {task} did not get to any of {states:?}"))
    }

    /// Waits until a task has ended.
    pub async fn finished(&self, customer: &Customer, task: &str) -> Value {
        self.wait_for(customer, task, &["completed", "failed", "canceled", "expired"]).await
    }

    /// Available and held credits, as JSON numbers.
    pub async fn balance(&self, customer: &Customer) -> (Value, Value) {
        let body = self.get(customer, "/api/ai/credits").await.expect(200);
        (body["available"].clone(), body["held"].clone())
    }

    /// Stops everything; the books must balance.
    pub async fn finish(mut self) {
        self.stop().await;
        let report = check(&self.app.db, &self.app.chain, Scope::Everything).await.expect("the check runs");
        assert!(report.violations.is_empty(), "the books do not balance:\n{}", lines(&report.violations));
        self.app.db.clone().close().await.expect("the database closes");
        self.database.drop().await;
    }
}

impl Beside {
    fn of((app, lane, server, url): (App, Lane, JoinHandle<()>, String)) -> Beside {
        Beside { app, url, lane, worker: None, server }
    }

    pub async fn with_worker(mut self) -> Beside {
        self.worker = Some(Worker::start(self.app.clone()).await.expect("a worker starts"));
        self
    }

    pub async fn stop(self) {
        self.app.stopping.cancel();
        if let Some(worker) = self.worker {
            worker.stop().await;
        }
        self.server.abort();
        self.lane.stop().await;
        self.app.db.close().await.expect("the database closes");
    }
}

fn lines(violations: &[impl std::fmt::Display]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Answer {
    async fn of(response: Response) -> Answer {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("a whole body");
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// The body, if the status is the wanted one; otherwise the test fails and shows the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self.body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An HTTP client that follows no redirects.
pub fn client() -> reqwest::Client {
    // Refused when the program has installed one in this process already, which is just as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

fn config(database: &TestDatabase, folder: &std::path::Path) -> Config {
    Config {
        database_url: Some(SecretString::from(database.url.clone())),
        data_dir: folder.join("data"),
        secret: Some(SecretString::from(format!("k1:{}", "5a".repeat(32)))),
        heartbeat_limit_s: 5,
        ..Config::default()
    }
}

async fn publish_prices(db: &reelmeter::db::Db, config: &Config, clock: &Clock) {
    let book = app::read_prices(config).expect("the price book");
    let tx = db.begin().await.expect("a transaction");
    price_version::publish(&tx, &book, "test", clock.now()).await.expect("a version");
    tx.commit().await.expect("a commit");
}

async fn boot(
    database: &TestDatabase,
    folder: &std::path::Path,
    clock: Clock,
    fake: &Fake,
    changes: &Changes,
) -> (App, Lane, JoinHandle<()>, String) {
    let mut config = config(database, folder);
    (changes.adjust)(&mut config);
    std::fs::create_dir_all(&config.data_dir).expect("a data folder");
    let mut providers = Registry::new(config.data_dir.join("scratch"));
    providers.add(fake.provider());
    (changes.stock)(&mut providers);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    config.listen = address;
    let (app, lane) = App::with_providers(config, clock, providers).await.expect("the app is built");
    let (endpoint, draining) = (reelmeter::http::endpoint(app.clone()), app.draining.clone());
    let server = tokio::spawn(async move {
        serve(listener, endpoint, draining, std::future::pending(), Duration::ZERO).await;
    });
    (app, lane, server, format!("http://{address}"))
}
