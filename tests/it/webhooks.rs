//! Webhook endpoints: an account's own servers, and what they are told.

mod endpoint;
mod failing;
mod log;
mod secret;
mod sending;

use std::time::Duration;

use entity::Mode;
use poem::http::HeaderMap;
use reelmeter::customer::caller::{BILLING_READ, BILLING_WRITE, KEYS_MANAGE, VIDEOS_READ, VIDEOS_WRITE};
use reelmeter::customer::key::NewKey;
use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tests::{Answer, Customer, TestApp};

use crate::callback::Receiver;
use crate::wan;

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key that generates and manages.
async fn customer(app: &TestApp, mode: Mode) -> Customer {
    let scopes = [VIDEOS_WRITE, VIDEOS_READ, BILLING_READ, BILLING_WRITE, KEYS_MANAGE];
    let scopes = scopes.map(str::to_owned).to_vec();
    app.customer_with(mode, 1_000, NewKey { scopes, ..NewKey::default() }).await
}

async fn call(app: &TestApp, customer: &Customer, method: Method, path: &str, body: Value) -> Answer {
    let body = (!body.is_null()).then_some(&body);
    app.send(Some(customer), method, &format!("/api/webhooks{path}"), body, &[]).await
}

async fn post(app: &TestApp, customer: &Customer, path: &str, body: Value) -> Answer {
    call(app, customer, Method::POST, path, body).await
}

async fn patch(app: &TestApp, customer: &Customer, id: &str, body: Value) -> Answer {
    call(app, customer, Method::PATCH, &format!("/{id}"), body).await
}

async fn read(app: &TestApp, customer: &Customer, path: &str) -> Value {
    call(app, customer, Method::GET, path, Value::Null).await.expect(200)
}

/// An endpoint on a port of this machine, for these events: its id and its secret.
async fn endpoint(app: &TestApp, customer: &Customer, port: u16, events: Value) -> (String, String) {
    let body = json!({ "url": format!("http://127.0.0.1:{port}/hook"), "events": events });
    let made = post(app, customer, "", body).await.expect(201);
    (text(&made["id"]), text(&made["secret"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A task that has ended.
async fn task(app: &TestApp, customer: &Customer) -> String {
    let id = app.generate(customer, &wan(json!({}))).await;
    app.finished(customer, &id).await;
    id
}

/// The test event that an endpoint is sent: its id.
async fn test(app: &TestApp, customer: &Customer, id: &str) -> String {
    text(&post(app, customer, &format!("/{id}/test"), Value::Null).await.expect(202)["event"])
}

/// What an endpoint was and is to be told, newest first, once it is as wanted.
async fn deliveries(
    app: &TestApp,
    customer: &Customer,
    id: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let waiting = async {
        loop {
            let page = read(app, customer, &format!("/{id}/deliveries")).await;
            let rows = page["data"].as_array().unwrap().clone();
            if wanted(&rows) {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the deliveries are as wanted in time")
}

/// The endpoint's only delivery, once it is as wanted.
async fn delivery(app: &TestApp, customer: &Customer, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let is_wanted = |rows: &[Value]| rows.len() == 1 && wanted(&rows[0]);
    deliveries(app, customer, id, is_wanted).await.remove(0)
}

fn is(row: &Value, state: &str) -> bool {
    row["state"] == state
}

/// The types of what a receiver was sent, in order.
fn kinds(received: &[(HeaderMap, String)]) -> Vec<String> {
    received.iter().map(|(_, body)| text(&json_of(body)["type"])).collect()
}

fn json_of(body: &str) -> Value {
    serde_json::from_str(body).expect("JSON")
}

/// Whether a receiver with this secret believes it.
fn believes(secret: &str, (headers, body): &(HeaderMap, String)) -> bool {
    Webhook::new(secret).unwrap().verify(body.as_bytes(), headers).is_ok()
}

/// A receiver that takes everything, and its port.
async fn receiver() -> (Receiver, u16) {
    Receiver::start(&[]).await
}
