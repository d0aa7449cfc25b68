//! Every process is restarted in turn while customers go on asking, and nobody notices.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use entity::{Mode, job, task, worker};
use futures_util::future::{join, join_all};
use reqwest::StatusCode;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_postgres};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::child::{Quiet, command, log_file, redis};
use crate::program::{PATIENCE, Server};
use crate::sora;

on_postgres!(a_rolling_restart_under_load_loses_and_refuses_nobody);

const CLIENTS: usize = 4;
/// How often the proxy in front looks whether a server is ready; in between it leads requests to one that is not any more.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Long enough for it to notice, in seconds.
const DRAIN_S: &str = "2";
/// How often a client asks for something.
const ASK_EVERY: Duration = Duration::from_millis(60);

/// What stands in front of the servers: it leads requests, in turn, to those that say that they are ready.
struct Front {
    client: reqwest::Client,
    /// The addresses of the servers; empty while one is down.
    servers: [watch::Sender<String>; 2],
    ready: watch::Sender<[bool; 2]>,
    turn: AtomicUsize,
}

impl Front {
    fn new() -> Self {
        let servers = [watch::Sender::default(), watch::Sender::default()];
        Front { client: tests::client(), servers, ready: watch::Sender::default(), turn: AtomicUsize::new(0) }
    }

    async fn look(&self) {
        let mut time = interval(LOOK_EVERY);
        time.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            time.tick().await;
            for (n, server) in self.servers.iter().enumerate() {
                let url = format!("{}/readyz", *server.borrow());
                let answer = self.client.get(url).send().await;
                let is_ready = answer.is_ok_and(|answer| answer.status() == StatusCode::OK);
                self.ready.send_modify(|ready| ready[n] = is_ready);
            }
        }
    }

    async fn wait_for(&self, is_so: impl FnMut(&[bool; 2]) -> bool) {
        let mut ready = self.ready.subscribe();
        let waited = tokio::time::timeout(PATIENCE, ready.wait_for(is_so)).await;
        waited.expect("the servers get there").unwrap();
    }

    /// One request, which has to be answered well, and where it was sent: not even a refused connection is forgiven.
    async fn ask(&self, customer: &Customer, body: &Value, headers: &[(&str, &str)]) -> Value {
        loop {
            self.wait_for(|ready| ready.contains(&true)).await;
            let n = self.turn.fetch_add(1, Ordering::Relaxed) % 2;
            if !self.ready.borrow()[n] {
                continue;
            }
            let url = format!("{}/api/ai/video/generate", *self.servers[n].borrow());
            let mut request = self.client.post(url).bearer_auth(&customer.key).json(body);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.expect("nobody is turned away");
            let (status, body) = (answer.status(), answer.json::<Value>().await.expect("a whole answer"));
            assert_eq!(status, StatusCode::OK, "{body:#}");
            return body;
        }
    }
}

/// Customers who ask at a steady pace until it is over.
struct Load<'a> {
    front: &'a Front,
    customer: &'a Customer,
    is_over: AtomicBool,
    answered: watch::Sender<usize>,
}

impl Load<'_> {
    /// The tasks that were accepted, by their keys.
    async fn run(&self) -> BTreeMap<String, Value> {
        let clients = (0..CLIENTS).map(|client| async move {
            let (mut tasks, mut time) = (Vec::new(), interval(ASK_EVERY));
            while !self.is_over.load(Ordering::SeqCst) {
                time.tick().await;
                let key = format!("{client}-{}", tasks.len());
                let task = self.submit(&key, client, tasks.len()).await;
                tasks.push((key, task));
                self.answered.send_modify(|n| *n += 1);
            }
            tasks
        });
        join_all(clients).await.into_iter().flatten().collect()
    }

    /// Most tasks fail, at once or a little later; a few are drawn. One client waits for what becomes of its tasks.
    async fn submit(&self, key: &str, client: usize, n: usize) -> Value {
        let prompt = match n % 20 {
            7 => "a fox [sandbox:short=1]",
            n if n % 2 == 0 => "a fox [sandbox:slow=1] [sandbox:fail]",
            _ => "a fox [sandbox:fail]",
        };
        let mut headers = vec![("idempotency-key", key)];
        if client == 0 {
            headers.push(("prefer", "wait=1"));
        }
        let answer = self.front.ask(self.customer, &sora(json!({ "prompt": prompt })), &headers).await;
        answer["taskId"].clone()
    }

    async fn goes_on(&self) {
        let mut answered = self.answered.subscribe();
        let goal = *answered.borrow() + 5 * CLIENTS;
        let waited = tokio::time::timeout(PATIENCE, answered.wait_for(|n| *n >= goal)).await;
        waited.expect("it goes on").unwrap();
    }
}

