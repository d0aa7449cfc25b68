//! A provider on a real socket that lies: whatever it says, the customer pays once for what was delivered or not at all, is
//! told in our words what became of the task, and nothing is submitted twice without a decision.

mod clip;
mod input;
mod poll;
mod submit;

use std::time::Duration;

use entity::transfer::{self, TransferKind};
use entity::{Mode, TaskId, attempt, event};
use reelmeter::worker::Worker;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use tests::{Customer, Lie, TestApp, Upstream, UpstreamAnswer as Answer};

use crate::wan;

/// Stands in what upstream writes of its own troubles; no customer ever reads it.
const SECRET: &str = "gpu-pool-7.internal";
/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const CREDITS: i64 = 1_000;
/// What a task costs.
const PRICE: i64 = 30;

/// A lying upstream, a worker that uses it, and a customer.
struct Stage {
    app: TestApp,
    upstream: Upstream,
    worker: Worker,
    customer: Customer,
}

impl Stage {
    async fn set(app: TestApp) -> Stage {
        let upstream = Upstream::start().await;
        let worker = upstream.worker(&app).await;
        Stage::with(app, upstream, worker).await
    }

    async fn with(app: TestApp, upstream: Upstream, worker: Worker) -> Stage {
        let customer = app.customer(Mode::Live, CREDITS).await;
        Stage { app, upstream, worker, customer }
    }

    async fn generate(&self) -> String {
        self.generate_with(json!({})).await
    }

    async fn generate_with(&self, extra: Value) -> String {
        self.app.generate(&self.customer, &wan(extra)).await
    }

    async fn generate_many(&self, tasks: usize) -> Vec<String> {
        let mut ids = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            ids.push(self.generate().await);
        }
        ids
    }

    /// The task ends with its video and costs its full price.
    async fn is_paid(&self, id: &str) -> Value {
        self.is_paid_in_part(id, PRICE).await
    }

    async fn is_paid_in_part(&self, id: &str, captured: i64) -> Value {
        let task = self.app.finished(&self.customer, id).await;
        assert_eq!((&task["state"], &task["errorCode"]), (&json!("completed"), &Value::Null), "{task:#}");
        self.has_charges(&task, captured).await;
        task
    }

    /// The task ends like this, for this reason, and costs nothing.
    async fn costs_nothing(&self, id: &str, state: &str, code: &str) -> Value {
        let task = self.app.finished(&self.customer, id).await;
        assert_eq!((&task["state"], &task["errorCode"]), (&json!(state), &json!(code)), "{task:#}");
        assert_eq!((&task["creditsUsed"], &task["creditsRefunded"]), (&json!(0), &json!(true)));
        self.has_charges(&task, 0).await;
        task
    }

    /// One hold, and one settlement of all of it.
    async fn has_charges(&self, task: &Value, captured: i64) {
        let charges = ["held", "captured", "released"].map(|name| task["charges"][name].clone());
        assert_eq!(charges, [PRICE, captured, PRICE - captured].map(|amount| json!(amount)), "{task:#}");
        let of_task = transfer::Column::TaskId.eq(task_id(task["taskId"].as_str().unwrap()));
        let journal = transfer::Entity::find().filter(of_task).order_by_asc(transfer::Column::Seq);
        let journal = journal.all(self.app.app.db.read()).await.unwrap();
        let moves = journal.iter().map(|transfer| (transfer.kind, transfer.amount.thousandths() / 1_000));
        let expected = [
            (TransferKind::Hold, PRICE),
            (TransferKind::Capture, captured),
            (TransferKind::Release, PRICE - captured),
        ];
        let expected = expected.into_iter().filter(|(_, amount)| *amount > 0);
        assert_eq!(moves.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    async fn attempts(&self, id: &str) -> Vec<attempt::Model> {
        let attempts = attempt::Entity::find().filter(attempt::Column::TaskId.eq(task_id(id)));
        attempts.all(self.app.app.db.read()).await.unwrap()
    }

    /// Another worker goes on in the place of the one that runs.
    async fn change_worker(self) -> Stage {
        self.worker.stop().await;
        let worker = self.upstream.worker(&self.app).await;
        Stage { worker, ..self }
    }

    /// Waits until operators see this among the metrics.
    async fn shows(&self, series: &str) {
        let looking = async {
            while !reelmeter::scrape::text(&self.app.app).await.lines().any(|line| line == series) {
                tokio::task::yield_now().await;
            }
        };
        let shown = tokio::time::timeout(PATIENCE, looking).await;
        shown.unwrap_or_else(|_| panic!("{series} is not shown"));
    }

    /// So much was charged in all, and upstream's own words are nowhere to be read.
    async fn end(self, charged: i64) -> TestApp {
        let balance = self.app.balance(&self.customer).await;
        assert_eq!(balance, (json!(CREDITS - charged), json!(0)));
        let tasks = self.app.get(&self.customer, "/api/ai/tasks?limit=100").await.expect(200);
        assert!(!tasks.to_string().contains(SECRET), "{tasks:#}");
        assert!(!tasks["data"].as_array().expect("a list").is_empty());
        let events = event::Entity::find().filter(event::Column::AccountId.eq(self.customer.account));
        for event in events.all(self.app.app.db.read()).await.unwrap() {
            assert!(!event.body.contains(SECRET), "{event:?}");
        }
        self.worker.stop().await;
        self.app
    }
}

fn task_id(id: &str) -> TaskId {
    id.parse().unwrap()
}

/// An error in upstream's own words.
fn error(status: u16, code: &str) -> Answer {
    let message = format!("no capacity left at {SECRET}");
    Answer::json(status, &json!({ "error": { "code": code, "message": message } }))
}

fn says(status: u16) -> Lie {
    Lie::Say(error(status, "oops"))
}

fn refuses(status: u16) -> Lie {
    Lie::Refuse(error(status, "oops"))
}
