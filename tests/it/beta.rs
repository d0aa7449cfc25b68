//! The closed beta: who gets in with an invitation, and who asks for one.

use entity::{InviteId, Timestamp, access_request, customer};
use futures_util::future::join_all;
use reelmeter::customer::invite::{self, NewInvite};
use reelmeter::customer::people;
use reqwest::Method;
use sea_orm::EntityTrait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tests::{Answer, Person, TestApp, on_both_engines};

on_both_engines!(
    without_a_good_code_nobody_registers,
    a_code_admits_as_many_as_it_says_whatever_the_concurrency,
    a_code_that_expired_or_was_revoked_admits_nobody,
    a_refused_registration_uses_nothing_up,
    who_waits_gets_in_with_a_code_or_by_an_operator,
    whoever_asks_to_be_let_in_is_noted_once,
);

const REGISTER: &str = "/api/auth/register";

pub async fn invitation(app: &TestApp, uses: u32, expires_at: Option<Timestamp>) -> (InviteId, String) {
    let new = NewInvite { uses, expires_at, note: "test".into(), created_by: "test".into() };
    let tx = app.app.db.begin().await.unwrap();
    let (id, code) = invite::create(&tx, &app.app.clock, new).await.unwrap();
    tx.commit().await.unwrap();
    (id, code.expose_secret().to_owned())
}

async fn uses(app: &TestApp, id: InviteId) -> i64 {
    let invites = invite::list(app.app.db.read()).await.unwrap();
    invites.into_iter().find(|invite| invite.id == id).unwrap().uses
}

async fn register(app: &TestApp, email: &str, code: Value) -> Answer {
    let body = json!({ "email": email, "password": "correct horse battery", "inviteCode": code });
    app.send(None, Method::POST, REGISTER, Some(&body), &[]).await
}

fn person(answer: &Answer) -> Person {
    let none = String::new;
    let mut person = Person { customer: None, email: none(), password: none(), cookie: none(), csrf: none() };
    person.follow(answer);
    person
}

fn is_bad_code(answer: Answer) {
    let body = answer.expect(400);
    assert_eq!(body["details"]["fieldErrors"]["inviteCode"].as_array().unwrap().len(), 1, "{body}");
}

async fn without_a_good_code_nobody_registers(app: TestApp) -> TestApp {
    assert_eq!(
        register(&app, "ann@example.com", json!(null)).await.expect(403)["code"],
        json!("invite_required")
    );
    is_bad_code(register(&app, "ann@example.com", json!("rm-0000-0000-0000-0000")).await);
    let (_, code) = invitation(&app, 1, None).await;
    let sloppy = code.to_lowercase().replace('-', " ").replacen("rm ", "rm-", 1);
    let me = register(&app, "ann@example.com", json!(sloppy)).await.expect(200);
    assert_eq!((&me["customer"]["admitted"], &me["closedBeta"]), (&json!(true), &json!(true)));
    is_bad_code(register(&app, "bob@example.com", json!(code)).await);
    app
}

