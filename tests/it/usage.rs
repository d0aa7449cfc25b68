//! Usage adds up to what the ledger says, however it is grouped.

use std::collections::BTreeMap;

use entity::{Credits, KeyId, Mode, TaskId};
use reelmeter::customer::caller::INFERENCE_SCOPES;
use reelmeter::customer::key::{self, NewKey};
use reelmeter::provider::FailureCode;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Customer, Step, TestApp, on_both_engines};

use crate::wan;

on_both_engines!(
    usage_is_what_the_ledger_says_by_every_group,
    a_deleted_task_counts_as_before,
    a_spreadsheet_gets_the_same_rows,
    usage_is_a_customer_s_own_and_a_key_s_mode_s,
    a_parameter_of_usage_that_makes_no_sense_is_refused_by_name,
);

const SUMS: [&str; 9] =
    ["credits", "held", "released", "refunded", "tasks", "completed", "failed", "canceled", "seconds"];

async fn usage(app: &TestApp, customer: &Customer, query: &str) -> Value {
    app.get(customer, &format!("/api/usage?{query}")).await.expect(200)
}

/// Rows by the value of one group, each as its sums in order.
fn by(page: &Value, group: &str) -> BTreeMap<String, Vec<Value>> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| (row[group].as_str().unwrap().to_owned(), sums(row))).collect()
}

fn sums(row: &Value) -> Vec<Value> {
    SUMS.iter().map(|name| row[name].clone()).collect()
}

/// What the ledger says by the day of the hold: credits, held, released, refunded.
async fn from_ledger(app: &TestApp, customer: &Customer) -> BTreeMap<String, [f64; 4]> {
    let page = app.get(customer, "/api/ai/credits/ledger?limit=100").await.expect(200);
    assert_eq!(page["nextCursor"], json!(null));
    let transfers: Vec<&Value> =
        page["data"].as_array().unwrap().iter().rev().filter(|row| row["taskId"].is_string()).collect();
    let held_on: BTreeMap<&str, &str> = transfers
        .iter()
        .filter(|row| row["kind"] == "hold")
        .map(|row| (row["taskId"].as_str().unwrap(), &row["at"].as_str().unwrap()[..10]))
        .collect();
    let mut days: BTreeMap<String, [f64; 4]> = BTreeMap::new();
    for transfer in transfers {
        let day = days.entry(held_on[transfer["taskId"].as_str().unwrap()].to_owned()).or_default();
        let amount = transfer["amount"].as_f64().unwrap();
        let [credits, held, released, refunded] = match transfer["kind"].as_str().unwrap() {
            "hold" => [0.0, amount, 0.0, 0.0],
            "capture" => [amount, -amount, 0.0, 0.0],
            "release" => [0.0, -amount, amount, 0.0],
            "refund" => [-amount, 0.0, 0.0, amount],
            other => panic!("a {other} of a task"),
        };
        for (sum, part) in day.iter_mut().zip([credits, held, released, refunded]) {
            *sum += part;
        }
    }
    days
}

