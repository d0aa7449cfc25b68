//! Changing a password, and choosing another by a link.

use entity::user::UserRole;
use entity::{Mode, UserId};
use reelmeter::customer::{people, reset};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tests::{Answer, Person, TestApp, on_both_engines};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

on_both_engines!(
    a_changed_password_ends_the_other_sessions,
    a_link_sets_a_password_once_and_ends_every_session,
    a_link_is_over_after_an_hour_and_when_another_was_used,
    a_link_comes_by_mail,
    the_page_for_choosing_a_password_runs_nothing_but_its_own_files,
);

const NEW: &str = "a much better one";

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    app.send(None, Method::POST, "/api/auth/login", Some(&body), &[]).await
}

async fn a_changed_password_ends_the_other_sessions(app: TestApp) -> TestApp {
    let mut person = app.person(Mode::Test, UserRole::Viewer).await;
    let (before, elsewhere) = (person.clone(), app.sign_in(&person.email, &person.password).await);
    let link = link(&app, &person).await;
    let body = json!({ "currentPassword": "not the password", "newPassword": NEW });
    app.post_as(&person, "/api/auth/password", &body).await.expect(401);
    let body = json!({ "currentPassword": person.password, "newPassword": "short" });
    app.post_as(&person, "/api/auth/password", &body).await.expect(400);
    let body = json!({ "currentPassword": person.password, "newPassword": NEW });
    let answer = app.post_as(&person, "/api/auth/password", &body).await;
    person.follow(&answer);
    answer.expect(200);
    for over in [&before, &elsewhere] {
        app.get_as(over, "/api/auth/me").await.expect(401);
    }
    app.get_as(&person, "/api/auth/me").await.expect(200);
    sign_in(&app, &person.email, &person.password).await.expect(401);
    sign_in(&app, &person.email, NEW).await.expect(200);
    set(&app, &link, "yet another one").await.expect(410);
    app
}

async fn user(app: &TestApp, person: &Person) -> UserId {
    people::user_by_email(app.app.db.read(), &person.email).await.unwrap().unwrap().id
}

/// The token of a link such as an operator prints.
pub async fn link(app: &TestApp, person: &Person) -> String {
    let user = user(app, person).await;
    let tx = app.app.db.begin().await.unwrap();
    let token = reset::issue(&tx, user, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    token_of(reset::link("https://example.com", &token).expose_secret())
}

fn token_of(link: &str) -> String {
    link.split_once("/reset-password#token=").unwrap().1.to_owned()
}

async fn set(app: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({ "token": token, "password": password });
    app.send(None, Method::POST, "/api/auth/password/reset", Some(&body), &[]).await
}

async fn a_link_sets_a_password_once_and_ends_every_session(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let token = link(&app, &person).await;
    set(&app, &token, "short").await.expect(400);
    set(&app, &token, NEW).await.expect(204);
    app.get_as(&person, "/api/auth/me").await.expect(401);
    sign_in(&app, &person.email, &person.password).await.expect(401);
    sign_in(&app, &person.email, NEW).await.expect(200);
    assert_eq!(set(&app, &token, "yet another one").await.expect(410)["code"], json!("reset_invalid"));
    for token in ["nonsense".to_owned(), "A".repeat(43)] {
        set(&app, &token, NEW).await.expect(410);
    }
    app
}

async fn a_link_is_over_after_an_hour_and_when_another_was_used(app: TestApp) -> TestApp {
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let old = link(&app, &person).await;
    app.advance(3_601);
    set(&app, &old, NEW).await.expect(410);
    let (first, second) = (link(&app, &person).await, link(&app, &person).await);
    let both = tokio::join!(set(&app, &first, NEW), set(&app, &first, NEW));
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 410]);
    set(&app, &second, NEW).await.expect(410);
    app
}

/// Answers one SMTP client and gives back the letter.
async fn receive(listener: TcpListener) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 test\r\n").await.unwrap();
    let mut letter = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let answer: &[u8] = match line.as_str() {
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.unwrap();
                while let Some(line) = lines.next_line().await.unwrap().filter(|line| line != ".") {
                    letter.push_str(&line);
                    letter.push('\n');
                }
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 fine\r\n",
        };
        writer.write_all(answer).await.unwrap();
        if line == "DATA" {
            break;
        }
    }
    letter
}

async fn a_link_comes_by_mail(app: TestApp) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let app = app
        .restart_with(move |config| {
            config.smtp_url = Some(SecretString::from(url.as_str()));
            config.mail_from = Some("Reelmeter <noreply@example.com>".to_owned());
        })
        .await;
    let person = app.person(Mode::Test, UserRole::Owner).await;
    let body = json!({ "email": person.email });
    let asked = app.send(None, Method::POST, "/api/auth/password/forgot", Some(&body), &[]);
    let (asked, letter) = tokio::join!(asked, receive(listener));
    asked.expect(202);
    // Long lines come as quoted-printable.
    let letter = letter.replace("=\n", "").replace("=3D", "=");
    assert!(letter.contains(&format!("To: {}", person.email)), "{letter}");
    let link = letter.lines().find(|line| line.contains("#token=")).expect("a link");
    assert!(link.starts_with(&app.url), "{link}");
    set(&app, &token_of(link), NEW).await.expect(204);
    sign_in(&app, &person.email, NEW).await.expect(200);
    app
}

async fn the_page_for_choosing_a_password_runs_nothing_but_its_own_files(app: TestApp) -> TestApp {
    let get = async |path: &str| app.client.get(format!("{}{path}", app.url)).send().await.unwrap();
    let page = get("/reset-password").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
    let html = page.text().await.unwrap();
    assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains(" on"), "{html}");
    assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/reset-password/").count());
    for (file, content_type) in [("reset.js", "text/javascript"), ("reset.css", "text/css")] {
        assert!(html.contains(file));
        let answer = get(&format!("/reset-password/{file}")).await;
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(content_type));
    }
    assert_eq!(get("/reset-password/Cargo.toml").await.status(), 404);
    app
}
