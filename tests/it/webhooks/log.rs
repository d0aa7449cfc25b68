//! What was delivered, and sending it again: one event, or a range.

use entity::Mode;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use super::{
    call, customer, deliveries, delivery, endpoint, is, kinds, patch, post, read, receiver, task, test, text,
};
use crate::callback::worker_that_may_call;
use crate::wan;

on_both_engines!(
    the_log_of_deliveries_is_paged_and_filtered_by_state,
    an_event_is_sent_again_under_the_same_id,
    an_event_that_an_endpoint_was_never_owed_can_not_be_resent,
    a_range_is_replayed_with_what_was_missed,
    a_range_by_time_leaves_out_what_was_before_and_after,
    what_a_deleted_task_had_to_tell_is_not_replayed,
);

async fn the_log_of_deliveries_is_paged_and_filtered_by_state(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, 1, Value::Null).await;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.insert(0, test(&app, &customer, &id).await);
    }
    let told = |page: &Value| {
        page["data"].as_array().unwrap().iter().map(|row| text(&row["event"])).collect::<Vec<_>>()
    };
    let first = read(&app, &customer, &format!("/{id}/deliveries?limit=2")).await;
    assert_eq!(told(&first), events[..2]);
    let cursor = text(&first["nextCursor"]);
    let rest = read(&app, &customer, &format!("/{id}/deliveries?limit=2&cursor={cursor}")).await;
    assert_eq!((told(&rest), &rest["nextCursor"]), (events[2..].to_vec(), &Value::Null));
    for (state, n) in [("pending", 3), ("delivered", 0), ("failed", 0)] {
        let page = read(&app, &customer, &format!("/{id}/deliveries?state={state}")).await;
        assert_eq!(told(&page).len(), n, "{state}");
    }
    call(&app, &customer, Method::GET, &format!("/{id}/deliveries?state=lost"), Value::Null)
        .await
        .expect(400);
    app
}

async fn an_event_is_sent_again_under_the_same_id(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    let event = test(&app, &customer, &id).await;
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    let path = format!("/{id}/deliveries/{event}/resend");
    let row = post(&app, &customer, &path, Value::Null).await.expect(202);
    assert_eq!((&row["state"], &row["tries"]), (&json!("pending"), &json!(0)));
    let received = receiver.has(2).await;
    assert_eq!(received[0].0["webhook-id"], *event);
    assert_eq!(received[1].0["webhook-id"], *event);
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    worker.stop().await;
    app
}

async fn an_event_that_an_endpoint_was_never_owed_can_not_be_resent(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, 1, Value::Null).await;
    let (other, _) = endpoint(&app, &customer, 2, Value::Null).await;
    let event = test(&app, &customer, &other).await;
    let stranger = super::customer(&app, Mode::Live).await;
    let (theirs, _) = endpoint(&app, &stranger, 1, Value::Null).await;
    let foreign = test(&app, &stranger, &theirs).await;
    for event in [&event, &foreign, "evt_1"] {
        let refused = post(&app, &customer, &format!("/{id}/deliveries/{event}/resend"), Value::Null).await;
        assert_eq!(refused.expect(404)["code"], "delivery_not_found", "{event}");
    }
    app
}

/// Cancels a new task before anybody works on it: `video.canceled`.
async fn cancel(app: &TestApp, customer: &Customer) -> String {
    let id = app.generate(customer, &wan(json!({}))).await;
    app.post(customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await.expect(200);
    id
}

async fn a_range_is_replayed_with_what_was_missed(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, json!(["video.*"])).await;
    cancel(&app, &customer).await;
    let worker = worker_that_may_call(&app, port).await;
    let first = delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    patch(&app, &customer, &id, json!({ "paused": true })).await.expect(200);
    task(&app, &customer).await;
    patch(&app, &customer, &id, json!({ "paused": false })).await.expect(200);
    let from = json!({ "from": first["event"] });
    let replayed = post(&app, &customer, &format!("/{id}/replay"), from).await.expect(202);
    assert_eq!(replayed, json!({ "events": 2, "nextFrom": null, "warnings": [] }));
    let received = receiver.has(3).await;
    let mut told = kinds(&received);
    told.sort();
    assert_eq!(told, ["video.canceled", "video.canceled", "video.completed"]);
    let again = received.iter().filter(|(headers, _)| headers["webhook-id"] == *text(&first["event"]));
    assert_eq!(again.count(), 2);
    worker.stop().await;
    app
}

async fn a_range_by_time_leaves_out_what_was_before_and_after(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    cancel(&app, &customer).await;
    app.advance(60);
    let from = app.app.clock.now();
    let inside = cancel(&app, &customer).await;
    let to = app.app.clock.now();
    app.advance(60);
    cancel(&app, &customer).await;
    let (id, _) = endpoint(&app, &customer, 1, Value::Null).await;
    let range = json!({ "from": from.to_string(), "to": to.plus_seconds(1).to_string() });
    let replayed = post(&app, &customer, &format!("/{id}/replay"), range).await.expect(202);
    assert_eq!(replayed["events"], 1);
    let rows = deliveries(&app, &customer, &id, |rows| !rows.is_empty()).await;
    assert_eq!(rows.iter().map(|row| text(&row["taskId"])).collect::<Vec<_>>(), [inside]);
    let nothing = json!({ "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z" });
    let replayed = post(&app, &customer, &format!("/{id}/replay"), nothing).await.expect(202);
    assert_eq!(replayed["events"], 0);
    app
}

async fn what_a_deleted_task_had_to_tell_is_not_replayed(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, json!(["video.*"])).await;
    let deleted = cancel(&app, &customer).await;
    let row = delivery(&app, &customer, &id, |row| is(row, "pending")).await;
    let path = format!("/api/ai/tasks/{deleted}");
    app.send(Some(&customer), Method::DELETE, &path, None, &[]).await.expect(204);
    delivery(&app, &customer, &id, |row| is(row, "failed")).await;
    let from = json!({ "from": row["event"] });
    let replayed = post(&app, &customer, &format!("/{id}/replay"), from).await.expect(202);
    assert_eq!(replayed["events"], 0);
    // Asked for by name it is tried, and there is nothing to tell.
    let path = format!("/{id}/deliveries/{}/resend", text(&row["event"]));
    post(&app, &customer, &path, Value::Null).await.expect(202);
    let worker = worker_that_may_call(&app, port).await;
    let row = delivery(&app, &customer, &id, |row| is(row, "failed")).await;
    assert_eq!(row["lastError"], "the task was deleted");
    assert_eq!(receiver.received().len(), 0);
    worker.stop().await;
    app
}
