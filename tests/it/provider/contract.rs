//! Every recorded answer is understood as its case says, and no adapter leaves a kind of answer out.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cases::{Call, Case, Stage, folder};

/// What an adapter must have a case of, or say that its upstream has none.
const DEMANDED: [(Call, &str); 14] = [
    (Call::Submit, "accepted"),
    (Call::Submit, "invalid_input"),
    (Call::Submit, "moderation_input"),
    (Call::Submit, "rate_limited"),
    (Call::Submit, "upstream_balance"),
    (Call::Submit, "upstream_auth"),
    (Call::Submit, "model_unavailable"),
    (Call::Submit, "upstream_transient"),
    (Call::Poll, "queued"),
    (Call::Poll, "running"),
    (Call::Poll, "succeeded"),
    (Call::Poll, "generation_failed"),
    (Call::Poll, "moderation_output"),
    (Call::Poll, "upstream_expired"),
];

#[tokio::test]
async fn every_recorded_answer_is_understood() {
    let mut wrong = Vec::new();
    for stage in Stage::of_each().await {
        for case in &stage.cases.cases {
            let place = format!("{}: {:?} {}", stage.adapter, case.call, case.name);
            let outcome = stage.run(case).await;
            if outcome != case.expect {
                wrong.push(format!("{place}: {outcome} instead of {}", case.expect));
            }
            let left = stage.script.left();
            if !left.is_empty() {
                wrong.push(format!("{place}: never asked {}", left.join(", ")));
            }
            wrong.extend(wrongly_asked(&stage, case).into_iter().map(|what| format!("{place}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with the requests of the last case.
fn wrongly_asked(stage: &Stage, case: &Case) -> Vec<String> {
    let heard = stage.script.heard();
    let mut wrong = Vec::new();
    let always: BTreeSet<&str> =
        stage.cases.always.iter().map(|recorded| recorded.request.as_str()).collect();
    for request in &heard {
        let recorded = case.exchanges.iter().find(|exchange| exchange.request == request.request);
        if recorded.is_none() && always.contains(request.request.as_str()) {
            continue;
        }
        if recorded.is_none() {
            wrong.push(format!("asked {}", request.request));
        }
        let carried = recorded.into_iter().flat_map(|recorded| &recorded.carries);
        for (name, value) in stage.cases.headers.iter().chain(&case.headers).chain(carried) {
            let found = request.header(name);
            if found != Some(value) {
                wrong.push(format!("{}: {name} is {found:?}", request.request));
            }
        }
    }
    if let Some(wanted) = &case.sends {
        let sent = heard.last().map(|request| request.body.clone()).unwrap_or_default();
        if !contains(&sent, wanted) {
            wrong.push(format!("sent {sent}"));
        }
    }
    wrong
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        (whole, part) => whole == part,
    }
}

#[tokio::test]
async fn no_adapter_leaves_a_kind_of_answer_out() {
    let mut missing = Vec::new();
    for stage in Stage::of_each().await {
        for (call, kind) in DEMANDED {
            let is_there =
                stage.cases.cases.iter().any(|case| case.call == call && is_of(&case.expect, kind));
            if !is_there && !stage.cases.has_no.contains_key(kind) {
                missing.push(format!("{}: {call:?} {kind}", stage.adapter));
            }
        }
        if !stage.cases.cases.iter().any(|case| case.name == "a status that nobody knows") {
            missing.push(format!("{}: a status that nobody knows", stage.adapter));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

fn is_of(outcome: &Value, kind: &str) -> bool {
    let named = |member: &str| outcome.get(member).and_then(Value::as_str) == Some(kind);
    outcome == kind
        || outcome.get(kind).is_some()
        || ["rejected", "unavailable", "failed"].into_iter().any(named)
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_no_verdict() {
    for stage in Stage::of_each().await {
        let unknown = stage.cases.cases.iter().filter(|case| case.name == "a status that nobody knows");
        for case in unknown {
            assert!(!super::outcome::is_verdict(&case.expect), "{}: {}", stage.adapter, case.expect);
        }
    }
}

#[tokio::test]
async fn numbers_in_quotes_and_texts_without_them_change_nothing() {
    let mut wrong = Vec::new();
    for stage in Stage::of_each().await {
        let read = [Call::Submit, Call::Poll, Call::Find];
        for case in stage.cases.cases.iter().filter(|case| read.contains(&case.call)) {
            for (what, change) in [("in quotes", quoted as fn(&Value) -> Value), ("without", unquoted)] {
                let exchanges = case.exchanges.iter().map(|recorded| match &recorded.json {
                    Some(json) => recorded.saying(change(json)),
                    None => recorded.exchange(),
                });
                let outcome = stage.run_with(case, exchanges.collect()).await;
                if outcome != case.expect {
                    wrong.push(format!("{}: {} {what}: {outcome}", stage.adapter, case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn quoted(value: &Value) -> Value {
    each_leaf(value, &|leaf| match leaf {
        Value::Number(number) => json!(number.to_string()),
        other => other.clone(),
    })
}

fn unquoted(value: &Value) -> Value {
    each_leaf(value, &|leaf| match leaf.as_str().map(str::parse::<i64>) {
        // A leading zero or sign would be lost.
        Some(Ok(number)) if Some(number.to_string().as_str()) == leaf.as_str() => json!(number),
        _ => leaf.clone(),
    })
}

fn each_leaf(value: &Value, change: &dyn Fn(&Value) -> Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), each_leaf(value, change))).collect()
        }
        Value::Array(items) => items.iter().map(|item| each_leaf(item, change)).collect(),
        leaf => change(leaf),
    }
}

#[tokio::test]
async fn no_key_is_ever_told() {
    for stage in Stage::of_each().await {
        for case in stage.cases.cases.iter().filter(|case| case.call == Call::Submit) {
            stage.run_with(case, case.exchanges.iter().map(|recorded| recorded.exchange()).collect()).await;
            let error = stage.provider().submit(&stage.submission(case)).await;
            let told = format!("{error:?}");
            for secret in stage.secrets() {
                assert!(!told.contains(&secret), "{}: {told}", stage.adapter);
            }
        }
    }
}

#[test]
fn every_folder_of_recorded_answers_has_an_adapter() {
    let adapters: BTreeSet<&str> =
        reelmeter::provider::registry::ADAPTERS.iter().map(|adapter| adapter.name).collect();
    for entry in std::fs::read_dir(folder("")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        assert!(adapters.contains(name.as_str()), "{name}");
    }
}
