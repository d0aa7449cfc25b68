//! Nothing that is secret comes out: not in a log line at the finest level, not in an error, not in a metric, not in the
//! database's file. Everything that a secret can be is planted and looked for.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::program::{Server, demo, reelmeter, text};

const PASSWORD: &str = "canary-password-5d1f0c";
const NEW_PASSWORD: &str = "canary-password-9a77e2";
const WRONG_PASSWORD: &str = "canary-mistyped-31b0d9";
const EMAIL: &str = "owner@example.com";
/// Settings of the program that hold a secret, and the secret in each. The addresses lead nowhere, so that errors tell of them.
const SETTINGS: [(&str, &str, &str); 4] = [
    (
        "REELMETER_SECRET",
        "k1:c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77",
        "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77",
    ),
    ("REELMETER_SMTP_URL", "smtp://mailer:canary-smtp-77aa01@127.0.0.1:9", "canary-smtp-77aa01"),
    ("REELMETER_METRICS_KEY", METRICS_KEY, METRICS_KEY),
    ("REELMETER_PROVIDER_KIE_KEY", "canary-provider-key-c1d2e3", "canary-provider-key-c1d2e3"),
];
const METRICS_KEY: &str = "canary-metrics-key-2f9b44";

/// A person at a browser, and all that was said to them.
struct Browser {
    client: reqwest::Client,
    host: String,
    cookie: Option<String>,
    csrf: Option<String>,
    /// Answers that have no secret to tell.
    heard: Vec<String>,
    /// Cookies that were ever set.
    cookies: Vec<String>,
}

impl Browser {
    async fn send(&mut self, method: Method, path: &str, body: Value) -> (u16, Value, String) {
        let mut request = self.client.request(method, format!("{}{path}", self.host));
        if !body.is_null() {
            request = request.json(&body);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(csrf) = &self.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        let answer = request.send().await.unwrap();
        self.keep_cookie(&answer);
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(token) = body["csrfToken"].as_str() {
            self.csrf = Some(token.to_owned());
        }
        (status, body, text)
    }

    fn keep_cookie(&mut self, answer: &Response) {
        let Some(set) = answer.headers().get("set-cookie") else { return };
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let value = pair.split_once('=').unwrap().1.to_owned();
        if !value.is_empty() {
            self.cookies.push(value);
        }
        self.cookie = Some(pair);
    }

    /// For what gives a secret away to whom it belongs: once, and only there.
    async fn told(&mut self, path: &str, body: Value) -> Value {
        let (status, body, text) = self.send(Method::POST, path, body).await;
        assert!((200..300).contains(&status), "{path}: {text}");
        body
    }

    /// For everything else; the answer must hold no secret.
    async fn hears(&mut self, method: Method, path: &str, body: Value) -> u16 {
        let (status, _, text) = self.send(method, path, body).await;
        self.heard.push(text);
        status
    }
}

#[tokio::test]
async fn no_secret_comes_out_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.txt");
    let server = start(folder.path(), &log).await;
    let demo = demo(folder.path());
    let mut secrets: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, _, secret) in SETTINGS {
        secrets.insert(name, vec![secret.to_owned()]);
    }
    let mut browser = Browser {
        client: tests::client(),
        host: demo["REEL_HOST"].clone(),
        cookie: None,
        csrf: None,
        heard: Vec::new(),
        cookies: Vec::new(),
    };
    sign_up(folder.path(), &mut browser, &mut secrets).await;
    second_factor(&mut browser, &mut secrets).await;
    let key = make_and_use_keys(&mut browser, &mut secrets).await;
    fail_in_every_way(&mut browser, &key).await;
    forgotten_password(folder.path(), &mut browser, &mut secrets).await;
    secrets.insert("passwords", [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD].map(str::to_owned).to_vec());
    secrets.insert("cookies", browser.cookies.clone());
    secrets.insert(
        "demo",
        ["REEL_API_KEY", "REEL_PASSWORD", "REEL_ADMIN_PASSWORD"].map(|n| demo[n].clone()).to_vec(),
    );
    let metrics = metrics(&browser).await;
    let rest = server.stop("-TERM").await;
    let mut places: Vec<(String, Vec<u8>)> = vec![
        ("the log".into(), std::fs::read(&log).unwrap()),
        ("stdout".into(), rest.into_bytes()),
        ("the metrics".into(), metrics.into_bytes()),
        ("an answer".into(), browser.heard.join("\n").into_bytes()),
    ];
    for name in ["reelmeter.db", "reelmeter.db-wal"] {
        let bytes = std::fs::read(folder.path().join("data").join(name)).unwrap_or_default();
        places.push((name.into(), bytes));
    }
    assert!(places[0].1.len() > 10_000, "the log says nothing");
    for (place, bytes) in &places {
        for (what, values) in &secrets {
            for value in values {
                assert!(value.len() >= 6, "{what} is no secret: {value}");
                let found = spellings(value).into_iter().find(|spelling| contains(bytes, spelling));
                assert_eq!(found, None, "{what} is in {place}");
            }
        }
    }
}

