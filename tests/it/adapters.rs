//! Every adapter in the whole program: what its recorded upstream makes reaches a customer; and one of them by the environment
//! alone, as an operator sets it up.

use entity::{Mode, attempt};
use reelmeter::app::App;
use reelmeter::media::{Allow, GuardedClient, Timeouts};
use reelmeter::provider::Instance;
use reelmeter::video::catalog::{InputMode, Route};
use reelmeter::video::price::{CostCard, Unit};
use reelmeter::worker::Worker;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tests::{Ending, Exchange, TestApp, UpstreamAnswer, on_both_engines, tiny_mp4};

use crate::program::{PATIENCE, Server, demo, output, output_of, reelmeter, text};
use crate::provider::cases::{Call, Case, Recorded, Stage};

on_both_engines!(what_each_recorded_upstream_makes_reaches_a_customer);

/// A submission of a text that is taken, and the question after which it is done.
fn way(stage: &Stage) -> (&Case, &Case) {
    let cases = || stage.cases.cases.iter();
    let is_taken = |case: &&Case| {
        let is_accepted = case.call == Call::Submit && case.expect.get("accepted").is_some();
        is_accepted && stage.submission(case).mode == InputMode::TextToVideo
    };
    let taken = cases().filter(is_taken);
    let done = |id: &str| {
        let done =
            |case: &&Case| case.call == Call::Poll && case.id == id && case.expect.get("succeeded").is_some();
        let is_near = |case: &&Case| clip(case).is_some_and(|url| url.starts_with(&stage.script.url("/")));
        cases().find(|case| done(case) && is_near(case))
    };
    let mut ways = taken.filter_map(|case| Some((case, done(case.expect["accepted"].as_str()?)?)));
    ways.next().unwrap_or_else(|| panic!("{}: no case leads from a submission to a clip", stage.adapter))
}

/// Where a case says that its clip is.
fn clip(case: &Case) -> Option<&str> {
    let clip = &case.expect["succeeded"][0];
    let clip = clip.get("from").unwrap_or(clip);
    clip.get("url").unwrap_or(clip).as_str()
}

/// A request that is sent what the recorded submission was sent for; none if every model that would be is retired by now.
fn request(app: &TestApp, stage: &Stage, case: &Case) -> Option<Value> {
    let (instance, asked) = (&stage.cases.instances[0].name, stage.submission(case));
    let fits = |route: &&Route| route.provider == *instance && route.native_id == asked.native_id;
    let serves = |model: &&std::sync::Arc<reelmeter::video::catalog::Model>| {
        model.routes.iter().any(|route| fits(&route)) && model.modes.contains(&asked.mode)
    };
    let mut models = app.app.video.catalog.models().iter().filter(serves).peekable();
    assert!(models.peek().is_some(), "{instance}: no model is {} there", asked.native_id);
    let model = models.find(|model| !model.lifecycle.is_retired(app.app.clock.now().seconds()))?;
    let route = model.routes.iter().find(|route| fits(route)).expect("a route");
    let mut resolutions = model.resolutions.iter().filter(|resolution| route.makes(**resolution));
    let resolution = resolutions.next().expect("a resolution").as_str();
    Some(json!({
        "model": model.id,
        "prompt": "a paper boat",
        "provider": instance,
        "options": { "resolution": resolution },
    }))
}

/// All of them at once: each waits as long between its questions as its vendor wants.
async fn what_each_recorded_upstream_makes_reaches_a_customer(app: TestApp) -> TestApp {
    let stages = Stage::of_each().await;
    let instances: Vec<Instance> = stages.iter().map(|stage| (*instance(stage)).clone()).collect();
    let app = app
        .restart_among(move |registry| {
            instances.iter().for_each(|instance| registry.add_instance(instance.clone()));
        })
        .await;
    let worker = worker(&app, &stages).await;
    let customer = app.customer(Mode::Live, 100_000).await;
    let mut ordered = Vec::new();
    for stage in &stages {
        let (taken, done) = way(stage);
        let Some(body) = request(&app, stage, taken) else { continue };
        let exchanges = taken.exchanges.iter().chain(&done.exchanges);
        exchanges.for_each(|recorded| stage.script.always(uncalled(recorded)));
        serve_clip(stage, clip(done).expect("a clip"));
        let accepted = app.post(&customer, "/api/actions/ai.video.generate", &body).await.expect(200);
        ordered.push((stage, done, body, accepted["taskId"].as_str().unwrap().to_owned()));
    }
    for (stage, done, body, id) in ordered {
        let task = app.finished(&customer, &id).await;
        assert_eq!(task["state"], "completed", "{}: {task:#}", stage.adapter);
        assert_eq!(app.get(&customer, &format!("/api/ai/tasks/{id}/content")).await.status.as_u16(), 200);
        let attempt = attempt_of(&app, &id).await;
        assert_eq!(attempt.provider, instance(stage).name);
        for (told, unit) in [("tokens", Unit::Mtoken), ("seconds", Unit::Second)] {
            let Some(quantity) = done.expect.get(told).map(number) else { continue };
            let prices = micro_prices(&app, body["model"].as_str().unwrap(), &attempt.provider, unit).await;
            let cost = attempt.cost_micro_usd;
            let is_price = |price: &Decimal| cost == (price * quantity).ceil().to_i64();
            assert!(prices.iter().any(is_price), "{cost:?} of {prices:?}");
        }
    }
    worker.stop().await;
    app
}

