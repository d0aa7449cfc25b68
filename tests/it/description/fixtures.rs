//! What the examples of the description stand for in a running server: who sends each, and whatever of it only this server
//! knows. An operation that wants a state of its own makes it here.

use entity::user::UserRole;
use entity::{Credits, Mode};
use reelmeter::customer::people;
use reelmeter::customer::promotion::{self, NewPromotion};
use reelmeter::http::description::{Example, texts};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use tests::{Customer, Person, TestApp};

use super::Operation;
use crate::people::{password, second_factor};
use crate::{beta, wan};

/// What a key that generates may not do: a person does it.
const FOR_PEOPLE: [&str; 21] = [
    "createKey",
    "listKeys",
    "getKey",
    "changeKey",
    "rotateKey",
    "revokeKey",
    "deleteKey",
    "redeemCode",
    "setAlerts",
    "getWebhookSecret",
    "rotateWebhookSecret",
    "listWebhooks",
    "createWebhook",
    "getWebhook",
    "changeWebhook",
    "deleteWebhook",
    "rotateWebhook",
    "testWebhook",
    "listDeliveries",
    "resendDelivery",
    "replayWebhook",
];

pub struct Fixtures {
    pub app: TestApp,
    customer: Customer,
    /// Of the customer; for all that leaves their session as it is.
    manager: Person,
    completed: String,
    /// An endpoint that nobody listens at, and an event that it is owed.
    owed: (String, String),
}

impl Fixtures {
    pub async fn new(app: TestApp) -> Fixtures {
        let app = app.with_worker().await;
        let customer = app.customer(Mode::Live, 1_000).await;
        let completed = completed_task(&app, &customer).await;
        let manager = app.person_of(customer.id, Mode::Live, UserRole::Owner).await;
        let owed = owed(&app, &manager).await;
        Fixtures { app, customer, manager, completed, owed }
    }

    /// Sends an operation's example, as whoever may, or as nobody.
    pub async fn send(&self, operation: &Operation<'_>, example: &Example, as_nobody: bool) -> Response {
        let person = self.person(operation).await;
        let body = match &example.body {
            Some(body) => Some(self.body(operation, &person, body.clone()).await),
            None => None,
        };
        let request = self.request(operation, example, &person).await;
        let request = if as_nobody { request } else { self.signed(operation, &person, request) };
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.expect("the server answers")
    }

    /// A person of the customer; for what only those who wait can do, of one who waits.
    async fn person(&self, operation: &Operation<'_>) -> Person {
        match operation.id() {
            "redeemInvite" => self.somebody_who_waits().await,
            // How often somebody may sign in is limited.
            _ if !operation.path.starts_with("/api/auth/") => self.manager.clone(),
            _ => self.app.person_of(self.customer.id, Mode::Live, UserRole::Owner).await,
        }
    }

    async fn somebody_who_waits(&self) -> Person {
        let clock = &self.app.app.clock;
        let tx = self.app.app.db.begin().await.unwrap();
        let customer = people::create(&tx, clock, "Waiting", false).await.unwrap();
        tx.commit().await.unwrap();
        self.app.person_of(customer.id, Mode::Test, UserRole::Owner).await
    }

