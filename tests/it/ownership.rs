//! What belongs to somebody else is not there: on every route that names something by its id, to every kind of caller, and in
//! every list. A new route has to say here whose thing it names.

use entity::user::UserRole;
use entity::{Mode, TaskId};
use reelmeter::customer::caller::{INFERENCE_SCOPES, MANAGEMENT_SCOPES};
use reelmeter::customer::key::NewKey;
use reelmeter::http::PATHS;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Customer, Person, TestApp, on_both_engines};

use crate::wan;

on_both_engines!(
    what_is_another_customer_s_is_not_found_on_any_route,
    what_is_another_customer_s_is_in_no_list,
);

/// Whatever one customer can have.
struct Owner {
    customer: Customer,
    person: Person,
    session: String,
    task: TaskId,
    key: String,
    webhook: String,
    upload: String,
    /// That the webhook is owed.
    event: String,
}

impl Owner {
    async fn new(app: &TestApp) -> Owner {
        let customer = app.customer(Mode::Live, 100).await;
        let person = app.person_of(customer.id, Mode::Live, UserRole::Owner).await;
        let me = app.get_as(&person, "/api/auth/me").await.expect(200);
        let task = app.generate(&customer, &wan(json!({ "externalTaskId": "order-42" }))).await;
        assert_eq!(app.finished(&customer, &task).await["state"], json!("completed"));
        let made = app.post_as(&person, "/api/keys", &json!({ "name": "theirs" })).await.expect(201);
        let url = json!({ "url": "https://example.com/hook" });
        let webhook = app.post_as(&person, "/api/webhooks", &url).await.expect(201)["id"].clone();
        let webhook = webhook.as_str().unwrap().to_owned();
        let path = format!("/api/webhooks/{webhook}/test");
        let sent = app.send_as(&person, Method::POST, &path, None).await.expect(202);
        let upload = json!({ "data": crate::uploads::PIXEL });
        let upload = app.post(&customer, "/api/uploads", &upload).await.expect(200)["id"].clone();
        Owner {
            upload: upload.as_str().unwrap().to_owned(),
            event: sent["event"].as_str().unwrap().to_owned(),
            webhook,
            session: me["sessionId"].as_str().unwrap().to_owned(),
            task: task.parse().unwrap(),
            key: made["id"].as_str().unwrap().to_owned(),
            customer,
            person,
        }
    }

    /// Every spelling of what a route names; none for what belongs to nobody.
    fn named_by(&self, template: &str) -> Vec<String> {
        let ulid = self.task.to_string().trim_start_matches("tsk_").to_lowercase();
        let ids = vec![
            self.task.to_string(),
            format!("video_{ulid}"),
            format!("task_{ulid}"),
            self.task.0.to_string(),
        ];
        match template {
            path if path.starts_with("/api/ai/tasks/{id}")
                || path.starts_with("/v1/videos/{id}")
                || path.starts_with("/v1/video/generations/{id}") =>
            {
                ids
            }
            path if path.starts_with("/api/webhooks/{id}") => vec![self.webhook.clone()],
            "/kling/v1/videos/{kind}/{id}" => ids.into_iter().chain(["order-42".to_owned()]).collect(),
            "/kling/v1/videos/{kind}" => vec![],
            path if path.starts_with("/api/keys/{id}") => vec![self.key.clone()],
            path if path.starts_with("/api/auth/sessions/{id}") => vec![self.session.clone()],
            path if path.starts_with("/api/uploads/{id}") => vec![self.upload.clone()],
            path if path.starts_with("/api/ai/models/{id}") || path.starts_with("/v1/models/{id}") => vec![],
            path if path.starts_with("/api/actions/{name}") => vec![],
            path => panic!("{path} names something: say in Owner::named_by whose that is"),
        }
    }

    /// All that is theirs is still there and as good as before.
    async fn has_everything(&self, app: &TestApp) {
        let task = app.get(&self.customer, &format!("/api/ai/tasks/{}", self.task)).await.expect(200);
        assert_eq!((&task["state"], &task["cancelRequested"]), (&json!("completed"), &json!(false)));
        let key = app.get_as(&self.person, &format!("/api/keys/{}", self.key)).await.expect(200);
        assert_eq!((&key["name"], &key["status"]), (&json!("theirs"), &json!("active")));
        app.get_as(&self.person, "/api/auth/me").await.expect(200);
        let webhook = app.get_as(&self.person, &format!("/api/webhooks/{}", self.webhook)).await.expect(200);
        assert_eq!((&webhook["status"], &webhook["previousUntil"]), (&json!("active"), &Value::Null));
    }
}

