//! A clock that somebody sets while the program runs.

use entity::Mode;
use serde_json::{Value, json};
use tests::{TestApp, on_both_engines};

use crate::wan;

on_both_engines!(after_the_clock_was_set_back_work_goes_on_and_the_journal_s_time_does_not);

const HOUR: i64 = 3_600;

async fn after_the_clock_was_set_back_work_goes_on_and_the_journal_s_time_does_not(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    // Nothing else here is younger than the clock will be.
    app.advance(24 * HOUR);
    let customer = app.customer(Mode::Live, 1_000).await;
    for error in [0, -HOUR, -2 * HOUR, HOUR] {
        app.app.clock.be_wrong_by(error);
        let id = app.generate(&customer, &wan(json!({}))).await;
        assert_eq!(app.finished(&customer, &id).await["state"], json!("completed"), "{error}");
    }
    let journal = app.get(&customer, "/api/ai/credits/ledger").await.expect(200);
    let mut times: Vec<&Value> =
        journal["data"].as_array().unwrap().iter().map(|entry| &entry["at"]).collect();
    times.reverse();
    assert!(times.len() == 9 && times.is_sorted_by_key(|time| time.as_str().unwrap()), "{times:?}");
    app
}
