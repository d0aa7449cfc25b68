//! Learning of what happens without asking again and again: waits, states that one has already, and streams of events.

use std::future::Future;
use std::time::Duration;

use entity::grant::GrantClass;
use entity::{Credits, KeyId, Mode, event};
use futures_util::future::join_all;
use reelmeter::customer::caller::{VIDEOS_READ, VIDEOS_WRITE};
use reelmeter::customer::credits::{self, NewGrant};
use reelmeter::customer::key::{self, NewKey};
use reelmeter::news::MAX_LISTENERS;
use reqwest::Method;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tests::{Answer, Customer, Event, EventStream, Step, TestApp, on_both_engines};
use tokio_util::sync::CancellationToken;

use crate::wan;

on_both_engines!(
    a_submission_that_waits_is_answered_with_the_finished_task,
    a_cancellation_that_waits_is_answered_when_the_task_has_ended,
    a_wait_for_a_change_ends_with_the_next_one,
    a_wait_that_is_over_is_answered_with_the_task_as_it_is,
    a_wish_that_can_t_be_read_is_ignored,
    a_task_that_did_not_change_is_not_sent_again,
    a_stop_ends_waits_and_streams,
    who_hangs_up_waits_no_more,
    a_stream_tells_what_happens_in_order_and_with_the_balance,
    credits_that_expire_are_told_with_the_balance,
    a_task_s_stream_begins_with_the_task_and_ends_with_it,
    a_task_s_stream_tells_how_far_it_is,
    a_stream_that_is_cut_again_and_again_loses_and_repeats_nothing,
    an_id_that_is_no_number_is_refused,
    what_is_forgotten_is_a_gap,
    what_a_deleted_task_was_told_with_stays_blank,
    without_the_scope_nothing_is_told_of_credits,
    nobody_hears_of_another_s_tasks,
    a_revoked_key_hears_nothing_more,
    an_account_has_so_many_streams_and_waits,
    what_happens_in_another_process_is_told_here,
    what_happens_in_another_process_is_told_at_once_through_redis,
);

const GENERATE: &str = "/api/ai/video/generate";
const EVENTS: &str = "/api/events";
/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

async fn post(app: &TestApp, customer: &Customer, path: &str, body: &Value, prefer: &str) -> Answer {
    app.send(Some(customer), Method::POST, path, Some(body), &[("prefer", prefer)]).await
}

async fn get(app: &TestApp, customer: &Customer, path: &str, headers: &[(&str, &str)]) -> Answer {
    app.send(Some(customer), Method::GET, path, None, headers).await
}

/// Lets polls that wait go on until something has happened.
pub async fn going_on<T>(app: &TestApp, what: impl Future<Output = T>) -> T {
    let go_on = async {
        loop {
            app.fake.go_on();
            tokio::task::yield_now().await;
        }
    };
    let either = async {
        tokio::select! {
            done = what => done,
            () = go_on => unreachable!(),
        }
    };
    tokio::time::timeout(PATIENCE, either).await.expect("it happens in time")
}

