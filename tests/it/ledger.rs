//! The journal's pages: however the account moves on meanwhile, following them shows every transfer once.

use entity::Mode;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use crate::sora;

on_both_engines!(
    pages_join_without_gaps_or_repeats_while_the_account_moves_on,
    the_last_page_is_known_as_such,
    a_page_has_twenty_transfers_unless_asked_otherwise,
    a_cursor_shows_nothing_of_another_account,
);

const LEDGER: &str = "/api/ai/credits/ledger";

/// The numbers of a page's transfers, in its order.
fn numbers(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["seq"].as_i64().unwrap()).collect()
}

/// So many tasks, each a transfer.
async fn spend(app: &TestApp, customer: &Customer, tasks: usize) {
    for _ in 0..tasks {
        app.generate(customer, &sora(json!({}))).await;
    }
}

/// The address in `Link: <…>; rel="next"`.
fn next(link: &str) -> &str {
    link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap()
}

async fn pages_join_without_gaps_or_repeats_while_the_account_moves_on(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    spend(&app, &customer, 24).await;
    let mut path = format!("{LEDGER}?limit=10");
    let mut seen = Vec::new();
    loop {
        let answer = app.get(&customer, &path).await;
        let link = answer.header("link").map(|link| next(link).to_owned());
        let page = answer.expect(200);
        seen.extend(numbers(&page));
        assert_eq!(link.is_some(), page["nextCursor"].is_string());
        let Some(link) = link else { break };
        assert!(link.contains(page["nextCursor"].as_str().unwrap()), "{link}");
        path = link;
        spend(&app, &customer, 3).await;
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<i64>>());
    let newest = app.get(&customer, &format!("{LEDGER}?limit=1")).await.expect(200);
    assert_eq!(numbers(&newest), [31]);
    app
}

async fn the_last_page_is_known_as_such(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    spend(&app, &customer, 3).await;
    for (limit, more) in [(3, true), (4, false), (5, false)] {
        let answer = app.get(&customer, &format!("{LEDGER}?limit={limit}")).await;
        assert_eq!(answer.header("link").is_some(), more, "{limit}");
        assert_eq!(answer.expect(200)["nextCursor"].is_string(), more, "{limit}");
    }
    let nobody = app.customer(Mode::Test, 0).await;
    let page = app.get(&nobody, LEDGER).await.expect(200);
    assert_eq!((&page["data"], &page["nextCursor"]), (&json!([]), &json!(null)));
    app
}

async fn a_page_has_twenty_transfers_unless_asked_otherwise(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    spend(&app, &customer, 20).await;
    for (query, length) in [("", 20), ("?limit=1", 1), ("?limit=100", 21)] {
        let page = app.get(&customer, &format!("{LEDGER}{query}")).await.expect(200);
        assert_eq!(numbers(&page).len(), length, "{query}");
    }
    app
}

async fn a_cursor_shows_nothing_of_another_account(app: TestApp) -> TestApp {
    let (mine, theirs) = (app.customer(Mode::Test, 100).await, app.customer(Mode::Test, 7).await);
    spend(&app, &mine, 3).await;
    let page = app.get(&mine, &format!("{LEDGER}?limit=1")).await.expect(200);
    let path = format!("{LEDGER}?cursor={}", page["nextCursor"].as_str().unwrap());
    let page = app.get(&theirs, &path).await.expect(200);
    assert_eq!((numbers(&page), &page["data"][0]["amount"]), (vec![1], &json!(7)));
    app
}