/// Everybody who might ask for what is not theirs.
enum Stranger {
    Key(Customer),
    Person(Person),
}

async fn strangers(app: &TestApp, owner: &Owner) -> Vec<Stranger> {
    let scopes =
        |scopes: [&str; 3]| NewKey { scopes: scopes.map(str::to_owned).to_vec(), ..NewKey::default() };
    let mut strangers = Vec::new();
    for mode in [Mode::Live, Mode::Test] {
        strangers.push(Stranger::Key(app.customer_with(mode, 100, scopes(INFERENCE_SCOPES)).await));
        strangers.push(Stranger::Key(app.customer_with(mode, 100, scopes(MANAGEMENT_SCOPES)).await));
        strangers.push(Stranger::Person(app.person(mode, UserRole::Owner).await));
    }
    // Of the same customer, but in the other of the two worlds.
    strangers.push(Stranger::Person(app.person_of(owner.customer.id, Mode::Test, UserRole::Owner).await));
    strangers
}

impl Stranger {
    async fn send(&self, app: &TestApp, method: Method, path: &str, body: Option<&Value>) -> Answer {
        match self {
            Stranger::Key(customer) => app.send(Some(customer), method, path, body, &[]).await,
            Stranger::Person(person) => app.send_as(person, method, path, body).await,
        }
    }
}

/// Our own code of a refusal, in any dialect.
fn code(answer: &Answer) -> Value {
    answer.body.pointer("/error/code").unwrap_or(&answer.body["code"]).clone()
}

/// What a route wants to be told, so that nothing but whose it is stands in the way.
fn body_of(method: &str, template: &str) -> Option<Value> {
    match (method, template) {
        ("PATCH", "/api/keys/{id}") => Some(json!({ "name": "mine" })),
        ("POST", "/api/keys/{id}/rotate") => Some(json!({ "overlapSeconds": 0 })),
        ("PATCH", "/api/webhooks/{id}") => Some(json!({ "paused": true })),
        ("POST", "/api/webhooks/{id}/replay") => Some(json!({ "from": "2020-01-01T00:00:00Z" })),
        _ => None,
    }
}

async fn what_is_another_customer_s_is_not_found_on_any_route(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let owner = Owner::new(&app).await;
    let strangers = strangers(&app, &owner).await;
    let mut not_found = 0;
    for (template, methods) in PATHS.iter().filter(|(template, _)| template.contains('{')) {
        for id in owner.named_by(template) {
            let path = template
                .replace("{id}", &id)
                .replace("{event}", &owner.event)
                .replace("{kind}", "text2video");
            for (method, stranger) in
                methods.iter().flat_map(|method| strangers.iter().map(move |one| (method, one)))
            {
                let body = body_of(method, template);
                let answer = stranger.send(&app, method.parse().unwrap(), &path, body.as_ref()).await;
                let (status, code) = (answer.status.as_u16(), code(&answer));
                // Who may not do this at all is told so, whoever's it is.
                let is_told = code == "insufficient_scope" || code == "session_required";
                let may_not = status == 403 && (is_told || *method == "HEAD");
                assert!(status == 404 || may_not, "{method} {path}: {status} {}", answer.body);
                not_found += usize::from(status == 404);
            }
        }
    }
    assert!(not_found > 100, "{not_found}");
    owner.has_everything(&app).await;
    app
}

async fn what_is_another_customer_s_is_in_no_list(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let owner = Owner::new(&app).await;
    let theirs = [
        owner.task.to_string(),
        owner.key.clone(),
        owner.session.clone(),
        owner.customer.key_id.to_string(),
        owner.webhook.clone(),
    ];
    for stranger in strangers(&app, &owner).await {
        for path in [
            "/api/ai/tasks?limit=100",
            "/api/ai/tasks?externalId=order-42",
            "/kling/v1/videos/text2video?pageSize=500",
            "/api/keys?status=all",
            "/api/keys?status=all&mode=test",
            "/api/auth/sessions",
            "/api/webhooks?limit=100",
            "/api/ai/credits/ledger?limit=100",
            "/api/usage?groupBy=key",
            &format!("/api/ai/tasks?key={}", owner.customer.key_id),
            &format!("/api/usage?groupBy=key,model&key={}", owner.customer.key_id),
        ] {
            let answer = stranger.send(&app, Method::GET, path, None).await;
            let text = answer.body.to_string();
            // A key that is asked for by its id is the asker's own word.
            let found = theirs.iter().find(|id| text.contains(*id) && !path.contains(*id));
            assert_eq!(found, None, "{path}: {text}");
        }
    }
    app
}
