//! What an operator does about people, beside a running server.

use std::process::Output;

use entity::Mode;
use entity::user::UserRole;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Answer, Person, TestApp, on_both_engines};
use tokio::process::Command;

on_both_engines!(
    an_operator_invites_lists_and_revokes,
    an_operator_lets_in_who_asked,
    an_operator_makes_people_and_keeps_them_out,
    an_operator_helps_who_is_locked_out,
);

async fn run(app: &TestApp, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reelmeter-under-test"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEL")) {
        command.env_remove(name);
    }
    let config = &app.app.config;
    let text = |secret: &Option<secrecy::SecretString>| secret.as_ref().unwrap().expose_secret().to_owned();
    command
        .arg("admin")
        .args(arguments)
        .current_dir(app.folder.path())
        .env("REELMETER_DATABASE_URL", text(&config.database_url))
        .env("REELMETER_SECRET", text(&config.secret))
        .env("REELMETER_DATA_DIR", &config.data_dir)
        .env("REELMETER_PUBLIC_URL", &app.url)
        .kill_on_drop(true);
    command.output().await.unwrap()
}

async fn admin(app: &TestApp, arguments: &[&str]) -> String {
    let output = run(app, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn is_refused(app: &TestApp, arguments: &[&str], with: &str) {
    let output = run(app, arguments).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains(with), "{told}");
}

async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    app.send(None, Method::POST, path, Some(&body), &[]).await
}

async fn register(app: &TestApp, email: &str, code: &str) -> Answer {
    let body = json!({ "email": email, "password": "correct horse battery", "inviteCode": code });
    post(app, "/api/auth/register", body).await
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Answer {
    post(app, "/api/auth/login", json!({ "email": email, "password": password })).await
}

async fn an_operator_invites_lists_and_revokes(app: TestApp) -> TestApp {
    let code =
        admin(&app, &["invite", "--uses", "2", "--note", "for the reef", "--expires", "2100-01-01"]).await;
    assert!(code.starts_with("rm-") && code.len() == 22, "{code}");
    register(&app, "ann@example.com", &code).await.expect(200);
    let list = admin(&app, &["invite", "list"]).await;
    assert!(list.contains("1/2") && list.contains("good") && list.contains("for the reef"), "{list}");
    assert!(!list.contains(&code) && list.contains(&code[..8]), "{list}");
    let id = list.split_whitespace().next().unwrap();
    admin(&app, &["invite", "revoke", id]).await;
    register(&app, "bob@example.com", &code).await.expect(400);
    assert!(admin(&app, &["invite", "list"]).await.contains("revoked"));
    is_refused(&app, &["invite", "--expires", "2020-01-01"], "--expires").await;
    app
}

async fn an_operator_lets_in_who_asked(app: TestApp) -> TestApp {
    let app = app.restart_with(|config| config.closed_beta = false).await;
    let body = json!({ "email": "ann@example.com", "password": "correct horse battery" });
    let answer = post(&app, "/api/auth/register", body).await;
    let mut ann = Person {
        customer: None,
        email: String::new(),
        password: String::new(),
        cookie: String::new(),
        csrf: String::new(),
    };
    ann.follow(&answer);
    let customer = answer.expect(200)["customer"]["id"].as_str().unwrap().to_owned();
    app.post_as(&ann, "/api/beta/request", &json!({ "note": "whales" })).await.expect(202);
    let list = admin(&app, &["access"]).await;
    assert!(list.contains("waiting") && list.contains("whales") && list.contains(&customer), "{list}");
    admin(&app, &["customer", "admit", &customer]).await;
    assert!(admin(&app, &["access"]).await.contains("answered"));
    let me = app.get_as(&ann, "/api/auth/me").await.expect(200);
    assert_eq!(me["customer"]["admitted"], json!(true));
    app
}

async fn an_operator_makes_people_and_keeps_them_out(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 0).await.id.to_string();
    let create =
        ["user", "create", "--customer", &customer, "--email", "Dev@Example.com", "--role", "developer"];
    let password = admin(&app, &create).await;
    let signed_in = sign_in(&app, "dev@example.com", &password).await;
    assert_eq!(signed_in.body["user"]["role"], json!("developer"));
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let me = async || {
        let answer = app.send(None, Method::GET, "/api/auth/me", None, &[("cookie", &cookie)]).await;
        answer.status.as_u16()
    };
    assert_eq!(me().await, 200);
    is_refused(&app, &create, "in use").await;
    admin(&app, &["user", "disable", "--email", "dev@example.com"]).await;
    assert_eq!(me().await, 401);
    sign_in(&app, "dev@example.com", &password).await.expect(401);
    is_refused(&app, &["user", "reset-link", "--email", "dev@example.com"], "disabled").await;
    admin(&app, &["user", "enable", "--email", "dev@example.com"]).await;
    // The old session does not come back with its person.
    assert_eq!(me().await, 401);
    sign_in(&app, "dev@example.com", &password).await.expect(200);
    is_refused(&app, &["user", "enable", "--email", "nobody@example.com"], "no such person").await;
    app
}

async fn an_operator_helps_who_is_locked_out(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let link = admin(&app, &["user", "reset-link", "--email", &person.email]).await;
    let token = link.strip_prefix(&format!("{}/reset-password#token=", app.url)).unwrap();
    let body = json!({ "token": token, "password": "a much better one" });
    post(&app, "/api/auth/password/reset", body).await.expect(204);

    let guarded = super::second_factor::Guarded::new(&app).await;
    let (email, password) = (guarded.person.email.clone(), guarded.person.password.clone());
    assert_eq!(sign_in(&app, &email, &password).await.expect(401)["code"], json!("totp_required"));
    admin(&app, &["user", "reset-totp", "--email", &email]).await;
    app.get_as(&guarded.person, "/api/auth/me").await.expect(401);
    assert_eq!(sign_in(&app, &email, &password).await.expect(200)["totpEnabled"], json!(false));
    app
}
