//! Two processes over one database: what is promised once is kept once, whoever is asked.

use entity::{Credits, Mode, TaskId, job};
use futures_util::future::{join, join_all};
use reelmeter::customer::key::NewKey;
use reelmeter::ledger::{Done, SettledBy};
use reelmeter::video::settle::Ending;
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};
use tests::{Answer, Beside, Customer, Step, TestApp, on_postgres};

use crate::live::going_on;
use crate::{sora, wan};

mod child;
mod rolling;
mod start;
mod zombie;

on_postgres!(
    a_key_that_is_sent_to_both_at_once_makes_one_task,
    an_accepted_task_is_found_at_once_in_another_process,
    a_balance_that_is_raced_from_both_is_spent_to_the_credit,
    a_spend_cap_that_is_raced_from_both_is_exact,
    a_limit_of_tasks_that_is_raced_from_both_is_exact,
    a_quote_that_is_raced_from_both_is_used_once,
    claims_that_race_cancellations_end_every_task_once,
    a_worker_and_two_operators_who_settle_at_once_settle_once,
    who_waits_for_an_account_that_another_process_has_locked_is_served_with_all_who_wait,
);

/// Sends requests to both processes at the same time, in turn; the key of each is what the function makes of its number.
async fn race(
    (here, there): (&TestApp, &Beside),
    customer: &Customer,
    count: usize,
    request: impl Fn(usize) -> (Value, Option<String>),
) -> Vec<Answer> {
    let requests = (0..count).map(|n| {
        let ((body, key), url) = (request(n), [&here.url, &there.url][n % 2]);
        async move { here.post_at(url, customer, &body, key.as_deref()).await }
    });
    join_all(requests).await
}

fn with_status(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

async fn a_key_that_is_sent_to_both_at_once_makes_one_task(app: TestApp) -> TestApp {
    let there = app.beside().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    for round in 0..10 {
        let key = Some(format!("order-{round}"));
        let answers = race((&app, &there), &customer, 8, |_| (sora(json!({})), key.clone())).await;
        let replayed = |answer: &&Answer| answer.header("idempotent-replayed") == Some("true");
        assert_eq!(answers.iter().filter(replayed).count(), 7, "{round}");
        let ids: Vec<Value> =
            answers.into_iter().map(|answer| answer.expect(200)["taskId"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
    assert_eq!(app.balance(&customer).await, (json!(880), json!(120)));
    there.stop().await;
    app
}

async fn an_accepted_task_is_found_at_once_in_another_process(app: TestApp) -> TestApp {
    let there = app.beside().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    for _ in 0..20 {
        let id = app.generate(&customer, &sora(json!({}))).await;
        let found = app.client.get(format!("{}/api/ai/tasks/{id}", there.url)).bearer_auth(&customer.key);
        let found = found.send().await.unwrap();
        assert_eq!(found.status(), 200, "{id}");
        assert_eq!(found.json::<Value>().await.unwrap()["charges"]["held"], json!(12));
    }
    there.stop().await;
    app
}

async fn a_balance_that_is_raced_from_both_is_spent_to_the_credit(app: TestApp) -> TestApp {
    let there = app.beside().await;
    let customer = app.customer(Mode::Test, 50 * 12 + 11).await;
    let answers = race((&app, &there), &customer, 200, |_| (sora(json!({})), None)).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 402)), (50, 150));
    assert_eq!(app.balance(&customer).await, (json!(11), json!(600)));
    there.stop().await;
    app
}

async fn a_spend_cap_that_is_raced_from_both_is_exact(app: TestApp) -> TestApp {
    let there = app.beside().await;
    let capped = NewKey { cap_day: Credits::from_whole(100), ..NewKey::default() };
    let customer = app.customer_with(Mode::Test, 10_000, capped).await;
    let answers = race((&app, &there), &customer, 60, |_| (sora(json!({})), None)).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 402)), (8, 52));
    there.stop().await;
    app
}

async fn a_limit_of_tasks_that_is_raced_from_both_is_exact(app: TestApp) -> TestApp {
    let there = app.beside().await;
    let customer =
        app.customer_with(Mode::Test, 10_000, NewKey { max_tasks: Some(7), ..NewKey::default() }).await;
    let answers = race((&app, &there), &customer, 60, |_| (sora(json!({})), None)).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 429)), (7, 53));
    there.stop().await;
    app
}

async fn a_quote_that_is_raced_from_both_is_used_once(app: TestApp) -> TestApp {
    let there = app.beside().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let quote = app.post(&customer, "/api/ai/video/quote", &sora(json!({}))).await.expect(200);
    let body = sora(json!({ "quoteId": quote["quoteId"] }));
    let answers = race((&app, &there), &customer, 20, |_| (body.clone(), None)).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 422)), (1, 19));
    there.stop().await;
    app
}

