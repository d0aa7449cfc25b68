//! API keys through the front door: who makes, changes, rotates and revokes them, and what is shown of them.

use entity::{AccountId, CustomerId, KeyId, Mode, SessionId, UserId};
use reelmeter::customer::caller::{By, INFERENCE_SCOPES, MANAGEMENT_SCOPES};
use reelmeter::customer::key::{self, NewKey};
use reelmeter::customer::keyring::{self, Manager};
use reelmeter::customer::people;
use reelmeter::ledger::read;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Answer, Customer, TestApp, on_both_engines};

use crate::sora;

on_both_engines!(
    a_management_key_leads_another_key_through_its_life,
    a_key_generates_or_manages_and_never_both,
    what_is_wrong_with_a_key_is_said_field_by_field,
    keys_that_manage_are_a_person_s_business,
    a_person_makes_rotates_and_revokes_keys_that_manage,
    somebody_else_s_key_is_not_found_on_any_route,
    a_customer_who_is_not_admitted_makes_no_keys,
    an_account_has_a_hundred_live_keys_at_most,
    a_revocation_counts_at_once_in_another_process,
    a_rotated_key_has_two_good_secrets_until_the_overlap_ends,
    keys_are_listed_by_page_and_by_status,
    a_key_sees_what_it_has_spent_of_each_cap,
    a_key_sees_what_would_refuse_its_next_task,
    a_secret_is_in_the_answer_that_makes_it_and_nowhere_else,
    the_last_use_of_a_key_is_noted_while_nobody_waits,
);

const KEYS: &str = "/api/keys";
const GENERATE: &str = "/api/ai/video/generate";

