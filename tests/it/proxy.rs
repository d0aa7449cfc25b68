//! A database that is lost at the worst moment: around a commit, for a while, under load.

use std::time::Duration;

use entity::{Credits, Mode};
use futures_util::future::{join, join_all};
use reelmeter::customer::key::NewKey;
use reelmeter::provider::FailureCode;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tests::{Answer, Customer, Cut, Proxy, Step, TestApp, on_postgres};

use crate::live::going_on;
use crate::{sora, wan};

mod cancel;
mod operator;
mod restart;

on_postgres!(
    a_request_whose_commit_is_cut_is_accepted_once,
    a_request_without_a_key_whose_commit_is_cut_is_accepted_once,
    a_request_whose_commit_is_cut_counts_against_its_key_once,
    the_neighbours_of_a_batch_that_is_cut_get_what_is_theirs,
    a_settlement_whose_commit_is_cut_ends_the_task_once,
    a_failure_whose_commit_is_cut_gives_everything_back_once,
    a_cancellation_whose_commit_is_cut_gives_back_once,
    a_grant_whose_commit_is_cut_is_given_once,
    who_asks_while_the_database_is_away_is_told_when_to_come_back,
    an_outcome_that_nobody_knows_is_not_guessed_and_the_key_finds_what_was_committed,
    an_outcome_that_nobody_knows_is_not_guessed_and_the_key_finds_that_nothing_was,
);

const GENERATE: &str = "/api/ai/video/generate";

/// Starts the program again with a proxy before its database.
async fn behind(app: TestApp) -> (TestApp, Proxy) {
    let proxy = Proxy::start(app.app.config.database_url.as_ref().unwrap().expose_secret()).await;
    let through = SecretString::from(proxy.url.clone());
    let app = app.restart_with(move |config| config.database_url = Some(through.clone())).await;
    (app, proxy)
}

fn was_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

async fn a_request_whose_commit_is_cut_is_accepted_once(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let customer = app.customer(Mode::Test, 100).await;
    let plans = [&[Cut::Before][..], &[Cut::After], &[Cut::Before, Cut::After], &[Cut::After, Cut::After]];
    for (n, cuts) in plans.into_iter().enumerate() {
        proxy.cut(cuts.iter().copied());
        let key = format!("order-{n}");
        let answer = app.post_keyed(&customer, GENERATE, &sora(json!({})), &key).await;
        assert!(!was_replayed(&answer) && proxy.cuts_left() == 0, "{cuts:?}");
        let id = answer.expect(200)["taskId"].clone();
        let again = app.post_keyed(&customer, GENERATE, &sora(json!({})), &key).await;
        assert!(was_replayed(&again));
        assert_eq!(again.expect(200)["taskId"], id);
    }
    assert_eq!(app.balance(&customer).await, (json!(52), json!(48)));
    app
}

async fn a_request_without_a_key_whose_commit_is_cut_is_accepted_once(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let customer = app.customer(Mode::Test, 100).await;
    for (cut, left) in [(Cut::Before, 88), (Cut::After, 76)] {
        proxy.cut([cut]);
        let answer = app.post(&customer, GENERATE, &sora(json!({}))).await;
        // Nobody sent it before.
        assert!(!was_replayed(&answer) && proxy.cuts_left() == 0, "{cut:?}");
        answer.expect(200);
        assert_eq!(app.balance(&customer).await, (json!(left), json!(100 - left)));
    }
    app
}

async fn a_request_whose_commit_is_cut_counts_against_its_key_once(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let capped = NewKey { cap_day: Credits::from_whole(24), ..NewKey::default() };
    let customer = app.customer_with(Mode::Test, 100, capped).await;
    for cut in [Cut::Before, Cut::After] {
        proxy.cut([cut]);
        app.post(&customer, GENERATE, &sora(json!({}))).await.expect(200);
        assert_eq!(proxy.cuts_left(), 0, "{cut:?}");
    }
    let refused = app.post(&customer, GENERATE, &sora(json!({}))).await.expect(402);
    assert_eq!((&refused["code"], &refused["spent"]), (&json!("key_limit_reached"), &json!(24)));
    assert_eq!(app.balance(&customer).await, (json!(76), json!(24)));
    app
}

async fn the_neighbours_of_a_batch_that_is_cut_get_what_is_theirs(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let (rich, other, poor) = (
        app.customer(Mode::Test, 1_000).await,
        app.customer(Mode::Test, 24).await,
        app.customer(Mode::Test, 11).await,
    );
    for cut in [Cut::Before, Cut::After] {
        // The first one goes alone, whatever waits by then follows together.
        proxy.cut([cut; 3]);
        let submit = async |customer: &Customer, key: String| {
            app.post_keyed(customer, GENERATE, &sora(json!({})), &format!("{cut:?}-{key}")).await
        };
        let own = join_all((0..20).map(|n| submit(&rich, format!("{}", n / 2))));
        let (own, (other, poor)) =
            join(own, join(submit(&other, "other".into()), submit(&poor, "poor".into()))).await;
        assert_eq!(proxy.cuts_left(), 0);
        other.expect(200);
        assert_eq!(poor.expect(402)["code"], json!("insufficient_credits"));
        let own: Vec<Value> = own.into_iter().map(|answer| answer.expect(200)["taskId"].clone()).collect();
        assert!(own.chunks(2).all(|twins| twins[0] == twins[1]), "{own:?}");
    }
    assert_eq!(app.balance(&rich).await, (json!(1_000 - 20 * 12), json!(20 * 12)));
    assert_eq!(app.balance(&other).await, (json!(0), json!(24)));
    assert_eq!(app.balance(&poor).await, (json!(11), json!(0)));
    app
}