/// Waits until so many wait for news of a customer's account.
async fn listening(app: &TestApp, customer: &Customer, count: usize) {
    let waiting = async {
        while app.app.news.listeners(customer.account) != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("so many wait in time");
}

/// Another key of the customer's account, with these scopes alone.
async fn second_key(app: &TestApp, customer: &Customer, scopes: &[&str]) -> Customer {
    let id = KeyId(app.app.clock.new_id());
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let new = NewKey { name: "second".into(), scopes, ..NewKey::default() };
    let tx = app.app.db.begin().await.unwrap();
    let account = (customer.id, customer.account, Mode::Live);
    let secret = key::create(&tx, id, account, new, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    Customer { key_id: id, key: secret.expose_secret().to_owned(), ..customer.clone() }
}

/// The next event that has an id.
async fn next_stored(stream: &mut EventStream) -> Event {
    loop {
        let event = stream.next().await.expect("the stream goes on");
        if event.id.is_some() {
            return event;
        }
    }
}

async fn a_submission_that_waits_is_answered_with_the_finished_task(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let answer = post(&app, &customer, GENERATE, &wan(json!({})), "wait=60").await;
    assert_eq!(answer.header("preference-applied"), Some("wait=60"));
    let body = answer.expect(200);
    assert_eq!((&body["status"], &body["creditsUsed"]), (&json!(1), &json!(30)));
    assert_eq!((&body["task"]["state"], &body["task"]["taskId"]), (&json!("completed"), &body["taskId"]));
    assert!(body["task"]["videoUrl"].is_string());
    // Without a wish the answer is what it always was.
    let answer = app.post(&customer, GENERATE, &wan(json!({}))).await;
    assert_eq!(answer.header("preference-applied"), None);
    assert!(answer.expect(200).get("task").is_none());
    app
}

async fn a_cancellation_that_waits_is_answered_when_the_task_has_ended(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll(std::iter::repeat_n(Step::Running(10), 100_000));
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    let path = format!("/api/ai/tasks/{id}/cancel");
    let answer = post(&app, &customer, &path, &json!({}), "wait=60").await;
    assert_eq!(answer.header("preference-applied"), Some("wait=60"));
    let body = answer.expect(200);
    assert_eq!((&body["canceled"], &body["creditsRefunded"]), (&json!(true), &json!(true)));
    app
}

async fn a_wait_for_a_change_ends_with_the_next_one(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Wait]);
    app.fake.on_poll(std::iter::repeat_n(Step::Running(60), 100_000));
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["running"]).await;
    let path = format!("/api/ai/tasks/{id}");
    let before = app.get(&customer, &path).await;
    assert_eq!(before.body["progress"], json!(0));
    let etag = before.header("etag").unwrap().to_owned();
    let headers = [("prefer", "wait=60"), ("if-none-match", &etag)];
    let after = going_on(&app, get(&app, &customer, &path, &headers)).await;
    assert_ne!(after.header("etag"), Some(etag.as_str()));
    let body = after.expect(200);
    assert_eq!((&body["state"], &body["progress"]), (&json!("running"), &json!(50)));
    app
}

async fn a_wait_that_is_over_is_answered_with_the_task_as_it_is(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let body = wan(json!({}));
    let submitted = post(&app, &customer, GENERATE, &body, "wait=1").await;
    assert_eq!(submitted.header("preference-applied"), Some("wait=1"));
    let submitted = submitted.expect(200);
    assert_eq!((&submitted["status"], &submitted["creditsUsed"]), (&json!(0), &json!(30)));
    assert_eq!(submitted["task"]["state"], json!("queued"));
    let path = format!("/api/ai/tasks/{}", submitted["taskId"].as_str().unwrap());
    let task = get(&app, &customer, &path, &[("prefer", "respond-async, wait=1")]).await;
    assert_eq!((task.header("preference-applied"), task.header("retry-after")), (Some("wait=1"), Some("2")));
    let etag = task.header("etag").unwrap().to_owned();
    assert_eq!(task.expect(200)["state"], json!("queued"));
    let headers = [("prefer", "wait=1"), ("if-none-match", etag.as_str())];
    let same = get(&app, &customer, &path, &headers).await;
    assert_eq!((same.status.as_u16(), same.header("preference-applied")), (304, Some("wait=1")));
    app
}

async fn a_wish_that_can_t_be_read_is_ignored(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 1_000).await;
    for prefer in ["wait=soon", "wait", "wait=0", "wait=-5", "return=minimal", "wait=\"", "é"] {
        let submitted = post(&app, &customer, GENERATE, &wan(json!({})), prefer).await;
        assert_eq!(submitted.header("preference-applied"), None, "{prefer}");
        let id = submitted.expect(200)["taskId"].clone();
        let path = format!("/api/ai/tasks/{}", id.as_str().unwrap());
        let task = get(&app, &customer, &path, &[("prefer", prefer)]).await;
        assert_eq!((task.status.as_u16(), task.header("preference-applied")), (200, None), "{prefer}");
    }
    app
}

