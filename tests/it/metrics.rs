//! What operators can watch: where it is served and to whom, that its numbers move with what happens, and that money is what
//! the ledger says.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::Mode;
use poem::Endpoint;
use poem::listener::{Acceptor, Listener, TcpListener};
use reelmeter::app::App;
use reelmeter::config::Config;
use reelmeter::http;
use reelmeter::metrics::table::{self, Kind};
use reelmeter::provider::FailureCode;
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use secrecy::SecretString;
use serde_json::json;
use tests::{Customer, Step, TestApp, on_both_engines};

use crate::program::PATIENCE;
use crate::{sora, wan};

on_both_engines!(
    without_a_key_in_the_settings_there_is_no_such_path,
    on_the_ordinary_address_the_key_is_asked_for,
    on_an_address_of_their_own_metrics_need_no_key,
    numbers_move_with_what_happens,
    money_is_what_the_ledger_says_also_after_a_restart,
    the_database_is_asked_at_most_every_five_seconds,
    a_database_that_is_away_costs_only_its_own_numbers,
    nothing_that_callers_choose_is_in_the_text_or_makes_it_longer,
);

const GENERATE: &str = "/api/ai/video/generate";
const KEY: &str = "a key of the operators";

/// Serves something on a socket of its own.
async fn serve(endpoint: impl Endpoint + 'static) -> String {
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = acceptor.local_addr()[0].as_socket_addr().copied().unwrap();
    tokio::spawn(async move { poem::Server::new_with_acceptor(acceptor).run(endpoint).await });
    format!("http://{address}")
}

/// What is scraped, by series: `name{label="value"}` to its number.
async fn scrape(app: &TestApp) -> BTreeMap<String, f64> {
    series(&text(app).await)
}

async fn text(app: &TestApp) -> String {
    reelmeter::scrape::text(&app.app).await
}

fn series(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let number = |line: &str| {
        let (name, number) = line.rsplit_once(' ').expect("a series and its number");
        (name.to_owned(), number.parse().expect("a number"))
    };
    lines.map(number).collect()
}

#[track_caller]
fn assert_series(found: &BTreeMap<String, f64>, wanted: &[(&str, f64)]) {
    for (name, number) in wanted {
        assert_eq!(found.get(*name), Some(number), "{name} in\n{found:#?}");
    }
}

async fn without_a_key_in_the_settings_there_is_no_such_path(app: TestApp) -> TestApp {
    for method in [Method::GET, Method::POST] {
        for key in [None, Some("Bearer x")] {
            let headers: Vec<(&str, &str)> = key.into_iter().map(|key| ("authorization", key)).collect();
            let metrics = app.send(None, method.clone(), "/metrics", None, &headers).await;
            let unknown = app.send(None, method.clone(), "/no-such-path", None, &headers).await;
            let (metrics, unknown) = (metrics.expect(404), unknown.expect(404));
            assert_eq!((&metrics["code"], &metrics["detail"]), (&json!("not_found"), &unknown["detail"]));
        }
    }
    let paths = &http::openapi().unwrap()["paths"];
    assert!(
        paths["/readyz"].is_object() && paths["/metrics"].is_null(),
        "operators' paths are no part of the API"
    );
    app
}

