//! `reel doctor`: what it finds, and what it says to do.

use entity::Mode;
use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpListener};
use reelmeter::customer::caller::MANAGEMENT_SCOPES;
use reelmeter::customer::key::NewKey;
use serde_json::{Value, json};
use tests::{TestApp, on_both_engines};

use super::{Ran, Reel};

on_both_engines!(
    all_is_well_where_all_is_well,
    what_would_stop_an_order_is_a_warning,
    the_first_failure_decides_the_exit_code,
    a_clock_that_is_wrong_and_a_host_that_is_another_are_told,
);

const NAMES: [&str; 7] = ["settings", "server", "ready", "clock", "key", "balance", "models"];

fn found(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let mut checks = found["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {found:#}"))
}

async fn all_is_well_where_all_is_well(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let found = reel.json(&["doctor"]).await;
    let names: Vec<&Value> = found["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    assert_eq!((json!(names), &found["ok"]), (json!(NAMES), &json!(true)));
    assert!(NAMES.iter().all(|name| check(&found, name)["status"] == "ok"), "{found:#}");
    let lines = reel.run(&["doctor"]).await.expect(0).stdout;
    assert_eq!(lines.lines().count(), NAMES.len(), "{lines}");
    assert!(lines.contains("100 credits") && !lines.contains(&customer.key), "{lines}");

    let scopes = MANAGEMENT_SCOPES.map(str::to_owned).to_vec();
    let manager = app.customer_with(Mode::Test, 100, NewKey { scopes, ..NewKey::default() }).await;
    let found = Reel::of(&app, &manager).json(&["doctor"]).await;
    assert_eq!(check(&found, "key")["status"], json!("ok"));
    app
}

async fn what_would_stop_an_order_is_a_warning(app: TestApp) -> TestApp {
    let poor = app.customer(Mode::Test, 0).await;
    let reel = Reel::nobody();
    reel.run(&["login", "--host", &app.url, "--api-key", &poor.key]).await.expect(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(reel.path(".config/reel/config.toml"), open).unwrap();
        let found = reel.json(&["doctor"]).await;
        assert!(check(&found, "settings")["hint"].as_str().unwrap().contains("chmod 600"), "{found:#}");
    }
    let found = reel.json(&["doctor"]).await;
    for name in ["key", "balance"] {
        assert_eq!(check(&found, name)["status"], json!("warning"), "{found:#}");
    }
    assert!(check(&found, "key")["message"].as_str().unwrap().contains("insufficient_credits"));
    app
}

async fn the_first_failure_decides_the_exit_code(app: TestApp) -> TestApp {
    let wrong = "sk-rm_test_00000000000000000000000000000000";
    let reel = Reel::nobody();
    let nowhere = ["doctor", "--host", "http://127.0.0.1:9", "--api-key", wrong, "--json"];
    let ran = reel.run(&nowhere).await.expect(1);
    assert_eq!(check(&found(&ran), "server")["status"], json!("failed"));
    assert!(ran.failure()["hint"].as_str().unwrap().contains("Nothing answers there"), "{}", ran.stderr);
    let ran = reel.run(&["doctor", "--host", &app.url, "--api-key", wrong, "--json"]).await.expect(4);
    assert_eq!(
        json!([check(&found(&ran), "server")["status"], check(&found(&ran), "key")["status"]]),
        json!(["ok", "failed"])
    );
    let ran = reel.run(&["doctor", "--host", &app.url]).await.expect(4);
    assert!(ran.stdout.lines().last().unwrap().starts_with("key"), "{}", ran.stdout);
    assert!(ran.stderr.contains("reel login"), "{}", ran.stderr);
    std::fs::write(reel.path(".reel.toml"), "colour = \"red\"\n").unwrap();
    let ran = reel.run(&["doctor", "--json"]).await.expect(2);
    assert!(check(&found(&ran), "settings")["message"].as_str().unwrap().contains(".reel.toml"));
    app
}

/// A server that answers everything with this, and has a clock of its own.
async fn server(body: &'static str, date: &'static str) -> String {
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let url = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().unwrap());
    let answer = make(move |_| async move {
        Ok::<_, poem::Error>(
            poem::Response::builder().content_type("application/json").header("date", date).body(body),
        )
    });
    tokio::spawn(async move { poem::Server::new_with_acceptor(acceptor).run(answer).await });
    url
}

async fn a_clock_that_is_wrong_and_a_host_that_is_another_are_told(app: TestApp) -> TestApp {
    let date = "Thu, 01 Jan 2015 00:00:00 GMT";
    let reel = Reel::nobody();
    let early = server("{\"status\":\"ok\"}", date).await;
    let ran = reel.run(&["doctor", "--host", &early, "--api-key", "sk-rm_test_x", "--json"]).await;
    let found_there = found(&ran);
    let clock = check(&found_there, "clock");
    assert_eq!(clock["status"], json!("warning"));
    assert!(clock["message"].as_str().unwrap().contains("ahead"), "{clock}");
    for body in ["{}", "<html>"] {
        let other = server(body, date).await;
        let ran = reel.run(&["doctor", "--host", &other, "--json"]).await.expect(1);
        assert_eq!(check(&found(&ran), "server")["status"], json!("failed"), "{body}");
    }
    app
}