async fn server(app: &TestApp, front: &Front, n: usize) -> Server {
    let log = app.folder.path().join(format!("server-{n}"));
    let mut command = command(app, &["serve"]);
    command
        .env("REELMETER_ROLE", "api")
        .env("REELMETER_REDIS_URL", redis())
        .env("REELMETER_DRAIN_S", DRAIN_S);
    command.stderr(log_file(&log));
    let server = Server::of(&mut command).await;
    let (_, url) = server.banner.rsplit_once(' ').expect("an address");
    front.servers[n].send_replace(url.to_owned());
    front.wait_for(|ready| ready[n]).await;
    server
}

/// A worker that has said that it lives.
async fn worker(app: &TestApp, n: usize) -> Quiet {
    let before = workers(app).await;
    let mut command = command(app, &["worker"]);
    command.env("REELMETER_REDIS_URL", redis());
    let started = Quiet::start(&mut command, app.folder.path().join(format!("worker-{n}")));
    let lives = async {
        while workers(app).await <= before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, lives).await.expect("the worker starts");
    started
}

async fn workers(app: &TestApp) -> u64 {
    worker::Entity::find().count(app.app.db.read()).await.unwrap()
}

async fn restart_all(app: &TestApp, load: &Load<'_>) {
    let front = load.front;
    let servers = [server(app, front, 0).await, server(app, front, 1).await];
    let workers = [worker(app, 0).await, worker(app, 1).await];
    let mut running = Vec::new();
    for (n, old) in servers.into_iter().enumerate() {
        load.goes_on().await;
        old.stop("-TERM").await;
        running.push(server(app, front, n).await);
    }
    let mut working = Vec::new();
    for (n, old) in workers.into_iter().enumerate() {
        load.goes_on().await;
        old.stop().await;
        working.push(worker(app, n).await);
    }
    load.goes_on().await;
    load.is_over.store(true, Ordering::SeqCst);
    everything_ended(app).await;
    let servers = join_all(running.into_iter().map(|server| server.stop("-TERM")));
    join(servers, join_all(working.into_iter().map(Quiet::stop))).await;
}

/// Waits until no task is under way.
async fn everything_ended(app: &TestApp) {
    let ended = async {
        while job::Entity::find().count(app.app.db.read()).await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("every task ends");
}

async fn a_rolling_restart_under_load_loses_and_refuses_nobody(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000_000).await;
    let front = Front::new();
    let load = Load {
        front: &front,
        customer: &customer,
        is_over: AtomicBool::new(false),
        answered: watch::Sender::new(0),
    };
    let served = join(load.run(), restart_all(&app, &load));
    let (tasks, ()) = tokio::select! {
        served = served => served,
        () = front.look() => unreachable!(),
    };
    let stored = task::Entity::find().count(app.app.db.read()).await.unwrap();
    assert_eq!(usize::try_from(stored).unwrap(), tasks.len(), "each request is one task");
    for (key, id) in tasks.iter().step_by(20) {
        let again = app.post_at(&app.url, &customer, &sora(json!({ "prompt": "another" })), Some(key)).await;
        again.expect(422);
        let path = format!("/api/ai/tasks/{}", id.as_str().unwrap());
        assert!(app.get(&customer, &path).await.expect(200)["status"] != json!(0), "{key}");
    }
    assert_eq!(app.balance(&customer).await.1, json!(0));
    app
}
