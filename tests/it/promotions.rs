//! Promotion codes: who is given what, and that it is given exactly once whatever happens in between.

use std::collections::BTreeMap;

use entity::grant::GrantClass;
use entity::{Credits, Mode, SessionId, UserId, promotion, redemption};
use futures_util::future::join_all;
use reelmeter::customer::caller::{BILLING_WRITE, By, Identity, MANAGEMENT_SCOPES};
use reelmeter::customer::credits::{self, NewGrant};
use reelmeter::customer::key::NewKey;
use reelmeter::customer::promotion::{self as promotions, Cashier, NewPromotion};
use reelmeter::ledger::read;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
use serde_json::{Value, json};
use tests::{Answer, Customer, TestApp, on_both_engines};

const REDEEM: &str = "/api/credits/redeem";
const DAY: i64 = 86_400;

on_both_engines!(
    a_code_gives_its_credits_once_to_each_account,
    what_can_t_be_redeemed_is_refused_and_changes_nothing,
    a_redemption_needs_the_right_to_it,
    of_accounts_that_race_for_the_last_redemptions_exactly_as_many_are_given,
    simultaneous_requests_of_one_account_are_given_once,
    a_retry_finishes_what_a_crash_left_behind_even_when_the_code_is_over,
    a_retry_after_the_credits_were_booked_only_says_so,
    housekeeping_gives_what_is_owed_for_more_than_a_minute,
    credits_of_a_code_end_as_promised_however_late_they_were_booked,
    a_code_is_for_accounts_of_its_mode,
    a_person_redeems_codes_of_either_mode,
    guesses_are_limited_by_customer_and_success_forgives_them,
    guesses_are_limited_by_address,
);

fn fifty(code: &str) -> NewPromotion {
    NewPromotion {
        code: code.into(),
        mode: Mode::Live,
        credits: Credits::from_whole(50).unwrap(),
        redemptions: 1,
        grant_days: None,
        expires_at: None,
        note: "a test".into(),
        created_by: "tester".into(),
    }
}