/// A key of the same account with these scopes, made by an operator.
async fn another(app: &TestApp, customer: &Customer, mode: Mode, scopes: &[&str]) -> Customer {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let new = NewKey { name: "operator's".into(), scopes, ..NewKey::default() };
    let id = KeyId(app.app.clock.new_id());
    let tx = app.app.db.begin().await.unwrap();
    let account = (customer.id, customer.account, mode);
    let secret = key::create(&tx, id, account, new, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    Customer { key_id: id, key: secret.expose_secret().to_owned(), ..customer.clone() }
}

/// A customer whose key manages keys.
async fn manager(app: &TestApp, whole_credits: i64) -> Customer {
    let customer = app.customer(Mode::Test, whole_credits).await;
    another(app, &customer, Mode::Test, &MANAGEMENT_SCOPES).await
}

/// Makes a key through the front door; the answer as well.
async fn made(app: &TestApp, manager: &Customer, body: Value) -> (Customer, Value) {
    let body = app.post(manager, KEYS, &body).await.expect(201);
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    let key = Customer { key_id: text("id").parse().unwrap(), key: text("secret"), ..manager.clone() };
    (key, body)
}

fn path(key: &Customer) -> String {
    format!("{KEYS}/{}", key.key_id)
}

async fn patch(app: &TestApp, manager: &Customer, key: &Customer, body: Value) -> Answer {
    app.send(Some(manager), Method::PATCH, &path(key), Some(&body), &[]).await
}

async fn a_management_key_leads_another_key_through_its_life(app: TestApp) -> TestApp {
    let manager = manager(&app, 100).await;
    let body = json!({
        "name": " worker ", "models": ["sora-2-text-to-video"], "ipRanges": ["127.0.0.1", "10.1.2.3/8"],
        "ratePerMinute": 600, "maxTasks": 5, "caps": { "day": 50, "lifetime": 70.5 }, "expiresAt": "2099-01-01T00:00:00Z",
        "group": "default",
    });
    let answer = app.post(&manager, KEYS, &body).await;
    let location = answer.header("location").unwrap().to_owned();
    let view = answer.expect(201);
    assert_eq!(location, format!("{KEYS}/{}", view["id"].as_str().unwrap()));
    for (field, value) in [
        ("name", json!("worker")),
        ("mode", json!("test")),
        ("scopes", json!(INFERENCE_SCOPES)),
        ("models", json!(["sora-2-text-to-video"])),
        ("ipRanges", json!(["127.0.0.1/32", "10.0.0.0/8"])),
        ("group", json!("default")),
        ("ratePerMinute", json!(600)),
        ("maxTasks", json!(5)),
        ("caps", json!({ "day": 50, "week": null, "month": null, "lifetime": 70.5 })),
        ("openTasks", json!(0)),
        ("status", json!("active")),
        ("createdBy", json!(manager.key_id.to_string())),
        ("expiresAt", json!("2099-01-01T00:00:00.000Z")),
        ("lastUsedAt", json!(null)),
        ("revokedAt", json!(null)),
        ("previousUntil", json!(null)),
    ] {
        assert_eq!(view[field], value, "{field}");
    }
    let worker = Customer {
        key_id: view["id"].as_str().unwrap().parse().unwrap(),
        key: view["secret"].as_str().unwrap().to_owned(),
        ..manager.clone()
    };
    app.generate(&worker, &sora(json!({}))).await;
    let seen = app.get(&manager, &path(&worker)).await.expect(200);
    assert_eq!((&seen["openTasks"], &seen["usage"]["day"]["spent"]), (&json!(1), &json!(12)));
    assert_eq!(
        (&seen["usage"]["day"]["remaining"], &seen["usage"]["week"]["remaining"]),
        (&json!(38), &json!(null))
    );

    let change =
        json!({ "name": "painter", "maxTasks": null, "ipRanges": null, "caps": { "day": null, "week": 60 } });
    let changed = patch(&app, &manager, &worker, change).await.expect(200);
    assert_eq!(changed["caps"], json!({ "day": null, "week": 60, "month": null, "lifetime": 70.5 }));
    assert_eq!(
        (&changed["name"], &changed["maxTasks"], &changed["ipRanges"]),
        (&json!("painter"), &json!(null), &json!(null))
    );
    assert_eq!(
        (&changed["ratePerMinute"], &changed["models"]),
        (&json!(600), &json!(["sora-2-text-to-video"]))
    );
    let cleared = patch(&app, &manager, &worker, json!({ "caps": null })).await.expect(200);
    assert_eq!(cleared["caps"], json!({ "day": null, "week": null, "month": null, "lifetime": null }));

    for (method, path) in [
        (Method::POST, format!("{}/revoke", path(&worker))),
        (Method::POST, format!("{}/revoke", path(&worker))),
        (Method::DELETE, path(&worker)),
    ] {
        let revoked = app.send(Some(&manager), method, &path, None, &[]).await.expect(200);
        assert_eq!(revoked["status"], json!("revoked"));
    }
    app.get(&worker, "/api/key").await.expect(401);
    let refused = patch(&app, &manager, &worker, json!({ "name": "again" })).await.expect(409);
    assert_eq!(refused["code"], json!("key_revoked"));
    let rotate = format!("{}/rotate", path(&worker));
    assert_eq!(app.post(&manager, &rotate, &json!({})).await.expect(409)["code"], json!("key_revoked"));
    app
}

async fn a_key_generates_or_manages_and_never_both(app: TestApp) -> TestApp {
    let manager = manager(&app, 100).await;
    let (worker, _) = made(&app, &manager, json!({ "name": "worker" })).await;
    for (method, path) in [
        (Method::GET, KEYS.to_owned()),
        (Method::POST, KEYS.to_owned()),
        (Method::GET, path(&worker)),
        (Method::PATCH, path(&worker)),
        (Method::DELETE, path(&worker)),
        (Method::POST, format!("{}/rotate", path(&worker))),
        (Method::POST, format!("{}/revoke", path(&worker))),
    ] {
        let body = json!({ "name": "mine" });
        let refused = app.send(Some(&worker), method, &path, Some(&body), &[]).await.expect(403);
        assert_eq!(refused["code"], json!("insufficient_scope"), "{path}");
    }
    let refused = app.post(&manager, GENERATE, &sora(json!({}))).await.expect(403);
    assert_eq!(refused["code"], json!("insufficient_scope"));
    app.get(&manager, "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND").await.expect(403);
    app.get(&manager, "/api/ai/credits").await.expect(200);
    app
}

async fn what_is_wrong_with_a_key_is_said_field_by_field(app: TestApp) -> TestApp {
    let manager = manager(&app, 0).await;
    let too_many: Vec<String> = (0..51).map(|n| format!("10.0.0.{n}")).collect();
    let now = app.app.clock.now().to_string();
    for (field, value) in [
        ("name", json!(null)),
        ("name", json!("  ")),
        ("name", json!("x".repeat(101))),
        ("name", json!("two\nlines")),
        ("mode", json!("production")),
        ("mode", json!("live")),
        ("scopes", json!([])),
        ("scopes", json!(["videos:write", "keys:manage"])),
        ("scopes", json!(["admin"])),
        ("models", json!([])),
        ("models", json!(["sora-2-text-to-vidoe"])),
        ("ipRanges", json!([])),
        ("ipRanges", json!(["10.0.0.0/33"])),
        ("ipRanges", json!(too_many)),
        ("expiresAt", json!(now)),
        ("expiresAt", json!("tomorrow")),
        ("group", json!("friends")),
        ("ratePerMinute", json!(0)),
        ("ratePerMinute", json!(60_001)),
        ("maxTasks", json!(-1)),
        ("maxTasks", json!(100_001)),
        ("caps", json!(5)),
        ("caps.day", json!({ "day": -1 })),
        ("caps.week", json!({ "week": 0.0001 })),
        ("caps.daily", json!({ "daily": 5 })),
    ] {
        let name = field.split('.').next().unwrap();
        let refused =
            app.post(&manager, KEYS, &crate::with(json!({ "name": "k" }), json!({ name: value }))).await;
        let refused = refused.expect(400);
        let fields = refused["details"]["fieldErrors"].as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), [field], "{value}: {fields:?}");
    }
    let all = json!({ "models": ["sora-2-text-to-vidoe"], "ipRanges": ["x"], "maxTasks": "many", "caps": { "day": "much" } });
    let refused = app.post(&manager, KEYS, &all).await.expect(400);
    let fields = refused["details"]["fieldErrors"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["caps.day", "ipRanges", "maxTasks", "models", "name"]);
    assert!(
        fields["models"][0].as_str().unwrap().contains("Did you mean sora-2-text-to-video"),
        "{fields:?}"
    );
    assert_eq!(app.get(&manager, KEYS).await.expect(200)["data"].as_array().unwrap().len(), 2);

    let (worker, body) = made(&app, &manager, json!({ "name": "k", "maxTask": 5 })).await;
    assert_eq!(body["warnings"], json!(["Unknown fields are ignored: maxTask"]));
    for (field, change) in [
        ("name", json!({ "name": null })),
        ("scopes", json!({ "scopes": ["videos:read"] })),
        ("mode", json!({ "mode": "live" })),
        ("group", json!({ "group": null })),
        ("maxTasks", json!({ "maxTasks": "x" })),
        ("caps.month", json!({ "caps": { "month": "x" } })),
        ("expiresAt", json!({ "expiresAt": "2020-01-01T00:00:00Z" })),
    ] {
        let refused = patch(&app, &manager, &worker, change).await.expect(400);
        let fields = refused["details"]["fieldErrors"].as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), [field]);
    }
    for overlap in [json!(-1), json!(604_801), json!("x")] {
        let body = json!({ "overlapSeconds": overlap });
        app.post(&manager, &format!("{}/rotate", path(&worker)), &body).await.expect(400);
    }
    for query in ["limit=0", "limit=101", "cursor=2", "status=dead", "mode=live", "mode=x"] {
        let refused = app.get(&manager, &format!("{KEYS}?{query}")).await.expect(400);
        let field = query.split('=').next().unwrap();
        assert!(refused["details"]["fieldErrors"][field].is_array(), "{query}: {refused}");
    }
    app
}

