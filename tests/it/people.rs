//! People with browsers: registering, signing in and out, and where they are signed in.

mod caller;
mod operator;
pub mod password;
pub mod second_factor;
mod stores;

use entity::Mode;
use entity::user::{StaffRole, UserRole};
use futures_util::future::join_all;
use reelmeter::customer::people::Position;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Person, TestApp, on_both_engines};

on_both_engines!(
    somebody_registers_signs_out_and_in_again,
    what_is_wrong_with_a_registration_is_told_field_by_field,
    one_address_registers_once,
    a_planted_cookie_is_never_adopted,
    signing_in_again_ends_the_session_that_the_browser_had,
    guessing_is_slowed_down_and_forgiven_with_time,
    a_wrong_password_and_an_unknown_address_look_the_same,
    sessions_are_listed_and_ended_by_their_owner_only,
    a_session_ends_when_it_is_not_used,
    each_mode_has_its_own_credits,
    staff_sign_in_but_act_for_no_customer,
    a_disabled_person_is_out_at_once,
);

const REGISTER: &str = "/api/auth/register";
const LOGIN: &str = "/api/auth/login";
const ME: &str = "/api/auth/me";

async fn open_to_all(app: TestApp) -> TestApp {
    app.restart_with(|config| config.closed_beta = false).await
}

async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    app.send(None, Method::POST, path, Some(&body), &[]).await
}

async fn register(app: &TestApp, email: &str) -> Person {
    let body = json!({ "email": email, "password": "correct horse battery", "name": "Acme" });
    let answer = post(app, REGISTER, body).await;
    let mut person = Person {
        customer: None,
        email: email.to_owned(),
        password: "correct horse battery".to_owned(),
        cookie: String::new(),
        csrf: String::new(),
    };
    person.follow(&answer);
    answer.expect(200);
    person
}

async fn somebody_registers_signs_out_and_in_again(app: TestApp) -> TestApp {
    let app = open_to_all(app).await;
    let person = register(&app, "Ann@Example.com").await;
    let me = app.get_as(&person, ME).await.expect(200);
    assert_eq!((&me["user"]["email"], &me["user"]["role"]), (&json!("ann@example.com"), &json!("owner")));
    assert_eq!((&me["customer"]["name"], &me["customer"]["admitted"]), (&json!("Acme"), &json!(false)));
    assert_eq!(
        (&me["mode"], &me["totpEnabled"], &me["closedBeta"]),
        (&json!("test"), &json!(false), &json!(false))
    );
    assert_eq!(me["csrfToken"], json!(person.csrf));
    assert!(me["user"]["staffRole"].is_null() && me["sessionId"].as_str().unwrap().starts_with("ses_"));

    let out = app.send_as(&person, Method::POST, "/api/auth/logout", None).await;
    let cleared = out.header("set-cookie").unwrap();
    assert!(cleared.starts_with("session=;") && cleared.contains("Max-Age=0"), "{cleared}");
    out.expect(204);
    assert_eq!(app.get_as(&person, ME).await.expect(401)["code"], json!("unauthorized"));

    let again = post(&app, LOGIN, json!({ "email": " ANN@example.com ", "password": person.password })).await;
    let cookie = again.header("set-cookie").unwrap().to_owned();
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/") && !cookie.contains(&person.cookie),
        "{cookie}"
    );
    assert_eq!(again.expect(200)["user"]["id"], me["user"]["id"]);
    app
}

async fn what_is_wrong_with_a_registration_is_told_field_by_field(app: TestApp) -> TestApp {
    let app = open_to_all(app).await;
    let body = json!({ "email": "ann", "password": "short", "name": "x".repeat(101), "inviteCode": 7 });
    let refused = post(&app, REGISTER, body).await.expect(400);
    let errors = refused["details"]["fieldErrors"].as_object().unwrap();
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["email", "inviteCode", "name", "password"]);
    let refused = post(&app, REGISTER, json!({})).await.expect(400);
    let errors = &refused["details"]["fieldErrors"];
    assert_eq!((&errors["email"], &errors["password"]), (&json!(["Is required"]), &json!(["Is required"])));
    app
}

async fn one_address_registers_once(app: TestApp) -> TestApp {
    let app = open_to_all(app).await;
    let bodies = (0..8).map(|n| {
        let email = if n % 2 == 0 { "Bob@example.com" } else { "bob@EXAMPLE.com" };
        json!({ "email": email, "password": "correct horse battery" })
    });
    let answers = join_all(bodies.map(|body| post(&app, REGISTER, body))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].body["customer"]["name"], json!("bob"));
    for answer in refused {
        assert_eq!(answer.expect(409)["code"], json!("email_taken"));
    }
    app
}