fn instance(stage: &Stage) -> std::sync::Arc<Instance> {
    stage.registry().get(&stage.cases.instances[0].name).unwrap()
}

/// A number, in quotes or not.
fn number(value: &Value) -> Decimal {
    value.to_string().trim_matches('"').parse().expect("a number")
}

/// What a token or a second of a model costs us there by the price book, in millionths of a US dollar.
async fn micro_prices(app: &TestApp, model: &str, provider: &str, told: Unit) -> Vec<Decimal> {
    let version = app.app.video.prices.active(app.app.clock.now()).await.unwrap();
    match version.book.cost_card(model, provider) {
        Some(CostCard::Known { unit, rates, .. }) if *unit == told => {
            let units = if told == Unit::Mtoken { 1_000_000 } else { 1 };
            rates.iter().map(|rate| rate.amount * Decimal::from(1_000_000 / units)).collect()
        }
        other => panic!("{model} is not charged by {told:?}: {other:?}"),
    }
}

/// The only one.
async fn attempt_of(app: &TestApp, task: &str) -> attempt::Model {
    let task: entity::TaskId = task.parse().unwrap();
    let attempts = attempt::Entity::find().filter(attempt::Column::TaskId.eq(task));
    let attempts = attempts.all(app.app.db.read()).await.unwrap();
    <[_; 1]>::try_from(attempts).unwrap()[0].clone()
}

/// A program without a public address of its own names none to be called at.
fn uncalled(recorded: &Recorded) -> Exchange {
    let mut exchange = recorded.exchange();
    if let Some((path, query)) = exchange.request.split_once('?')
        && query.contains("callbacks")
    {
        exchange.request = path.to_owned();
    }
    exchange
}

fn serve_clip(stage: &Stage, url: &str) {
    let Some(path) = url.strip_prefix(&stage.script.url("")) else { return };
    let answer = UpstreamAnswer::video(tiny_mp4(60));
    stage.script.always(Exchange { request: format!("GET {path}"), answer, ending: Ending::Whole });
}

/// A worker that may fetch clips from the recorded upstreams.
async fn worker(app: &TestApp, stages: &[Stage]) -> Worker {
    let timeouts = Timeouts { connect: PATIENCE, read: PATIENCE, total: PATIENCE };
    let near: Vec<(&str, u16)> = stages.iter().map(|stage| ("127.0.0.1", stage.script.port())).collect();
    let clip_fetcher = GuardedClient::new(timeouts, Allow::new(&near)).unwrap();
    Worker::start(App { clip_fetcher, ..app.app.clone() }).await.unwrap()
}

/// The pieces of `kie` that a clip from a text needs.
fn aggregator() -> Vec<Recorded> {
    let recorded = json!([
        { "request": "POST /api/v1/jobs/createTask", "json": { "code": 200, "msg": "success", "data": { "taskId": "task-1" } } },
        { "request": "GET /api/v1/jobs/recordInfo?taskId=task-1", "json": { "code": 200, "msg": "success", "data": {
            "taskId": "task-1", "state": "success", "resultJson": "{\"resultUrls\":[\"{base}/clip.mp4\"]}", "creditsConsumed": 70 } } },
    ]);
    serde_json::from_value(recorded).unwrap()
}

