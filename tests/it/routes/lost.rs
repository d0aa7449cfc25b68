//! A submission that nothing can find again: by the instance's policy it is sent once more, at our cost, or its clip has failed.

use reelmeter::provider::{Instance, Lost, Reconcile};
use tests::Fake;

use super::*;

on_both_engines!(
    what_nobody_can_find_is_sent_once_more_and_paid_once,
    what_is_lost_a_second_time_gives_everything_back,
    by_another_policy_what_is_lost_has_failed,
    what_no_list_shows_is_not_looked_for_until_the_deadline,
);

const PATIENCE_S: i64 = 31;
const LIST_PATIENCE_S: i64 = 601;

/// A `kie` that can't tell what it was sent.
async fn forgetful(app: TestApp, lost: Lost) -> (TestApp, Fake) {
    unsure(app, lost, Reconcile::Opaque).await
}

async fn unsure(app: TestApp, lost: Lost, by: Reconcile) -> (TestApp, Fake) {
    let fake = Fake::new("kie", app.folder.path().to_owned()).found_by(by);
    let instance = Instance { lost, ..Instance::keyless(fake.provider()) };
    (with_instance(app, instance).await.with_worker().await, fake)
}

/// Starts a task, and lets the time go by in which a lost submission is left alone, as often as it is lost.
async fn lost(app: &TestApp, customer: &Customer, times: usize) -> (String, Value) {
    let id = app.generate(customer, &wan(json!({}))).await;
    for n in 0..times {
        app.wait_for(customer, &id, &["reconciling"]).await;
        while attempts(app, &id).await.len() <= n {
            tokio::task::yield_now().await;
        }
        app.advance(PATIENCE_S);
        while n + 1 < times && attempts(app, &id).await.len() == n + 1 {
            tokio::task::yield_now().await;
        }
    }
    let task = app.finished(customer, &id).await;
    (id, task)
}

async fn what_nobody_can_find_is_sent_once_more_and_paid_once(app: TestApp) -> TestApp {
    let (app, fake) = forgetful(app, Lost::Resubmit).await;
    let customer = app.customer(Mode::Live, 100).await;
    fake.on_submit([Step::LoseAnswer]);
    let (id, task) = lost(&app, &customer, 1).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(PRICE)));
    let abandoned = ("kie".to_owned(), AttemptState::Abandoned, Some("orphaned".to_owned()));
    assert_eq!(story(&app, &id).await, [abandoned, ("kie".to_owned(), AttemptState::Delivered, None)]);
    // Under a key of its own: the first one may be running.
    assert_eq!(fake.accepted(), 2);
    app
}

async fn what_is_lost_a_second_time_gives_everything_back(app: TestApp) -> TestApp {
    let (app, fake) = forgetful(app, Lost::Resubmit).await;
    let customer = app.customer(Mode::Live, 100).await;
    fake.on_submit([Step::LoseAnswer, Step::LoseAnswer]);
    let (id, task) = lost(&app, &customer, 2).await;
    assert_eq!((&task["state"], story(&app, &id).await.len()), (&json!("failed"), 2));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn by_another_policy_what_is_lost_has_failed(app: TestApp) -> TestApp {
    let (app, fake) = forgetful(app, Lost::Fail).await;
    let customer = app.customer(Mode::Live, 100).await;
    fake.on_submit([Step::LoseAnswer]);
    let (_, task) = lost(&app, &customer, 1).await;
    assert_eq!((&task["state"], fake.accepted()), (&json!("failed"), 1));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn what_no_list_shows_is_not_looked_for_until_the_deadline(app: TestApp) -> TestApp {
    let (app, fake) = unsure(app, Lost::Fail, Reconcile::Listable).await;
    let customer = app.customer(Mode::Live, 100).await;
    fake.on_submit([Step::LoseAnswer]);
    fake.on_find(vec![Step::Unsure; 100]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["reconciling"]).await;
    app.advance(LIST_PATIENCE_S);
    let task = app.finished(&customer, &id).await;
    assert_eq!((&task["state"], fake.accepted()), (&json!("failed"), 1));
    assert_eq!(
        story(&app, &id).await,
        [("kie".to_owned(), AttemptState::Abandoned, Some("orphaned".to_owned()))]
    );
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}
