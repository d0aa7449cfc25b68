//! Endpoints that don't take what they are sent: put off, left alone, and in the end disabled.

use entity::{Mode, endpoint as endpoints};
use poem::http::StatusCode;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use super::{customer, deliveries, delivery, endpoint, is, patch, read, receiver, test, text};
use crate::callback::{Receiver, worker_that_may_call, worker_that_may_call_all};

on_both_engines!(
    an_endpoint_that_is_gone_is_disabled_with_all_it_is_owed,
    an_endpoint_that_takes_nothing_for_five_days_is_disabled_and_says_why,
    a_success_in_between_starts_the_days_anew,
    an_endpoint_that_asks_to_wait_is_left_alone_as_long_as_it_says,
    what_is_sent_but_not_written_down_is_sent_again_under_the_same_id,
    a_redirect_is_a_failure,
);

const DAY: i64 = 86_400;

/// The row, as only we see it.
async fn row(app: &TestApp, id: &str) -> endpoints::Model {
    let id: entity::EndpointId = id.parse().unwrap();
    endpoints::Entity::find_by_id(id).one(app.app.db.read()).await.unwrap().unwrap()
}

async fn status(app: &TestApp, customer: &Customer, id: &str) -> (Value, Value) {
    let shown = read(app, customer, &format!("/{id}")).await;
    (shown["status"].clone(), shown["disabledReason"].clone())
}

async fn an_endpoint_that_is_gone_is_disabled_with_all_it_is_owed(app: TestApp) -> TestApp {
    let (receiver, port) = Receiver::start(&[StatusCode::GONE]).await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    let first = test(&app, &customer, &id).await;
    // More than are sent at once.
    for _ in 0..9 {
        test(&app, &customer, &id).await;
    }
    receiver.stay_at(StatusCode::GONE);
    let worker = worker_that_may_call(&app, port).await;
    let rows = deliveries(&app, &customer, &id, |rows| rows.iter().all(|row| is(row, "failed"))).await;
    assert_eq!(rows.len(), 10);
    assert!(receiver.received().len() <= 4, "{}", receiver.received().len());
    assert!(rows.iter().any(|row| row["lastError"] == "the endpoint was disabled"), "{rows:?}");
    let gone = (json!("disabled"), json!("It answered 410 Gone"));
    assert_eq!(status(&app, &customer, &id).await, gone);
    // Nothing new is kept for it until it is taken up again.
    receiver.stay_at(StatusCode::NO_CONTENT);
    patch(&app, &customer, &id, json!({ "paused": false })).await.expect(200);
    assert_eq!(status(&app, &customer, &id).await, (json!("active"), Value::Null));
    let path = format!("/{id}/deliveries/{first}/resend");
    super::post(&app, &customer, &path, Value::Null).await.expect(202);
    deliveries(&app, &customer, &id, |rows| {
        rows.iter().any(|row| row["event"] == *first && is(row, "delivered"))
    })
    .await;
    worker.stop().await;
    app
}

/// Lets the next try of the endpoint's only delivery come, and waits for it.
async fn next_try(app: &TestApp, customer: &Customer, id: &str, tries: i64) -> Value {
    delivery(app, customer, id, |row| row["tries"] == tries).await
}

async fn an_endpoint_that_takes_nothing_for_five_days_is_disabled_and_says_why(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    receiver.stay_at(StatusCode::INTERNAL_SERVER_ERROR);
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    test(&app, &customer, &id).await;
    next_try(&app, &customer, &id, 1).await;
    let since = read(&app, &customer, &format!("/{id}")).await["failingSince"].clone();
    assert!(since.is_string());
    app.advance(4 * DAY);
    next_try(&app, &customer, &id, 2).await;
    assert_eq!(status(&app, &customer, &id).await.0, "active");
    app.advance(DAY);
    let row = delivery(&app, &customer, &id, |row| is(row, "failed")).await;
    assert_eq!((&row["tries"], &row["lastError"]), (&json!(3), &json!("the endpoint was disabled")));
    let (status, reason) = status(&app, &customer, &id).await;
    let told = format!("It took nothing since {}; the last time: it answered 500", text(&since));
    assert_eq!((status, text(&reason)), (json!("disabled"), told));
    worker.stop().await;
    app
}

