//! Tasks found again: by everything they can be looked for, page by page, and not at all once they are deleted.

use std::collections::BTreeSet;

use entity::delivery::DeliveryState;
use entity::{KeyId, Mode, TaskId, attempt, clip, delivery, event, task, task_metadata, task_request};
use futures_util::StreamExt;
use futures_util::future::join_all;
use reelmeter::customer::caller::INFERENCE_SCOPES;
use reelmeter::customer::key::{self, NewKey};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Answer, Customer, Step, TestApp, on_both_engines};

use crate::callback::{Receiver, worker_that_may_call};
use crate::{sora, wan};

on_both_engines!(
    every_filter_finds_what_fits_and_nothing_else,
    a_live_task_is_found_by_the_state_of_its_work,
    metadata_is_searched_as_far_as_an_index_takes_it,
    pages_have_no_gaps_and_no_repeats_while_tasks_arrive,
    a_parameter_that_makes_no_sense_is_refused_by_name,
    nobody_finds_the_tasks_of_another_customer,
    a_deleted_task_is_nowhere_and_its_books_stay,
    a_deleted_task_leaves_nothing_of_what_was_said,
    a_webhook_that_is_owed_for_a_deleted_task_is_not_sent,
    only_a_task_that_has_ended_is_deleted_by_its_owner,
    the_sweeper_removes_the_clips_of_a_deleted_task_that_a_crash_left,
);

const TASKS: &str = "/api/ai/tasks";

async fn list(app: &TestApp, customer: &Customer, query: &str) -> Answer {
    app.get(customer, &format!("{TASKS}?{query}")).await
}

/// Ids of a list's tasks, in its order.
async fn found(app: &TestApp, customer: &Customer, query: &str) -> Vec<String> {
    ids(&list(app, customer, query).await.expect(200))
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|task| task["taskId"].as_str().unwrap().to_owned()).collect()
}

async fn delete(app: &TestApp, customer: &Customer, task: &str) -> Answer {
    app.send(Some(customer), Method::DELETE, &format!("{TASKS}/{task}"), None, &[]).await
}

async fn cancel(app: &TestApp, customer: &Customer, task: &str) -> Value {
    app.send(Some(customer), Method::POST, &format!("{TASKS}/{task}/cancel"), None, &[]).await.expect(200)
}

