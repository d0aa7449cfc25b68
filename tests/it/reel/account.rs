//! Credits from the command line: what there is, what moved it, and what it was spent on.

use entity::grant::GrantClass;
use entity::{Credits, Mode, Timestamp};
use reelmeter::customer::caller::VIDEOS_READ;
use reelmeter::customer::credits::{self, NewGrant};
use reelmeter::customer::key::NewKey;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use super::Reel;
use crate::sora;

on_both_engines!(
    the_balance_is_told_with_what_is_held_and_what_ends,
    the_ledger_is_a_table_a_spreadsheet_and_a_document,
    usage_is_grouped_as_asked,
    a_key_tells_what_it_may_and_what_stops_it,
    what_a_key_may_not_read_is_refused_with_a_hint,
);

/// 20 more credits, until the first moment of 2099.
async fn grant_that_ends(app: &TestApp, customer: &Customer) {
    let new = NewGrant {
        class: GrantClass::Paid,
        amount: Credits::from_whole(20).unwrap(),
        expires_at: Some(Timestamp::from_seconds(4_070_908_800)),
        cost_basis: 50_000,
        reference: "=promotion".to_owned(),
    };
    credits::grant(&app.app.ledger, &app.app.clock, customer.account, new).await.unwrap();
}

async fn the_balance_is_told_with_what_is_held_and_what_ends(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    grant_that_ends(&app, &customer).await;
    // What ends first is spent first: 8 of the 20 are left.
    app.generate(&customer, &sora(json!({}))).await;
    let reel = Reel::of(&app, &customer);
    let balance = reel.json(&["balance"]).await;
    assert_eq!(json!([balance["available"], balance["held"], balance["total"]]), json!([108, 12, 120]));
    let told = reel.run(&["balance"]).await.expect(0).stdout;
    let line =
        |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{told}"));
    for (name, value) in [("available", "108"), ("held", "12"), ("posted", "120"), ("mode", "test")] {
        assert_eq!(line(name).split_whitespace().nth(1), Some(value), "{told}");
    }
    assert!(line("expiring").ends_with("8 on 2099-01-01 00:00:00Z"), "{told}");
    assert!(!told.contains("debt"), "{told}");
    app
}

async fn the_ledger_is_a_table_a_spreadsheet_and_a_document(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    grant_that_ends(&app, &customer).await;
    let task = app.generate(&customer, &sora(json!({}))).await;
    let reel = Reel::of(&app, &customer);
    let rows = reel.json(&["ledger"]).await;
    let kinds = |rows: &Value| {
        rows["data"].as_array().unwrap().iter().map(|row| row["kind"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&rows), ["hold", "grant", "grant"]);
    let by_format = reel.run(&["ledger", "--format", "json"]).await.json();
    assert_eq!((&by_format, kinds(&reel.json(&["ledger", "-n", "2"]).await).len()), (&rows, 2));
    let table = reel.run(&["ledger", "--all"]).await.expect(0).stdout;
    let first: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert!(table.starts_with("NO") && table.lines().count() == 4, "{table}");
    assert!(first[0] == "3" && first.contains(&"hold") && first.contains(&"108"), "{table}");
    let sheet = reel.run(&["ledger", "--format", "csv"]).await.expect(0).stdout;
    let lines: Vec<&str> = sheet.lines().collect();
    assert_eq!(
        lines[0],
        "seq,at,kind,debit,credit,amount,availableAfter,heldAfter,debtAfter,taskId,reference"
    );
    assert!(lines[1].starts_with("3,") && lines[1].contains(&task), "{sheet}");
    assert!(lines[2].ends_with(",'=promotion"), "{sheet}");
    reel.run(&["ledger", "--format", "xml"]).await.expect(2);
    app
}

async fn usage_is_grouped_as_asked(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    app.generate(&customer, &sora(json!({}))).await;
    let reel = Reel::of(&app, &customer);
    let asked = ["usage", "--group-by", "model,key", "--since", "30d"];
    let usage = reel.json(&asked).await;
    let row = &usage["data"][0];
    assert_eq!(json!([row["model"], row["keyName"]]), json!(["sora-2-text-to-video", "test"]));
    assert_eq!(json!([row["tasks"], row["held"], usage["total"]["held"]]), json!([1, 12, 12]));
    let table = reel.run(&asked).await.expect(0).stdout;
    assert!(table.starts_with("MODEL") && table.contains("sora-2-text-to-video"), "{table}");
    assert!(table.lines().last().unwrap().starts_with("total"), "{table}");
    let sheet = reel.run(&[&asked[..], &["--format", "csv"]].concat()).await.expect(0).stdout;
    let header = "model,keyId,keyName,tasks,completed,failed,canceled,seconds,credits,held,released,refunded";
    assert!(sheet.starts_with(header) && sheet.lines().count() == 2, "{sheet}");
    let before = ["usage", "--since", "2020-01-01", "--until", "2020-01-31", "--model", "sora-2"];
    assert_eq!(reel.json(&before).await["data"], json!([]));
    for wrong in [["--since", "soon"], ["--group-by", "planet"], ["--key", "mine"]] {
        let ran = reel.run(&[&["usage"], &wrong[..]].concat()).await.expect(2);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{wrong:?}");
    }
    app
}

async fn a_key_tells_what_it_may_and_what_stops_it(app: TestApp) -> TestApp {
    let poor = app.customer(Mode::Test, 0).await;
    let reel = Reel::of(&app, &poor);
    let key = reel.json(&["whoami"]).await;
    assert_eq!(key["blockedBy"][0]["code"], json!("insufficient_credits"));
    let told = reel.run(&["whoami"]).await.expect(0).stdout;
    for wanted in [&*app.url, "videos:write", "insufficient_credits", key["hint"].as_str().unwrap(), "SPENT"]
    {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    assert!(!told.contains(&poor.key), "{told}");
    let none = Reel::nobody().run(&["whoami", "--host", &app.url, "--json"]).await.expect(4);
    assert!(none.failure()["hint"].as_str().unwrap().contains("reel login"), "{}", none.stderr);
    app
}

async fn what_a_key_may_not_read_is_refused_with_a_hint(app: TestApp) -> TestApp {
    let scopes = vec![VIDEOS_READ.to_owned()];
    let reader = app.customer_with(Mode::Test, 100, NewKey { scopes, ..NewKey::default() }).await;
    let reel = Reel::of(&app, &reader);
    for command in ["balance", "ledger", "usage"] {
        let refused = reel.run(&[command, "--json"]).await.expect(4);
        assert_eq!(refused.failure()["code"], json!("insufficient_scope"), "{command}");
        assert!(refused.failure()["hint"].as_str().unwrap().contains("reel whoami"), "{command}");
        assert!(refused.stdout.is_empty(), "{command}: {}", refused.stdout);
    }
    app
}
