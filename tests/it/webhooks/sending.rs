//! What endpoints are sent: to each what it wants to hear of, beside others that are dead or slow.

use entity::Mode;
use futures_util::future::join_all;
use reelmeter::app::App;
use reelmeter::app::message::Wording;
use reelmeter::ledger::{Command, Probe};
use reelmeter::video::read::TaskView;
use serde_json::{Value, json};
use tests::{TestApp, on_both_engines};

use super::{
    believes, customer, deliveries, delivery, endpoint, is, json_of, kinds, patch, post, receiver, task,
    test, text,
};
use crate::callback::{worker_that_may_call, worker_that_may_call_all};
use crate::wan;

on_both_engines!(
    an_endpoint_is_told_how_a_task_ended_in_the_words_of_a_poll,
    a_dialect_may_have_a_body_of_its_own_for_callbacks,
    an_endpoint_hears_only_of_what_it_wants,
    a_dead_endpoint_keeps_no_other_waiting,
    a_thousand_webhooks_for_an_endpoint_that_hangs_keep_no_other_waiting,
    a_test_is_delivered_like_any_other_event,
    a_paused_endpoint_keeps_nothing_new_and_goes_on_with_what_it_was_owed,
    live_and_test_never_meet,
    alerts_of_the_balance_are_told,
    an_endpoint_that_is_removed_is_told_nothing_more,
);

async fn an_endpoint_is_told_how_a_task_ended_in_the_words_of_a_poll(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, secret) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    let task = task(&app, &customer).await;
    let row = delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    let received = receiver.received();
    let [message] = &received[..] else { panic!("{} webhooks", received.len()) };
    assert!(believes(&secret, message));
    let (headers, body) = (&message.0, json_of(&message.1));
    assert_eq!(headers["webhook-id"], *text(&row["event"]));
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["type", "timestamp", "data"]);
    let mut poll = app.get(&customer, &format!("/api/ai/tasks/{task}")).await.expect(200);
    let mut data = body["data"].clone();
    // Links are made anew for each answer.
    for told in [&mut poll, &mut data] {
        let link = text(&told["videoUrl"]);
        assert_eq!(app.client.get(&link).send().await.unwrap().status(), 200);
        told["videoUrl"] = Value::Null;
        told["clips"][0]["url"] = Value::Null;
    }
    assert_eq!((&body["type"], data), (&json!("video.completed"), poll));
    assert_eq!((&row["taskId"], &row["lastStatus"], &row["tries"]), (&json!(task), &json!(204), &json!(1)));
    worker.stop().await;
    app
}

/// As of a dialect whose callbacks are no envelopes.
fn plain(_: &App, view: &TaskView) -> Wording {
    let task = json!({ "task_id": view.task.id });
    Wording { data: json!({ "code": 0, "data": task }), callback: Some(task) }
}

async fn a_dialect_may_have_a_body_of_its_own_for_callbacks(mut app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let (called, callback_port) = super::receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    app.app.wording = plain;
    let worker = worker_that_may_call_all(&app, &[port, callback_port]).await;
    let url = format!("http://127.0.0.1:{callback_port}/hook");
    let task = app.generate(&customer, &wan(json!({ "callbackUrl": url }))).await;
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    let own = json!({ "task_id": task });
    assert_eq!(json_of(&called.has(1).await[0].1), own);
    let told = json_of(&receiver.received()[0].1);
    assert_eq!((&told["type"], &told["data"]["data"]), (&json!("video.completed"), &own));
    worker.stop().await;
    app
}