/// Another key of the same account.
async fn second_key(app: &TestApp, customer: &Customer, scopes: &[&str]) -> Customer {
    let id = KeyId(app.app.clock.new_id());
    let scopes = scopes.iter().map(ToString::to_string).collect();
    let new = NewKey { name: "second".into(), scopes, ..NewKey::default() };
    let tx = app.app.db.begin().await.unwrap();
    let account = (customer.id, customer.account, Mode::Test);
    let secret = key::create(&tx, id, account, new, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    Customer { key_id: id, key: secret.expose_secret().to_owned(), ..customer.clone() }
}

async fn every_filter_finds_what_fits_and_nothing_else(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let second = second_key(&app, &customer, &INFERENCE_SCOPES).await;
    let first = app.generate(&customer, &sora(json!({ "externalTaskId": "order-1" }))).await;
    app.advance(86_400);
    let between = app.app.clock.now().to_string();
    let wan = app.generate(&second, &wan(json!({ "externalTaskId": "order-2" }))).await;
    let canceled = app.generate(&customer, &sora(json!({}))).await;
    cancel(&app, &customer, &canceled).await;
    let all = [&canceled, &wan, &first];
    let key = |customer: &Customer| format!("key={}", customer.key_id);
    for (query, expected) in [
        (String::new(), &all[..]),
        ("state=queued".into(), &[&wan, &first]),
        ("state=canceled,failed".into(), &[&canceled]),
        ("state=canceled&state=queued".into(), &all),
        ("state=completed".into(), &[]),
        ("status=0".into(), &[&wan, &first]),
        ("status=2".into(), &[&canceled]),
        ("status=1".into(), &[]),
        ("status=0&state=canceled".into(), &[]),
        ("model=sora-2-text-to-video".into(), &[&canceled, &first]),
        ("model=no-such-model".into(), &[]),
        (key(&customer), &[&canceled, &first]),
        (key(&second), &[&wan]),
        (format!("createdAfter={between}"), &[&canceled, &wan]),
        (format!("createdBefore={between}"), &[&first]),
        (format!("createdAfter={}", &between[..10]), &[&canceled, &wan]),
        (format!("createdBefore={}", &between[..10]), &[&first]),
        ("externalId=order-2".into(), &[&wan]),
        ("externalId=order".into(), &[]),
        (format!("state=queued&model=sora-2-text-to-video&externalId=order-1&{}", key(&second)), &[]),
        (format!("state=queued&model=sora-2-text-to-video&externalId=order-1&{}", key(&customer)), &[&first]),
    ] {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(found(&app, &customer, &query).await, expected, "{query}");
    }
    let page = list(&app, &customer, "externalId=order-1").await.expect(200);
    let alone = app.get(&customer, &format!("{TASKS}/{first}")).await.expect(200);
    assert_eq!(page["data"][0], alone);
    assert_eq!(page["nextCursor"], json!(null));
    app
}

async fn a_live_task_is_found_by_the_state_of_its_work(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 1_000).await;
    let done = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(app.finished(&customer, &done).await["state"], json!("completed"));
    app.fake.on_poll([Step::Wait]);
    let running = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &running, &["running"]).await;
    for query in ["state=running", "state=queued,running", "status=0"] {
        assert_eq!(found(&app, &customer, query).await, std::slice::from_ref(&running), "{query}");
    }
    assert_eq!(found(&app, &customer, "state=running,completed").await, [running, done.clone()]);
    assert_eq!(found(&app, &customer, "state=queued,completed").await, [done]);
    app
}

async fn metadata_is_searched_as_far_as_an_index_takes_it(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let long = "v".repeat(300);
    let one = json!({
        "order": "a:1", "shots": 3, "urgent": true, "long": long, "list": [1], "nothing": null, "name with blank": "x",
    });
    let one = app.generate(&customer, &sora(json!({ "metadata": one }))).await;
    let two = json!({ "order": "a:2", "shots": 3, "urgent": false });
    let two = app.generate(&customer, &sora(json!({ "metadata": two }))).await;
    app.generate(&customer, &sora(json!({}))).await;
    for (query, expected) in [
        ("metadata=order:a:1".to_owned(), &[&one][..]),
        ("metadata=order:a".into(), &[]),
        ("metadata=shots:3".into(), &[&two, &one]),
        ("metadata=shots:3&metadata=urgent:true".into(), &[&one]),
        ("metadata=urgent:true&metadata=urgent:false".into(), &[]),
        (
            "metadata=name%20with%20blank:x&metadata=order:a:1&metadata=shots:3&metadata=urgent:true".into(),
            &[&one],
        ),
        (format!("metadata=long:{long}"), &[]),
        ("metadata=list:[1]".into(), &[]),
        ("metadata=nothing:null".into(), &[]),
    ] {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(found(&app, &customer, &query).await, expected, "{query}");
    }
    let kept = app.get(&customer, &format!("{TASKS}/{one}")).await.expect(200);
    assert_eq!(kept["metadata"]["long"], json!(long));
    app
}

