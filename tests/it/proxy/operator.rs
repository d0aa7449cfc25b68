//! An operator's commands whose database is lost around the commit. What was said to be booked is in the book once; whoever
//! heard nothing sends the same command again, and it is booked now or was before.

use std::process::Output;

use entity::Mode;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Customer, Cut, Proxy, TestApp, on_postgres};

use crate::program::{output_of, reelmeter, text};
use crate::wan;

on_postgres!(
    a_refund_whose_commit_is_cut_is_booked_once,
    a_correction_whose_commit_is_cut_is_booked_once,
    a_command_whose_commit_never_arrived_is_booked_by_the_next_try,
    a_command_whose_answer_was_lost_was_booked_before_the_next_try,
);

/// An operator whose commands reach the database through a proxy.
struct Operator<'a> {
    app: &'a TestApp,
    proxy: Proxy,
}

impl Operator<'_> {
    async fn of(app: &TestApp) -> Operator<'_> {
        let proxy = Proxy::start(app.app.config.database_url.as_ref().unwrap().expose_secret()).await;
        Operator { app, proxy }
    }

    async fn run(&self, command: &[&str], reference: &str) -> Output {
        let why = ["--reason", "a test", "--actor", "tester", "--reference", reference];
        let arguments = [&["admin"], command, &why].concat();
        let mut command = reelmeter(self.app.folder.path(), &arguments);
        command.env("REELMETER_DATABASE_URL", &self.proxy.url);
        command.env("REELMETER_SECRET", self.app.app.config.secret.as_ref().unwrap().expose_secret());
        output_of(command).await
    }

    /// Runs a command that succeeds, and answers whether it was booked before.
    async fn booked_before(&self, command: &[&str], reference: &str) -> bool {
        let output = self.run(command, reference).await;
        assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
        text(&output.stdout).contains("was booked before")
    }

    /// Runs a command with its commit cut, and the same once more: the second changes nothing.
    async fn books_once(&self, command: &[&str], reference: &str, cut: Cut, customer: &Customer) -> Value {
        self.proxy.cut([cut]);
        self.booked_before(command, reference).await;
        assert_eq!(self.proxy.cuts_left(), 0);
        let after = standing(self.app, customer).await;
        assert!(self.booked_before(command, reference).await, "{reference}");
        assert_eq!(standing(self.app, customer).await, after, "{reference}");
        after
    }
}

/// What an account has, and how many transfers led to it.
async fn standing(app: &TestApp, customer: &Customer) -> Value {
    let credits = app.get(customer, "/api/ai/credits").await.expect(200);
    json!([credits["available"], credits["held"], credits["debt"], credits["seq"]])
}

/// A customer with a delivered task of 30 credits, which left them 70.
async fn delivered(app: &TestApp) -> (Customer, String) {
    let customer = app.customer(Mode::Live, 100).await;
    let id = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(app.finished(&customer, &id).await["creditsUsed"], json!(30));
    (customer, id)
}

async fn a_refund_whose_commit_is_cut_is_booked_once(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let operator = Operator::of(&app).await;
    let (customer, id) = delivered(&app).await;
    let refund = ["refund", "--task", &id, "--amount", "10"];
    for (cut, expected) in [(Cut::Before, json!([80, 0, 0, 4])), (Cut::After, json!([90, 0, 0, 5]))] {
        let reference = format!("case-{cut:?}");
        assert_eq!(operator.books_once(&refund, &reference, cut, &customer).await, expected, "{cut:?}");
    }
    let above = operator.run(&["refund", "--task", &id, "--amount", "11"], "case-above").await;
    assert!(!above.status.success(), "{}", text(&above.stdout));
    let task = app.get(&customer, &format!("/api/ai/tasks/{id}")).await.expect(200);
    assert_eq!((&task["charges"]["captured"], &task["charges"]["refunded"]), (&json!(30), &json!(20)));
    app
}

async fn a_correction_whose_commit_is_cut_is_booked_once(app: TestApp) -> TestApp {
    let operator = Operator::of(&app).await;
    let customer = app.customer(Mode::Live, 100).await;
    let account = customer.account.to_string();
    // The first takes what is there and more, the last repays that: two transfers each.
    for (n, (amount, cut, expected)) in [
        ("-130", Cut::Before, json!([0, 0, 30, 3])),
        ("-5", Cut::After, json!([0, 0, 35, 4])),
        ("10", Cut::Before, json!([0, 0, 25, 6])),
        ("50", Cut::After, json!([25, 0, 0, 8])),
    ]
    .into_iter()
    .enumerate()
    {
        let adjust = ["adjust", "--account", &account, "--amount", amount];
        assert_eq!(
            operator.books_once(&adjust, &format!("case-{n}"), cut, &customer).await,
            expected,
            "{amount}"
        );
    }
    app
}

async fn a_command_whose_commit_never_arrived_is_booked_by_the_next_try(app: TestApp) -> TestApp {
    nobody_knows(app, Cut::Before).await
}

async fn a_command_whose_answer_was_lost_was_booked_before_the_next_try(app: TestApp) -> TestApp {
    nobody_knows(app, Cut::After).await
}

/// The database is lost at the commit and stays away: the command can't say what became of it, and doesn't.
async fn nobody_knows(app: TestApp, cut: Cut) -> TestApp {
    let app = app.with_worker().await;
    let (refunded, id) = delivered(&app).await;
    let (corrected, granted) = (app.customer(Mode::Live, 100).await, app.customer(Mode::Live, 100).await);
    let [of_corrected, of_granted] = [&corrected, &granted].map(|customer| customer.account.to_string());
    let grant = ["grant", "--account", &of_granted, "--amount", "10", "--class", "paid"];
    let commands: [(&Customer, &[&str], Value); 3] = [
        (&refunded, &["refund", "--task", &id, "--amount", "10"], json!([80, 0, 0, 4])),
        (&corrected, &["adjust", "--account", &of_corrected, "--amount", "-130"], json!([0, 0, 30, 3])),
        (&granted, &grant, json!([110, 0, 0, 2])),
    ];
    let unknown = commands.map(|(customer, command, booked)| unknown(&app, customer, command, cut, booked));
    join_all(unknown).await;
    app
}

async fn unknown(app: &TestApp, customer: &Customer, command: &[&str], cut: Cut, booked: Value) {
    let operator = Operator::of(app).await;
    let before = standing(app, customer).await;
    operator.proxy.cut_and_refuse(cut);
    let said = operator.run(command, command[0]).await;
    let reason = text(&said.stderr);
    assert!(
        said.status.code() == Some(1) && reason.contains("the outcome is unknown"),
        "{command:?}: {reason}"
    );
    // All of it or nothing.
    let so_far = if cut == Cut::After { &booked } else { &before };
    assert_eq!(standing(app, customer).await, *so_far, "{command:?}");
    operator.proxy.admit();
    assert_eq!(operator.booked_before(command, command[0]).await, cut == Cut::After, "{command:?}");
    assert_eq!(standing(app, customer).await, booked, "{command:?}");
}