async fn a_task_that_did_not_change_is_not_sent_again(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let path = format!("/api/ai/tasks/{id}");
    let first = app.get(&customer, &path).await;
    let queued = first.header("etag").unwrap().to_owned();
    assert!(queued.starts_with("W/\""), "{queued}");
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    // Links are new with every second; the task is the same.
    app.advance(5);
    for seen in [queued.clone(), "*".to_owned(), format!("\"other\", {queued}"), queued.replace("W/", "")] {
        let same = get(&app, &customer, &path, &[("if-none-match", &seen)]).await;
        assert_eq!((same.status.as_u16(), same.header("etag")), (304, Some(queued.as_str())), "{seen}");
        assert_eq!(same.header("cache-control"), Some("private, no-cache"));
        assert_eq!((same.header("retry-after"), &same.body), (Some("2"), &Value::Null));
    }
    let app = app.with_worker().await;
    app.finished(&customer, &id).await;
    let changed = get(&app, &customer, &path, &[("if-none-match", &queued)]).await;
    let done = changed.header("etag").unwrap().to_owned();
    assert_eq!(changed.expect(200)["state"], json!("completed"));
    // What has ended changes no more: there is nothing to wait for.
    let headers = [("if-none-match", done.as_str()), ("prefer", "wait=60")];
    let same = get(&app, &customer, &path, &headers).await;
    assert_eq!((same.status.as_u16(), same.header("retry-after")), (304, None));
    app
}

async fn a_stop_ends_waits_and_streams(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let mut stream = app.follow(&customer, EVENTS, &[]).await;
    let path = format!("/api/ai/tasks/{id}");
    let stop = async {
        listening(&app, &customer, 2).await;
        app.app.stopping.cancel();
    };
    let (answer, ()) = tokio::join!(get(&app, &customer, &path, &[("prefer", "wait=60")]), stop);
    assert_eq!(answer.expect(200)["state"], json!("queued"));
    assert_eq!(stream.rest().await, []);
    listening(&app, &customer, 0).await;
    app
}

async fn who_hangs_up_waits_no_more(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let path = format!("/api/ai/tasks/{id}");
    let stream = app.follow(&customer, EVENTS, &[]).await;
    tokio::select! {
        _ = get(&app, &customer, &path, &[("prefer", "wait=60")]) => panic!("nothing happened"),
        () = listening(&app, &customer, 2) => {}
    }
    listening(&app, &customer, 1).await;
    drop(stream);
    listening(&app, &customer, 0).await;
    app
}

async fn a_stream_tells_what_happens_in_order_and_with_the_balance(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let mut stream = app.follow(&customer, EVENTS, &[]).await;
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
    {
        assert_eq!(stream.response.headers()[name], value);
    }
    // The grant is before now; a client that is cut off here goes on after it.
    assert_eq!(stream.block().await.as_deref(), Some("retry: 2000\nid: 1\n: hello"));
    let id = app.generate(&customer, &wan(json!({}))).await;
    let queued = next_stored(&mut stream).await;
    let mut completed = next_stored(&mut stream).await;
    assert_eq!((queued.id, queued.kind.as_str()), (Some(2), "video.queued"));
    assert_eq!((completed.id, completed.kind.as_str()), (Some(3), "video.completed"));
    assert_eq!(queued.data["data"]["balance"], json!({ "available": 70, "held": 30, "debt": 0 }));
    let at = completed.data["timestamp"].take();
    assert!(at.as_str().is_some_and(|at| at.ends_with('Z')), "{at}");
    let data = json!({
        "taskId": id, "state": "completed", "model": "wan/2-6-text-to-video", "captured": 30, "released": 0,
        "errorCode": null, "balance": { "available": 70, "held": 0, "debt": 0 },
    });
    let whole = json!({ "type": "video.completed", "timestamp": null, "taskId": id, "data": data });
    assert_eq!(completed.data, whole);
    app.grant(&customer, 5).await;
    let granted = next_stored(&mut stream).await;
    assert_eq!((granted.id, granted.kind.as_str()), (Some(4), "credits.granted"));
    assert_eq!(granted.data["data"]["balance"]["available"], json!(75));
    app
}

