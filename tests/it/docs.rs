//! What the documentation says to type works as it is written.

use std::path::Path;
use std::process::Stdio;

use entity::Mode;
use tests::{TestApp, on_both_engines};
use tokio::process::Command;

on_both_engines!(every_line_about_the_dialects_works_in_a_shell, every_line_about_reel_works_in_a_shell);

/// As its readers run it, but so that a refusal is a failure.
const SHELL: &str = "set -euo pipefail\ncurl() { command curl --fail-with-body \"$@\"; }\n";

/// The blocks of a page that are for a shell.
fn blocks(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("\n```sh\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

async fn every_line_about_the_dialects_works_in_a_shell(app: TestApp) -> TestApp {
    every_line_works(app, "DIALECTS.md").await
}

async fn every_line_about_reel_works_in_a_shell(app: TestApp) -> TestApp {
    every_line_works(app, "CLI.md").await
}

async fn every_line_works(app: TestApp, page: &str) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 10_000).await;
    let home = tempfile::tempdir().unwrap();
    let blocks = blocks(page);
    assert!(blocks.len() >= 5, "{} blocks", blocks.len());
    for block in blocks {
        let reel = format!("reel() {{ {} \"$@\"; }}\n", env!("CARGO_BIN_EXE_reel-under-test"));
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(format!("{SHELL}{reel}{block}")).stdin(Stdio::null());
        shell
            .current_dir(home.path())
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME");
        let output =
            shell.env("REEL_HOST", &app.url).env("REEL_API_KEY", &customer.key).output().await.unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{block}\n{}", said.concat());
    }
    app
}
