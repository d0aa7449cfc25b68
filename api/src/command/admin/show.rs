//! `admin task` and `admin balance`: what is stored, for a person to read.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;
use entity::{
    AccountId, Credits, TaskId, Timestamp, attempt, clip, event, job, task, task_request, transfer,
};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

use super::select;
use crate::command::Answer;
use crate::command::desk::Desk;
use crate::ledger::read;

#[derive(Debug, Args)]
pub struct Task {
    /// In any dialect's spelling
    task: TaskId,
}

#[derive(Debug, Args)]
pub struct Balance {
    #[arg(required_unless_present = "customer")]
    account: Option<AccountId>,
    #[command(flatten)]
    owner: select::Owner,
}

impl Balance {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let account = select::find(desk.db.read(), self.account, &self.owner).await?;
        let balance =
            read::balance(desk.db.read(), account.id, desk.now()).await?.context("no such account")?;
        let mut text =
            format!("account    {} ({}, {:?})\n", account.id, account.mode.as_str(), account.status);
        for (name, amount) in [
            ("available", balance.available),
            ("held", balance.held),
            ("total", balance.total),
            ("debt", balance.debt),
        ] {
            writeln!(text, "{name:9}  {amount}")?;
        }
        for (end, amount) in balance.expiring {
            writeln!(text, "expiring   {amount} at {end}")?;
        }
        writeln!(text, "transfers  {}, as of {}", balance.seq, balance.as_of)?;
        Ok(Answer::good(text))
    }
}

impl Task {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let (db, id) = (desk.db.read(), self.task);
        let task = task::Entity::find_by_id(id).one(db).await?.context("no such task")?;
        let mut text = String::new();
        write_task(&mut text, &task)?;
        write_request(&mut text, task_request::Entity::find_by_id(id).one(db).await?)?;
        write_work(&mut text, db, id).await?;
        write_money(&mut text, db, id).await?;
        write_events(&mut text, db, id).await?;
        Ok(Answer::good(text))
    }
}

fn write_task(text: &mut String, task: &task::Model) -> anyhow::Result<()> {
    let key = task.key_id.map_or("-".to_owned(), |key| key.to_string());
    writeln!(text, "task        {} ({}) {:?}", task.id, task.mode.as_str(), task.state)?;
    writeln!(text, "account     {}, key {key}, dialect {}", task.account_id, task.dialect)?;
    writeln!(text, "model       {}, {} clip(s)", task.model, task.clips)?;
    writeln!(
        text,
        "price       {} credits by version {}: {}",
        task.credits, task.price_version, task.explanation
    )?;
    writeln!(
        text,
        "created     {}, ended {}, deleted {}",
        task.created_at,
        or_dash(task.terminal_at),
        or_dash(task.deleted_at)
    )?;
    writeln!(
        text,
        "names       idempotency key {}, external id {}, quote {}",
        word(&task.idempotency_key),
        word(&task.external_id),
        task.quote_id.map_or("-".to_owned(), |quote| quote.to_string())
    )?;
    writeln!(text, "request id  {}", hex::encode(&task.request_hash))?;
    write_error(text, &task.error_code, &task.error_message)
}

fn write_request(text: &mut String, request: Option<task_request::Model>) -> anyhow::Result<()> {
    let Some(request) = request else { return Ok(writeln!(text, "request     none")?) };
    writeln!(text, "request     {}", request.request)?;
    writeln!(text, "effective   {}", request.effective)?;
    Ok(writeln!(text, "warnings    {}", request.warnings)?)
}

async fn write_work(text: &mut String, db: &DatabaseConnection, id: TaskId) -> anyhow::Result<()> {
    if let Some(job) = job::Entity::find_by_id(id).one(db).await? {
        let owner = job.owner.map_or("nobody".to_owned(), |owner| owner.to_string());
        writeln!(
            text,
            "job         {:?} at {} (route {}), {} %",
            job.state, job.provider, job.route, job.progress
        )?;
        writeln!(text, "            owner {owner}, epoch {:?}, fence {}", job.epoch, job.fence)?;
        let cancel = or_dash(job.cancel_at);
        writeln!(
            text,
            "            due {}, deadline {}, cancel asked {cancel}",
            job.run_at, job.deadline_at
        )?;
    }
    let attempts =
        attempt::Entity::find().filter(attempt::Column::TaskId.eq(id)).order_by_asc(attempt::Column::N);
    for attempt in attempts.all(db).await? {
        write_attempt(text, &attempt)?;
    }
    let clips = clip::Entity::find().filter(clip::Column::TaskId.eq(id)).order_by_asc(clip::Column::Idx);
    for clip in clips.all(db).await? {
        write_clip(text, &clip)?;
    }
    Ok(())
}