async fn credits_that_expire_are_told_with_the_balance(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 20).await;
    let promotion = NewGrant {
        class: GrantClass::Promotional,
        amount: Credits::from_whole(7).unwrap(),
        expires_at: Some(app.app.clock.now().plus_seconds(60)),
        cost_basis: 0,
        reference: "promo:spring".into(),
    };
    credits::grant(&app.app.ledger, &app.app.clock, customer.account, promotion).await.unwrap();
    let mut stream = app.follow(&customer, "/api/events", &[]).await;
    app.advance(61);
    // The refusal is what touches the account: 20 are left for a task of 30.
    app.post(&customer, GENERATE, &wan(json!({}))).await.expect(402);
    let expired = next_stored(&mut stream).await;
    assert_eq!((expired.id, expired.kind.as_str()), (Some(3), "credits.expired"));
    let data = json!({ "amount": 7, "available": 20, "balance": { "available": 20, "held": 0, "debt": 0 } });
    assert_eq!(expired.data["data"], data);
    app
}

async fn a_task_s_stream_begins_with_the_task_and_ends_with_it(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.generate(&customer, &wan(json!({}))).await;
    let path = format!("/api/ai/tasks/{id}/events");
    let mut live = app.follow(&customer, &path, &[]).await;
    assert_eq!(next_stored(&mut live).await.kind, "video.queued");
    let app = app.with_worker().await;
    let kinds = |events: Vec<Event>| -> Vec<String> {
        events.into_iter().filter(|event| event.id.is_some()).map(|event| event.kind).collect()
    };
    assert_eq!(kinds(live.rest().await), ["video.completed"]);
    // Afterwards the whole of it is there to be read, and to be gone on with.
    let mut whole = app.follow(&customer, &path, &[]).await;
    assert_eq!(kinds(whole.rest().await), ["video.queued", "video.completed"]);
    let mut rest = app.follow(&customer, &path, &[("last-event-id", "2")]).await;
    assert_eq!(kinds(rest.rest().await), ["video.completed"]);
    // A browser that comes back to a closed stream is told to stay away.
    let last = whole.last_id.unwrap().to_string();
    let over = get(&app, &customer, &path, &[("last-event-id", &last)]).await;
    assert_eq!(over.status.as_u16(), 204);
    app
}

async fn a_task_s_stream_tells_how_far_it_is(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Wait]);
    app.fake.on_poll(std::iter::repeat_n(Step::Running(60), 100_000));
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let mut stream = app.follow(&customer, &format!("/api/ai/tasks/{id}/events"), &[]).await;
    let mut account = app.follow(&customer, EVENTS, &[("last-event-id", "0")]).await;
    app.wait_for(&customer, &id, &["running"]).await;
    for stream in [&mut stream, &mut account] {
        let mut told = Vec::new();
        while told.last() != Some(&json!({ "taskId": id, "state": "running", "progress": 50 })) {
            let event = going_on(&app, stream.next()).await.expect("the stream goes on");
            if event.kind == "video.progress" {
                assert_eq!((event.id, &event.data["taskId"]), (None, &json!(id)));
                told.push(event.data["data"].clone());
            }
        }
        let mut once = told.clone();
        once.dedup();
        assert_eq!(once, told);
    }
    app
}

async fn a_stream_that_is_cut_again_and_again_loses_and_repeats_nothing(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 50 * 30).await;
    let mut stream = app.follow(&customer, EVENTS, &[]).await;
    let body = wan(json!({}));
    let submitting = join_all((0..50).map(|_| app.post(&customer, GENERATE, &body)));
    let reading = async {
        let mut events = Vec::new();
        while events.len() < 100 {
            for _ in events.len()..usize::min(100, events.len() + 7) {
                events.push(next_stored(&mut stream).await);
            }
            let last = stream.last_id.unwrap().to_string();
            // The header wins over an address that is as old as the page.
            let path = format!("{EVENTS}?lastEventId=1");
            stream = app.follow(&customer, &path, &[("last-event-id", &last)]).await;
        }
        events
    };
    let (answers, events) = tokio::join!(submitting, reading);
    answers.into_iter().for_each(|answer| drop(answer.expect(200)));
    let ids: Vec<i64> = events.iter().filter_map(|event| event.id).collect();
    assert_eq!(ids, (2..=101).collect::<Vec<i64>>());
    let count = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count("video.queued"), count("video.completed")), (50, 50));
    app
}