/// A second key of the live account, whose name a spreadsheet would calculate.
async fn second_key(app: &TestApp, customer: &Customer) -> Customer {
    let id = KeyId(app.app.clock.new_id());
    let scopes = INFERENCE_SCOPES.map(str::to_owned).to_vec();
    let new = NewKey { name: "=1+1".into(), scopes, ..NewKey::default() };
    let tx = app.app.db.begin().await.unwrap();
    let account = (customer.id, customer.account, Mode::Live);
    let secret = key::create(&tx, id, account, new, app.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    Customer { key_id: id, key: secret.expose_secret().to_owned(), ..customer.clone() }
}

fn kling() -> Value {
    json!({
        "model": "kling-2.6/text-to-video", "inputMode": "text_to_video", "prompt": "a fox", "duration": 5,
        "generateAudio": false,
    })
}

async fn made(app: &TestApp, customer: &Customer, body: &Value, step: Step, state: &str) -> String {
    app.fake.on_poll([step]);
    let id = app.generate(customer, body).await;
    app.wait_for(customer, &id, &[state]).await;
    id
}

/// Two days of two keys and two models with every kind of end, and a task that has not ended.
async fn two_days(app: TestApp) -> (TestApp, Customer, Customer, Vec<String>) {
    let customer = app.customer(Mode::Live, 1_000).await;
    let second = second_key(&app, &customer).await;
    let canceled = app.generate(&customer, &wan(json!({}))).await;
    let cancel = format!("/api/ai/tasks/{canceled}/cancel");
    app.send(Some(&customer), Method::POST, &cancel, None, &[]).await.expect(200);
    let app = app.with_worker().await;
    let whole = made(&app, &customer, &wan(json!({})), Step::Deliver(5), "completed").await;
    let part = made(&app, &second, &wan(json!({})), Step::Deliver(2), "completed").await;
    let failed =
        made(&app, &second, &wan(json!({})), Step::Fail(FailureCode::ModerationInput), "failed").await;
    app.advance(86_400);
    let refunded = made(&app, &customer, &kling(), Step::Deliver(5), "completed").await;
    let amount = Credits::from_whole(4).unwrap();
    let task: TaskId = refunded.parse().unwrap();
    app.app.video.refund(customer.account, task, amount, "case-1".into()).await.unwrap();
    // Refunded on the second day, counted on the first.
    let task: TaskId = part.parse().unwrap();
    app.app.video.refund(customer.account, task, amount, "case-2".into()).await.unwrap();
    made(&app, &second, &kling(), Step::Wait, "running").await;
    (app, customer, second, vec![canceled, whole, part, failed, refunded])
}

async fn usage_is_what_the_ledger_says_by_every_group(app: TestApp) -> TestApp {
    let (app, customer, second, _) = two_days(app).await;
    let days = usage(&app, &customer, "").await;
    let ledger = from_ledger(&app, &customer).await;
    assert!(ledger.len() >= 2, "{ledger:?}");
    let told: BTreeMap<String, [f64; 4]> = by(&days, "day")
        .into_iter()
        .map(|(day, sums)| (day, [0, 1, 2, 3].map(|n| sums[n].as_f64().unwrap())))
        .collect();
    assert_eq!(told, ledger);

    // 30 whole, 12 of 30 for 2 of 5 seconds less 4, 10 less 4, 10 still held; 30 canceled, 30 failed, 18 not delivered.
    let total =
        vec![json!(44), json!(10), json!(78), json!(8), json!(6), json!(3), json!(1), json!(1), json!(12.0)];
    for groups in ["day", "model", "key", "mode", "day,model,key,mode"] {
        assert_eq!(
            sums(&usage(&app, &customer, &format!("groupBy={groups}")).await["total"]),
            total,
            "{groups}"
        );
    }
    let wan_model =
        vec![json!(38), json!(0), json!(78), json!(4), json!(4), json!(2), json!(1), json!(1), json!(7.0)];
    let kling_model =
        vec![json!(6), json!(10), json!(0), json!(4), json!(2), json!(1), json!(0), json!(0), json!(5.0)];
    let models = by(&usage(&app, &customer, "groupBy=model").await, "model");
    assert_eq!(models["wan/2-6-text-to-video"], wan_model);
    assert_eq!(models["kling-2.6/text-to-video"], kling_model);
    assert_eq!(models.len(), 2);
    let first_key =
        vec![json!(36), json!(0), json!(30), json!(4), json!(3), json!(2), json!(0), json!(1), json!(10.0)];
    let other_key =
        vec![json!(8), json!(10), json!(48), json!(4), json!(3), json!(1), json!(1), json!(0), json!(2.0)];
    let page = usage(&app, &customer, "groupBy=key").await;
    assert_eq!(page["data"][0]["keyName"], json!("test"));
    let keys = by(&page, "keyId");
    assert_eq!(
        (&keys[&customer.key_id.to_string()], &keys[&second.key_id.to_string()]),
        (&first_key, &other_key)
    );

    for (query, expected) in [
        ("model=kling-2.6/text-to-video".to_owned(), &kling_model),
        (format!("key={}", second.key_id), &other_key),
        ("mode=live".into(), &total),
        ("mode=all".into(), &total),
    ] {
        assert_eq!(&sums(&usage(&app, &customer, &query).await["total"]), expected, "{query}");
    }
    let both = usage(&app, &customer, "groupBy=key&groupBy=model").await;
    assert_eq!((both["data"].as_array().unwrap().len(), &both["groupBy"]), (4, &json!(["model", "key"])));
    assert_eq!(both["data"][0]["day"], json!(null));
    the_days_of_a_range_are_counted_whole(&app, &customer, &ledger).await;
    app
}

async fn the_days_of_a_range_are_counted_whole(
    app: &TestApp,
    customer: &Customer,
    ledger: &BTreeMap<String, [f64; 4]>,
) {
    for (day, sums) in ledger {
        let page = usage(app, customer, &format!("from={day}&to={day}")).await;
        assert_eq!(page["data"].as_array().unwrap().len(), 1);
        assert_eq!(page["total"]["credits"].as_f64().unwrap(), sums[0], "{day}");
    }
    let (first, last) = (ledger.keys().next().unwrap(), ledger.keys().last().unwrap());
    let page = usage(app, customer, &format!("from={first}&to={last}T00:00:00Z")).await;
    let before: f64 = ledger.iter().filter(|(day, _)| *day != last).map(|(_, sums)| sums[0]).sum();
    assert_eq!(page["total"]["credits"].as_f64().unwrap(), before);
    assert_eq!(page["to"], json!(format!("{last}T00:00:00.000Z")));
}

async fn a_deleted_task_counts_as_before(app: TestApp) -> TestApp {
    let (app, customer, _, ended) = two_days(app).await;
    let query = "groupBy=day,model,key,mode";
    let before = usage(&app, &customer, query).await;
    for task in ended {
        let path = format!("/api/ai/tasks/{task}");
        assert_eq!(app.send(Some(&customer), Method::DELETE, &path, None, &[]).await.status, 204);
    }
    assert_eq!(usage(&app, &customer, query).await["data"], before["data"]);
    app
}

async fn a_spreadsheet_gets_the_same_rows(app: TestApp) -> TestApp {
    let (app, customer, second, _) = two_days(app).await;
    let page = usage(&app, &customer, "groupBy=key").await;
    let url = format!("{}/api/usage?groupBy=key", app.url);
    let accepting = app.client.get(&url).header("accept", "text/csv, */*;q=0.1");
    let asking = app.client.get(format!("{url}&format=csv")).header("accept", "application/json");
    for request in [accepting, asking] {
        let answer = request.bearer_auth(&customer.key).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (header("content-type"), header("vary")),
            ("text/csv; charset=utf-8".into(), "Accept".into())
        );
        assert!(header("content-disposition").starts_with("attachment; filename=\"usage-"));
        let text = answer.text().await.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("keyId,keyName,{}", SUMS.join(",")));
        assert_eq!(lines.len(), 1 + page["data"].as_array().unwrap().len());
        assert!(lines.contains(&format!("{},'=1+1,8,10,48,4,3,1,1,0,2", second.key_id).as_str()), "{text}");
    }
    app
}

