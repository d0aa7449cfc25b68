//! What limits a key beside its credits: where it is used from, how often, how many tasks at once; and what limits whoever has
//! no good one.

use std::num::NonZeroU32;

use entity::Mode;
use futures_util::future::join_all;
use reelmeter::clock::Clock;
use reelmeter::customer::key::{NewKey, generate, network};
use reelmeter::limit::{Limiter, Policy};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tests::{Answer, Customer, TestApp, on_both_engines};

use crate::{sora, wan};

on_both_engines!(
    a_key_is_good_from_its_networks_only,
    a_rate_is_told_with_every_answer_and_holds_until_time_passes,
    of_fifty_tasks_at_once_a_key_gets_as_many_as_it_may,
    a_task_that_is_settled_makes_room_for_another,
    a_key_without_limits_is_told_of_none,
    who_has_no_good_key_is_stopped_by_address_and_who_has_one_is_not,
);

const GENERATE: &str = "/api/ai/video/generate";
const CREDITS: &str = "/api/ai/credits";

fn limit(n: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(n)
}

async fn from(app: &TestApp, customer: &Customer, address: &str) -> Answer {
    app.send(Some(customer), Method::GET, CREDITS, None, &[("x-forwarded-for", address)]).await
}

async fn a_key_is_good_from_its_networks_only(app: TestApp) -> TestApp {
    let ranges = ["203.0.113.0/24", "198.51.100.7", "2001:db8::/32"].map(|text| network(text).unwrap());
    let new = NewKey { ip_ranges: Some(ranges.to_vec()), ..NewKey::default() };
    let customer = app.customer_with(Mode::Test, 0, new).await;
    // Without a trusted proxy the header says nothing, and we are 127.0.0.1.
    let refused = from(&app, &customer, "203.0.113.9").await.expect(403);
    assert_eq!(refused["code"], json!("ip_not_allowed"));
    let app = app.restart_with(|config| config.trusted_proxies = vec![network("127.0.0.1").unwrap()]).await;
    for (address, status) in [
        ("203.0.113.9", 200),
        ("::ffff:203.0.113.9", 200),
        ("198.51.100.7", 200),
        ("192.0.2.1, 203.0.113.9", 200),
        ("2001:db8::5", 200),
        ("198.51.100.8", 403),
        ("203.0.113.9, 192.0.2.1", 403),
        ("2001:db9::5", 403),
        ("nobody", 403),
    ] {
        assert_eq!(from(&app, &customer, address).await.status, status, "{address}");
    }
    app
}

async fn a_rate_is_told_with_every_answer_and_holds_until_time_passes(app: TestApp) -> TestApp {
    let new = NewKey { rate_per_minute: limit(2), ..NewKey::default() };
    let customer = app.customer_with(Mode::Test, 0, new).await;
    let told = |answer: &Answer| {
        let names =
            ["ratelimit-policy", "ratelimit", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"];
        names.map(|name| answer.header(name).unwrap_or_default().to_owned())
    };
    let policy = "\"requests\";q=2;w=60".to_owned();
    let first = app.get(&customer, CREDITS).await;
    let expected = [policy.clone(), "\"requests\";r=1;t=30".to_owned(), "2".to_owned(), "1".to_owned()];
    assert_eq!((first.status.as_u16(), told(&first)), (200, expected));
    assert_eq!(first.header("x-ratelimit-reset-requests"), Some("30s"));
    let not_found = app.get(&customer, "/api/ai/tasks/tsk_01J9XA5M2R9W4QZC4PYJF3N7ND").await;
    assert_eq!((not_found.status.as_u16(), told(&not_found)[1].as_str()), (404, "\"requests\";r=0;t=30"));
    let refused = app.get(&customer, CREDITS).await;
    let retry_after: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&retry_after), "{retry_after}");
    assert_eq!(told(&refused)[..2], [policy, format!("\"requests\";r=0;t={retry_after}")]);
    let body = refused.expect(429);
    assert_eq!((&body["code"], &body["retryable"]), (&json!("rate_limited"), &json!(true)));
    assert_eq!(body["violatedPolicies"], json!(["requests"]));
    app.advance(i64::from(retry_after));
    let again = app.get(&customer, "/api/key").await.expect(200);
    assert_eq!((&again["requestsLeft"], &again["ratePerMinute"]), (&json!(0), &json!(2)));
    assert_eq!(again["blockedBy"][0]["code"], json!("rate_limited"));
    app.get(&customer, CREDITS).await.expect(429);
    app.advance(60);
    assert_eq!(app.get(&customer, "/api/key").await.expect(200)["requestsLeft"], json!(1));
    app
}

