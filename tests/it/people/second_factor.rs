//! An authenticator app as the second factor, and the codes for whoever lost it.

use entity::Mode;
use entity::user::UserRole;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Person, TestApp, on_both_engines};

on_both_engines!(
    a_second_factor_is_asked_for_once_it_is_confirmed,
    a_code_is_good_once,
    a_recovery_code_is_good_once,
    a_second_factor_is_turned_off_with_password_and_code,
    guessed_codes_are_slowed_down,
    a_change_of_rights_gives_the_session_a_new_token,
);

const TOTP: &str = "/api/auth/totp";

/// Decodes base 32 without padding (RFC 4648).
fn base32(text: &str) -> Vec<u8> {
    let value = |c: char| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap();
    let bits: String = text.chars().map(|c| format!("{:05b}", value(c))).collect();
    let whole = bits.as_bytes().chunks_exact(8);
    whole.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect()
}

/// Somebody whose second factor is on.
pub struct Guarded {
    pub person: Person,
    secret: Vec<u8>,
    recovery_codes: Vec<String>,
}

impl Guarded {
    pub async fn new(app: &TestApp) -> Guarded {
        let mut person = app.person(Mode::Test, UserRole::Owner).await;
        let begun = app.post_as(&person, TOTP, &json!({ "password": person.password })).await.expect(200);
        let secret = base32(begun["secret"].as_str().unwrap());
        assert_eq!(secret.len(), 20);
        assert!(begun["otpauthUrl"].as_str().unwrap().contains(begun["secret"].as_str().unwrap()));
        // Nothing is asked for before it is confirmed.
        app.sign_in(&person.email, &person.password).await;
        let code = code(app, &secret);
        let answer = app.post_as(&person, "/api/auth/totp/confirm", &json!({ "code": code })).await;
        person.follow(&answer);
        let confirmed = answer.expect(200);
        let codes: Vec<String> = serde_json::from_value(confirmed["recoveryCodes"].clone()).unwrap();
        assert_eq!((codes.len(), &confirmed["me"]["totpEnabled"]), (10, &json!(true)));
        Guarded { person, secret, recovery_codes: codes }
    }

    /// The code of a step that was not used yet.
    fn next_code(&self, app: &TestApp) -> String {
        app.advance(60);
        code(app, &self.secret)
    }

    async fn sign_in(&self, app: &TestApp, code: Option<&str>) -> Answer {
        let body = json!({ "email": self.person.email, "password": self.person.password, "totpCode": code });
        app.send(None, Method::POST, "/api/auth/login", Some(&body), &[]).await
    }
}

/// The code that an authenticator shows now, of a secret in base 32.
pub fn code_of(app: &TestApp, secret: &str) -> String {
    code(app, &base32(secret))
}

fn code(app: &TestApp, secret: &[u8]) -> String {
    web_session::totp::code(secret, u64::try_from(app.app.clock.now().seconds()).unwrap()).unwrap()
}

async fn a_second_factor_is_asked_for_once_it_is_confirmed(app: TestApp) -> TestApp {
    let guarded = Guarded::new(&app).await;
    assert_eq!(guarded.sign_in(&app, None).await.expect(401)["code"], json!("totp_required"));
    let refused = guarded.sign_in(&app, Some("000000")).await.expect(401);
    assert_eq!(refused["code"], json!("invalid_credentials"));
    // Without the password nobody is told that there is a second factor.
    let wrong = json!({ "email": guarded.person.email, "password": "not the password" });
    let refused = app.send(None, Method::POST, "/api/auth/login", Some(&wrong), &[]).await.expect(401);
    assert_eq!(refused["code"], json!("invalid_credentials"));
    let code = guarded.next_code(&app);
    assert_eq!(guarded.sign_in(&app, Some(&code)).await.expect(200)["totpEnabled"], json!(true));
    let again = app.post_as(&guarded.person, TOTP, &json!({ "password": guarded.person.password })).await;
    assert_eq!(again.expect(409)["code"], json!("totp_enabled"));
    app
}