async fn usage_is_a_customer_s_own_and_a_key_s_mode_s(app: TestApp) -> TestApp {
    let (one, two) = (app.customer(Mode::Test, 100).await, app.customer(Mode::Test, 100).await);
    app.generate(&one, &crate::sora(json!({}))).await;
    let nothing = usage(&app, &two, "").await;
    assert_eq!((&nothing["data"], &nothing["total"]["tasks"]), (&json!([]), &json!(0)));
    let theirs = format!("key={}", one.key_id);
    assert_eq!(usage(&app, &two, &theirs).await["data"], json!([]));
    let own = usage(&app, &one, "groupBy=mode").await;
    assert_eq!((&own["data"][0]["mode"], &own["data"][0]["held"]), (&json!("test"), &json!(12)));
    assert_eq!(own["mode"], json!("test"));
    let refused = app.get(&one, "/api/usage?mode=live").await.expect(400);
    assert_eq!(refused["details"]["fieldErrors"]["mode"], json!(["A test key sees test usage only"]));
    app
}

async fn a_parameter_of_usage_that_makes_no_sense_is_refused_by_name(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    for (query, field, told) in [
        ("groupBy=day,week", "groupBy", "\\\"week\\\" is not one of day, model, key, mode"),
        ("groupBy=", "groupBy", "is not one of day, model, key, mode"),
        ("mode=demo", "mode", "Must be one of live, test, all"),
        ("format=xml", "format", "Must be one of json, csv"),
        ("from=1.1.2026", "from", "Must be a day such as"),
        ("from=2025-01-01&to=2026-01-02", "from", "at most 366 days"),
        ("from=2026-01-02&to=2026-01-01", "from", "before the end"),
        ("key=mine", "key", "Must be the id of an API key"),
    ] {
        let refused = app.get(&customer, &format!("/api/usage?{query}")).await.expect(400);
        let messages = refused["details"]["fieldErrors"][field].to_string();
        assert!(messages.contains(told), "{query}: {refused:#}");
    }
    app
}