async fn on_the_ordinary_address_the_key_is_asked_for(app: TestApp) -> TestApp {
    let config = Config { metrics_key: Some(SecretString::from(KEY)), ..Config::default() };
    let url = serve(http::endpoint(App { config: Arc::new(config), ..app.app.clone() })).await;
    let ask = async |method: Method, authorization: Option<String>| {
        let mut request = app.client.request(method, format!("{url}/metrics"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        request.send().await.unwrap()
    };
    let customer = app.customer(Mode::Test, 1).await;
    for wrong in [
        None,
        Some("Bearer wrong".into()),
        Some(format!("Bearer {}", customer.key)),
        Some(format!("Basic {KEY}")),
    ] {
        let refused = ask(Method::GET, wrong.clone()).await;
        assert_eq!(refused.status(), 401, "{wrong:?}");
        let body = refused.text().await.unwrap();
        assert!(body.contains("unauthorized") && !body.contains("reelmeter_"), "{body}");
    }
    let answer = ask(Method::GET, Some(format!("Bearer {KEY}"))).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let found = series(&answer.text().await.unwrap());
    // The wrong ones, the wanted one not yet.
    let refused = r#"reelmeter_http_requests_total{method="GET",route="/metrics",status="4xx"}"#;
    assert_series(&found, &[(refused, 4.0), ("reelmeter_http_requests_in_flight", 1.0)]);
    assert_eq!(ask(Method::HEAD, Some(format!("Bearer {KEY}"))).await.status(), 200);
    let wrong_method = ask(Method::POST, Some(format!("Bearer {KEY}"))).await;
    assert_eq!(
        (wrong_method.status().as_u16(), wrong_method.headers()["allow"].to_str().unwrap()),
        (405, "GET, HEAD")
    );
    app
}

async fn on_an_address_of_their_own_metrics_need_no_key(app: TestApp) -> TestApp {
    let url = serve(http::metrics::endpoint(app.app.clone())).await;
    let get = async |path: &str| app.client.get(format!("{url}{path}")).send().await.unwrap();
    let answer = get("/metrics").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let version = format!("reelmeter_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_series(&series(&answer.text().await.unwrap()), &[(&version, 1.0), ("reelmeter_database_up", 1.0)]);
    assert_eq!(get("/healthz").await.status(), 200);
    assert_eq!(get("/api/ai/credits").await.status(), 404);
    app
}

async fn numbers_move_with_what_happens(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 70).await;
    app.fake.on_submit([Step::Unavailable]);
    let delivered = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &delivered).await;
    app.fake.on_poll([Step::Fail(FailureCode::ModerationInput)]);
    let failed = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &failed).await;
    app.post(&customer, GENERATE, &wan(json!({ "count": 2 }))).await.expect(402);
    app.get(&customer, "/api/ai/tasks/tsk_none").await.expect(404);
    let found = scrape(&app).await;
    assert_series(
        &found,
        &[
            (
                r#"reelmeter_http_requests_total{method="POST",route="/api/ai/video/generate",status="2xx"}"#,
                2.0,
            ),
            (
                r#"reelmeter_http_requests_total{method="POST",route="/api/ai/video/generate",status="4xx"}"#,
                1.0,
            ),
            (r#"reelmeter_http_requests_total{method="GET",route="/api/ai/tasks/{id}",status="4xx"}"#, 1.0),
            (
                r#"reelmeter_http_request_duration_seconds_count{method="POST",route="/api/ai/video/generate",status="2xx"}"#,
                2.0,
            ),
            (r#"reelmeter_http_refusals_total{code="insufficient_credits"}"#, 1.0),
            (r#"reelmeter_http_refusals_total{code="task_not_found"}"#, 1.0),
            ("reelmeter_http_requests_in_flight", 0.0),
            (r#"reelmeter_tasks_accepted_total{mode="live"}"#, 2.0),
            (r#"reelmeter_tasks_accepted_total{mode="test"}"#, 0.0),
            (r#"reelmeter_tasks_settled_total{state="completed"}"#, 1.0),
            (r#"reelmeter_tasks_settled_total{state="failed"}"#, 1.0),
            (r#"reelmeter_lane_refusals_total{reason="insufficient"}"#, 1.0),
            (r#"reelmeter_lane_waiting_commands{queue="urgent"}"#, 0.0),
            (r#"reelmeter_worker_claims_total{provider="kie"}"#, 2.0),
            (r#"reelmeter_provider_calls_total{provider="kie",call="submit",outcome="unavailable"}"#, 1.0),
            (r#"reelmeter_provider_calls_total{provider="kie",call="submit",outcome="accepted"}"#, 2.0),
            (r#"reelmeter_provider_calls_total{provider="kie",call="poll",outcome="succeeded"}"#, 1.0),
            (r#"reelmeter_provider_calls_total{provider="kie",call="poll",outcome="failed"}"#, 1.0),
            (r#"reelmeter_provider_failures_total{provider="kie",code="moderation_input"}"#, 1.0),
            (r#"reelmeter_provider_cost_micro_usd_total{provider="kie",fate="delivered"}"#, 250_000.0),
            (r#"reelmeter_clip_store_duration_seconds_count{outcome="stored"}"#, 1.0),
            ("reelmeter_workers", 1.0),
        ],
    );
    // The grant, three accepts and two settlements, each alone.
    assert_series(
        &found,
        &[("reelmeter_lane_batch_commands_sum", 6.0), ("reelmeter_lane_commit_duration_seconds_count", 6.0)],
    );
    assert!(found["reelmeter_clip_stored_bytes_total"] > 4_096.0, "{found:#?}");
    app
}

/// Everything that the database says of money, from the journal's own legs.
async fn journal(app: &TestApp) -> BTreeMap<String, f64> {
    let db = app.app.db.read();
    let sql = "SELECT mode, place, CAST(SUM(amount) AS bigint) AS amount FROM entry GROUP BY mode, place";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let mut found = BTreeMap::new();
    for row in rows {
        let mode: String = row.try_get("", "mode").unwrap();
        let place: String = row.try_get("", "place").unwrap();
        let credits = row.try_get::<i64>("", "amount").unwrap() as f64 / 1_000.0;
        let name = match place.as_str() {
            "available" | "held" => format!("reelmeter_{place}_credits{{mode=\"{mode}\"}}"),
            _ => format!("reelmeter_book_credits{{mode=\"{mode}\",account=\"{place}\"}}"),
        };
        found.insert(name, credits);
    }
    found
}

async fn money_is_what_the_ledger_says_also_after_a_restart(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let (live, test) = (app.customer(Mode::Live, 200).await, app.customer(Mode::Test, 100).await);
    for step in [Step::Deliver(5), Step::Deliver(3), Step::Fail(FailureCode::Internal)] {
        app.fake.on_poll([step]);
        let task = app.generate(&live, &wan(json!({}))).await;
        app.finished(&live, &task).await;
    }
    // Nobody works from here on: what is accepted stays open.
    let app = app.restart().await;
    app.generate(&live, &wan(json!({}))).await;
    app.generate(&test, &sora(json!({}))).await;
    app.generate(&test, &sora(json!({}))).await;
    app.advance(60);
    let before = scrape(&app).await;
    assert_series(
        &before,
        &[
            (r#"reelmeter_available_credits{mode="live"}"#, 122.0),
            (r#"reelmeter_held_credits{mode="live"}"#, 30.0),
            (r#"reelmeter_debt_credits{mode="live"}"#, 0.0),
            (r#"reelmeter_available_credits{mode="test"}"#, 76.0),
            (r#"reelmeter_held_credits{mode="test"}"#, 24.0),
            (r#"reelmeter_book_credits{mode="live",account="revenue"}"#, 48.0),
            (r#"reelmeter_book_credits{mode="live",account="purchases"}"#, -200.0),
            (r#"reelmeter_book_credits{mode="live",account="promotions"}"#, 0.0),
            (r#"reelmeter_open_holds{mode="live"}"#, 1.0),
            (r#"reelmeter_open_holds{mode="test"}"#, 2.0),
            (r#"reelmeter_jobs{provider="kie",state="queued"}"#, 1.0),
            (r#"reelmeter_jobs{provider="kie",state="running"}"#, 0.0),
            (r#"reelmeter_jobs{provider="sandbox",state="queued"}"#, 2.0),
            ("reelmeter_inbox_unprocessed", 0.0),
            ("reelmeter_workers", 0.0),
        ],
    );
    for name in [
        "reelmeter_oldest_open_hold_age_seconds{mode=\"live\"}",
        "reelmeter_oldest_unclaimed_job_age_seconds{provider=\"sandbox\"}",
    ] {
        assert!((60.0..120.0).contains(&before[name]), "{name} {}", before[name]);
    }
    let journal = journal(&app).await;
    assert!(journal.len() >= 7, "{journal:#?}");
    for (name, credits) in &journal {
        assert_eq!(before.get(name), Some(credits), "{name}");
    }
    let app = app.restart().await;
    let after = scrape(&app).await;
    let money = |found: &BTreeMap<String, f64>| {
        let names = ["credits{", "open_holds{", "reelmeter_jobs{"];
        let is_money = |name: &str| names.iter().any(|part| name.contains(part));
        found
            .iter()
            .filter(|(name, _)| is_money(name))
            .map(|(name, n)| (name.clone(), *n))
            .collect::<Vec<_>>()
    };
    assert_eq!(money(&after), money(&before));
    assert_series(&after, &[(r#"reelmeter_tasks_accepted_total{mode="live"}"#, 0.0)]);
    app
}

async fn the_database_is_asked_at_most_every_five_seconds(app: TestApp) -> TestApp {
    let name = r#"reelmeter_available_credits{mode="test"}"#;
    let customer = app.customer(Mode::Test, 10).await;
    assert_series(&scrape(&app).await, &[(name, 10.0)]);
    app.grant(&customer, 5).await;
    assert_series(&scrape(&app).await, &[(name, 10.0)]);
    app.advance(5);
    assert_series(&scrape(&app).await, &[(name, 15.0)]);
    app
}

async fn a_database_that_is_away_costs_only_its_own_numbers(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 10).await;
    app.get(&customer, "/api/ai/credits").await.expect(200);
    app.app.db.clone().close().await.unwrap();
    let found = scrape(&app).await;
    let requests = r#"reelmeter_http_requests_total{method="GET",route="/api/ai/credits",status="2xx"}"#;
    assert_series(&found, &[("reelmeter_database_up", 0.0), (requests, 1.0)]);
    assert!(!found.keys().any(|name| name.starts_with("reelmeter_available_credits")), "{found:#?}");
    app.restart().await
}

async fn nothing_that_callers_choose_is_in_the_text_or_makes_it_longer(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 1_000).await;
    let prompt = "a secret fox under a purple moon";
    let answer =
        app.post_keyed(&customer, GENERATE, &wan(json!({ "prompt": prompt })), "order-42").await.expect(200);
    let task = answer["taskId"].as_str().unwrap().to_owned();
    app.finished(&customer, &task).await;
    probe(&app, &customer, 0).await;
    let are_checked = async {
        while !text(&app).await.contains("\nreelmeter_book_violations ") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, are_checked)
        .await
        .expect("a worker checks the books soon after its start");
    let before = scrape(&app).await.len();
    for n in 1..50 {
        probe(&app, &customer, n).await;
    }
    let text = text(&app).await;
    assert_eq!(series(&text).len(), before, "{text}");
    let ids = [customer.id.to_string(), customer.account.to_string(), customer.key_id.to_string()];
    let chosen = [&task, &customer.key, prompt, "order-42", "wan/2-6", "wp-admin", "BREW", "purple"];
    for word in ids.iter().map(String::as_str).chain(chosen) {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
    every_series_is_documented(&text);
    app
}

/// What somebody sends who looks around.
async fn probe(app: &TestApp, customer: &Customer, n: u32) {
    app.get(customer, &format!("/wp-admin/{n}")).await.expect(404);
    app.get(customer, &format!("/api/ai/tasks/purple-{n}?key=purple")).await.expect(404);
    let brew = Method::from_bytes(format!("BREW{n}").as_bytes()).unwrap();
    app.send(None, brew, &format!("/purple/{n}"), None, &[("x-request-id", "purple")]).await.expect(404);
}

/// The metrics in the table of docs/OPERATIONS.md: name, type and labels.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let text = include_str!("../../docs/OPERATIONS.md");
    let unquoted = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let labels = cells[2].split(',').map(unquoted).filter(|label| !label.is_empty());
        (unquoted(cells[0]), (cells[1].trim().to_owned(), labels.collect()))
    };
    text.lines().filter(|line| line.starts_with("| `reelmeter_")).map(row).collect()
}

fn every_series_is_documented(text: &str) {
    let documented = documented();
    let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(types.len() > 30, "{text}");
    for line in types {
        let (name, kind) = line.split_once(' ').unwrap();
        assert_eq!(documented.get(name).map(|(kind, _)| kind.as_str()), Some(kind), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
}

#[test]
fn the_document_lists_every_metric_as_it_is() {
    let kind = |kind| match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let listed = table::ALL.iter().map(|metric| {
        let labels = metric.labels.iter().map(ToString::to_string).collect();
        (metric.name.to_owned(), (kind(metric.kind).to_owned(), labels))
    });
    assert_eq!(documented(), listed.collect());
}