#[tokio::test]
async fn a_redis_that_is_away_does_not_tell_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.txt");
    let mut command = program(folder.path(), &["serve"]);
    command.env("REELMETER_LOG", "trace").stderr(Stdio::from(File::create(&log).unwrap()));
    let server =
        Server::of(command.env("REELMETER_REDIS_URL", "redis://:canary-redis-4410ce@127.0.0.1:9")).await;
    let host = demo(folder.path())["REEL_HOST"].clone();
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let answer = tests::client().post(format!("{host}/api/auth/login")).json(&body).send().await.unwrap();
    assert!(!answer.text().await.unwrap().contains("canary"));
    server.stop("-TERM").await;
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("Redis") && !log.contains("canary"), "{log}");
}

/// How a secret may be written: as it is, in hex, in base 64.
fn spellings(value: &str) -> Vec<Vec<u8>> {
    let base64 = BASE64_STANDARD.encode(value);
    let base64 = base64.trim_end_matches('=').as_bytes();
    let url_safe = BASE64_URL_SAFE_NO_PAD.encode(value);
    vec![
        value.as_bytes().to_vec(),
        value.bytes().map(|b| format!("{b:02x}")).collect::<String>().into_bytes(),
        // The last characters depend on what follows.
        base64[..base64.len() - 2].to_vec(),
        url_safe.as_bytes()[..url_safe.len() - 2].to_vec(),
    ]
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn start(folder: &Path, log: &Path) -> Server {
    let mut command = program(folder, &["serve"]);
    command.env("REELMETER_LOG", "trace").stderr(Stdio::from(File::create(log).unwrap()));
    Server::of(&mut command).await
}

/// The program with every setting that holds a secret.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = reelmeter(folder, arguments);
    command.envs(SETTINGS.map(|(name, value, _)| (name, value)));
    command.env("REELMETER_MAIL_FROM", "Reelmeter <r@example.com>");
    command
}

/// What a command of an operator prints.
async fn printed(folder: &Path, arguments: &[&str]) -> String {
    text(&program(folder, arguments).output().await.unwrap().stdout).trim().to_owned()
}

async fn sign_up(folder: &Path, browser: &mut Browser, secrets: &mut BTreeMap<&str, Vec<String>>) {
    let code = printed(folder, &["admin", "invite", "--uses", "5", "--note", "for the test"]).await;
    let register = |password: &str| json!({ "email": EMAIL, "password": password, "inviteCode": code });
    assert_eq!(
        browser
            .hears(
                Method::POST,
                "/api/auth/register",
                json!({ "email": EMAIL, "password": PASSWORD, "inviteCode": "rm-nothing" })
            )
            .await,
        400
    );
    browser.told("/api/auth/register", register(PASSWORD)).await;
    assert_eq!(browser.hears(Method::POST, "/api/auth/register", register(PASSWORD)).await, 409);
    browser.told("/api/auth/login", json!({ "email": EMAIL, "password": PASSWORD })).await;
    assert_eq!(
        browser
            .hears(Method::POST, "/api/auth/login", json!({ "email": EMAIL, "password": WRONG_PASSWORD }))
            .await,
        401
    );
    secrets.insert("the invite code", vec![code]);
}