async fn promise(app: &TestApp, new: NewPromotion) {
    let tx = app.app.db.begin().await.unwrap();
    assert!(promotions::create(&tx, new, app.app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
}

async fn manager(app: &TestApp, mode: Mode) -> Customer {
    let scopes = MANAGEMENT_SCOPES.map(str::to_owned).to_vec();
    app.customer_with(mode, 0, NewKey { scopes, ..NewKey::default() }).await
}

async fn redeem(app: &TestApp, customer: &Customer, code: &str) -> Answer {
    app.post(customer, REDEEM, &json!({ "code": code })).await
}

async fn refused(app: &TestApp, customer: &Customer, code: &str, status: u16, name: &str) {
    let refusal = redeem(app, customer, code).await.expect(status);
    assert_eq!(refusal["code"], json!(name), "{refusal:#}");
}

async fn redemptions(app: &TestApp, code: &str) -> i64 {
    promotion::Entity::find_by_id(code).one(app.app.db.read()).await.unwrap().unwrap().redemptions
}

async fn redemption_of(app: &TestApp, code: &str, customer: &Customer) -> Option<redemption::Model> {
    let key = (code.to_owned(), customer.account);
    redemption::Entity::find_by_id(key).one(app.app.db.read()).await.unwrap()
}

fn cashier(app: &TestApp) -> Cashier<'_> {
    Cashier { db: &app.app.db, ledger: &app.app.ledger, clock: &app.app.clock }
}

/// The rows as a crash between the claim and the grant leaves them.
async fn leave_behind(app: &TestApp, code: &str, customer: &Customer) {
    let tx = app.app.db.begin().await.unwrap();
    let row = promotion::Entity::find_by_id(code).one(&tx).await.unwrap().unwrap();
    let counted = Set(row.redemptions + 1);
    let mut row = row.into_active_model();
    row.redemptions = counted;
    row.update(&tx).await.unwrap();
    let (code, account_id, redeemed_at) = (code.to_owned(), customer.account, app.app.clock.now());
    let row = redemption::Model { code, account_id, redeemed_at, granted_at: None };
    row.into_active_model().insert(&tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_code_gives_its_credits_once_to_each_account(app: TestApp) -> TestApp {
    let new = NewPromotion { redemptions: 2, grant_days: Some(90), ..fifty("WELCOME-50") };
    promise(&app, new).await;
    let (one, two, three) =
        (manager(&app, Mode::Live).await, manager(&app, Mode::Live).await, manager(&app, Mode::Live).await);
    app.grant(&one, 7).await;
    let given = redeem(&app, &one, " welcome-50 ").await.expect(200);
    let shown = app.get(&one, "/api/ai/credits").await.expect(200);
    let ends = shown["expiring"][0]["expiresAt"].clone();
    let expected =
        json!({ "code": "WELCOME-50", "credits": 50, "expiresAt": ends, "available": 57, "mode": "live" });
    assert_eq!(given, expected);
    assert_eq!(shown["expiring"][0]["amount"], json!(50));
    refused(&app, &one, "WELCOME-50", 409, "already_redeemed").await;
    redeem(&app, &two, "Welcome-50").await.expect(200);
    refused(&app, &three, "WELCOME-50", 410, "promotion_over").await;
    refused(&app, &two, "WELCOME-50", 409, "already_redeemed").await;
    let journal = app.get(&two, "/api/ai/credits/ledger").await.expect(200);
    let reference = format!("promo:WELCOME-50:{}", two.account);
    assert_eq!(
        (&journal["data"][0]["kind"], &journal["data"][0]["debit"]),
        (&json!("grant"), &json!("promotions"))
    );
    assert_eq!((&journal["data"][0]["reference"], &journal["data"][1]), (&json!(reference), &Value::Null));
    assert_eq!((redemptions(&app, "WELCOME-50").await, app.balance(&three).await.0), (2, json!(0)));
    app
}

async fn what_can_t_be_redeemed_is_refused_and_changes_nothing(app: TestApp) -> TestApp {
    let customer = manager(&app, Mode::Live).await;
    promise(&app, fifty("TAKEN-BACK")).await;
    let now = app.app.clock.now();
    promise(&app, NewPromotion { expires_at: Some(now.plus_seconds(DAY)), ..fifty("SHORT") }).await;
    let tx = app.app.db.begin().await.unwrap();
    assert!(promotions::revoke(&tx, "TAKEN-BACK", now).await.unwrap());
    tx.commit().await.unwrap();
    app.advance(DAY);
    refused(&app, &customer, "NEVER-MADE", 404, "promotion_not_found").await;
    refused(&app, &customer, "TAKEN-BACK", 404, "promotion_not_found").await;
    refused(&app, &customer, "SHORT", 410, "promotion_over").await;
    for (body, message) in [
        (json!({ "code": "ABC" }), "Must be 4 to 32 letters, digits and hyphens"),
        (json!({ "code": "SHORT;--" }), "Must be 4 to 32 letters, digits and hyphens"),
        (json!({ "code": 4711 }), "Must be text"),
        (json!({ "code": null }), "Required"),
        (json!({}), "Required"),
    ] {
        let refusal = app.post(&customer, REDEEM, &body).await.expect(400);
        assert_eq!(refusal["details"]["fieldErrors"]["code"], json!([message]), "{body}");
    }
    assert_eq!(app.balance(&customer).await.0, json!(0));
    assert_eq!((redemptions(&app, "TAKEN-BACK").await, redemptions(&app, "SHORT").await), (0, 0));
    assert_eq!(redemption_of(&app, "SHORT", &customer).await, None);
    app
}

async fn a_redemption_needs_the_right_to_it(app: TestApp) -> TestApp {
    promise(&app, fifty("RIGHTS")).await;
    let customer = app.customer(Mode::Live, 0).await;
    let refusal = redeem(&app, &customer, "RIGHTS").await.expect(403);
    assert_eq!(refusal["code"], json!("insufficient_scope"));
    let body = json!({ "code": "RIGHTS" });
    app.send(None, reqwest::Method::POST, REDEEM, Some(&body), &[]).await.expect(401);
    assert_eq!(redemptions(&app, "RIGHTS").await, 0);
    app
}

async fn of_accounts_that_race_for_the_last_redemptions_exactly_as_many_are_given(app: TestApp) -> TestApp {
    promise(&app, NewPromotion { redemptions: 5, ..fifty("FIRST-FIVE") }).await;
    let mut customers = Vec::new();
    for _ in 0..12 {
        customers.push(manager(&app, Mode::Live).await);
    }
    let answers = join_all(customers.iter().map(|customer| redeem(&app, customer, "FIRST-FIVE"))).await;
    let mut by_status = BTreeMap::new();
    for (customer, answer) in customers.iter().zip(answers) {
        let status = answer.status.as_u16();
        *by_status.entry(status).or_insert(0) += 1;
        let given = if status == 200 { 50 } else { 0 };
        assert_eq!(app.balance(customer).await.0, json!(given));
    }
    assert_eq!(by_status, BTreeMap::from([(200, 5), (410, 7)]));
    assert_eq!(redemptions(&app, "FIRST-FIVE").await, 5);
    app
}

async fn simultaneous_requests_of_one_account_are_given_once(app: TestApp) -> TestApp {
    promise(&app, NewPromotion { redemptions: 100, ..fifty("ONCE") }).await;
    let customer = manager(&app, Mode::Live).await;
    let answers = join_all((0..8).map(|_| redeem(&app, &customer, "ONCE"))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    assert_eq!((app.balance(&customer).await.0, redemptions(&app, "ONCE").await), (json!(50), 1));
    app
}

async fn a_retry_finishes_what_a_crash_left_behind_even_when_the_code_is_over(app: TestApp) -> TestApp {
    let customer = manager(&app, Mode::Live).await;
    let end = app.app.clock.now().plus_seconds(DAY);
    promise(&app, NewPromotion { expires_at: Some(end), grant_days: Some(30), ..fifty("OWED") }).await;
    leave_behind(&app, "OWED", &customer).await;
    app.advance(2 * DAY);
    let given = redeem(&app, &customer, "OWED").await.expect(200);
    let row = redemption_of(&app, "OWED", &customer).await.unwrap();
    assert_eq!(given["expiresAt"], json!(row.redeemed_at.plus_seconds(30 * DAY)));
    assert_eq!((&given["available"], row.granted_at.is_some()), (&json!(50), true));
    refused(&app, &customer, "OWED", 409, "already_redeemed").await;
    assert_eq!((app.balance(&customer).await.0, redemptions(&app, "OWED").await), (json!(50), 1));
    app
}

async fn a_retry_after_the_credits_were_booked_only_says_so(app: TestApp) -> TestApp {
    let customer = manager(&app, Mode::Live).await;
    promise(&app, fifty("BOOKED")).await;
    leave_behind(&app, "BOOKED", &customer).await;
    let booked = NewGrant {
        class: GrantClass::Promotional,
        amount: Credits::from_whole(50).unwrap(),
        expires_at: None,
        cost_basis: 0,
        reference: format!("promo:BOOKED:{}", customer.account),
    };
    credits::grant(&app.app.ledger, &app.app.clock, customer.account, booked).await.unwrap();
    let given = redeem(&app, &customer, "BOOKED").await.expect(200);
    assert_eq!((&given["available"], &given["expiresAt"]), (&json!(50), &Value::Null));
    refused(&app, &customer, "BOOKED", 409, "already_redeemed").await;
    app
}

async fn housekeeping_gives_what_is_owed_for_more_than_a_minute(app: TestApp) -> TestApp {
    let (one, two, late) =
        (manager(&app, Mode::Live).await, manager(&app, Mode::Live).await, manager(&app, Mode::Live).await);
    promise(&app, NewPromotion { redemptions: 2, ..fifty("MANY") }).await;
    promise(&app, NewPromotion { credits: Credits::from_thousandths(500), ..fifty("HALF") }).await;
    leave_behind(&app, "MANY", &one).await;
    leave_behind(&app, "MANY", &two).await;
    leave_behind(&app, "HALF", &two).await;
    cashier(&app).give_owed().await.unwrap();
    assert_eq!(app.balance(&one).await.0, json!(0), "somebody may still be at it");
    app.advance(120);
    promise(&app, fifty("FRESH")).await;
    leave_behind(&app, "FRESH", &late).await;
    for _ in 0..2 {
        cashier(&app).give_owed().await.unwrap();
        let balances = [&one, &two, &late].map(|customer| app.balance(customer));
        let balances: Vec<Value> = join_all(balances).await.into_iter().map(|balance| balance.0).collect();
        assert_eq!(balances, [json!(50), json!(50.5), json!(0)]);
    }
    for (code, customer) in [("MANY", &one), ("MANY", &two), ("HALF", &two)] {
        assert!(redemption_of(&app, code, customer).await.unwrap().granted_at.is_some(), "{code}");
        refused(&app, customer, code, 409, "already_redeemed").await;
    }
    assert_eq!(redemption_of(&app, "FRESH", &late).await.unwrap().granted_at, None);
    app
}

async fn credits_of_a_code_end_as_promised_however_late_they_were_booked(app: TestApp) -> TestApp {
    let (prompt, late) = (manager(&app, Mode::Live).await, manager(&app, Mode::Live).await);
    promise(&app, NewPromotion { redemptions: 2, grant_days: Some(2), ..fifty("TWO-DAYS") }).await;
    redeem(&app, &prompt, "TWO-DAYS").await.expect(200);
    leave_behind(&app, "TWO-DAYS", &late).await;
    app.advance(DAY);
    cashier(&app).give_owed().await.unwrap();
    assert_eq!((app.balance(&prompt).await.0, app.balance(&late).await.0), (json!(50), json!(50)));
    app.advance(DAY + 60);
    assert_eq!((app.balance(&prompt).await.0, app.balance(&late).await.0), (json!(0), json!(0)));
    app
}

async fn a_code_is_for_accounts_of_its_mode(app: TestApp) -> TestApp {
    promise(&app, NewPromotion { mode: Mode::Test, redemptions: 9, ..fifty("PLAY") }).await;
    let (live, test) = (manager(&app, Mode::Live).await, manager(&app, Mode::Test).await);
    refused(&app, &live, "PLAY", 404, "promotion_not_found").await;
    let given = redeem(&app, &test, "PLAY").await.expect(200);
    assert_eq!((&given["mode"], &given["available"]), (&json!("test"), &json!(50)));
    assert_eq!((app.balance(&live).await.0, redemptions(&app, "PLAY").await), (json!(0), 1));
    app
}

async fn a_person_redeems_codes_of_either_mode(app: TestApp) -> TestApp {
    let customer = manager(&app, Mode::Test).await;
    promise(&app, fifty("REAL")).await;
    promise(&app, NewPromotion { mode: Mode::Test, ..fifty("PLAY") }).await;
    let by = By::Session { user: UserId(app.app.clock.new_id()), session: SessionId(app.app.clock.new_id()) };
    let person = Identity {
        customer: customer.id,
        account: customer.account,
        mode: Mode::Test,
        group: "default".into(),
        scopes: vec![BILLING_WRITE.into()],
        models: None,
        by,
    };
    for (code, mode) in [("REAL", Mode::Live), ("PLAY", Mode::Test)] {
        let redeemed = cashier(&app).redeem(code, &person).await.unwrap();
        assert_eq!((redeemed.mode, redeemed.available), (mode, Credits::from_whole(50).unwrap()));
        let account = read::account_of(app.app.db.read(), customer.id, mode).await.unwrap().unwrap();
        assert_eq!(account.credited, Credits::from_whole(50).unwrap(), "{code}");
    }
    app
}

/// How many codes a customer could try before they were told to wait, and for how long.
async fn guess(app: &TestApp, customer: &Customer) -> (u32, u32) {
    for tries in 0..100 {
        let answer = redeem(app, customer, &format!("GUESS-{tries}")).await;
        if answer.status == 429 {
            let wait = answer.header("retry-after").unwrap().parse().unwrap();
            assert_eq!(answer.body["code"], json!("too_many_attempts"));
            return (tries, wait);
        }
        answer.expect(404);
    }
    panic!("a hundred guesses went through");
}

// A quota fills up again while a test uses it up, so it may be a few more.
async fn guesses_are_limited_by_customer_and_success_forgives_them(app: TestApp) -> TestApp {
    promise(&app, NewPromotion { redemptions: 9, ..fifty("RIGHT") }).await;
    let (guesser, other) = (manager(&app, Mode::Live).await, manager(&app, Mode::Live).await);
    let (tries, wait) = guess(&app, &guesser).await;
    assert!((10..50).contains(&tries) && (1..=6).contains(&wait), "{tries} tries, {wait} s");
    redeem(&app, &other, "RIGHT").await.expect(200);
    app.advance(i64::from(wait));
    redeem(&app, &guesser, "RIGHT").await.expect(200);
    let (tries, _) = guess(&app, &guesser).await;
    assert!(tries >= 10, "{tries} tries after a success");
    app
}

async fn guesses_are_limited_by_address(app: TestApp) -> TestApp {
    let mut customers = Vec::new();
    for _ in 0..8 {
        customers.push(manager(&app, Mode::Live).await);
    }
    let tries = join_all(customers.iter().map(|customer| guess(&app, customer))).await;
    let tries: u32 = tries.into_iter().map(|(tries, _)| tries).sum();
    assert!((60..80).contains(&tries), "{tries} tries of 8 customers");
    app.advance(60);
    refused(&app, &customers[0], "GUESS", 404, "promotion_not_found").await;
    app
}
