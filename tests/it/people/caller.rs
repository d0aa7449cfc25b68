//! The cookie in place of a key: every route takes it, from our own pages only, within what the person may do.

use entity::Mode;
use entity::user::UserRole;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Person, TestApp, on_both_engines};

use crate::wan;

on_both_engines!(
    every_route_takes_the_cookie,
    a_person_may_do_what_their_role_allows,
    what_changes_something_has_to_come_from_our_own_pages,
    another_site_can_t_sign_anybody_in,
    a_bad_key_beside_a_good_cookie_is_refused,
    a_good_key_beside_somebody_else_s_cookie_acts_as_the_key,
    a_customer_who_waits_makes_no_keys_but_uses_the_dashboard,
);

const GENERATE: &str = "/api/ai/video/generate";
const MODE: &str = "/api/auth/mode";

async fn every_route_takes_the_cookie(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let person = app.person_of(customer.id, Mode::Live, UserRole::Developer).await;
    let quote = app.post_as(&person, "/api/ai/video/quote", &wan(json!({}))).await.expect(200);
    let body = wan(json!({ "quoteId": quote["quoteId"] }));
    let task = app.post_as(&person, GENERATE, &body).await.expect(200)["taskId"].clone();
    let task = task.as_str().unwrap();
    app.finished(&customer, task).await;
    let path = format!("/api/ai/tasks/{task}");
    assert_eq!(app.get_as(&person, &path).await.expect(200)["state"], json!("completed"));
    for path in [
        format!("{path}/content"),
        format!("{path}/link"),
        "/api/ai/credits".to_owned(),
        "/api/ai/credits/ledger".to_owned(),
    ] {
        app.get_as(&person, &path).await.expect(200);
        app.send(None, Method::GET, &path, None, &[]).await.expect(401);
    }
    assert_eq!(app.send_as(&person, Method::HEAD, &format!("{path}/content"), None).await.status, 200);
    let ended = app.send_as(&person, Method::POST, &format!("{path}/cancel"), None).await.expect(200);
    assert_eq!(ended["canceled"], json!(false));
    let stranger = app.person(Mode::Live, UserRole::Owner).await;
    app.get_as(&stranger, &path).await.expect(404);
    app.get_as(&stranger, &format!("{path}/content")).await.expect(404);
    app
}

async fn a_person_may_do_what_their_role_allows(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 200).await;
    for (role, generates, reads) in [
        (UserRole::Owner, 200, 200),
        (UserRole::Developer, 200, 200),
        (UserRole::Viewer, 403, 200),
        (UserRole::Billing, 403, 200),
    ] {
        let person = app.person_of(customer.id, Mode::Live, role).await;
        let answer = app.post_as(&person, GENERATE, &wan(json!({}))).await;
        if generates == 403 {
            assert_eq!(answer.body["code"], json!("insufficient_scope"), "{role:?}");
        }
        answer.expect(generates);
        app.get_as(&person, "/api/ai/credits").await.expect(reads);
    }
    app
}

/// Posts with the person's cookie and these headers.
async fn post(app: &TestApp, person: &Person, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = [("cookie", person.cookie.as_str())].iter().chain(headers).copied().collect();
    app.send(None, Method::POST, MODE, Some(&json!({ "mode": "test" })), &headers).await
}