async fn an_endpoint_hears_only_of_what_it_wants(app: TestApp) -> TestApp {
    let (wide, wide_port) = receiver().await;
    let (narrow, narrow_port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (all, _) = endpoint(&app, &customer, wide_port, json!(["video.*"])).await;
    let (failures, _) = endpoint(&app, &customer, narrow_port, json!(["video.failed", "credits.*"])).await;
    let canceled = app.generate(&customer, &wan(json!({}))).await;
    app.post(&customer, &format!("/api/ai/tasks/{canceled}/cancel"), &json!({})).await.expect(200);
    let worker = worker_that_may_call_all(&app, &[wide_port, narrow_port]).await;
    task(&app, &customer).await;
    test(&app, &customer, &failures).await;
    wide.has(2).await;
    narrow.has(1).await;
    deliveries(&app, &customer, &all, |rows| rows.iter().all(|row| is(row, "delivered"))).await;
    let mut told = kinds(&wide.received());
    told.sort();
    assert_eq!(told, ["video.canceled", "video.completed"]);
    assert_eq!(kinds(&narrow.received()), ["webhook.test"]);
    worker.stop().await;
    app
}

async fn a_dead_endpoint_keeps_no_other_waiting(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    // Somebody listened there once.
    let dead_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (dead, _) = endpoint(&app, &customer, dead_port, Value::Null).await;
    let (good, _) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call_all(&app, &[port, dead_port]).await;
    task(&app, &customer).await;
    delivery(&app, &customer, &good, |row| is(row, "delivered")).await;
    let row = delivery(&app, &customer, &dead, |row| row["tries"] == 1).await;
    assert_eq!((&row["state"], &row["lastStatus"]), (&json!("pending"), &Value::Null));
    assert!(row["lastError"].is_string() && row["nextAt"].is_string(), "{row}");
    assert_eq!(kinds(&receiver.received()), ["video.completed"]);
    worker.stop().await;
    app
}

async fn a_thousand_webhooks_for_an_endpoint_that_hangs_keep_no_other_waiting(app: TestApp) -> TestApp {
    // Whoever connects is never answered.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging_port = hanging.local_addr().unwrap().port();
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (stuck, _) = endpoint(&app, &customer, hanging_port, json!(["credits.*"])).await;
    let probe = Probe { account: customer.account, endpoint: stuck.parse().unwrap() };
    for told in join_all((0..1_000).map(|_| app.app.ledger.send(Command::Probe(probe)))).await {
        told.unwrap();
    }
    let (good, _) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call_all(&app, &[port, hanging_port]).await;
    for _ in 0..3 {
        test(&app, &customer, &good).await;
    }
    assert_eq!(receiver.has(3).await.len(), 3);
    worker.stop().await;
    app
}

async fn a_test_is_delivered_like_any_other_event(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, secret) = endpoint(&app, &customer, port, json!(["video.failed"])).await;
    let worker = worker_that_may_call(&app, port).await;
    let event = test(&app, &customer, &id).await;
    let row = delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    assert_eq!((&row["event"], &row["type"]), (&json!(event), &json!("webhook.test")));
    let received = receiver.received();
    assert!(believes(&secret, &received[0]));
    assert_eq!(json_of(&received[0].1)["data"]["webhookId"], *id);
    worker.stop().await;
    app
}

async fn a_paused_endpoint_keeps_nothing_new_and_goes_on_with_what_it_was_owed(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let (other, other_port) = super::receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    let (witness, _) = endpoint(&app, &customer, other_port, Value::Null).await;
    let owed = test(&app, &customer, &id).await;
    patch(&app, &customer, &id, json!({ "paused": true })).await.expect(200);
    let worker = worker_that_may_call_all(&app, &[port, other_port]).await;
    task(&app, &customer).await;
    delivery(&app, &customer, &witness, |row| is(row, "delivered")).await;
    let row = delivery(&app, &customer, &id, |row| is(row, "pending")).await;
    assert_eq!((&row["event"], &row["tries"]), (&json!(owed), &json!(0)));
    for path in ["test", &format!("deliveries/{owed}/resend"), "replay"] {
        let body = if path == "replay" { json!({ "from": owed }) } else { Value::Null };
        let refused = post(&app, &customer, &format!("/{id}/{path}"), body).await.expect(409);
        assert_eq!(refused["code"], "webhook_inactive", "{path}");
    }
    assert_eq!(receiver.received().len(), 0);
    patch(&app, &customer, &id, json!({ "paused": false })).await.expect(200);
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    assert_eq!(kinds(&receiver.received()), ["webhook.test"]);
    assert_eq!(other.received().len(), 1);
    worker.stop().await;
    app
}

async fn live_and_test_never_meet(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let live = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &live, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    let person = app.person_of(live.id, Mode::Test, entity::user::UserRole::Owner).await;
    let url = json!({ "url": format!("http://127.0.0.1:{port}/test") });
    let made = app.post_as(&person, "/api/webhooks", &url).await.expect(201);
    task(&app, &live).await;
    delivery(&app, &live, &id, |row| is(row, "delivered")).await;
    assert_eq!(receiver.received().len(), 1);
    let path = format!("/api/webhooks/{}/deliveries", text(&made["id"]));
    assert_eq!(app.get_as(&person, &path).await.expect(200)["data"], json!([]));
    worker.stop().await;
    app
}

async fn alerts_of_the_balance_are_told(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, json!(["credits.*"])).await;
    let worker = worker_that_may_call(&app, port).await;
    let alerts = json!({ "low": 2_000, "recover": 3_000 });
    let put = app.send(Some(&customer), reqwest::Method::PUT, "/api/credits/alerts", Some(&alerts), &[]);
    put.await.expect(200);
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    app.grant(&customer, 2_000).await;
    deliveries(&app, &customer, &id, |rows| rows.len() == 2 && rows.iter().all(|row| is(row, "delivered")))
        .await;
    let received = receiver.received();
    assert_eq!(kinds(&received), ["credits.low", "credits.recovered"]);
    assert_eq!(json_of(&received[1].1)["data"]["available"], json!(3_000));
    worker.stop().await;
    app
}

async fn an_endpoint_that_is_removed_is_told_nothing_more(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let (other, other_port) = super::receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    test(&app, &customer, &id).await;
    let path = format!("/api/webhooks/{id}");
    app.send(Some(&customer), reqwest::Method::DELETE, &path, None, &[]).await.expect(204);
    endpoint(&app, &customer, other_port, Value::Null).await;
    let worker = worker_that_may_call_all(&app, &[port, other_port]).await;
    task(&app, &customer).await;
    other.called().await;
    assert_eq!(receiver.received().len(), 0);
    worker.stop().await;
    app
}
