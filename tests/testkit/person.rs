//! People with browsers: signed in, with a cookie and the token that goes with it.

use entity::user::UserRole;
use entity::{CustomerId, Mode};
use reelmeter::customer::people::{self, Position};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::server::{Answer, TestApp};

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Nobody's for staff.
    pub customer: Option<CustomerId>,
    pub email: String,
    pub password: String,
    /// The value of `Cookie`.
    pub cookie: String,
    pub csrf: String,
}

const PASSWORD: &str = "correct horse battery";

impl TestApp {
    /// A person of a new, admitted customer without credits, signed in.
    pub async fn person(&self, mode: Mode, role: UserRole) -> Person {
        let now = self.app.clock.now();
        let tx = self.app.db.begin().await.expect("a transaction");
        let customer = people::create(&tx, &self.app.clock, "Test", false).await.expect("a customer");
        people::admit(&tx, customer.id, now).await.expect("an admission");
        tx.commit().await.expect("a commit");
        self.person_of(customer.id, mode, role).await
    }

    /// Another person of a customer, signed in.
    pub async fn person_of(&self, customer: CustomerId, mode: Mode, role: UserRole) -> Person {
        let email = self.user(Position::Member(customer, role)).await;
        let mut person = self.sign_in(&email, PASSWORD).await;
        person.customer = Some(customer);
        if mode == Mode::Live {
            let answer =
                self.send_as(&person, Method::POST, "/api/auth/mode", Some(&json!({ "mode": "live" }))).await;
            answer.expect(200);
        }
        person
    }

    /// Makes somebody who can sign in with [`Person::password`], and answers with their address.
    pub async fn user(&self, position: Position) -> String {
        let email = format!("{:032x}@example.com", rand::random::<u128>());
        let tx = self.app.db.begin().await.expect("a transaction");
        let password = SecretString::from(PASSWORD);
        people::create_user(&tx, &self.app.clock, &email, &password, position, false).await.expect("a user");
        tx.commit().await.expect("a commit");
        email
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Person {
        let body = json!({ "email": email, "password": password });
        let answer = self.send(None, Method::POST, "/api/auth/login", Some(&body), &[]).await;
        let mut person = Person {
            customer: None,
            email: email.to_owned(),
            password: password.to_owned(),
            cookie: String::new(),
            csrf: String::new(),
        };
        person.follow(&answer);
        answer.expect(200);
        person
    }

    /// Sends a request with the person's cookie and token, as a program does that is no browser.
    pub async fn send_as(&self, person: &Person, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let headers = [("cookie", person.cookie.as_str()), ("x-csrf-token", person.csrf.as_str())];
        self.send(None, method, path, body, &headers).await
    }

    pub async fn get_as(&self, person: &Person, path: &str) -> Answer {
        self.send_as(person, Method::GET, path, None).await
    }

    pub async fn post_as(&self, person: &Person, path: &str, body: &Value) -> Answer {
        self.send_as(person, Method::POST, path, Some(body)).await
    }
}

impl Person {
    /// Takes the cookie and the token over that an answer sets.
    pub fn follow(&mut self, answer: &Answer) {
        if let Some(cookie) = answer.header("set-cookie") {
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        let me = if answer.body["me"].is_object() { &answer.body["me"] } else { &answer.body };
        if let Some(csrf) = me["csrfToken"].as_str() {
            self.csrf = csrf.to_owned();
        }
    }
}
