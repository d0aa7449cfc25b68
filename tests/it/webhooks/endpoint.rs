//! Making, changing and removing endpoints, and whose they are.

use entity::Mode;
use entity::user::UserRole;
use reelmeter::customer::endpoint::ENDPOINTS_MAX;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use super::{call, customer, endpoint, patch, post, read, text};

on_both_engines!(
    an_endpoint_is_made_read_changed_and_removed,
    the_list_of_endpoints_is_paged_newest_first,
    somebody_else_s_endpoint_is_not_found_and_neither_is_one_of_the_other_mode,
    an_account_has_a_limited_number_of_endpoints,
    what_is_wrong_with_an_endpoint_is_said_beside_its_field,
    endpoints_need_the_right_to_manage_keys,
);

async fn an_endpoint_is_made_read_changed_and_removed(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let body = json!({ "url": "https://example.com/hook", "description": " Mine ", "color": "red" });
    let answer = post(&app, &customer, "", body).await;
    let location = answer.header("location").unwrap().to_owned();
    let made = answer.expect(201);
    let id = text(&made["id"]);
    assert!(id.starts_with("whe_") && text(&made["secret"]).starts_with("whsec_"), "{made}");
    assert_eq!(location, format!("/api/webhooks/{id}"));
    assert_eq!((&made["events"], &made["status"]), (&json!(["*"]), &json!("active")));
    assert_eq!((&made["description"], made["warnings"].as_array().unwrap().len()), (&json!("Mine"), 1));
    let shown = read(&app, &customer, &format!("/{id}")).await;
    assert_eq!((&shown["url"], shown.get("secret")), (&json!("https://example.com/hook"), None));
    let change = json!({ "events": ["video.*"], "paused": true, "url": "https://example.com/other" });
    let changed = patch(&app, &customer, &id, change).await.expect(200);
    assert_eq!((&changed["events"], &changed["status"]), (&json!(["video.*"]), &json!("paused")));
    assert_eq!(
        (&changed["url"], &changed["description"]),
        (&json!("https://example.com/other"), &json!("Mine"))
    );
    let on = patch(&app, &customer, &id, json!({ "paused": false, "events": null })).await.expect(200);
    assert_eq!((&on["events"], &on["status"]), (&json!(["*"]), &json!("active")));
    call(&app, &customer, Method::DELETE, &format!("/{id}"), Value::Null).await.expect(204);
    let gone = call(&app, &customer, Method::GET, &format!("/{id}"), Value::Null).await.expect(404);
    assert_eq!(gone["code"], "webhook_not_found");
    app
}

async fn the_list_of_endpoints_is_paged_newest_first(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let mut made = Vec::new();
    for port in 1..=3 {
        made.insert(0, endpoint(&app, &customer, port, Value::Null).await.0);
    }
    let ids = |page: &Value| {
        page["data"].as_array().unwrap().iter().map(|row| text(&row["id"])).collect::<Vec<_>>()
    };
    let first = read(&app, &customer, "?limit=2").await;
    assert_eq!(ids(&first), made[..2]);
    let rest = read(&app, &customer, &format!("?limit=2&cursor={}", text(&first["nextCursor"]))).await;
    assert_eq!((ids(&rest), &rest["nextCursor"]), (made[2..].to_vec(), &Value::Null));
    app
}

/// Each operation on an endpoint.
fn operations(id: &str, event: &str) -> Vec<(Method, String, Value)> {
    vec![
        (Method::GET, format!("/{id}"), Value::Null),
        (Method::PATCH, format!("/{id}"), json!({ "paused": true })),
        (Method::POST, format!("/{id}/rotate"), Value::Null),
        (Method::POST, format!("/{id}/test"), Value::Null),
        (Method::GET, format!("/{id}/deliveries"), Value::Null),
        (Method::POST, format!("/{id}/deliveries/{event}/resend"), Value::Null),
        (Method::POST, format!("/{id}/replay"), json!({ "from": "2020-01-01T00:00:00Z" })),
        (Method::DELETE, format!("/{id}"), Value::Null),
    ]
}

async fn somebody_else_s_endpoint_is_not_found_and_neither_is_one_of_the_other_mode(app: TestApp) -> TestApp {
    let owner = customer(&app, Mode::Live).await;
    let (id, _) = endpoint(&app, &owner, 1, Value::Null).await;
    let event = super::test(&app, &owner, &id).await;
    let stranger = customer(&app, Mode::Live).await;
    let person = app.person_of(owner.id, Mode::Test, UserRole::Owner).await;
    for (method, path, body) in operations(&id, &event) {
        let answer = call(&app, &stranger, method.clone(), &path, body.clone()).await;
        assert_eq!(answer.expect(404)["code"], "webhook_not_found", "{method} {path}");
        let body = (!body.is_null()).then_some(&body);
        let answer = app.send_as(&person, method.clone(), &format!("/api/webhooks{path}"), body).await;
        assert_eq!(answer.expect(404)["code"], "webhook_not_found", "{method} {path} in the other mode");
    }
    for (method, path, body) in operations("whe_x", &event) {
        call(&app, &owner, method, &path, body).await.expect(404);
    }
    assert_eq!(read(&app, &stranger, "").await["data"], json!([]));
    assert_eq!(read(&app, &owner, &format!("/{id}")).await["status"], "active");
    app
}

async fn an_account_has_a_limited_number_of_endpoints(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let url = json!({ "url": "https://example.com" });
    let mut last = String::new();
    for _ in 0..ENDPOINTS_MAX {
        last = text(&post(&app, &customer, "", url.clone()).await.expect(201)["id"]);
    }
    assert_eq!(post(&app, &customer, "", url.clone()).await.expect(409)["code"], "too_many_webhooks");
    call(&app, &customer, Method::DELETE, &format!("/{last}"), Value::Null).await.expect(204);
    post(&app, &customer, "", url).await.expect(201);
    app
}

async fn what_is_wrong_with_an_endpoint_is_said_beside_its_field(app: TestApp) -> TestApp {
    let customer = customer(&app, Mode::Live).await;
    let body = json!({ "url": "http://example.com", "events": ["video.queued"], "description": 1 });
    let refused = post(&app, &customer, "", body).await.expect(400);
    let fields: Vec<&String> = refused["details"]["fieldErrors"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["description", "events", "url"]);
    app
}

async fn endpoints_need_the_right_to_manage_keys(app: TestApp) -> TestApp {
    let generating = app.customer(Mode::Live, 100).await;
    let refused = |customer: Customer, method: Method, path: &'static str| {
        let app = &app;
        async move { call(app, &customer, method, path, Value::Null).await.expect(403) }
    };
    for path in ["", "/secret"] {
        let answer = refused(generating.clone(), Method::GET, path).await;
        assert_eq!(answer["code"], "insufficient_scope", "{path}");
    }
    refused(generating.clone(), Method::POST, "/secret").await;
    let viewer = app.person_of(generating.id, Mode::Live, UserRole::Viewer).await;
    app.get_as(&viewer, "/api/webhooks").await.expect(403);
    let developer = app.person_of(generating.id, Mode::Live, UserRole::Developer).await;
    app.get_as(&developer, "/api/webhooks").await.expect(200);
    app
}
