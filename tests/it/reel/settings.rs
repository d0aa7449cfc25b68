//! Hosts, keys and profiles: where they come from, and where they don't go.

use entity::Mode;
use serde_json::json;
use tests::{TestApp, on_both_engines};

use super::Reel;

on_both_engines!(
    a_login_is_checked_stored_for_its_owner_alone_and_used,
    a_key_that_is_no_good_is_not_stored,
    the_nearest_setting_counts,
    a_stored_key_goes_to_no_other_host,
);

async fn a_login_is_checked_stored_for_its_owner_alone_and_used(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::nobody();
    let login = ["login", "--host", &app.url, "--api-key", &customer.key];
    let ran = reel.run(&login).await.expect(0);
    assert!(!ran.stdout.contains(&customer.key) && !ran.stderr.contains(&customer.key));
    let file = reel.path(".config/reel/config.toml");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(std::fs::read_to_string(&file).unwrap().contains(&customer.key));
    assert_eq!(reel.json(&["whoami"]).await["mode"], json!("test"));

    let by_stdin = ["login", "--host", &app.url, "--token-stdin", "--profile", "work"];
    reel.run_with(&by_stdin, &format!("{}\n", customer.key)).await.expect(0);
    let work = reel.json(&["config", "get", "--profile", "work"]).await;
    assert_eq!(work["host"]["value"], json!(app.url));
    assert!(!work.to_string().contains(&customer.key), "{work:#}");
    let unknown = reel.run(&["whoami", "--profile", "play"]).await.expect(2);
    assert!(unknown.stderr.contains("default, work"), "{}", unknown.stderr);
    app
}

async fn a_key_that_is_no_good_is_not_stored(app: TestApp) -> TestApp {
    let reel = Reel::nobody();
    let wrong = "sk-rm_test_00000000000000000000000000000000";
    let ran = reel.run(&["login", "--host", &app.url, "--api-key", wrong]).await.expect(4);
    assert!(ran.stderr.contains("Nothing was stored"), "{}", ran.stderr);
    assert!(!reel.path(".config/reel/config.toml").exists());
    let ran = reel.run(&["whoami", "--host", &app.url]).await.expect(4);
    assert!(ran.stderr.contains("reel login"), "{}", ran.stderr);
    reel.run(&["login", "--host", &app.url]).await.expect(2);
    let http = reel.run(&["whoami", "--host", "http://api.example.com", "--api-key", wrong]).await.expect(2);
    assert!(http.stderr.contains("https"), "{}", http.stderr);
    app
}

async fn the_nearest_setting_counts(app: TestApp) -> TestApp {
    let reel = Reel::nobody();
    let folder = reel.path("films/trailer");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        reel.path("films/.reel.toml"),
        "host = \"https://project.example\"\nmax_credits = \"5\"\n",
    )
    .unwrap();
    let host = async |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = reel.command(&[&["config", "get", "host"], arguments].concat());
        command.current_dir(&folder).envs(variables.iter().copied());
        super::ended(command).await.expect(0).stdout.trim().to_owned()
    };
    let variable = [("REEL_HOST", "https://variable.example")];
    assert_eq!(host(&[], &[]).await, "https://project.example");
    assert_eq!(host(&variable, &[]).await, "https://variable.example");
    assert_eq!(host(&variable, &["--host", "https://flag.example"]).await, "https://flag.example");
    std::fs::write(reel.path("films/.reel.toml"), "api_key = \"sk-rm_live_secret\"\n").unwrap();
    let mut command = reel.command(&["config", "get"]);
    command.current_dir(&folder);
    let ran = super::ended(command).await.expect(2);
    assert!(ran.stderr.contains(".reel.toml") && !ran.stderr.contains("secret"), "{}", ran.stderr);
    app
}

async fn a_stored_key_goes_to_no_other_host(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::nobody();
    reel.run(&["login", "--host", &app.url, "--api-key", &customer.key]).await.expect(0);
    std::fs::write(reel.path(".reel.toml"), "host = \"http://127.0.0.1:9\"\n").unwrap();
    let ran = reel.run(&["whoami"]).await.expect(4);
    assert!(ran.stderr.contains("no API key for http://127.0.0.1:9"), "{}", ran.stderr);
    app
}