async fn what_changes_something_has_to_come_from_our_own_pages(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let other = app.person(Mode::Test, UserRole::Owner).await;
    let (own, token) = (app.url.as_str(), ("x-csrf-token", person.csrf.as_str()));
    for (headers, is_fine) in [
        (vec![("sec-fetch-site", "same-origin")], true),
        (vec![("origin", own)], true),
        (vec![("sec-fetch-site", "same-origin"), ("origin", own)], true),
        (vec![token], true),
        (vec![], false),
        (vec![("x-csrf-token", other.csrf.as_str())], false),
        (vec![("origin", "https://evil.example"), token], false),
        (vec![("origin", "null"), token], false),
        (vec![("sec-fetch-site", "cross-site"), token], false),
        (vec![("sec-fetch-site", "same-site"), token], false),
        (vec![("sec-fetch-site", "none"), token], false),
        (vec![("sec-fetch-site", "same-origin"), ("origin", "https://evil.example"), token], false),
    ] {
        let answer = post(&app, &person, &headers).await;
        if is_fine {
            answer.expect(200);
        } else {
            assert_eq!(answer.expect(403)["code"], json!("csrf_refused"), "{headers:?}");
        }
    }
    // A native route is no different, and reading needs nothing.
    let headers = [("cookie", person.cookie.as_str()), ("origin", "https://evil.example")];
    let refused = app.send(None, Method::POST, GENERATE, Some(&wan(json!({}))), &headers).await;
    assert_eq!(refused.expect(403)["code"], json!("csrf_refused"));
    app.send(None, Method::GET, "/api/auth/me", None, &headers).await.expect(200);
    app.send(None, Method::GET, "/api/ai/credits", None, &headers).await.expect(200);
    app
}

async fn another_site_can_t_sign_anybody_in(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let body = json!({ "email": person.email, "password": person.password });
    for header in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let answer = app.send(None, Method::POST, "/api/auth/login", Some(&body), &[header]).await;
        assert!(answer.header("set-cookie").is_none());
        assert_eq!(answer.expect(403)["code"], json!("csrf_refused"));
    }
    let same = [("sec-fetch-site", "same-origin")];
    app.send(None, Method::POST, "/api/auth/login", Some(&body), &same).await.expect(200);
    app
}

async fn a_bad_key_beside_a_good_cookie_is_refused(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let bad = format!("Bearer sk-rm_test_{}", "0".repeat(36));
    for bad in ["Bearer nonsense", bad.as_str(), "Bearer "] {
        let headers =
            [("cookie", person.cookie.as_str()), ("x-csrf-token", &person.csrf), ("authorization", bad)];
        app.send(None, Method::GET, "/api/ai/credits", None, &headers).await.expect(401);
        let refused = app.send(None, Method::GET, "/api/auth/me", None, &headers).await.expect(403);
        assert_eq!(refused["code"], json!("session_required"));
    }
    app
}

async fn a_good_key_beside_somebody_else_s_cookie_acts_as_the_key(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let person = app.person(Mode::Test, UserRole::Owner).await;
    // No token and a foreign origin: the cookie counts for nothing.
    let headers = [("cookie", person.cookie.as_str()), ("origin", "https://evil.example")];
    let accepted = app.send(Some(&customer), Method::POST, GENERATE, Some(&wan(json!({}))), &headers).await;
    accepted.expect(200);
    let seen = app.send(Some(&customer), Method::GET, "/api/ai/credits", None, &headers).await.expect(200);
    assert_eq!((&seen["mode"], &seen["held"]), (&json!("live"), &json!(30)));
    app
}

async fn a_customer_who_waits_makes_no_keys_but_uses_the_dashboard(app: TestApp) -> TestApp {
    let app = app.restart_with(|config| config.closed_beta = false).await;
    let body = json!({ "email": "ann@example.com", "password": "correct horse battery" });
    let answer = app.send(None, Method::POST, "/api/auth/register", Some(&body), &[]).await;
    let mut person = Person {
        customer: None,
        email: String::new(),
        password: String::new(),
        cookie: String::new(),
        csrf: String::new(),
    };
    person.follow(&answer);
    let refused = app.post_as(&person, "/api/keys", &json!({ "name": "mine" })).await.expect(403);
    assert_eq!(refused["code"], json!("beta_required"));
    app.get_as(&person, "/api/ai/credits").await.expect(200);
    // All that is missing are credits.
    app.post_as(&person, GENERATE, &wan(json!({}))).await.expect(402);
    app
}
