//! Answers that are broken below what an upstream means to say: a submission's outcome is unknown then, and a poll has no verdict.

use serde_json::{Value, json};
use tests::{Ending, Exchange, UpstreamAnswer as Answer};

use super::cases::{Call, Case, Recorded, Stage};
use super::outcome::is_verdict;

/// What comes in the place of the last answer of a case.
fn lies(recorded: &Recorded) -> Vec<(&'static str, Exchange)> {
    let exchange = recorded.exchange();
    let saying = |answer: Answer, ending: Ending| Exchange { answer, ending, ..exchange.clone() };
    let long = json!({ "padding": "x".repeat(64 * 1024) });
    vec![
        ("nothing", saying(recorded.answer(), Ending::Lost)),
        ("half of it", saying(recorded.answer(), Ending::Cut)),
        ("no end", saying(Answer::json(recorded.status, &long), Ending::Endless)),
        ("a page", saying(Answer::page(200, "<html>welcome</html>"), Ending::Whole)),
        ("an empty body", saying(Answer::of(200, "application/json", Vec::new()), Ending::Whole)),
        ("a list", saying(Answer::json(200, &json!([])), Ending::Whole)),
        ("an empty object", saying(Answer::json(200, &json!({})), Ending::Whole)),
        ("a gateway that gave up", saying(Answer::page(502, "<html>bad gateway</html>"), Ending::Whole)),
        ("a redirect", saying(redirect(), Ending::Whole)),
    ]
}

fn redirect() -> Answer {
    Answer::of(302, "text/plain", Vec::new()).with_header("location", "http://127.0.0.1:9/elsewhere")
}

/// A case of each kind of call that has an answer worth breaking.
fn breakable(stage: &Stage) -> impl Iterator<Item = &Case> {
    let kinds = |case: &&Case| match case.call {
        Call::Submit => case.expect.get("accepted").is_some(),
        Call::Poll => case.expect.get("succeeded").is_some(),
        _ => false,
    };
    stage.cases.cases.iter().filter(kinds)
}

async fn outcomes(stage: &Stage, case: &Case) -> Vec<(&'static str, Value)> {
    let (last, before) = case.exchanges.split_last().expect("something is asked");
    let mut outcomes = Vec::new();
    for (lie, exchange) in lies(last) {
        let mut exchanges: Vec<Exchange> = before.iter().map(Recorded::exchange).collect();
        exchanges.push(exchange);
        outcomes.push((lie, stage.run_with(case, exchanges).await));
    }
    outcomes
}

/// Whoever stands in front of an upstream has pages that are not found, too. A clip that is given up for one may be bought twice.
#[tokio::test]
async fn a_page_that_is_not_found_ends_no_task() {
    let mut wrong = Vec::new();
    for stage in Stage::of_each().await {
        for case in breakable(&stage).filter(|case| case.call == Call::Poll) {
            let (last, before) = case.exchanges.split_last().expect("something is asked");
            let answer = Answer::page(404, "<html>not found</html>");
            let page = Exchange { answer, ..last.exchange() };
            let exchanges = before.iter().map(Recorded::exchange).chain([page]);
            let outcome = stage.run_with(case, exchanges.collect()).await;
            if outcome.get("failed").is_some() || outcome == "canceled" {
                wrong.push(format!("{}: {}: {outcome}", stage.adapter, case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_broken_answer_is_no_verdict() {
    let mut wrong = Vec::new();
    for stage in Stage::of_each().await {
        for case in breakable(&stage) {
            for (lie, outcome) in outcomes(&stage, case).await {
                if is_verdict(&outcome) {
                    wrong.push(format!("{}: {}: {lie}: {outcome}", stage.adapter, case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Only what certainly was not accepted may be sent again without a question.
#[tokio::test]
async fn a_submission_without_a_readable_answer_may_be_running() {
    let mut wrong = Vec::new();
    for stage in Stage::of_each().await {
        for case in breakable(&stage).filter(|case| case.call == Call::Submit) {
            for (lie, outcome) in outcomes(&stage, case).await {
                if outcome != "unknown" && outcome != "broken" {
                    wrong.push(format!("{}: {}: {lie}: {outcome}", stage.adapter, case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_slow_answer_is_an_answer() {
    for stage in Stage::of_each().await {
        for case in breakable(&stage) {
            let slow = |recorded: &Recorded| Exchange { ending: Ending::Dripping, ..recorded.exchange() };
            let outcome = stage.run_with(case, case.exchanges.iter().map(slow).collect()).await;
            assert_eq!(outcome, case.expect, "{}: {}", stage.adapter, case.name);
        }
    }
}