async fn a_code_is_good_once(app: TestApp) -> TestApp {
    let guarded = Guarded::new(&app).await;
    // The code that confirmed is used up.
    guarded.sign_in(&app, Some(&code(&app, &guarded.secret))).await.expect(401);
    let code = guarded.next_code(&app);
    let tries = [(); 5].map(|()| guarded.sign_in(&app, Some(&code)));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    guarded.sign_in(&app, Some(&code)).await.expect(401);
    let code = guarded.next_code(&app);
    guarded.sign_in(&app, Some(&code)).await.expect(200);
    app
}

async fn a_recovery_code_is_good_once(app: TestApp) -> TestApp {
    let guarded = Guarded::new(&app).await;
    let sloppy = guarded.recovery_codes[0].to_lowercase().replace('-', " ");
    guarded.sign_in(&app, Some(&sloppy)).await.expect(200);
    let refused = guarded.sign_in(&app, Some(&guarded.recovery_codes[0])).await.expect(401);
    assert_eq!(refused["code"], json!("invalid_credentials"));
    guarded.sign_in(&app, Some(&guarded.recovery_codes[9])).await.expect(200);
    let other = Guarded::new(&app).await;
    guarded.sign_in(&app, Some(&other.recovery_codes[1])).await.expect(401);
    app
}

async fn a_second_factor_is_turned_off_with_password_and_code(app: TestApp) -> TestApp {
    let mut guarded = Guarded::new(&app).await;
    let off = async |guarded: &Guarded, body: Value| {
        app.send_as(&guarded.person, Method::DELETE, TOTP, Some(&body)).await
    };
    let password = guarded.person.password.clone();
    let refused = off(&guarded, json!({ "password": "not the password" })).await.expect(401);
    assert_eq!(refused["code"], json!("invalid_credentials"));
    let refused = off(&guarded, json!({ "password": password })).await.expect(401);
    assert_eq!(refused["code"], json!("totp_required"));
    let code = guarded.recovery_codes[0].clone();
    let answer = off(&guarded, json!({ "password": password, "code": code })).await;
    guarded.person.follow(&answer);
    assert_eq!(answer.expect(200)["totpEnabled"], json!(false));
    guarded.sign_in(&app, None).await.expect(200);
    app.get_as(&guarded.person, "/api/auth/me").await.expect(200);
    app
}

async fn guessed_codes_are_slowed_down(app: TestApp) -> TestApp {
    let guarded = Guarded::new(&app).await;
    let mut statuses = Vec::new();
    for n in 0..12 {
        statuses.push(guarded.sign_in(&app, Some(&format!("{n:06}"))).await.status.as_u16());
    }
    assert_eq!((statuses[0], statuses[11]), (401, 429));
    let off = async |code: String| {
        let body = json!({ "password": guarded.person.password, "code": code });
        app.send_as(&guarded.person, Method::DELETE, TOTP, Some(&body)).await.status.as_u16()
    };
    let mut statuses = Vec::new();
    for n in 0..12 {
        statuses.push(off(format!("{n:06}")).await);
    }
    assert_eq!((statuses[0], statuses[11]), (401, 429));
    app
}

async fn a_change_of_rights_gives_the_session_a_new_token(app: TestApp) -> TestApp {
    let mut person = app.person(Mode::Test, UserRole::Owner).await;
    let before = person.clone();
    let begun = app.post_as(&person, TOTP, &json!({ "password": person.password })).await.expect(200);
    let wrong = app.post_as(&person, "/api/auth/totp/confirm", &json!({ "code": "12" })).await.expect(400);
    assert_eq!(wrong["details"]["fieldErrors"]["code"].as_array().unwrap().len(), 1);
    let code = code(&app, &base32(begun["secret"].as_str().unwrap()));
    let answer = app.post_as(&person, "/api/auth/totp/confirm", &json!({ "code": code })).await;
    person.follow(&answer);
    answer.expect(200);
    assert_ne!((&before.cookie, &before.csrf), (&person.cookie, &person.csrf));
    app.get_as(&before, "/api/auth/me").await.expect(401);
    app.get_as(&person, "/api/auth/me").await.expect(200);
    app
}