async fn keys_that_manage_are_a_person_s_business(app: TestApp) -> TestApp {
    let manager = manager(&app, 0).await;
    let other = another(&app, &manager, Mode::Test, &["keys:manage"]).await;
    for scopes in [json!(["keys:manage"]), json!(["billing:read", "billing:write"])] {
        let refused =
            app.post(&manager, KEYS, &json!({ "name": "heir", "scopes": scopes })).await.expect(403);
        assert_eq!(refused["code"], json!("session_required"));
    }
    for key in [&manager, &other] {
        app.get(&manager, &path(key)).await.expect(200);
        for (method, path) in [
            (Method::PATCH, path(key)),
            (Method::DELETE, path(key)),
            (Method::POST, format!("{}/rotate", path(key))),
            (Method::POST, format!("{}/revoke", path(key))),
        ] {
            let refused = app.send(Some(&manager), method, &path, Some(&json!({})), &[]).await.expect(403);
            assert_eq!(refused["code"], json!("session_required"), "{path}");
        }
    }
    app.get(&other, KEYS).await.expect(200);
    app
}

async fn a_person_makes_rotates_and_revokes_keys_that_manage(app: TestApp) -> TestApp {
    let owner = app.customer(Mode::Test, 0).await;
    let by = By::Session { user: UserId(app.app.clock.new_id()), session: SessionId(app.app.clock.new_id()) };
    let person = Manager { customer: owner.id, account: owner.account, mode: Mode::Test, by };
    let scopes = MANAGEMENT_SCOPES.map(str::to_owned).to_vec();
    let new = NewKey { name: "deputy".into(), scopes, created_by: Some(by.to_string()), ..NewKey::default() };
    let (db, id, now) = (&app.app.db, KeyId(app.app.clock.new_id()), app.app.clock.now());
    let secret = keyring::create(db, &person, id, new, now).await.unwrap();
    let deputy = Customer { key_id: id, key: secret.expose_secret().to_owned(), ..owner.clone() };
    assert!(
        app.get(&deputy, &path(&deputy)).await.expect(200)["createdBy"].as_str().unwrap().starts_with("usr_")
    );
    let (_, secret) = keyring::rotate(db, &person, id, 0, now).await.unwrap();
    let heir = Customer { key: secret.expose_secret().to_owned(), ..deputy.clone() };
    app.get(&deputy, KEYS).await.expect(401);
    app.get(&heir, KEYS).await.expect(200);
    let renamed = keyring::Change { name: Some("heir".into()), ..keyring::Change::default() };
    assert_eq!(keyring::change(db, &person, id, renamed, now).await.unwrap().name, "heir");
    keyring::revoke(db, &person, id, now).await.unwrap();
    app.get(&heir, KEYS).await.expect(401);
    app
}