    async fn request(&self, operation: &Operation<'_>, example: &Example, person: &Person) -> RequestBuilder {
        let (mut path, mut query, mut headers) = (operation.path.to_owned(), Vec::new(), Vec::new());
        for parameter in operation.parameters() {
            let name = parameter["name"].as_str().unwrap();
            let given: Vec<String> = example.parameters.get(name).into_iter().flat_map(texts).collect();
            match parameter["in"].as_str().unwrap() {
                "path" => {
                    let value = self.path_parameter(operation, name, given.concat(), person).await;
                    path = path.replace(&format!("{{{name}}}"), &value);
                }
                "query" if operation.id() == "getJob" => query.push((name, self.completed.clone())),
                "query" => query.extend(given.into_iter().map(|value| (name, value))),
                _ => headers.extend(given.into_iter().map(|value| (name, value))),
            }
        }
        let url = format!("{}{path}", self.app.url);
        let url = if query.is_empty() { Url::parse(&url) } else { Url::parse_with_params(&url, query) };
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let request = self.app.client.request(method, url.expect("an address"));
        headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    async fn path_parameter(
        &self,
        operation: &Operation<'_>,
        name: &str,
        given: String,
        person: &Person,
    ) -> String {
        match (operation.path, name) {
            ("/api/ai/tasks/{id}", "id") if operation.method == "DELETE" => {
                completed_task(&self.app, &self.customer).await
            }
            ("/v1/videos/{id}", "id") if operation.method == "DELETE" => {
                completed_task(&self.app, &self.customer).await
            }
            ("/v1/videos/{id}/remix", "id") => self.changeable().await,
            (path, "id") if path.starts_with("/api/ai/tasks/") || path.starts_with("/v1/videos/") => {
                self.completed.clone()
            }
            (path, "name") if path.starts_with("/api/actions/") => given,
            (path, "id") if path.starts_with("/api/uploads/") => self.upload().await,
            ("/v1/video/generations/{id}" | "/kling/v1/videos/{kind}/{id}", "id") => self.completed.clone(),
            (path, "kind") if path.starts_with("/kling/") => given,
            (path, "id") if path.starts_with("/api/keys/") => self.key(person).await,
            (path, "id") if path.starts_with("/api/auth/sessions/") => self.session(person).await,
            ("/api/ai/models/{id}" | "/api/ai/models/{id}/schema" | "/v1/models/{id}", "id") => given,
            ("/api/webhooks/{id}", "id") => self.endpoint(person).await,
            (path, "id") if path.starts_with("/api/webhooks/") => self.owed.0.clone(),
            (path, "event") if path.starts_with("/api/webhooks/") => self.owed.1.clone(),
            _ => panic!(
                "{} ({} {}): say in Fixtures::path_parameter what its {{{name}}} stands for",
                operation.id(),
                operation.method,
                operation.path
            ),
        }
    }

    /// A finished video of a model that can change it.
    async fn changeable(&self) -> String {
        let order =
            json!({ "model": "bytedance/seedance-2-fast", "inputMode": "text_to_video", "prompt": "a boat" });
        let task = self.app.generate(&self.customer, &order).await;
        assert_eq!(self.app.finished(&self.customer, &task).await["state"], "completed");
        task
    }

    /// A picture that the customer has uploaded.
    async fn upload(&self) -> String {
        let body = json!({ "data": crate::uploads::PIXEL });
        let upload = self.app.post(&self.customer, "/api/uploads", &body).await.expect(200);
        upload["id"].as_str().unwrap().to_owned()
    }

    /// A new key.
    async fn key(&self, person: &Person) -> String {
        let made = self.app.post_as(person, "/api/keys", &json!({ "name": "another" })).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// A new endpoint.
    async fn endpoint(&self, person: &Person) -> String {
        endpoint(&self.app, person).await
    }

    /// Another session of the person's.
    async fn session(&self, person: &Person) -> String {
        let other = self.app.sign_in(&person.email, &person.password).await;
        let me = self.app.get_as(&other, "/api/auth/me").await.expect(200);
        me["sessionId"].as_str().unwrap().to_owned()
    }

    fn signed(&self, operation: &Operation<'_>, person: &Person, request: RequestBuilder) -> RequestBuilder {
        let is_for_people = FOR_PEOPLE.contains(&operation.id());
        if operation.takes("bearer") && !is_for_people {
            return request.bearer_auth(&self.customer.key);
        }
        if !operation.takes("session") {
            return request;
        }
        request.header("cookie", &person.cookie).header("x-csrf-token", &person.csrf)
    }

    /// The example's body with what only this server knows.
    async fn body(&self, operation: &Operation<'_>, person: &Person, mut body: Value) -> Value {
        match operation.id() {
            "register" | "redeemInvite" => {
                let (_, code) = beta::invitation(&self.app, 1, None).await;
                body["inviteCode"] = code.into();
            }
            "login" => {
                body["email"] = person.email.clone().into();
                body["password"] = person.password.clone().into();
            }
            "changePassword" => body["currentPassword"] = person.password.clone().into(),
            "beginTotp" | "deleteTotp" => body["password"] = person.password.clone().into(),
            "confirmTotp" => body["code"] = self.code(person).await.into(),
            "resetPassword" => body["token"] = password::link(&self.app, person).await.into(),
            "editVideo" | "extendVideo" => body["video"]["id"] = self.changeable().await.into(),
            "callJimeng" => body["task_id"] = self.completed.clone().into(),
            "redeemCode" => self.promotion(body["code"].as_str().unwrap()).await,
            _ => {}
        }
        body
    }

    /// A code of the authenticator that the person has just got the secret of.
    async fn code(&self, person: &Person) -> String {
        let asked = json!({ "password": person.password });
        let begun = self.app.post_as(person, "/api/auth/totp", &asked).await.expect(200);
        second_factor::code_of(&self.app, begun["secret"].as_str().unwrap())
    }

    async fn promotion(&self, code: &str) {
        let new = NewPromotion {
            code: code.to_owned(),
            mode: Mode::Live,
            credits: Credits::from_whole(50).unwrap(),
            redemptions: 1,
            grant_days: Some(90),
            expires_at: None,
            note: "test".into(),
            created_by: "test".into(),
        };
        let tx = self.app.app.db.begin().await.unwrap();
        assert!(promotion::create(&tx, new, self.app.app.clock.now()).await.unwrap());
        tx.commit().await.unwrap();
    }
}

async fn completed_task(app: &TestApp, customer: &Customer) -> String {
    let task = app.generate(customer, &wan(json!({}))).await;
    assert_eq!(app.finished(customer, &task).await["state"], "completed");
    task
}

async fn endpoint(app: &TestApp, person: &Person) -> String {
    let made = app.post_as(person, "/api/webhooks", &json!({ "url": "https://localhost:1/hook" })).await;
    made.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn owed(app: &TestApp, person: &Person) -> (String, String) {
    let id = endpoint(app, person).await;
    let path = format!("/api/webhooks/{id}/test");
    let sent = app.send_as(person, Method::POST, &path, None).await.expect(202);
    (id, sent["event"].as_str().unwrap().to_owned())
}
