//! Telling a customer's own server that a task has ended: signed, again until it is taken, and never to a private address.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity::Mode;
use entity::delivery::{self, DeliveryState};
use entity::event;
use poem::endpoint::make;
use poem::http::{HeaderMap, StatusCode};
use poem::listener::{Acceptor, Listener, TcpListener};
use reelmeter::app::App;
use reelmeter::customer::endpoint::secret::SigningSecret;
use reelmeter::media::{Allow, GuardedClient, Timeouts};
use reelmeter::worker::Worker;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tests::{Customer, TestApp, on_both_engines};
use tokio::sync::watch;

use crate::wan;

on_both_engines!(
    a_callback_to_a_private_address_never_leaves,
    a_callback_tells_how_the_task_ended_and_its_signature_verifies,
    a_redirect_is_not_followed_but_the_callback_is_sent_again_under_the_same_id,
    a_receiver_that_is_gone_is_not_asked_again,
    a_callback_whose_event_is_forgotten_is_given_up,
    a_task_without_a_callback_address_tells_nobody,
);

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A customer's server: answers with the given statuses, then with the one it stays at (204), and keeps what it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receiver {
    statuses: Arc<Mutex<VecDeque<StatusCode>>>,
    stays_at: Arc<Mutex<Option<StatusCode>>>,
    retry_after: Arc<Mutex<Option<&'static str>>>,
    received: Arc<watch::Sender<Vec<(HeaderMap, String)>>>,
}

impl Receiver {
    /// Starts it, and says on which port.
    pub(crate) async fn start(statuses: &[StatusCode]) -> (Receiver, u16) {
        let receiver = Receiver::default();
        receiver.statuses.lock().unwrap().extend(statuses);
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let port = acceptor.local_addr()[0].as_socket_addr().unwrap().port();
        let answering = receiver.clone();
        let endpoint = make(move |request: poem::Request| answering.clone().answer(request));
        tokio::spawn(async move { poem::Server::new_with_acceptor(acceptor).run(endpoint).await });
        (receiver, port)
    }

    async fn answer(self, mut request: poem::Request) -> poem::Result<poem::Response> {
        let body = request.take_body().into_string().await?;
        let headers = request.headers().clone();
        self.received.send_modify(|received| received.push((headers, body)));
        let first = self.statuses.lock().unwrap().pop_front();
        let status = first.or(*self.stays_at.lock().unwrap()).unwrap_or(StatusCode::NO_CONTENT);
        let mut answer = poem::Response::builder().status(status).header("location", "/elsewhere");
        if let Some(wait) = *self.retry_after.lock().unwrap() {
            answer = answer.header("retry-after", wait);
        }
        Ok(answer.finish())
    }

    /// From now on it answers with this.
    pub(crate) fn stay_at(&self, status: StatusCode) {
        *self.stays_at.lock().unwrap() = Some(status);
    }

    /// From now on its answers have this `Retry-After`.
    pub(crate) fn ask_to_wait(&self, wait: &'static str) {
        *self.retry_after.lock().unwrap() = Some(wait);
    }

    pub(crate) fn received(&self) -> Vec<(HeaderMap, String)> {
        self.received.borrow().clone()
    }

    /// Waits until it was sent something.
    pub(crate) async fn called(&self) {
        self.has(1).await;
    }

    /// Waits until it was sent so many, and answers with them.
    pub(crate) async fn has(&self, n: usize) -> Vec<(HeaderMap, String)> {
        let mut received = self.received.subscribe();
        let waiting = received.wait_for(|received| received.len() >= n);
        tokio::time::timeout(PATIENCE, waiting).await.expect("it is sent in time").unwrap().clone()
    }
}

/// A worker that may call one port of this machine, as an operator could allow it.
pub(crate) async fn worker_that_may_call(app: &TestApp, port: u16) -> Worker {
    worker_that_may_call_all(app, &[port]).await
}

/// The same for several ports.
pub(crate) async fn worker_that_may_call_all(app: &TestApp, ports: &[u16]) -> Worker {
    let second = Duration::from_secs(10);
    let timeouts = Timeouts { connect: second, read: second, total: second };
    let places: Vec<_> = ports.iter().map(|port| ("127.0.0.1", *port)).collect();
    let fetcher = GuardedClient::new(timeouts, Allow::new(&places)).unwrap();
    Worker::start(App { fetcher, ..app.app.clone() }).await.unwrap()
}