async fn a_planted_cookie_is_never_adopted(app: TestApp) -> TestApp {
    let email = app.user(Position::Staff(StaffRole::Admin)).await;
    let planted = format!("session={}", "A".repeat(43));
    let body = json!({ "email": email, "password": "correct horse battery" });
    let answer = app.send(None, Method::POST, LOGIN, Some(&body), &[("cookie", &planted)]).await;
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    answer.expect(200);
    assert!(!cookie.contains("AAAA"), "{cookie}");
    app.send(None, Method::GET, ME, None, &[("cookie", &planted)]).await.expect(401);
    app
}

async fn signing_in_again_ends_the_session_that_the_browser_had(app: TestApp) -> TestApp {
    let first = app.person(Mode::Test, UserRole::Owner).await;
    let body = json!({ "email": first.email, "password": first.password });
    let headers = [("cookie", first.cookie.as_str())];
    let wrong = json!({ "email": first.email, "password": "something else" });
    app.send(None, Method::POST, LOGIN, Some(&wrong), &headers).await.expect(401);
    app.get_as(&first, ME).await.expect(200);
    let answer = app.send(None, Method::POST, LOGIN, Some(&body), &headers).await;
    let mut second = first.clone();
    second.follow(&answer);
    assert_ne!((&first.cookie, &first.csrf), (&second.cookie, &second.csrf));
    app.get_as(&first, ME).await.expect(401);
    app.get_as(&second, ME).await.expect(200);
    app
}

async fn guessing_is_slowed_down_and_forgiven_with_time(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let wrong = json!({ "email": person.email, "password": "not the password" });
    let right = json!({ "email": person.email, "password": person.password });
    for _ in 0..10 {
        assert_eq!(post(&app, LOGIN, wrong.clone()).await.expect(401)["code"], json!("invalid_credentials"));
    }
    // Even the right password does not get through any more.
    let refused = post(&app, LOGIN, right.clone()).await;
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=90).contains(&seconds), "{seconds}");
    assert_eq!(refused.expect(429)["code"], json!("too_many_attempts"));
    app.advance(seconds);
    post(&app, LOGIN, right).await.expect(200);
    for _ in 0..10 {
        post(&app, LOGIN, wrong.clone()).await.expect(401);
    }
    // Guesses at many addresses from one place are counted as well.
    for n in 0..60 {
        let email = format!("nobody{n}@example.com");
        let answer = post(&app, LOGIN, json!({ "email": email, "password": "x" })).await;
        if answer.status == 429 {
            return app;
        }
        answer.expect(401);
    }
    panic!("one place may guess as often as it likes");
}

async fn a_wrong_password_and_an_unknown_address_look_the_same(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let mut seen = Vec::new();
    for email in [person.email.as_str(), "nobody@example.com"] {
        for (path, body) in [
            (LOGIN, json!({ "email": email, "password": "not the password" })),
            ("/api/auth/password/forgot", json!({ "email": email })),
            ("/api/beta/request", json!({ "email": email })),
            (REGISTER, json!({ "email": email, "password": "correct horse battery" })),
            (REGISTER, json!({ "email": email, "password": "correct horse battery", "inviteCode": "rm-1" })),
        ] {
            let body = body.clone();
            let answer = app.send(None, Method::POST, path, Some(&body), &[("x-request-id", "same")]).await;
            seen.push((answer.status.as_u16(), answer.body));
        }
    }
    assert_eq!(seen[..5], seen[5..]);
    assert_eq!(seen.iter().map(|(status, _)| *status).take(5).collect::<Vec<_>>(), [401, 202, 202, 403, 400]);
    app
}

