//! Providers calling us: what they say is kept, judged, and a reason to ask them; never more.

use std::time::Duration;

use entity::inbox;
use reelmeter::provider::Reconcile;
use reqwest::Method;
use tests::{Answer, Fake};

use super::*;

on_both_engines!(
    a_callback_makes_a_task_be_asked_about_at_once,
    what_is_said_twice_or_by_somebody_else_changes_nothing,
    a_callback_that_is_sooner_than_the_answer_is_not_lost,
    an_id_that_a_callback_brings_finds_a_lost_submission,
    an_address_that_we_did_not_give_away_is_nobodys,
);

const LONG: Duration = Duration::from_secs(3_600);

/// A `kie` that is hardly ever asked, behind a Reelmeter that knows how it is reached.
async fn quiet(app: TestApp, fake: Fake) -> (TestApp, Fake) {
    let provider = fake.provider();
    let app = app.restart_among(move |registry| registry.add(provider.clone())).await;
    let public = |config: &mut reelmeter::config::Config| {
        config.public_url = Some("https://reelmeter.example".parse().unwrap());
    };
    (app.restart_with(public).await.with_worker().await, fake)
}

fn fake(app: &TestApp) -> Fake {
    Fake::new("kie", app.folder.path().to_owned())
}

/// The path that a provider was told of with its submission.
fn path(fake: &Fake) -> String {
    let url = fake.submissions().pop().unwrap().callback_url.expect("an address for callbacks");
    url.strip_prefix("https://reelmeter.example").unwrap().to_owned()
}

async fn tell(app: &TestApp, path: &str, body: &Value, signature: &str) -> Answer {
    app.send(None, Method::POST, path, Some(body), &[("x-fake-signature", signature)]).await
}

async fn kept(app: &TestApp) -> Vec<inbox::Model> {
    inbox::Entity::find().all(app.app.db.read()).await.unwrap()
}

async fn all_read(app: &TestApp) {
    while kept(app).await.iter().any(|row| row.processed_at.is_none()) {
        tokio::task::yield_now().await;
    }
}

/// A task that runs, and whose provider has said so once.
async fn running(app: &TestApp, fake: &Fake, customer: &Customer) -> String {
    fake.on_poll([Step::Running(10)]);
    let id = app.generate(customer, &wan(json!({}))).await;
    app.wait_for(customer, &id, &["running"]).await;
    while fake.polls_left() > 0 {
        tokio::task::yield_now().await;
    }
    id
}

async fn a_callback_makes_a_task_be_asked_about_at_once(app: TestApp) -> TestApp {
    let quiet_one = fake(&app).asked_every(LONG);
    let (app, fake) = quiet(app, quiet_one).await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = running(&app, &fake, &customer).await;
    // Whatever it claims.
    let told = tell(&app, &path(&fake), &json!({ "state": "fail" }), "signed").await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.body);
    assert_eq!(app.finished(&customer, &id).await["state"], "completed");
    app
}

async fn what_is_said_twice_or_by_somebody_else_changes_nothing(app: TestApp) -> TestApp {
    let quiet_one = fake(&app).asked_every(LONG);
    let (app, fake) = quiet(app, quiet_one).await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = running(&app, &fake, &customer).await;
    let path = path(&fake);
    fake.on_poll([Step::Running(20)]);
    for _ in 0..2 {
        assert_eq!(tell(&app, &path, &json!({ "state": "running" }), "forged").await.status.as_u16(), 200);
    }
    all_read(&app).await;
    // Kept once, judged, and nobody was asked for it.
    assert_eq!((kept(&app).await.len(), fake.polls_left()), (1, 1));
    for _ in 0..2 {
        tell(&app, &path, &json!({ "state": "running" }), "signed").await;
    }
    while fake.polls_left() > 0 {
        tokio::task::yield_now().await;
    }
    tell(&app, &path, &json!({ "state": "success" }), "signed").await;
    assert_eq!(app.finished(&customer, &id).await["state"], "completed");
    // Of a task that has ended nothing is kept.
    let before = kept(&app).await.len();
    assert_eq!(tell(&app, &path, &json!({ "state": "again" }), "signed").await.status.as_u16(), 200);
    assert_eq!(kept(&app).await.len(), before);
    assert_eq!(app.balance(&customer).await, (json!(70), json!(0)));
    app
}

async fn a_callback_that_is_sooner_than_the_answer_is_not_lost(app: TestApp) -> TestApp {
    let hasty = fake(&app);
    let (app, fake) = quiet(app, hasty).await;
    let customer = app.customer(Mode::Live, 100).await;
    fake.on_submit([Step::Wait]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    while fake.accepted() == 0 {
        tokio::task::yield_now().await;
    }
    tell(&app, &path(&fake), &json!({ "state": "success" }), "signed").await;
    all_read(&app).await;
    fake.go_on();
    assert_eq!(app.finished(&customer, &id).await["state"], "completed");
    assert_eq!(fake.accepted(), 1);
    app
}

async fn an_id_that_a_callback_brings_finds_a_lost_submission(app: TestApp) -> TestApp {
    let forgetful = fake(&app).found_by(Reconcile::Callback);
    let (app, fake) = quiet(app, forgetful).await;
    let customer = app.customer(Mode::Live, 100).await;
    fake.on_submit([Step::LoseAnswer]);
    let id = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &id, &["reconciling"]).await;
    // One that the provider does not know for ours is not believed.
    tell(&app, &path(&fake), &json!({ "id": "up-of-somebody-else" }), "signed").await;
    all_read(&app).await;
    let own = format!("up-{}", fake.submissions()[0].submit_key);
    tell(&app, &path(&fake), &json!({ "id": own }), "signed").await;
    assert_eq!(app.finished(&customer, &id).await["state"], "completed");
    assert_eq!((fake.accepted(), attempts(&app, &id).await[0].upstream_id.clone()), (1, Some(own)));
    app
}

async fn an_address_that_we_did_not_give_away_is_nobodys(app: TestApp) -> TestApp {
    let quiet_one = fake(&app).asked_every(LONG);
    let (app, fake) = quiet(app, quiet_one).await;
    let customer = app.customer(Mode::Live, 100).await;
    let id = running(&app, &fake, &customer).await;
    let path = path(&fake);
    let (start, token) = path.rsplit_once('/').unwrap();
    let first = if token.starts_with('A') { "B" } else { "A" };
    let other_token = format!("{first}{}", &token[1..]);
    for wrong in [
        format!("{start}/{other_token}"),
        format!("{start}/{}", &token[..token.len() - 4]),
        format!("{start}/x"),
        path.replace("/kie/", "/sandbox/"),
    ] {
        let told = tell(&app, &wrong, &json!({ "state": "success" }), "signed").await;
        assert_eq!(told.status.as_u16(), 404, "{wrong}");
    }
    assert_eq!(app.send(None, Method::GET, &path, None, &[]).await.status.as_u16(), 405);
    assert_eq!(kept(&app).await.len(), 0);
    tell(&app, &path, &json!({ "state": "success" }), "signed").await;
    assert_eq!(app.finished(&customer, &id).await["state"], "completed");
    app
}