async fn somebody_else_s_key_is_not_found_on_any_route(app: TestApp) -> TestApp {
    let (one, two) = (manager(&app, 0).await, manager(&app, 0).await);
    let (theirs, _) = made(&app, &two, json!({ "name": "theirs" })).await;
    let live = account_of(&app, one.id, Mode::Live).await;
    let of_other_mode =
        another(&app, &Customer { account: live, ..one.clone() }, Mode::Live, &INFERENCE_SCOPES).await;
    let malformed = format!("{KEYS}/my-key");
    for key in [path(&theirs), path(&of_other_mode), malformed] {
        for (method, path) in [
            (Method::GET, key.clone()),
            (Method::PATCH, key.clone()),
            (Method::DELETE, key.clone()),
            (Method::POST, format!("{key}/rotate")),
            (Method::POST, format!("{key}/revoke")),
        ] {
            let refused = app.send(Some(&one), method, &path, Some(&json!({ "name": "mine" })), &[]).await;
            assert_eq!(refused.expect(404)["code"], json!("key_not_found"), "{path}");
        }
    }
    assert_eq!(app.get(&theirs, "/api/key").await.expect(200)["name"], json!("theirs"));
    app.get(&of_other_mode, "/api/key").await.expect(200);
    let listed = app.get(&one, KEYS).await.expect(200).to_string();
    assert!(
        !listed.contains(&theirs.key_id.to_string()) && !listed.contains(&of_other_mode.key_id.to_string())
    );
    app
}

async fn account_of(app: &TestApp, customer: CustomerId, mode: Mode) -> AccountId {
    read::account_of(app.app.db.read(), customer, mode).await.unwrap().unwrap().id
}