async fn an_id_that_is_no_number_is_refused(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    for path in [EVENTS.to_owned(), format!("/api/ai/tasks/{id}/events")] {
        for bad in ["abc", "-1", "1.5", "", "99999999999999999999", "evt_1"] {
            let refused = get(&app, &customer, &path, &[("last-event-id", bad)]).await.expect(400);
            let errors = &refused["details"]["fieldErrors"]["Last-Event-ID"];
            assert_eq!(errors, &json!(["Must be the id of an event, a whole number"]), "{bad}");
        }
        let refused = app.get(&customer, &format!("{path}?lastEventId=abc")).await.expect(400);
        assert!(refused["details"]["fieldErrors"]["lastEventId"].is_array());
    }
    let mut stream = app.follow(&customer, &format!("{EVENTS}?lastEventId=1"), &[]).await;
    assert_eq!(stream.next().await.unwrap().kind, "video.queued");
    app
}

async fn what_is_forgotten_is_a_gap(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    for _ in 0..3 {
        app.generate(&customer, &wan(json!({}))).await;
    }
    let tx = app.app.db.begin().await.unwrap();
    let old = event::Column::AccountId.eq(customer.account).and(event::Column::N.lte(2));
    event::Entity::delete_many().filter(old).exec(&tx).await.unwrap();
    tx.commit().await.unwrap();
    for (given, is_gap) in [("0", true), ("1", true), ("2", false), ("3", false), ("1000", true)] {
        let mut stream = app.follow(&customer, EVENTS, &[("last-event-id", given)]).await;
        let first = stream.next().await.unwrap();
        if is_gap {
            let data = json!({ "lastEventId": given.parse::<i64>().unwrap(), "oldestKept": 3 });
            assert_eq!((first.id, first.kind.as_str(), &first.data["data"]), (None, "gap", &data));
            assert_eq!(stream.next().await.unwrap().id, Some(3));
        } else {
            assert_eq!(first.id, Some(given.parse::<i64>().unwrap() + 1));
        }
    }
    app
}

async fn what_a_deleted_task_was_told_with_stays_blank(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    let blank = json!({ "taskId": id, "deleted": true });
    let tx = app.app.db.begin().await.unwrap();
    event::Entity::update_many()
        .col_expr(event::Column::Body, Expr::value(blank.to_string()))
        .filter(event::Column::AccountId.eq(customer.account))
        .exec(&tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut stream = app.follow(&customer, EVENTS, &[("last-event-id", "1")]).await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.kind.as_str(), &event.data["data"]), ("video.queued", &blank));
    app
}

async fn without_the_scope_nothing_is_told_of_credits(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let narrow = second_key(&app, &customer, &[VIDEOS_READ, VIDEOS_WRITE]).await;
    let mut wide_stream = app.follow(&customer, EVENTS, &[("last-event-id", "0")]).await;
    let mut narrow_stream = app.follow(&narrow, EVENTS, &[("last-event-id", "0")]).await;
    app.grant(&customer, 5).await;
    app.generate(&customer, &wan(json!({}))).await;
    for kind in ["credits.granted", "credits.granted", "video.queued"] {
        assert_eq!(next_stored(&mut wide_stream).await.kind, kind);
    }
    let first = next_stored(&mut narrow_stream).await;
    assert_eq!((first.id, first.kind.as_str()), (Some(3), "video.queued"));
    // And whoever may not read videos follows nothing.
    let writer = second_key(&app, &customer, &[VIDEOS_WRITE]).await;
    assert_eq!(app.get(&writer, EVENTS).await.expect(403)["code"], json!("insufficient_scope"));
    app
}

async fn nobody_hears_of_another_s_tasks(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let (one, two) = (app.customer(Mode::Live, 100).await, app.customer(Mode::Live, 100).await);
    let mut stream = app.follow(&one, EVENTS, &[]).await;
    let theirs = app.generate(&two, &wan(json!({}))).await;
    app.finished(&two, &theirs).await;
    let path = format!("/api/ai/tasks/{theirs}/events");
    assert_eq!(app.get(&one, &path).await.expect(404)["code"], json!("task_not_found"));
    assert_eq!(
        app.get(&one, "/api/ai/tasks/nonsense/events").await.expect(404)["code"],
        json!("task_not_found")
    );
    let ours = app.generate(&one, &wan(json!({}))).await;
    let mut last = None;
    while last.as_deref() != Some("video.completed") {
        let event = stream.next().await.unwrap();
        assert_eq!(event.data["taskId"], json!(ours));
        last = Some(event.kind);
    }
    app
}