/// The account's only delivery, once it is as wanted.
async fn delivery(
    app: &TestApp,
    customer: &Customer,
    wanted: impl Fn(&delivery::Model) -> bool,
) -> delivery::Model {
    let waiting = async {
        loop {
            let rows = delivery::Entity::find().filter(delivery::Column::AccountId.eq(customer.account));
            match rows.one(app.app.db.read()).await.unwrap() {
                Some(row) if wanted(&row) => return row,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the delivery is as wanted in time")
}

fn calling(port: u16) -> Value {
    wan(json!({ "callbackUrl": format!("http://127.0.0.1:{port}/hook"), "externalTaskId": "order-42" }))
}

async fn a_callback_to_a_private_address_never_leaves(app: TestApp) -> TestApp {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &calling(listener.local_addr().unwrap().port())).await;
    assert_eq!(app.finished(&customer, &id).await["state"], json!("completed"));
    let row = delivery(&app, &customer, |row| row.tries > 0).await;
    assert_eq!((row.state, row.last_status, row.delivered_at), (DeliveryState::Pending, None, None));
    assert_eq!(row.last_error.as_deref(), Some("the address is not on the public internet"));
    assert!(row.next_at > row.created_at);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody connected");
    app
}

async fn a_callback_tells_how_the_task_ended_and_its_signature_verifies(app: TestApp) -> TestApp {
    let (receiver, port) = Receiver::start(&[]).await;
    let worker = worker_that_may_call(&app, port).await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &calling(port)).await;
    let row = delivery(&app, &customer, |row| row.state == DeliveryState::Delivered).await;
    assert_eq!((row.tries, row.last_status, &row.last_error), (1, Some(204), &None));
    let received = receiver.received();
    let [(headers, body)] = &received[..] else { panic!("{} callbacks", received.len()) };
    let secret = SigningSecret::of_account(customer.account, None).text(&app.app.webhooks).unwrap();
    let ours = Webhook::new(secret.expose_secret()).unwrap();
    ours.verify(body.as_bytes(), headers).unwrap();
    ours.verify(body.replace("completed", "failed").as_bytes(), headers).unwrap_err();
    let stranger = app.customer(Mode::Live, 0).await;
    let theirs = SigningSecret::of_account(stranger.account, None).text(&app.app.webhooks).unwrap();
    Webhook::new(theirs.expose_secret()).unwrap().verify(body.as_bytes(), headers).unwrap_err();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!((&body["type"], &body["data"]["taskId"]), (&json!("video.completed"), &json!(id)));
    let charges = &body["data"]["charges"];
    assert_eq!((&charges["captured"], &charges["released"]), (&json!(30), &json!(0)));
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    worker.stop().await;
    app
}

async fn a_redirect_is_not_followed_but_the_callback_is_sent_again_under_the_same_id(
    app: TestApp,
) -> TestApp {
    let (receiver, port) = Receiver::start(&[StatusCode::TEMPORARY_REDIRECT]).await;
    let worker = worker_that_may_call(&app, port).await;
    let customer = app.customer(Mode::Live, 100).await;
    app.generate(&customer, &calling(port)).await;
    let row = delivery(&app, &customer, |row| row.tries == 1).await;
    assert_eq!((row.state, row.last_status), (DeliveryState::Pending, Some(307)));
    assert_eq!(receiver.received().len(), 1);
    app.advance(5);
    let row = delivery(&app, &customer, |row| row.state == DeliveryState::Delivered).await;
    assert_eq!((row.tries, row.last_status), (2, Some(204)));
    let received = receiver.received();
    let [(first, first_body), (second, second_body)] = &received[..] else {
        panic!("{} callbacks", received.len())
    };
    assert_eq!((&first["webhook-id"], first_body), (&second["webhook-id"], second_body));
    assert_ne!(first["webhook-timestamp"], second["webhook-timestamp"]);
    assert_ne!(first["webhook-signature"], second["webhook-signature"]);
    worker.stop().await;
    app
}

async fn a_receiver_that_is_gone_is_not_asked_again(app: TestApp) -> TestApp {
    let (receiver, port) = Receiver::start(&[StatusCode::GONE]).await;
    let worker = worker_that_may_call(&app, port).await;
    let customer = app.customer(Mode::Live, 100).await;
    app.generate(&customer, &calling(port)).await;
    let row = delivery(&app, &customer, |row| row.tries > 0).await;
    assert_eq!((row.state, row.last_status), (DeliveryState::Failed, Some(410)));
    assert_eq!(receiver.received().len(), 1);
    worker.stop().await;
    app
}

async fn a_callback_whose_event_is_forgotten_is_given_up(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &calling(1)).await;
    app.finished(&customer, &id).await;
    delivery(&app, &customer, |row| row.tries > 0).await;
    let tx = app.app.db.begin().await.unwrap();
    let events = event::Column::AccountId.eq(customer.account);
    event::Entity::delete_many().filter(events).exec(&tx).await.unwrap();
    tx.commit().await.unwrap();
    app.advance(10);
    let row = delivery(&app, &customer, |row| row.state == DeliveryState::Failed).await;
    assert_eq!(row.delivered_at, None);
    app
}

async fn a_task_without_a_callback_address_tells_nobody(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &id).await;
    let rows = delivery::Entity::find().filter(delivery::Column::AccountId.eq(customer.account));
    assert_eq!(rows.one(app.app.db.read()).await.unwrap(), None);
    app
}