async fn of_fifty_tasks_at_once_a_key_gets_as_many_as_it_may(app: TestApp) -> TestApp {
    let new = NewKey { max_tasks: Some(7), ..NewKey::default() };
    let customer = app.customer_with(Mode::Test, 1_000, new).await;
    let requests = (0..50).map(|n| {
        let (app, customer) = (&app, &customer);
        async move { app.post_keyed(customer, GENERATE, &sora(json!({})), &format!("order-{n}")).await }
    });
    let answers = join_all(requests).await;
    let (accepted, refused): (Vec<_>, Vec<_>) =
        answers.iter().enumerate().partition(|(_, answer)| answer.status == 200);
    assert_eq!((accepted.len(), refused.len()), (7, 43));
    for (_, answer) in &refused {
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (429, &json!("concurrency_limit_reached"))
        );
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    assert_eq!(app.balance(&customer).await, (json!(1_000 - 7 * 12), json!(7 * 12)));

    let (n, first) = accepted[0];
    let replay = app.post_keyed(&customer, GENERATE, &sora(json!({})), &format!("order-{n}")).await;
    assert_eq!(replay.header("ratelimit-policy"), Some("\"tasks\";q=7;qu=\"concurrent-requests\""));
    assert_eq!(replay.header("ratelimit"), Some("\"tasks\";r=0"));
    assert_eq!(replay.expect(200)["taskId"], first.body["taskId"]);

    let cancel = format!("/api/ai/tasks/{}/cancel", first.body["taskId"].as_str().unwrap());
    let canceled = app.post(&customer, &cancel, &json!({})).await;
    assert_eq!(canceled.header("ratelimit"), Some("\"tasks\";r=1"));
    canceled.expect(200);
    // A refusal left no trace: its key buys now.
    let (n, _) = refused[0];
    let accepted = app.post_keyed(&customer, GENERATE, &sora(json!({})), &format!("order-{n}")).await;
    assert_eq!(accepted.header("ratelimit"), Some("\"tasks\";r=0"));
    accepted.expect(200);
    app.post(&customer, GENERATE, &sora(json!({}))).await.expect(429);
    app
}

async fn a_task_that_is_settled_makes_room_for_another(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let new = NewKey { max_tasks: Some(1), ..NewKey::default() };
    let customer = app.customer_with(Mode::Live, 1_000, new).await;
    for _ in 0..3 {
        let task = app.generate(&customer, &wan(json!({}))).await;
        assert_eq!(app.finished(&customer, &task).await["state"], json!("completed"));
    }
    let own = app.get(&customer, "/api/key").await.expect(200);
    assert_eq!((&own["openTasks"], &own["tasksLeft"]), (&json!(0), &json!(1)));
    assert_eq!(own["usage"]["lifetime"]["spent"], json!(90));

    let none = NewKey { max_tasks: Some(0), ..NewKey::default() };
    let none = app.customer_with(Mode::Live, 1_000, none).await;
    app.post(&none, GENERATE, &wan(json!({}))).await.expect(429);
    app
}

async fn a_key_without_limits_is_told_of_none(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    for _ in 0..200 {
        let answer = app.get(&customer, CREDITS).await;
        let told = answer.headers.keys().any(|name| name.as_str().contains("ratelimit"));
        assert!(answer.status == 200 && !told, "{:?}", answer.headers);
    }
    app
}

