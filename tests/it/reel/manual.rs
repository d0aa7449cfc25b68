//! Completions and the manual, which need no settings.

use tests::{TestApp, on_both_engines};

use super::Reel;

on_both_engines!(completions_and_the_manual_need_no_settings);

async fn completions_and_the_manual_need_no_settings(app: TestApp) -> TestApp {
    let reel = Reel::nobody();
    std::fs::write(reel.path(".reel.toml"), "no settings at all").unwrap();
    reel.run(&["whoami"]).await.expect(2);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = reel.run(&["completion", shell]).await.expect(0).stdout;
        assert!(script.contains("webhooks") && script.contains("forward-to"), "{shell}");
    }
    reel.run(&["completion", "cmd"]).await.expect(2);

    let page = reel.run(&["man"]).await.expect(0).stdout;
    assert!(page.contains(".TH reel 1") && page.contains("Exit codes"), "{page}");
    let pages = reel.json(&["man", "--out", "pages"]).await;
    let names: Vec<&str> =
        pages["pages"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    for name in ["reel.1", "reel-balance.1", "reel-webhooks-listen.1", "reel-video-generate.1"] {
        assert!(names.contains(&name) && reel.path("pages").join(name).is_file(), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    std::fs::write(reel.path("file"), "").unwrap();
    let ran = reel.run(&["man", "--out", "file"]).await.expect(1);
    assert!(ran.stderr.contains("could not write"), "{}", ran.stderr);
    app
}