async fn pages_have_no_gaps_and_no_repeats_while_tasks_arrive(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 10_000).await;
    // Many at once, so that the ledger takes some of them in one batch: those are made at the same instant.
    let body = sora(json!({ "metadata": { "batch": "one" } }));
    let made = join_all((0..40).map(|_| app.generate(&customer, &body))).await;
    let rows = task::Entity::find().all(app.app.db.read()).await.unwrap();
    let instants: BTreeSet<i64> = rows.iter().map(|row| row.created_at.micros()).collect();
    assert!(instants.len() < rows.len(), "no two tasks were made at the same instant");
    let mut expected: Vec<(i64, TaskId)> = rows.iter().map(|row| (row.created_at.micros(), row.id)).collect();
    expected.sort_unstable_by(|one, other| other.cmp(one));
    let mut seen = Vec::new();
    let mut next = Some(format!("{TASKS}?limit=7&metadata=batch:one&state=queued"));
    while let Some(path) = next {
        let answer = app.get(&customer, &path).await;
        let link = answer.header("link").map(str::to_owned);
        let page = answer.expect(200);
        seen.extend(ids(&page));
        app.generate(&customer, &body).await;
        assert_eq!(link.is_some(), page["nextCursor"].is_string());
        next = link.map(|link| link.trim_start_matches('<').split('>').next().unwrap().to_owned());
        if let (Some(path), Some(cursor)) = (&next, page["nextCursor"].as_str()) {
            assert!(
                path.contains(cursor) && path.contains("limit=7") && path.contains("state=queued"),
                "{path}"
            );
        }
    }
    assert_eq!(seen.len(), made.len());
    assert_eq!(seen, expected.iter().map(|(_, id)| id.to_string()).collect::<Vec<_>>());
    app
}

async fn a_parameter_that_makes_no_sense_is_refused_by_name(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let ledger = app.get(&customer, "/api/ai/credits/ledger?limit=1").await.expect(200);
    assert_eq!(ledger["nextCursor"], json!(null));
    for (query, field, told) in [
        (
            "state=done",
            "state",
            "queued, submitting, running, reconciling, storing, completed, failed, canceled, expired",
        ),
        ("state=queued,,failed", "state", "is not one of queued"),
        ("status=3", "status", "Must be 0 to 2"),
        ("key=mine", "key", "Must be the id of an API key"),
        ("createdAfter=yesterday", "createdAfter", "2026-11-27"),
        ("createdBefore=2026-02-30", "createdBefore", "2026-11-27"),
        ("metadata=order", "metadata", "a name and a value"),
        (
            "metadata=a:1&metadata=a:1&metadata=a:1&metadata=a:1&metadata=a:1&metadata=a:1",
            "metadata",
            "at most 5",
        ),
        ("limit=0", "limit", "Must be 1 to 100"),
        ("limit=101", "limit", "Must be 1 to 100"),
        ("cursor=page2", "cursor", "Must be the nextCursor of a page"),
        // A page of the ledger begins at a number.
        ("cursor=c2VxOjE", "cursor", "Must be the nextCursor of a page"),
    ] {
        let refused = list(&app, &customer, query).await.expect(400);
        let messages = refused["details"]["fieldErrors"][field].to_string();
        assert!(messages.contains(told), "{query}: {refused:#}");
    }
    let writer = second_key(&app, &customer, &["videos:write"]).await;
    assert_eq!(list(&app, &writer, "").await.expect(403)["code"], json!("insufficient_scope"));
    app
}