async fn a_revoked_key_hears_nothing_more(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let other = second_key(&app, &customer, &[VIDEOS_READ]).await;
    let mut revoked = app.follow(&customer, EVENTS, &[]).await;
    let mut kept = app.follow(&other, EVENTS, &[]).await;
    assert!(revoked.block().await.unwrap().contains("hello"));
    let writer = second_key(&app, &customer, &[VIDEOS_WRITE]).await;
    let tx = app.app.db.begin().await.unwrap();
    assert!(key::revoke(&tx, customer.key_id, app.app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    app.generate(&writer, &wan(json!({}))).await;
    assert_eq!(revoked.rest().await, []);
    assert_eq!(next_stored(&mut kept).await.kind, "video.queued");
    app
}

async fn an_account_has_so_many_streams_and_waits(app: TestApp) -> TestApp {
    let (customer, other) = (app.customer(Mode::Live, 100).await, app.customer(Mode::Live, 0).await);
    let id = app.generate(&customer, &wan(json!({}))).await;
    let streams = join_all((0..MAX_LISTENERS).map(|_| app.follow(&customer, EVENTS, &[]))).await;
    let path = format!("/api/ai/tasks/{id}");
    for refused in
        [app.get(&customer, EVENTS).await, get(&app, &customer, &path, &[("prefer", "wait=60")]).await]
    {
        assert_eq!(refused.header("retry-after"), Some("5"));
        assert_eq!(refused.expect(429)["code"], json!("too_many_streams"));
    }
    // Nobody's purchase fails for a wait, and nobody else is kept out.
    let bought = post(&app, &customer, GENERATE, &wan(json!({})), "wait=60").await;
    assert_eq!(bought.header("preference-applied"), None);
    bought.expect(200);
    app.follow(&other, EVENTS, &[]).await;
    drop(streams);
    listening(&app, &customer, 0).await;
    app.follow(&customer, EVENTS, &[]).await;
    app
}

async fn what_happens_in_another_process_is_told_here(app: TestApp) -> TestApp {
    // Only processes that share a database have others beside them.
    if app.app.db.is_postgres() {
        between_processes(&app, None).await;
    }
    app
}

async fn what_happens_in_another_process_is_told_at_once_through_redis(app: TestApp) -> TestApp {
    if app.app.db.is_postgres() {
        let url = std::env::var("REELMETER_TEST_REDIS_URL");
        let url = url.expect("REELMETER_TEST_REDIS_URL is not set: run the tests with tests/run");
        between_processes(&app, Some(SecretString::from(url))).await;
    }
    app
}

async fn between_processes(app: &TestApp, redis: Option<SecretString>) {
    let (is_linked, stop) = (redis.is_some(), CancellationToken::new());
    let there = app.beside().await;
    for app in [&app.app, &there.app] {
        let (wake, news) = (app.wake.clone(), app.news.clone());
        if let Some(redis) = redis.clone() {
            tokio::spawn(wake.bridge(redis, app.ledger.enqueued(), news, stop.clone()));
        }
    }
    let customer = app.customer(Mode::Live, 100).await;
    let linked = async {
        while is_linked && !(app.app.news.is_linked() && there.app.news.is_linked()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, linked).await.expect("the processes hear each other in time");
    let mut told = there.app.news.listen(customer.account).unwrap();
    let url = format!("{}{EVENTS}", there.url);
    let mut stream = EventStream::open(&app.client, &url, &customer, &[]).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    if is_linked {
        // Not by looking: by word from the other process.
        tokio::time::timeout(PATIENCE, told.told()).await.expect("the other process says so");
    }
    let event = next_stored(&mut stream).await;
    assert_eq!((event.kind.as_str(), &event.data["taskId"]), ("video.queued", &json!(id)));
    drop((stream, told));
    stop.cancel();
    there.stop().await;
}
