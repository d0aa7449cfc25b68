//! PostgreSQL restarts while customers go on asking: as they see it, some answers are late or say when to come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity::Mode;
use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait, Database};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Customer, EventStream, TestApp, on_postgres};
use tokio::sync::watch;

use super::{GENERATE, behind, refused};
use crate::wan;

on_postgres!(a_restart_of_the_database_under_load_loses_nobody_and_everything_goes_on_by_itself);

const CLIENTS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(60);

/// Customers who send each request again until it is accepted.
struct Load<'a> {
    app: &'a TestApp,
    customer: &'a Customer,
    is_over: AtomicBool,
    accepted: watch::Sender<usize>,
    turned_away: watch::Sender<usize>,
}

impl Load<'_> {
    /// The tasks that were accepted, by their keys.
    async fn run(&self) -> BTreeMap<String, String> {
        let clients = (0..CLIENTS).map(|client| async move {
            let mut tasks = Vec::new();
            while !self.is_over.load(Ordering::SeqCst) {
                let key = format!("{client}-{}", tasks.len());
                tasks.push((key.clone(), self.accepted(&key).await));
            }
            tasks
        });
        join_all(clients).await.into_iter().flatten().collect()
    }

    async fn accepted(&self, key: &str) -> String {
        loop {
            let answer = self.app.post_keyed(self.customer, GENERATE, &wan(json!({})), key).await;
            if answer.status.is_success() {
                self.accepted.send_modify(|n| *n += 1);
                return answer.body["taskId"].as_str().unwrap().to_owned();
            }
            // Never anything but "later".
            refused(answer);
            self.turned_away.send_modify(|n| *n += 1);
        }
    }
}

/// Waits until a number has grown by so much.
async fn grown(number: &watch::Sender<usize>, by: usize) {
    let mut number = number.subscribe();
    let goal = *number.borrow() + by;
    let waited = tokio::time::timeout(PATIENCE, number.wait_for(|n| *n >= goal)).await;
    waited.expect("it goes on in time").unwrap();
}

/// Ends every connection to the test's database, as an administrator or a failover does.
async fn terminate_all(app: &TestApp) {
    let server = std::env::var("REELMETER_TEST_POSTGRES_URL").expect("run the tests with tests/run");
    let url = app.app.config.database_url.as_ref().unwrap().expose_secret();
    let (_, name) = url.split('?').next().unwrap().rsplit_once('/').unwrap();
    let server = Database::connect(server).await.unwrap();
    let terminate =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    server.execute_unprepared(&terminate).await.unwrap();
    server.close().await.unwrap();
}

/// Reads events until so many tasks have completed, each of them once.
async fn completed(stream: &mut EventStream, count: usize) -> BTreeSet<String> {
    let mut tasks = BTreeSet::new();
    while tasks.len() < count {
        let event = stream.next().await.expect("the stream goes on");
        if event.kind == "video.completed" {
            let task = event.data["taskId"].as_str().unwrap().to_owned();
            assert!(tasks.insert(task), "a task completes once");
        }
    }
    tasks
}

async fn a_restart_of_the_database_under_load_loses_nobody_and_everything_goes_on_by_itself(
    app: TestApp,
) -> TestApp {
    let (app, proxy) = behind(app).await;
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 1_000_000).await;
    let (is_over, accepted, turned_away) =
        (AtomicBool::new(false), watch::Sender::new(0), watch::Sender::new(0));
    let load = Load { app: &app, customer: &customer, is_over, accepted, turned_away };
    let trouble = async {
        grown(&load.accepted, 20).await;
        proxy.refuse();
        grown(&load.turned_away, 1).await;
        proxy.admit();
        for _ in 0..3 {
            grown(&load.accepted, 10).await;
            terminate_all(&app).await;
        }
        grown(&load.accepted, 10).await;
        load.is_over.store(true, Ordering::SeqCst);
    };
    let (tasks, ()) = join(load.run(), trouble).await;
    let ids: BTreeSet<String> = tasks.values().cloned().collect();
    assert_eq!(ids.len(), tasks.len(), "each request is a task of its own");
    let mut stream = app.follow(&customer, "/api/events", &[("last-event-id", "0")]).await;
    assert_eq!(completed(&mut stream, ids.len()).await, ids);
    let spent = 30 * i64::try_from(ids.len()).unwrap();
    assert_eq!(app.balance(&customer).await, (json!(1_000_000 - spent), Value::from(0)));
    assert_eq!(app.fake.accepted(), ids.len(), "nothing was submitted twice");
    app
}