async fn nobody_finds_the_tasks_of_another_customer(app: TestApp) -> TestApp {
    let (one, two) = (app.customer(Mode::Test, 100).await, app.customer(Mode::Test, 100).await);
    let body = sora(json!({ "externalTaskId": "order-1", "metadata": { "order": "1" } }));
    let theirs = [app.generate(&one, &body).await, app.generate(&one, &body).await];
    let key = format!("key={}", one.key_id);
    for query in
        ["", "state=queued", "model=sora-2-text-to-video", &key, "externalId=order-1", "metadata=order:1"]
    {
        assert_eq!(found(&app, &two, query).await, Vec::<String>::new(), "{query}");
    }
    let page = list(&app, &one, "limit=1").await.expect(200);
    let cursor = format!("cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!(found(&app, &two, &cursor).await, Vec::<String>::new());
    cancel(&app, &one, &theirs[0]).await;
    assert_eq!(delete(&app, &two, &theirs[0]).await.expect(404)["code"], json!("task_not_found"));
    assert_eq!(found(&app, &one, "").await.len(), 2);
    app
}

/// A task of a live customer that was delivered, with everything that there is to say about a task.
async fn delivered(app: &TestApp, customer: &Customer, key: &str) -> String {
    let body = wan(json!({
        "prompt": "a secret fox", "externalTaskId": "order-1", "metadata": { "order": "secret" },
        "callbackUrl": "https://192.0.2.1/secret",
    }));
    let answer = app.post_keyed(customer, "/api/ai/video/generate", &body, key).await.expect(200);
    let id = answer["taskId"].as_str().unwrap().to_owned();
    assert_eq!(app.finished(customer, &id).await["state"], json!("completed"));
    id
}

async fn objects(app: &TestApp) -> Vec<String> {
    let listed = app.app.store.list("clips").map(|object| object.unwrap().key).collect::<Vec<_>>().await;
    listed.into_iter().collect()
}

async fn a_deleted_task_is_nowhere_and_its_books_stay(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = delivered(&app, &customer, "k").await;
    let other = delivered(&app, &customer, "other").await;
    let link = app.get(&customer, &format!("{TASKS}/{id}/link")).await.expect(200);
    let link = link["url"].as_str().unwrap().to_owned();
    assert_eq!(app.client.get(&link).send().await.unwrap().status(), 200);
    let ledger = app.get(&customer, "/api/ai/credits/ledger").await.expect(200);
    assert_eq!(objects(&app).await.len(), 2);

    assert_eq!(delete(&app, &customer, &id).await.status, 204);
    assert_eq!(delete(&app, &customer, &id).await.expect(404)["code"], json!("task_not_found"));
    for path in ["", "/content", "/content?index=0", "/link"] {
        let gone = app.get(&customer, &format!("{TASKS}/{id}{path}")).await.expect(404);
        assert_eq!(gone["code"], json!("task_not_found"), "{path}");
    }
    let cancel = app.send(Some(&customer), Method::POST, &format!("{TASKS}/{id}/cancel"), None, &[]).await;
    assert_eq!(cancel.expect(404)["code"], json!("task_not_found"));
    assert_eq!(app.client.get(&link).send().await.unwrap().status(), 404);
    for query in ["", "externalId=order-1", "metadata=order:secret", "state=completed", "status=1"] {
        assert_eq!(found(&app, &customer, query).await, std::slice::from_ref(&other), "{query}");
    }
    let body = wan(json!({
        "prompt": "a secret fox", "externalTaskId": "order-1", "metadata": { "order": "secret" },
        "callbackUrl": "https://192.0.2.1/secret",
    }));
    let again = app.post_keyed(&customer, "/api/ai/video/generate", &body, "k").await.expect(410);
    assert_eq!(again["code"], json!("task_deleted"));
    let [kept] = &objects(&app).await[..] else { panic!("one clip is left") };
    let row =
        task::Entity::find_by_id(other.parse::<TaskId>().unwrap()).one(app.app.db.read()).await.unwrap();
    assert!(kept.contains(&row.unwrap().id.0.to_string()), "{kept}");
    assert_eq!(app.get(&customer, "/api/ai/credits/ledger").await.expect(200)["data"], ledger["data"]);
    assert_eq!(app.balance(&customer).await, (json!(40), json!(0)));
    app
}

async fn a_deleted_task_leaves_nothing_of_what_was_said(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = delivered(&app, &customer, "k").await;
    let task_id: TaskId = id.parse().unwrap();
    assert_eq!(delete(&app, &customer, &id).await.status, 204);
    let db = app.app.db.read();
    let task = task::Entity::find_by_id(task_id).one(db).await.unwrap().unwrap();
    assert!(task.deleted_at.is_some() && task.error_message.is_none());
    assert_eq!((task.idempotency_key.as_deref(), task.external_id.as_deref()), (Some("k"), Some("order-1")));
    let request = task_request::Entity::find_by_id(task_id).one(db).await.unwrap().unwrap();
    assert_eq!([&request.request, &request.effective, &request.warnings], ["{}", "{}", "[]"]);
    let metadata = task_metadata::Entity::find().filter(task_metadata::Column::TaskId.eq(task_id));
    assert_eq!(metadata.all(db).await.unwrap(), []);
    for attempt in attempt::Entity::find().filter(attempt::Column::TaskId.eq(task_id)).all(db).await.unwrap()
    {
        assert_eq!((attempt.outcome, attempt.error_message), (None, None));
        assert!(attempt.upstream_id.is_some() && !attempt.submit_key.is_empty());
    }
    for clip in clip::Entity::find().filter(clip::Column::TaskId.eq(task_id)).all(db).await.unwrap() {
        assert!(clip.error_message.is_none() && clip.sha256.is_some());
    }
    let events =
        event::Entity::find().filter(event::Column::TaskId.eq(task_id)).order_by_asc(event::Column::N);
    let events = events.all(db).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.r#type.as_str()).collect();
    assert_eq!(kinds, ["video.queued", "video.completed"]);
    for event in &events {
        assert_eq!(
            serde_json::from_str::<Value>(&event.body).unwrap(),
            json!({ "taskId": id, "deleted": true })
        );
    }
    let deliveries = delivery::Entity::find().filter(delivery::Column::AccountId.eq(customer.account));
    for delivery in deliveries.all(db).await.unwrap() {
        assert_eq!((delivery.state, delivery.url.as_str()), (DeliveryState::Failed, ""));
        assert_eq!(delivery.last_error, None);
    }
    app
}

async fn a_webhook_that_is_owed_for_a_deleted_task_is_not_sent(app: TestApp) -> TestApp {
    let (receiver, port) = Receiver::start(&[]).await;
    let customer = app.customer(Mode::Live, 100).await;
    let calling = wan(json!({ "callbackUrl": format!("http://127.0.0.1:{port}/hook") }));
    let deleted = app.generate(&customer, &calling).await;
    cancel(&app, &customer, &deleted).await;
    assert_eq!(delete(&app, &customer, &deleted).await.status, 204);
    let kept = app.generate(&customer, &calling).await;
    cancel(&app, &customer, &kept).await;
    // Whatever is owed by now is sent by the order in which it became due.
    let worker = worker_that_may_call(&app, port).await;
    while receiver.received().is_empty() {
        tokio::task::yield_now().await;
    }
    worker.stop().await;
    let bodies: Vec<String> = receiver.received().into_iter().map(|(_, body)| body).collect();
    assert!(bodies.len() == 1 && bodies[0].contains(&kept), "{bodies:?}");
    app
}

async fn only_a_task_that_has_ended_is_deleted_by_its_owner(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let id = app.generate(&customer, &sora(json!({}))).await;
    let refused = delete(&app, &customer, &id).await.expect(409);
    assert_eq!((&refused["code"], &refused["retryable"]), (&json!("task_not_ended"), &json!(true)));
    let reader = second_key(&app, &customer, &["videos:read"]).await;
    assert_eq!(delete(&app, &reader, &id).await.expect(403)["code"], json!("insufficient_scope"));
    assert_eq!(delete(&app, &customer, "my-video").await.expect(404)["code"], json!("task_not_found"));
    cancel(&app, &customer, &id).await;
    let answers = join_all((0..5).map(|_| delete(&app, &customer, &id))).await;
    let deleted = answers.iter().filter(|answer| answer.status == 204).count();
    let missing = answers.iter().filter(|answer| answer.status == 404).count();
    assert_eq!((deleted, missing), (1, 4));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn the_sweeper_removes_the_clips_of_a_deleted_task_that_a_crash_left(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = delivered(&app, &customer, "k").await;
    let kept = delivered(&app, &customer, "other").await;
    let before = objects(&app).await;
    assert_eq!(delete(&app, &customer, &id).await.status, 204);
    let left = objects(&app).await;
    let gone = before.iter().find(|key| !left.contains(key)).unwrap();
    // As if the process had died after the commit.
    let file = app.folder.path().join("clip");
    std::fs::write(&file, b"a clip").unwrap();
    app.app.store.put_file(gone, &file).await.unwrap();
    app.advance(7 * 3_600);
    while app.app.store.head(gone).await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(objects(&app).await, left);
    assert_eq!(app.get(&customer, &format!("{TASKS}/{kept}/content")).await.status, 200);
    app
}
