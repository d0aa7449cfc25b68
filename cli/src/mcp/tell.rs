//! What the tools answer: facts for programs, the same as text, and what to do next.

use rmcp::model::{CallToolResult, ContentBlock};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::order::credits;
use crate::task::Task;

/// A tool's answer. A failure is one that the assistant reads, not one of the protocol.
pub fn outcome(result: Result<Value, Failure>) -> CallToolResult {
    let failure = match result {
        Ok(value) => return CallToolResult::structured(value),
        Err(failure) => failure,
    };
    let hint = failure.hint.as_deref().map(in_tools);
    let text = hint.as_deref().map_or(failure.message.clone(), |hint| format!("{}\n{hint}", failure.message));
    let mut told = CallToolResult::error(vec![ContentBlock::text(text)]);
    // Not by the name of an order's own requestId: sent along as that, it would buy a second time.
    told.structured_content = Some(json!({
        "error": failure.message, "hint": hint, "code": failure.code, "serverRequestId": failure.request_id,
    }));
    told
}

/// A hint for people at a terminal, in the names of the tools where one does the same.
fn in_tools(hint: &str) -> String {
    hint.replace("`reel balance`", "get_balance").replace("`reel models list`", "list_models")
}

/// What an assistant needs to know of a task.
pub fn brief(task: &Task) -> Value {
    let Task(all) = task;
    let clips: Vec<&Value> =
        all["clips"].as_array().into_iter().flatten().filter(|clip| !clip["url"].is_null()).collect();
    let next = match () {
        () if !task.has_ended() => "It goes on. Call wait_video again; don't order it again.",
        () if task.is_completed() => "Done. The links work for an hour; get_video has fresh ones.",
        () => "It has ended without a video. explain_charge tells what it cost.",
    };
    json!({
        "taskId": all["taskId"], "state": task.state(), "progress": task.percent(), "model": all["model"],
        "creditsUsed": all["creditsUsed"], "videoUrls": clips.iter().map(|clip| &clip["url"]).collect::<Vec<_>>(),
        "errorCode": all["errorCode"], "errorMessage": all["errorMessage"], "next": next,
    })
}

/// A task's money, in numbers and in words.
pub fn charge(task: &Task) -> Value {
    let charges = &task.0["charges"];
    let amount = |name: &str| crate::output::plain(&charges[name]);
    let text = format!(
        "{}. {} credits were held; {} captured, {} released, {} refunded later{}.",
        crate::output::plain(&charges["explanation"]["text"]),
        amount("held"),
        amount("captured"),
        amount("released"),
        amount("refunded"),
        if task.has_ended() { "" } else { "; the rest is held until the task has ended" },
    );
    json!({ "taskId": task.0["taskId"], "state": task.state(), "charges": charges, "text": text })
}

/// Models in brief: what each takes, and the least and the most that a unit of it costs.
pub fn models(list: &Value) -> Value {
    let models: Vec<Value> = list["data"].as_array().into_iter().flatten().map(model).collect();
    json!({ "models": models })
}

fn model(model: &Value) -> Value {
    let offers = model["prices"].as_array().into_iter().flatten();
    let lengths = offers.flat_map(|offer| offer["durations"].as_array().into_iter().flatten());
    let prices: Vec<(Decimal, &Value)> =
        lengths.filter_map(|length| Some((credits(&length["unitPrice"]).ok()?, &length["unit"]))).collect();
    let told = |price: Option<&(Decimal, &Value)>| {
        price.map(|(credits, unit)| json!({ "credits": credits.to_string(), "per": unit }))
    };
    json!({
        "id": model["id"], "inputModes": model["inputModes"], "durations": model["durations"],
        "resolutions": model["resolutions"], "aspectRatios": model["aspectRatios"], "audio": model["audio"],
        "priceFrom": told(prices.iter().min_by_key(|(credits, _)| *credits)),
        "priceTo": told(prices.iter().max_by_key(|(credits, _)| *credits)),
    })
}