async fn a_customer_who_is_not_admitted_makes_no_keys(app: TestApp) -> TestApp {
    let tx = app.app.db.begin().await.unwrap();
    let new = people::create(&tx, &app.app.clock, "Waiting", false).await.unwrap();
    tx.commit().await.unwrap();
    let nobody =
        Customer { id: new.id, account: new.test, key_id: KeyId(app.app.clock.new_id()), key: String::new() };
    let manager = another(&app, &nobody, Mode::Test, &MANAGEMENT_SCOPES).await;
    let refused = app.post(&manager, KEYS, &json!({ "name": "early" })).await.expect(403);
    assert_eq!(refused["code"], json!("beta_required"));
    let tx = app.app.db.begin().await.unwrap();
    people::admit(&tx, new.id, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    app.post(&manager, KEYS, &json!({ "name": "in time" })).await.expect(201);
    app
}

async fn an_account_has_a_hundred_live_keys_at_most(app: TestApp) -> TestApp {
    let manager = manager(&app, 0).await;
    let tx = app.app.db.begin().await.unwrap();
    let account = (manager.id, manager.account, Mode::Test);
    for _ in 0..97 {
        let id = KeyId(app.app.clock.new_id());
        key::create(&tx, id, account, NewKey::default(), app.app.clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let soon = app.app.clock.now().plus_seconds(60).to_string();
    let (brief, _) = made(&app, &manager, json!({ "name": "the hundredth", "expiresAt": soon })).await;
    app.advance(60);
    app.get(&brief, "/api/key").await.expect(401);
    let (last, _) = made(&app, &manager, json!({ "name": "the hundredth again" })).await;
    let refused = app.post(&manager, KEYS, &json!({ "name": "one more" })).await.expect(409);
    assert_eq!(refused["code"], json!("too_many_keys"));
    let revived = patch(&app, &manager, &brief, json!({ "expiresAt": null })).await;
    assert_eq!(revived.expect(409)["code"], json!("too_many_keys"));
    app.send(Some(&manager), Method::DELETE, &path(&last), None, &[]).await.expect(200);
    patch(&app, &manager, &brief, json!({ "expiresAt": null })).await.expect(200);
    app.get(&brief, "/api/key").await.expect(200);
    app
}

async fn a_revocation_counts_at_once_in_another_process(app: TestApp) -> TestApp {
    let manager = manager(&app, 100).await;
    let (worker, _) = made(&app, &manager, json!({ "name": "worker" })).await;
    let beside = app.beside().await;
    let there = || app.client.get(format!("{}/api/key", beside.url)).bearer_auth(&worker.key).send();
    assert_eq!(there().await.unwrap().status(), 200);
    app.send(Some(&manager), Method::DELETE, &path(&worker), None, &[]).await.expect(200);
    assert_eq!(there().await.unwrap().status(), 401);
    app.get(&worker, "/api/key").await.expect(401);
    beside.stop().await;
    app
}

async fn a_rotated_key_has_two_good_secrets_until_the_overlap_ends(app: TestApp) -> TestApp {
    let manager = manager(&app, 100).await;
    let (first, view) = made(&app, &manager, json!({ "name": "worker", "caps": { "day": 50 } })).await;
    app.generate(&first, &sora(json!({}))).await;
    let rotate = format!("{}/rotate", path(&first));
    let rotated = |body: Value| {
        let (app, manager, first, rotate) = (&app, &manager, &first, &rotate);
        async move {
            let body = app.post(manager, rotate, &body).await.expect(200);
            let secret = body["secret"].as_str().unwrap().to_owned();
            (Customer { key: secret, ..first.clone() }, body)
        }
    };
    let (second, body) = rotated(json!({ "overlapSeconds": 600 })).await;
    assert_eq!((&body["id"], &body["caps"]), (&view["id"], &view["caps"]));
    assert_eq!((&body["usage"]["day"]["spent"], &body["openTasks"]), (&json!(12), &json!(1)));
    assert!(body["previousUntil"].is_string() && body["hint"] != view["hint"]);
    for key in [&first, &second] {
        assert_eq!(app.get(key, "/api/key").await.expect(200)["id"], view["id"]);
    }
    app.advance(600);
    app.get(&first, "/api/key").await.expect(401);
    assert_eq!(app.get(&second, "/api/key").await.expect(200)["previousUntil"], json!(null));

    let (third, _) = rotated(json!({})).await;
    let (fourth, _) = rotated(json!({ "overlapSeconds": 604_800 })).await;
    app.get(&second, "/api/key").await.expect(401);
    for key in [&third, &fourth] {
        app.get(key, "/api/key").await.expect(200);
    }
    let (fifth, _) = rotated(json!({ "overlapSeconds": 0 })).await;
    app.get(&fourth, "/api/key").await.expect(401);
    app.get(&fifth, "/api/key").await.expect(200);

    // Nothing but the request: a body may be left out.
    let answer = app.send(Some(&manager), Method::POST, &rotate, None, &[]).await.expect(200);
    let sixth = Customer { key: answer["secret"].as_str().unwrap().to_owned(), ..first.clone() };
    app.send(Some(&manager), Method::POST, &format!("{}/revoke", path(&first)), None, &[]).await.expect(200);
    for key in [&fifth, &sixth] {
        app.get(key, "/api/key").await.expect(401);
    }
    app
}

async fn keys_are_listed_by_page_and_by_status(app: TestApp) -> TestApp {
    let manager = manager(&app, 0).await;
    let mut names = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let end = (name == "c").then(|| app.app.clock.now().plus_seconds(60).to_string());
        let (key, _) = made(&app, &manager, json!({ "name": name, "expiresAt": end })).await;
        names.insert(0, name);
        if name == "b" {
            app.send(Some(&manager), Method::DELETE, &path(&key), None, &[]).await.expect(200);
        }
    }
    app.advance(60);
    let mut seen = Vec::new();
    let mut next = Some(format!("{KEYS}?limit=4&mode=test"));
    while let Some(path) = next {
        let answer = app.get(&manager, &path).await;
        next = answer.header("link").map(|link| link[1..link.find('>').unwrap()].to_owned());
        let page = answer.expect(200);
        assert_eq!(page["nextCursor"].is_string(), next.is_some());
        seen.extend(
            page["data"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(seen, ["d", "c", "b", "a", "operator's", "test"]);
    for (status, expected) in
        [("revoked", &["b"][..]), ("expired", &["c"]), ("active", &["d", "a", "operator's", "test"])]
    {
        let page = app.get(&manager, &format!("{KEYS}?status={status}")).await.expect(200);
        let page = page["data"].as_array().unwrap().clone();
        assert!(page.iter().all(|key| key["status"] == status));
        assert_eq!(page.iter().map(|key| key["name"].as_str().unwrap()).collect::<Vec<_>>(), expected);
    }
    app
}

async fn a_key_sees_what_it_has_spent_of_each_cap(app: TestApp) -> TestApp {
    let manager = manager(&app, 1_000).await;
    let caps = json!({ "day": 30, "week": 1_000, "month": 1_000, "lifetime": 1_000 });
    let (worker, _) = made(&app, &manager, json!({ "name": "worker", "caps": caps })).await;
    to_the_first_of_a_month(&app);
    for (day, seconds) in [(1, 0), (2, 86_400), (10, 8 * 86_400), (40, 30 * 86_400)] {
        app.advance(seconds);
        app.generate(&worker, &sora(json!({}))).await;
        let usage = app.get(&worker, "/api/key").await.expect(200)["usage"].clone();
        let spent = ["day", "month", "lifetime"].map(|window| usage[window]["spent"].as_i64().unwrap());
        let expected = match day {
            1 => [12, 12, 12],
            2 => [12, 24, 24],
            10 => [12, 36, 36],
            _ => [12, 12, 48],
        };
        assert_eq!(spent, expected, "day {day}");
        assert_eq!(usage["day"]["remaining"], json!(18));
        assert_eq!(usage["lifetime"]["remaining"], json!(1_000 - expected[2]));
        assert!(usage["week"]["resetsAt"].is_string() && usage["lifetime"]["resetsAt"].is_null());
    }
    app.generate(&worker, &sora(json!({}))).await;
    let refused = app.post(&worker, GENERATE, &sora(json!({}))).await.expect(402);
    assert_eq!((&refused["code"], &refused["scope"]), (&json!("key_limit_reached"), &json!("day")));
    app
}

/// Moves the clock to noon of the first day of a coming month.
fn to_the_first_of_a_month(app: &TestApp) {
    let now = app.app.clock.now();
    let next = reelmeter::ledger::CapWindow::Month.resets_at(now).unwrap();
    app.advance(next.seconds() - now.seconds() + 12 * 3_600);
}

async fn a_key_sees_what_would_refuse_its_next_task(app: TestApp) -> TestApp {
    let manager = manager(&app, 36).await;
    let body = json!({ "name": "worker", "maxTasks": 2, "caps": { "day": 24, "month": 500 } });
    let (worker, _) = made(&app, &manager, body).await;
    let own = app.get(&worker, "/api/key").await.expect(200);
    assert_eq!(
        (&own["available"], &own["tasksLeft"], &own["requestsLeft"]),
        (&json!(36), &json!(2), &json!(null))
    );
    assert_eq!(own["blockedBy"], json!([]));
    for _ in 0..2 {
        app.generate(&worker, &sora(json!({}))).await;
    }
    let own = app.get(&worker, "/api/key").await.expect(200);
    let blocks = json!([{ "code": "concurrency_limit_reached", "windows": [] }, { "code": "key_limit_reached", "windows": ["day"] }]);
    assert_eq!((&own["blockedBy"], &own["available"], &own["tasksLeft"]), (&blocks, &json!(12), &json!(0)));
    let (spender, _) = made(&app, &manager, json!({ "name": "spender" })).await;
    app.generate(&spender, &sora(json!({}))).await;
    let own = app.get(&spender, "/api/key").await.expect(200);
    assert_eq!(own["blockedBy"], json!([{ "code": "insufficient_credits", "windows": [] }]));
    let codes = app.get(&manager, "/api/key").await.expect(200)["blockedBy"].to_string();
    assert!(codes.contains("insufficient_scope"), "{codes}");
    app
}

async fn a_secret_is_in_the_answer_that_makes_it_and_nowhere_else(app: TestApp) -> TestApp {
    let manager = manager(&app, 0).await;
    let (worker, body) = made(&app, &manager, json!({ "name": "worker" })).await;
    let rotated = app.post(&manager, &format!("{}/rotate", path(&worker)), &json!({})).await.expect(200);
    let secrets = [worker.key.clone(), rotated["secret"].as_str().unwrap().to_owned()];
    assert!(secrets.iter().all(|secret| key::is_well_formed(secret)) && secrets[0] != secrets[1]);
    let worker = Customer { key: secrets[1].clone(), ..worker };
    let own = app.get(&worker, "/api/key").await.expect(200);
    let listed = app.get(&manager, KEYS).await.expect(200);
    let read = app.get(&manager, &path(&worker)).await.expect(200);
    let changed = patch(&app, &manager, &worker, json!({ "name": "other" })).await.expect(200);
    let revoked = app.send(Some(&manager), Method::DELETE, &path(&worker), None, &[]).await.expect(200);
    for answer in [&own, &listed, &read, &changed, &revoked] {
        let text = answer.to_string();
        let random = |secret: &String| secret["sk-rm_test_".len()..secret.len() - 4].to_owned();
        assert!(secrets.iter().all(|secret| !text.contains(&random(secret))), "{text}");
        assert!(!text.contains("hash"), "{text}");
    }
    let hint = body["hint"].as_str().unwrap();
    assert!(hint.starts_with("sk-rm_test_…") && secrets[0].ends_with(&hint[hint.len() - 4..]), "{hint}");
    app
}

async fn the_last_use_of_a_key_is_noted_while_nobody_waits(app: TestApp) -> TestApp {
    let manager = manager(&app, 0).await;
    let (worker, _) = made(&app, &manager, json!({ "name": "worker" })).await;
    let first = last_use_after(&app, &manager, &worker, &Value::Null).await;
    app.advance(60);
    app.get(&worker, "/api/key").await.expect(200);
    assert_eq!(app.get(&manager, &path(&worker)).await.expect(200)["lastUsedAt"], first);
    app.advance(300);
    last_use_after(&app, &manager, &worker, &first).await;
    app
}

/// Uses the key, and waits until that is written.
async fn last_use_after(app: &TestApp, manager: &Customer, worker: &Customer, before: &Value) -> Value {
    app.get(worker, "/api/key").await.expect(200);
    let noted = async {
        loop {
            let seen = app.get(manager, &path(worker)).await.expect(200)["lastUsedAt"].clone();
            if seen != *before {
                return seen;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), noted).await.expect("the use is written")
}