fn write_attempt(text: &mut String, attempt: &attempt::Model) -> anyhow::Result<()> {
    let (n, provider) = (attempt.n, &attempt.provider);
    let clips = format!("clips {} to {}", attempt.clip_from, attempt.clip_from + attempt.clip_count - 1);
    writeln!(
        text,
        "attempt {n:<3} {:?} at {provider} {}, {clips}, sent {} time(s)",
        attempt.state, attempt.endpoint, attempt.sends
    )?;
    writeln!(
        text,
        "            submit key {}, upstream id {}",
        attempt.submit_key,
        word(&attempt.upstream_id)
    )?;
    let (accepted, ended) = (or_dash(attempt.accepted_at), or_dash(attempt.ended_at));
    writeln!(text, "            created {}, accepted {accepted}, ended {ended}", attempt.created_at)?;
    if let Some(cost) = attempt.cost_micro_usd {
        writeln!(text, "            cost {cost} millionths of a US dollar")?;
    }
    if let Some(outcome) = &attempt.outcome {
        writeln!(text, "            outcome {outcome}")?;
    }
    write_error(text, &attempt.error_code, &attempt.error_message)
}

fn write_clip(text: &mut String, clip: &clip::Model) -> anyhow::Result<()> {
    let number = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    let (width, height) = (number(clip.width), number(clip.height));
    let size = format!("{} ms, {} bytes, {width}×{height}", number(clip.millis), number(clip.bytes));
    writeln!(text, "clip {:<6} {:?} by attempt {}, {size}", clip.idx, clip.state, number(clip.attempt_n))?;
    let digest = clip.sha256.as_ref().map_or("-".to_owned(), hex::encode);
    writeln!(text, "            stored as {}, sha256 {digest}", word(&clip.storage_key))?;
    write_error(text, &clip.error_code, &clip.error_message)
}

async fn write_money(text: &mut String, db: &DatabaseConnection, id: TaskId) -> anyhow::Result<()> {
    let (hold, parts, transfers) = read::task_money(db, id).await?;
    if let Some(hold) = hold {
        let settled = or_dash(hold.settled_at);
        writeln!(
            text,
            "hold        {} {:?}, accepted {}, settled {settled}",
            hold.amount, hold.state, hold.accepted_at
        )?;
        let (captured, released, refunded) = (hold.captured, hold.released, hold.refunded);
        writeln!(text, "            captured {captured}, released {released}, refunded {refunded}")?;
    }
    for part in parts {
        let (captured, returned, refunded) = (part.captured, part.returned, part.refunded);
        write!(text, "from grant  {} {}, captured {captured}, ", part.grant_id, part.amount)?;
        writeln!(text, "returned {returned}, refunded {refunded}")?;
    }
    for transfer in transfers {
        write_transfer(text, &transfer)?;
    }
    Ok(())
}

fn write_transfer(text: &mut String, transfer: &transfer::Model) -> anyhow::Result<()> {
    let (seq, kind, amount): (i64, _, Credits) = (transfer.seq, transfer.kind, transfer.amount);
    let way = format!("{:?} → {:?}", transfer.debit, transfer.credit);
    writeln!(
        text,
        "transfer    {seq} {kind:?} {amount}, {way}, {}, reference {}",
        transfer.at,
        word(&transfer.reference)
    )?;
    let (available, held, debt) = (transfer.available_after, transfer.held_after, transfer.debt_after);
    Ok(writeln!(text, "            then {available} available, {held} held, {debt} debt")?)
}

async fn write_events(text: &mut String, db: &DatabaseConnection, id: TaskId) -> anyhow::Result<()> {
    let events = event::Entity::find().filter(event::Column::TaskId.eq(id)).order_by_asc(event::Column::N);
    for event in events.all(db).await? {
        writeln!(text, "event {:<5} {} {} {}", event.n, event.at, event.r#type, event.body)?;
    }
    Ok(())
}

fn write_error(text: &mut String, code: &Option<String>, message: &Option<String>) -> anyhow::Result<()> {
    if code.is_some() || message.is_some() {
        writeln!(text, "            error {}: {}", word(code), word(message))?;
    }
    Ok(())
}

fn or_dash(instant: Option<Timestamp>) -> String {
    instant.map_or("-".to_owned(), |instant| instant.to_string())
}

fn word(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("-")
}