#[tokio::test]
async fn a_live_key_and_a_providers_key_make_a_video_through_it() {
    const KEY: &str = "kie-key-0123456789abcdef";
    let script = tests::Script::start().await;
    for recorded in aggregator() {
        let text = recorded.json.as_ref().unwrap().to_string().replace("{base}", &script.url(""));
        script.always(recorded.saying(serde_json::from_str(&text).unwrap()));
    }
    let answer = UpstreamAnswer::video(tiny_mp4(5));
    script.always(Exchange { request: "GET /clip.mp4".into(), answer, ending: Ending::Whole });
    let folder = tempfile::tempdir().unwrap();
    let with_provider = |arguments: &[&str]| {
        let mut command = reelmeter(folder.path(), arguments);
        command.env("REELMETER_PROVIDER_KIE_KEY", KEY).env("REELMETER_PROVIDER_KIE_URL", script.url(""));
        command
    };
    let log = folder.path().join("log");
    let server = Server::of(with_provider(&[]).stderr(std::fs::File::create(&log).unwrap())).await;
    let (customer, key) = live_customer(folder.path()).await;
    let client = tests::client();
    let body = json!({ "model": "wan/2-6-text-to-video", "inputMode": "text_to_video", "prompt": "a fox", "duration": 5, "resolution": "720p" });
    let url = format!("{}/api/ai/video/generate", demo(folder.path())["REEL_HOST"]);
    let accepted: Value =
        client.post(url).bearer_auth(&key).json(&body).send().await.unwrap().json().await.unwrap();
    let content = format!("{}/api/ai/tasks/{}", server.url(), accepted["taskId"].as_str().expect("a task"));
    let asked = client.get(format!("{content}?wait=60")).header("prefer", "wait=60").bearer_auth(&key);
    let task: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)), "{task:#}");
    let clip = client.get(format!("{content}/content")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(&clip.bytes().await.unwrap()[4..8], b"ftyp");

    let listed = text(&output_of(with_provider(&["admin", "providers"])).await.stdout);
    assert!(listed.contains("kie") && listed.contains("…cdef") && !listed.contains(KEY), "{listed}");
    let trial = [
        "admin",
        "provider",
        "test",
        "kie",
        "--model",
        "wan/2-6-text-to-video",
        "--yes",
        "--out",
        "trial.mp4",
    ];
    let trial = output_of(with_provider(&trial)).await;
    let told = text(&trial.stdout);
    assert!(
        trial.status.success() && told.contains("5 s") && told.contains("$0.35"),
        "{told}{}",
        text(&trial.stderr)
    );
    assert_eq!(&std::fs::read(folder.path().join("trial.mp4")).unwrap()[4..8], b"ftyp");
    server.stop("-TERM").await;
    assert!(!std::fs::read_to_string(&log).unwrap().contains(KEY));
    assert!(!customer.is_empty());
    // Every submission carried the key, and nothing else did.
    for heard in script.heard() {
        let has_key = heard.header("authorization") == Some(&format!("Bearer {KEY}"));
        assert_eq!(has_key, !heard.request.contains("clip.mp4"), "{}", heard.request);
    }
}

/// A customer with live credits, and a live key of theirs.
async fn live_customer(folder: &std::path::Path) -> (String, String) {
    let made =
        text(&output(folder, &["admin", "customer", "create", "--name", "Acme", "--admit"]).await.stdout);
    let id_of = |what: &str| made.lines().find_map(|line| line.strip_prefix(what)).unwrap().trim().to_owned();
    let (customer, account) = (id_of("customer"), id_of("live"));
    let grant = ["admin", "grant", "--account", &account, "--amount", "100", "--class", "paid"];
    let why = ["--reason", "test", "--actor", "me", "--reference", "test:1"];
    assert!(output(folder, &[&grant[..], &why].concat()).await.status.success());
    let key = ["admin", "key", "create", "--customer", &customer, "--mode", "live", "--name", "ci"];
    let key = text(&output(folder, &key).await.stdout).trim().to_owned();
    (customer, key)
}

#[tokio::test]
async fn a_provider_s_settings_are_checked_at_the_start() {
    for (name, value, told) in [
        (
            "REELMETER_PROVIDER_NOBODY_KEY",
            "k",
            "REELMETER_PROVIDER_NOBODY_KEY names no provider of the catalog",
        ),
        ("REELMETER_PROVIDER_KIE_SECRT", "k", "REELMETER_PROVIDER_KIE_SECRT is not a setting of kie"),
        ("REELMETER_PROVIDER_KIE_URL", "https://x.example", "REELMETER_PROVIDER_KIE_KEY is required"),
        ("REELMETER_PROVIDER_NEW_API_KEY", "k", "REELMETER_PROVIDER_NEW_API_URL is missing"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = reelmeter(folder.path(), &[]);
        let ended = output_of({
            command.env(name, value);
            command
        })
        .await;
        let said = text(&ended.stderr);
        assert!(!ended.status.success() && said.contains(told), "{name}: {said}");
    }
}