async fn a_code_admits_as_many_as_it_says_whatever_the_concurrency(app: TestApp) -> TestApp {
    let (id, code) = invitation(&app, 5, None).await;
    let emails: Vec<String> = (0..20).map(|n| format!("racer{n}@example.com")).collect();
    let answers = join_all(emails.iter().map(|email| register(&app, email, json!(code)))).await;
    let (admitted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((admitted.len(), uses(&app, id).await), (5, 5));
    refused.into_iter().for_each(is_bad_code);
    let customers = customer::Entity::find().all(app.app.db.read()).await.unwrap();
    assert_eq!(customers.len(), 5);
    app
}

async fn a_code_that_expired_or_was_revoked_admits_nobody(app: TestApp) -> TestApp {
    let end = app.app.clock.now().plus_seconds(3_600);
    let (_, short) = invitation(&app, 10, Some(end)).await;
    let (id, revoked) = invitation(&app, 10, None).await;
    register(&app, "ann@example.com", json!(short)).await.expect(200);
    register(&app, "bob@example.com", json!(revoked)).await.expect(200);
    app.advance(3_600);
    let tx = app.app.db.begin().await.unwrap();
    assert!(invite::revoke(&tx, id, app.app.clock.now()).await.unwrap());
    assert!(!invite::revoke(&tx, InviteId(app.app.clock.new_id()), app.app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    is_bad_code(register(&app, "cid@example.com", json!(short)).await);
    is_bad_code(register(&app, "cid@example.com", json!(revoked)).await);
    app
}

async fn a_refused_registration_uses_nothing_up(app: TestApp) -> TestApp {
    let (id, code) = invitation(&app, 2, None).await;
    register(&app, "ann@example.com", json!(code)).await.expect(200);
    assert_eq!(
        register(&app, "ann@example.com", json!(code)).await.expect(409)["code"],
        json!("email_taken")
    );
    assert_eq!(uses(&app, id).await, 1);
    app
}

async fn who_waits_gets_in_with_a_code_or_by_an_operator(app: TestApp) -> TestApp {
    let app = app.restart_with(|config| config.closed_beta = false).await;
    let (id, code) = invitation(&app, 1, None).await;
    is_bad_code(register(&app, "ann@example.com", json!("wrong")).await);
    let ann = person(&register(&app, "ann@example.com", json!(null)).await);
    let redeem = async |who: &Person, code: &str| {
        app.post_as(who, "/api/beta/redeem", &json!({ "inviteCode": code })).await
    };
    is_bad_code(redeem(&ann, "wrong").await);
    assert_eq!(redeem(&ann, &code).await.expect(200)["customer"]["admitted"], json!(true));
    // Whoever is in uses nothing up.
    redeem(&ann, &code).await.expect(200);
    assert_eq!(uses(&app, id).await, 1);

    let bob = person(&register(&app, "bob@example.com", json!(null)).await);
    is_bad_code(redeem(&bob, &code).await);
    let me = async || app.get_as(&bob, "/api/auth/me").await.expect(200)["customer"].clone();
    assert_eq!(me().await["admitted"], json!(false));
    let tx = app.app.db.begin().await.unwrap();
    let customer = me().await["id"].as_str().unwrap().parse().unwrap();
    assert!(people::admit(&tx, customer, app.app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(me().await["admitted"], json!(true));
    app
}

async fn request(app: &TestApp, who: Option<&Person>, body: Value) -> Answer {
    match who {
        Some(person) => app.post_as(person, "/api/beta/request", &body).await,
        None => app.send(None, Method::POST, "/api/beta/request", Some(&body), &[]).await,
    }
}

async fn requests(app: &TestApp) -> Vec<access_request::Model> {
    reelmeter::customer::access::list(app.app.db.read()).await.unwrap()
}

async fn whoever_asks_to_be_let_in_is_noted_once(app: TestApp) -> TestApp {
    let app = app.restart_with(|config| config.closed_beta = false).await;
    let missing = request(&app, None, json!({ "note": "please" })).await.expect(400);
    assert_eq!(missing["details"]["fieldErrors"]["email"], json!(["Is required"]));
    let first =
        request(&app, None, json!({ "email": "ann@example.com", "note": "please" })).await.expect(202);
    let again = request(&app, None, json!({ "email": "Ann@Example.com", "note": "pretty please" })).await;
    assert_eq!(again.expect(202), first);
    let noted = requests(&app).await;
    assert_eq!((noted.len(), noted[0].note.as_str(), noted[0].customer_id), (1, "pretty please", None));

    let ann = person(&register(&app, "ann@example.com", json!(null)).await);
    request(&app, Some(&ann), json!({ "email": "bob@example.com", "note": "it is me" })).await.expect(202);
    // What somebody signed in has asked for, nobody else writes over.
    request(&app, None, json!({ "email": "ann@example.com", "note": "spam" })).await.expect(202);
    let noted = requests(&app).await;
    assert_eq!((noted.len(), noted[0].note.as_str(), noted[0].customer_id.is_some()), (1, "it is me", true));

    let code = SecretString::from(invitation(&app, 1, None).await.1);
    let redeemed =
        app.post_as(&ann, "/api/beta/redeem", &json!({ "inviteCode": code.expose_secret() })).await;
    redeemed.expect(200);
    assert!(requests(&app).await[0].answered_at.is_some());
    for _ in 0..25 {
        request(&app, None, json!({ "email": "x@example.com" })).await;
    }
    let refused = request(&app, None, json!({ "email": "y@example.com" })).await;
    assert_eq!(refused.expect(429)["code"], json!("too_many_attempts"));
    app
}