async fn sessions_are_listed_and_ended_by_their_owner_only(app: TestApp) -> TestApp {
    let first = app.person(Mode::Test, UserRole::Owner).await;
    app.advance(1);
    let second = app.sign_in(&first.email, &first.password).await;
    let stranger = app.person(Mode::Test, UserRole::Owner).await;
    let list = app.get_as(&first, "/api/auth/sessions").await.expect(200)["data"].clone();
    let list = list.as_array().unwrap();
    assert_eq!(
        list.iter().map(|session| &session["current"]).collect::<Vec<_>>(),
        [&json!(false), &json!(true)]
    );
    assert_eq!(list[0]["address"], json!("127.0.0.1"));

    let path = format!("/api/auth/sessions/{}", list[0]["id"].as_str().unwrap());
    let refused = app.send_as(&stranger, Method::DELETE, &path, None).await.expect(404);
    assert_eq!(refused["code"], json!("session_not_found"));
    app.send_as(&first, Method::DELETE, "/api/auth/sessions/ses_nonsense", None).await.expect(404);
    app.get_as(&second, ME).await.expect(200);
    app.send_as(&first, Method::DELETE, &path, None).await.expect(204);
    app.get_as(&second, ME).await.expect(401);
    app.send_as(&first, Method::DELETE, &path, None).await.expect(404);

    let third = app.sign_in(&first.email, &first.password).await;
    app.send_as(&third, Method::DELETE, "/api/auth/sessions", None).await.expect(204);
    app.get_as(&first, ME).await.expect(401);
    app.get_as(&third, ME).await.expect(200);
    app.get_as(&stranger, ME).await.expect(200);
    app
}

async fn a_session_ends_when_it_is_not_used(app: TestApp) -> TestApp {
    let (idle, busy) =
        (app.person(Mode::Test, UserRole::Owner).await, app.person(Mode::Test, UserRole::Owner).await);
    app.advance(11 * 3_600);
    app.get_as(&busy, ME).await.expect(200);
    app.advance(3_600);
    app.get_as(&idle, ME).await.expect(401);
    app.get_as(&busy, ME).await.expect(200);
    app.app.reception.tidy_up().await.unwrap();
    app.get_as(&busy, ME).await.expect(200);
    for _ in 0..(29 * 2 + 1) {
        app.advance(12 * 3_600 - 61);
        app.get_as(&busy, ME).await.expect(200);
    }
    app.advance(12 * 3_600 - 61);
    app.get_as(&busy, ME).await.expect(401);
    app
}

async fn each_mode_has_its_own_credits(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 40).await;
    let person = app.person_of(customer.id, Mode::Test, UserRole::Owner).await;
    let credits = async || app.get_as(&person, "/api/ai/credits").await.expect(200);
    let seen = |body: Value| (body["mode"].clone(), body["available"].clone());
    assert_eq!(seen(credits().await), (json!("test"), json!(40)));
    let me = app.post_as(&person, "/api/auth/mode", &json!({ "mode": "live" })).await.expect(200);
    assert_eq!(me["mode"], json!("live"));
    assert_eq!(seen(credits().await), (json!("live"), json!(0)));
    let refused = app.post_as(&person, "/api/auth/mode", &json!({ "mode": "both" })).await.expect(400);
    assert_eq!(refused["details"]["fieldErrors"]["mode"], json!(["Must be live or test"]));
    app.post_as(&person, "/api/auth/mode", &json!({ "mode": "test" })).await.expect(200);
    assert_eq!(seen(credits().await), (json!("test"), json!(40)));
    app
}

async fn staff_sign_in_but_act_for_no_customer(app: TestApp) -> TestApp {
    let email = app.user(Position::Staff(StaffRole::PricingEditor)).await;
    let person = app.sign_in(&email, "correct horse battery").await;
    let me = app.get_as(&person, ME).await.expect(200);
    assert!(me["customer"].is_null() && me["user"]["role"].is_null(), "{me}");
    assert_eq!(me["user"]["staffRole"], json!("pricing_editor"));
    assert_eq!(app.get_as(&person, "/api/ai/credits").await.expect(403)["code"], json!("no_customer"));
    let redeemed = app.post_as(&person, "/api/beta/redeem", &json!({ "inviteCode": "rm-1" })).await;
    assert_eq!(redeemed.expect(403)["code"], json!("no_customer"));
    app
}

async fn a_disabled_person_is_out_at_once(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let set = async |disabled_at| {
        let user =
            reelmeter::customer::people::user_by_email(app.app.db.read(), &person.email).await.unwrap();
        let tx = app.app.db.begin().await.unwrap();
        reelmeter::customer::people::set_disabled(&tx, user.unwrap().id, disabled_at).await.unwrap();
        tx.commit().await.unwrap();
    };
    set(Some(app.app.clock.now())).await;
    app.get_as(&person, ME).await.expect(401);
    app.get_as(&person, "/api/ai/credits").await.expect(401);
    let body = json!({ "email": person.email, "password": person.password });
    let refused = post(&app, LOGIN, body.clone()).await.expect(401);
    assert_eq!(refused["code"], json!("invalid_credentials"));
    set(None).await;
    post(&app, LOGIN, body).await.expect(200);
    app
}