async fn who_has_no_good_key_is_stopped_by_address_and_who_has_one_is_not(app: TestApp) -> TestApp {
    let app = app.restart_with(|config| config.trusted_proxies = vec![network("127.0.0.1").unwrap()]).await;
    let customer = app.customer(Mode::Test, 0).await;
    let unknown = generate(Mode::Test);
    let guess = |n: usize| {
        let key = if n.is_multiple_of(2) { unknown.expose_secret().to_owned() } else { format!("sk-{n}") };
        Customer { key, ..customer.clone() }
    };
    let mut failures = 0;
    let refused = loop {
        let answer = from(&app, &guess(failures), "192.0.2.1").await;
        if answer.status != 401 {
            break answer;
        }
        failures += 1;
    };
    // One more than that comes back every half second.
    assert!((120..1_000).contains(&failures), "{failures}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.expect(429)["code"], json!("too_many_attempts"));
    from(&app, &customer, "192.0.2.1").await.expect(200);
    from(&app, &guess(0), "192.0.2.2").await.expect(401);
    app.advance(60);
    from(&app, &guess(0), "192.0.2.1").await.expect(401);
    app
}

const POLICY: Policy =
    Policy { name: "test", quota: NonZeroU32::new(3).unwrap(), window_s: NonZeroU32::new(60).unwrap() };

fn redis() -> SecretString {
    let url = std::env::var("REELMETER_TEST_REDIS_URL");
    url.expect("REELMETER_TEST_REDIS_URL is not set: run the tests with tests/run, which brings a Redis")
        .into()
}

#[tokio::test]
async fn a_limit_in_redis_holds_across_processes() {
    let clock = Clock::system();
    let subject = clock.new_id().to_string();
    let limiters = [0, 1].map(|_| Limiter::new(clock.clone(), Some(&redis())));
    for (n, remaining) in [(0, 2), (1, 1), (0, 0)] {
        let taken = limiters[n].take(POLICY, &subject).await;
        assert_eq!((taken.is_allowed, taken.remaining, taken.more_in_s), (true, remaining, 20));
    }
    for limiter in &limiters {
        let refused = limiter.take(POLICY, &subject).await;
        assert!(!refused.is_allowed && (15..=20).contains(&refused.retry_after_s), "{refused:?}");
        assert!(limiter.take(POLICY, &clock.new_id().to_string()).await.is_allowed);
    }
    clock.advance(20);
    assert!(limiters[1].take(POLICY, &subject).await.is_allowed);
    assert!(!limiters[0].take(POLICY, &subject).await.is_allowed);
    limiters[0].clear(POLICY, &subject).await;
    assert_eq!(limiters[1].take(POLICY, &subject).await.remaining, 2);
    clock.advance(3_600);
    assert_eq!(limiters[0].take(POLICY, &subject).await.remaining, 2);
}

#[tokio::test]
async fn of_fifty_takers_at_once_as_many_get_one_as_there_are() {
    let clock = Clock::system();
    let subject = clock.new_id().to_string();
    let limiters = [0, 1].map(|_| Limiter::new(clock.clone(), Some(&redis())));
    let taken = join_all((0..50).map(|n| limiters[n % 2].take(POLICY, &subject))).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_allowed).count(), 3);
}

#[tokio::test]
async fn while_redis_is_away_each_process_limits_for_itself() {
    let nowhere = SecretString::from("redis://127.0.0.1:1/");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = SecretString::from(format!("redis://{}/", silent.local_addr().unwrap()));
    for url in [nowhere, silent, SecretString::from("no url")] {
        let limiter = Limiter::new(Clock::system(), Some(&url));
        assert!(!format!("{limiter:?}").contains("127.0.0.1"));
        for remaining in [2, 1, 0] {
            assert_eq!(limiter.take(POLICY, "a").await.remaining, remaining);
        }
        assert!(!limiter.take(POLICY, "a").await.is_allowed);
        limiter.clear(POLICY, "a").await;
        assert!(limiter.take(POLICY, "a").await.is_allowed);
    }
}