/// Cancels a task through both processes at once.
async fn cancel(app: &TestApp, there: &Beside, customer: &Customer, id: &str) {
    let cancellations = [&app.url, &there.url].map(|url| {
        app.client.post(format!("{url}/api/ai/tasks/{id}/cancel")).bearer_auth(&customer.key).send()
    });
    for answer in join_all(cancellations).await {
        assert!(answer.unwrap().status().is_success());
    }
}

async fn claims_that_race_cancellations_end_every_task_once(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let there = app.beside().await.with_worker().await;
    let customer = app.customer(Mode::Live, 100_000).await;
    let (mut completed, mut canceled) = (0, 0);
    for round in 0..60 {
        let url = [&app.url, &there.url][round % 2];
        let accepted = app.post_at(url, &customer, &wan(json!({})), None).await.expect(200);
        let id = accepted["taskId"].as_str().unwrap();
        cancel(&app, &there, &customer, id).await;
        let task = app.finished(&customer, id).await;
        match task["state"].as_str().unwrap() {
            "completed" => completed += 1,
            "canceled" => canceled += 1,
            state => panic!("{state}: {task:#}"),
        }
    }
    assert_eq!(completed + canceled, 60);
    assert_eq!(app.balance(&customer).await, (json!(100_000 - 30 * completed), json!(0)));
    assert!(app.fake.submissions().len() <= 60, "nothing was submitted twice");
    there.stop().await;
    app
}

async fn a_worker_and_two_operators_who_settle_at_once_settle_once(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let there = app.beside().await;
    let customer = app.customer(Mode::Live, 100_000).await;
    let mut spent = 0;
    for _ in 0..20 {
        app.fake.on_poll([Step::Wait]);
        let id = app.generate(&customer, &wan(json!({}))).await;
        // Done already, if the worker's last look at the task before it took the step that was meant for this one.
        app.wait_for(&customer, &id, &["running", "completed"]).await;
        let task: TaskId = id.parse().unwrap();
        let failed = Ending::Failed { code: "internal".into(), message: "Given up".into() };
        let by = |app: &reelmeter::app::App| {
            let (video, failed) = (app.video.clone(), failed.clone());
            async move { video.settle(task, SettledBy::Operator, failed).await.unwrap() }
        };
        let operators = join(by(&app.app), by(&there.app));
        let (ended, (one, other)) = join(going_on(&app, app.finished(&customer, &id)), operators).await;
        let fresh = [&one, &other].into_iter().filter(|done| is_fresh(done)).count();
        let failed = ended["state"] == json!("failed");
        assert_eq!(fresh, usize::from(failed), "{one:?} {other:?} {ended:#}");
        spent += if failed { 0 } else { 30 };
    }
    assert_eq!(app.balance(&customer).await, (json!(100_000 - spent), json!(0)));
    there.stop().await;
    app
}

/// How many transactions a process's ledger has committed.
fn commits(app: &TestApp) -> usize {
    let name = "reelmeter_lane_commit_duration_seconds_count ";
    let rendered = app.app.metrics.render();
    rendered.lines().find_map(|line| line.strip_prefix(name)).map_or(0, |count| count.parse().unwrap())
}

async fn who_waits_for_an_account_that_another_process_has_locked_is_served_with_all_who_wait(
    app: TestApp,
) -> TestApp {
    let customer = app.customer(Mode::Test, 10_000).await;
    let elsewhere = app.app.db.begin().await.unwrap();
    let lock = format!("SELECT 1 FROM account WHERE id = '{}' FOR NO KEY UPDATE", customer.account.0);
    elsewhere.execute_unprepared(&lock).await.unwrap();
    let before = commits(&app);
    let body = sora(json!({}));
    let requests = join_all((0..100).map(|_| app.post(&customer, "/api/ai/video/generate", &body)));
    let unlock = async {
        // Once it has looked at everybody in vain.
        while commits(&app) == before || app.app.ledger.waiting() != (0, 0) {
            tokio::task::yield_now().await;
        }
        elsewhere.commit().await.unwrap();
    };
    let (answers, ()) = join(requests, unlock).await;
    assert_eq!(with_status(&answers, 200), 100);
    let commits = commits(&app) - before;
    assert!(commits < 50, "{commits} transactions for 100 who waited for the same account");
    app
}

async fn job_of(app: &TestApp, task: TaskId) -> job::Model {
    job::Entity::find_by_id(task).one(app.app.db.read()).await.unwrap().expect("the task is live")
}

fn is_fresh(done: &Done) -> bool {
    matches!(done, Done::Settled { fresh: true, .. })
}