async fn a_settlement_whose_commit_is_cut_ends_the_task_once(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    for (cut, left) in [(Cut::Before, 82), (Cut::After, 64)] {
        app.fake.on_poll([Step::Wait, Step::Deliver(3)]);
        let id = app.generate(&customer, &wan(json!({}))).await;
        app.wait_for(&customer, &id, &["running"]).await;
        proxy.cut([cut]);
        let task = going_on(&app, app.finished(&customer, &id)).await;
        assert_eq!((proxy.cuts_left(), &task["creditsUsed"]), (0, &json!(18)), "{cut:?}");
        assert_eq!(app.balance(&customer).await, (json!(left), json!(0)));
    }
    app
}

async fn a_failure_whose_commit_is_cut_gives_everything_back_once(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    for cut in [Cut::Before, Cut::After] {
        app.fake.on_poll([Step::Wait, Step::Fail(FailureCode::Internal)]);
        let id = app.generate(&customer, &wan(json!({}))).await;
        app.wait_for(&customer, &id, &["running"]).await;
        proxy.cut([cut]);
        let task = going_on(&app, app.finished(&customer, &id)).await;
        assert_eq!((proxy.cuts_left(), &task["state"]), (0, &json!("failed")), "{cut:?}");
        assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    }
    app
}

async fn a_cancellation_whose_commit_is_cut_gives_back_once(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let customer = app.customer(Mode::Live, 100).await;
    for cut in [Cut::Before, Cut::After] {
        let id = app.generate(&customer, &wan(json!({}))).await;
        proxy.cut([cut]);
        let answer = app.post(&customer, &format!("/api/ai/tasks/{id}/cancel"), &json!({})).await;
        assert_eq!((answer.expect(200)["state"].clone(), proxy.cuts_left()), (json!("canceled"), 0));
        assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    }
    app
}

async fn a_grant_whose_commit_is_cut_is_given_once(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let customer = app.customer(Mode::Test, 0).await;
    for (cut, given) in [(Cut::Before, 40), (Cut::After, 80)] {
        proxy.cut([cut]);
        app.grant(&customer, 40).await;
        assert_eq!((app.balance(&customer).await.0, proxy.cuts_left()), (json!(given), 0));
    }
    app
}

/// The code of a refusal that says when to try again.
fn refused(answer: Answer) -> Value {
    let seconds: u32 = answer.header("retry-after").expect("when to come back").parse().unwrap();
    assert!(seconds > 0);
    answer.expect(503)["code"].clone()
}

async fn who_asks_while_the_database_is_away_is_told_when_to_come_back(app: TestApp) -> TestApp {
    let (app, proxy) = behind(app).await;
    let customer = app.customer(Mode::Test, 100).await;
    let submit = async |key: &str| app.post_keyed(&customer, GENERATE, &sora(json!({})), key).await;
    let before = submit("before").await.expect(200);
    proxy.refuse();
    let ready = app.send(None, Method::GET, "/readyz", None, &[]);
    let (submitted, (read, ready)) =
        join(submit("during"), join(app.get(&customer, "/api/ai/credits"), ready)).await;
    for answer in [submitted, read, ready] {
        assert_eq!(refused(answer), json!("unavailable"));
    }
    app.send(None, Method::GET, "/healthz", None, &[]).await.expect(200);
    proxy.admit();
    app.send(None, Method::GET, "/readyz", None, &[]).await.expect(200);
    assert!(!was_replayed(&submit("during").await));
    assert_eq!(submit("before").await.expect(200)["taskId"], before["taskId"]);
    assert_eq!(app.balance(&customer).await, (json!(76), json!(24)));
    app
}

async fn an_outcome_that_nobody_knows_is_not_guessed_and_the_key_finds_what_was_committed(
    app: TestApp,
) -> TestApp {
    unknown_outcome(app, Cut::After).await
}

async fn an_outcome_that_nobody_knows_is_not_guessed_and_the_key_finds_that_nothing_was(
    app: TestApp,
) -> TestApp {
    unknown_outcome(app, Cut::Before).await
}

async fn unknown_outcome(app: TestApp, cut: Cut) -> TestApp {
    let (app, proxy) = behind(app).await;
    let customer = app.customer(Mode::Test, 100).await;
    let submit = async || app.post_keyed(&customer, GENERATE, &sora(json!({})), "order").await;
    proxy.cut_and_refuse(cut);
    let unknown = tokio::time::timeout(Duration::from_secs(60), submit()).await.expect("an answer in time");
    assert_eq!(unknown.body["retryable"], json!(true));
    assert_eq!(refused(unknown), json!("outcome_unknown"));
    proxy.admit();
    let answer = submit().await;
    assert_eq!((answer.status.as_u16(), was_replayed(&answer)), (200, cut == Cut::After));
    assert_eq!(app.balance(&customer).await, (json!(88), json!(12)));
    app
}