async fn a_success_in_between_starts_the_days_anew(app: TestApp) -> TestApp {
    let (receiver, port) = receiver().await;
    receiver.stay_at(StatusCode::INTERNAL_SERVER_ERROR);
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    test(&app, &customer, &id).await;
    next_try(&app, &customer, &id, 1).await;
    app.advance(4 * DAY);
    receiver.stay_at(StatusCode::NO_CONTENT);
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    assert_eq!(row(&app, &id).await.failing_since, None);
    app.advance(4 * DAY);
    receiver.stay_at(StatusCode::INTERNAL_SERVER_ERROR);
    test(&app, &customer, &id).await;
    deliveries(&app, &customer, &id, |rows| rows[0]["tries"] == 1).await;
    assert_eq!(status(&app, &customer, &id).await.0, "active");
    worker.stop().await;
    app
}

async fn an_endpoint_that_asks_to_wait_is_left_alone_as_long_as_it_says(app: TestApp) -> TestApp {
    let (receiver, port) = Receiver::start(&[StatusCode::TOO_MANY_REQUESTS]).await;
    receiver.ask_to_wait("7200");
    let (other, other_port) = super::receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    let (witness, _) = endpoint(&app, &customer, other_port, Value::Null).await;
    let worker = worker_that_may_call_all(&app, &[port, other_port]).await;
    let asked_at = app.app.clock.now();
    test(&app, &customer, &id).await;
    delivery(&app, &customer, &id, |row| row["tries"] == 1).await;
    let slow_until = row(&app, &id).await.slow_until.unwrap();
    assert!(slow_until >= asked_at.plus_seconds(7_200), "{slow_until}");
    // What comes meanwhile waits as well.
    test(&app, &customer, &id).await;
    app.advance(3_600);
    test(&app, &customer, &witness).await;
    other.called().await;
    assert_eq!(receiver.received().len(), 1);
    app.advance(3_600);
    deliveries(&app, &customer, &id, |rows| rows.len() == 2 && rows.iter().all(|row| is(row, "delivered")))
        .await;
    worker.stop().await;
    app
}

/// As after a process died in between: the receiver has it, and nobody wrote that down.
async fn what_is_sent_but_not_written_down_is_sent_again_under_the_same_id(app: TestApp) -> TestApp {
    use entity::delivery::{Column, DeliveryState, Entity};
    use sea_orm::sea_query::Expr;

    let (receiver, port) = receiver().await;
    let customer = customer(&app, Mode::Live).await;
    let (id, secret) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    test(&app, &customer, &id).await;
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    let tx = app.app.db.begin().await.unwrap();
    Entity::update_many()
        .col_expr(Column::State, Expr::value(DeliveryState::Pending))
        .col_expr(Column::Tries, Expr::value(0))
        .exec(&tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    // The lease of whoever sent it ends.
    app.advance(60);
    let received = receiver.has(2).await;
    assert_eq!(received[0].0["webhook-id"], received[1].0["webhook-id"]);
    assert_eq!(received[0].1, received[1].1);
    assert_ne!(received[0].0["webhook-signature"], received[1].0["webhook-signature"]);
    // Moved a minute, our clock is still within what a receiver bears.
    assert!(received.iter().all(|message| super::believes(&secret, message)));
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    worker.stop().await;
    app
}

async fn a_redirect_is_a_failure(app: TestApp) -> TestApp {
    let (receiver, port) = Receiver::start(&[StatusCode::FOUND]).await;
    let customer = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &customer, port, Value::Null).await;
    let worker = worker_that_may_call(&app, port).await;
    test(&app, &customer, &id).await;
    let row = delivery(&app, &customer, &id, |row| row["tries"] == 1).await;
    assert_eq!((&row["state"], &row["lastStatus"]), (&json!("pending"), &json!(302)));
    app.advance(6);
    delivery(&app, &customer, &id, |row| is(row, "delivered")).await;
    assert_eq!(receiver.received().len(), 2);
    worker.stop().await;
    app
}
