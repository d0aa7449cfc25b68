//! Where sessions are kept makes no difference, and every process sees the same.

use entity::Mode;
use entity::user::UserRole;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use tests::{Person, TestApp, on_both_engines};

on_both_engines!(
    a_logout_is_seen_by_every_process_at_once,
    sessions_in_redis_are_as_good,
    without_redis_nobody_is_signed_in_and_nobody_is_told_otherwise,
    a_session_survives_a_restart,
);

fn redis() -> SecretString {
    let url = std::env::var("REELMETER_TEST_REDIS_URL")
        .expect("REELMETER_TEST_REDIS_URL is not set: run the tests with tests/run, which brings a Redis");
    SecretString::from(url)
}

async fn with_redis(app: TestApp) -> TestApp {
    app.restart_with(|config| config.redis_url = Some(redis())).await
}

async fn status(app: &TestApp, url: &str, person: &Person) -> u16 {
    let request = app.client.get(format!("{url}/api/auth/me")).header("cookie", &person.cookie);
    request.send().await.unwrap().status().as_u16()
}

async fn signed_out_everywhere(app: &TestApp) {
    let beside = app.beside().await;
    let person = app.person(Mode::Test, UserRole::Owner).await;
    assert_eq!(status(app, &beside.url, &person).await, 200);
    app.send_as(&person, Method::POST, "/api/auth/logout", None).await.expect(204);
    assert_eq!(status(app, &beside.url, &person).await, 401);
    beside.stop().await;
}

async fn a_logout_is_seen_by_every_process_at_once(app: TestApp) -> TestApp {
    signed_out_everywhere(&app).await;
    app
}

async fn sessions_in_redis_are_as_good(app: TestApp) -> TestApp {
    let app = with_redis(app).await;
    signed_out_everywhere(&app).await;
    let first = app.person(Mode::Live, UserRole::Owner).await;
    assert_eq!(app.get_as(&first, "/api/auth/me").await.expect(200)["mode"], json!("live"));
    app.advance(1);
    let mut second = app.sign_in(&first.email, &first.password).await;
    let list = app.get_as(&first, "/api/auth/sessions").await.expect(200)["data"].clone();
    assert_eq!(
        (&list[0]["current"], &list[1]["current"], list.as_array().unwrap().len()),
        (&json!(false), &json!(true), 2)
    );
    let stranger = app.person(Mode::Test, UserRole::Owner).await;
    let path = format!("/api/auth/sessions/{}", list[1]["id"].as_str().unwrap());
    app.send_as(&stranger, Method::DELETE, &path, None).await.expect(404);
    app.send_as(&second, Method::DELETE, &path, None).await.expect(204);
    app.get_as(&first, "/api/auth/me").await.expect(401);

    let body = json!({ "currentPassword": second.password, "newPassword": "a much better one" });
    let before = second.clone();
    let answer = app.post_as(&second, "/api/auth/password", &body).await;
    second.follow(&answer);
    answer.expect(200);
    app.get_as(&before, "/api/auth/me").await.expect(401);
    app.get_as(&second, "/api/auth/me").await.expect(200);
    app.advance(12 * 3_600);
    app.get_as(&second, "/api/auth/me").await.expect(401);
    app
}

async fn without_redis_nobody_is_signed_in_and_nobody_is_told_otherwise(app: TestApp) -> TestApp {
    let nowhere = |config: &mut reelmeter::config::Config| {
        config.redis_url = Some(SecretString::from("redis://127.0.0.1:1/"));
    };
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let app = app.restart_with(nowhere).await;
    let refused = app.get_as(&person, "/api/auth/me").await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.expect(503)["code"], json!("unavailable"));
    let body = json!({ "email": person.email, "password": person.password });
    app.send(None, Method::POST, "/api/auth/login", Some(&body), &[]).await.expect(503);
    // Keys don't need it.
    let customer = app.customer(Mode::Test, 0).await;
    app.get(&customer, "/api/ai/credits").await.expect(200);
    app
}

async fn a_session_survives_a_restart(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let app = app.restart().await;
    app.get_as(&person, "/api/auth/me").await.expect(200);
    app
}