async fn second_factor(browser: &mut Browser, secrets: &mut BTreeMap<&str, Vec<String>>) {
    let begun = browser.told("/api/auth/totp", json!({ "password": PASSWORD })).await;
    let shared = begun["secret"].as_str().unwrap().to_owned();
    assert!(
        (400..500).contains(
            &browser.hears(Method::POST, "/api/auth/totp/confirm", json!({ "code": "000000" })).await
        )
    );
    secrets.insert("the second factor", vec![shared]);
}

/// Makes a key, generates with it, rotates it; the answer is the key that is good now.
async fn make_and_use_keys(browser: &mut Browser, secrets: &mut BTreeMap<&str, Vec<String>>) -> String {
    let made = browser.told("/api/keys", json!({ "name": "canary", "mode": "test" })).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let old = made["secret"].as_str().unwrap().to_owned();
    let rotated = browser.told(&format!("/api/keys/{id}/rotate"), json!({})).await;
    let new = rotated["secret"].as_str().unwrap().to_owned();
    for path in ["/api/keys", &format!("/api/keys/{id}"), "/api/auth/sessions"] {
        assert_eq!(browser.hears(Method::GET, path, Value::Null).await, 200, "{path}");
    }
    for key in [&old, &new] {
        let answer =
            browser.client.get(format!("{}/api/key", browser.host)).bearer_auth(key).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        browser.heard.push(answer.text().await.unwrap());
    }
    secrets.insert("keys", vec![old, new.clone()]);
    new
}

async fn fail_in_every_way(browser: &mut Browser, key: &str) {
    let body = json!({ "model": "kling-3.0/video", "inputMode": "text_to_video", "prompt": "[sandbox:fail]", "duration": 5 });
    let generate = format!("{}/api/ai/video/generate", browser.host);
    let mistyped = format!("{}x", &key[..key.len() - 1]);
    let client = browser.client.clone();
    let requests = [
        client.post(&generate).bearer_auth(key).json(&body),
        client.post(&generate).bearer_auth(key).json(&json!({ "model": key })),
        client.post(&generate).bearer_auth(key).body(format!("{{\"{key}")),
        client.post(&generate).header("x-api-key", &mistyped).bearer_auth(key).json(&body),
        client.post(&generate).header("authorization", format!("Basic {key}")).json(&body),
        client.get(format!("{}/api/ai/credits?api_key={key}", browser.host)),
        client.get(format!("{}/api/ai/tasks?cursor={key}", browser.host)).bearer_auth(key),
        client.get(format!("{}/metrics", browser.host)).bearer_auth(key),
    ];
    for (n, request) in requests.into_iter().enumerate() {
        let answer = request.send().await.unwrap();
        assert!(answer.status().as_u16() >= 400, "{n}: {}", answer.status());
        // What the caller sends as its own data comes back to that caller alone.
        let text = answer.text().await.unwrap();
        browser.heard.push(if n == 1 { text.replace(key, "") } else { text });
    }
}

async fn forgotten_password(folder: &Path, browser: &mut Browser, secrets: &mut BTreeMap<&str, Vec<String>>) {
    assert_eq!(
        browser.hears(Method::POST, "/api/auth/password/forgot", json!({ "email": EMAIL })).await,
        202
    );
    let link = printed(folder, &["admin", "user", "reset-link", "--email", EMAIL]).await;
    let token = link.split("#token=").nth(1).expect("a link with a token").to_owned();
    let reset = |token: &str, password: &str| json!({ "token": token, "password": password });
    assert_eq!(
        browser
            .hears(Method::POST, "/api/auth/password/reset", reset(&format!("{token}x"), NEW_PASSWORD))
            .await,
        410
    );
    assert!((200..300).contains(
        &browser.hears(Method::POST, "/api/auth/password/reset", reset(&token, NEW_PASSWORD)).await
    ));
    assert_eq!(
        browser.hears(Method::POST, "/api/auth/password/reset", reset(&token, NEW_PASSWORD)).await,
        410
    );
    secrets.insert("the reset token", vec![token]);
    for list in [&["admin", "customer", "list"][..], &["admin", "invite", "list"], &["admin", "access"]] {
        browser.heard.push(printed(folder, list).await);
    }
}

async fn metrics(browser: &Browser) -> String {
    let answer = browser
        .client
        .get(format!("{}/metrics", browser.host))
        .bearer_auth(METRICS_KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}
