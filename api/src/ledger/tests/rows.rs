//! The rows that commands carry and workers write, with what no test cares about filled in.

use entity::attempt::{self, AttemptState};
use entity::clip::{self, ClipState};
use entity::job::{self, JobState};
use entity::task::{self, TaskState};
use entity::{AccountId, Credits, Mode, TaskId, Timestamp, task_request};

use crate::ledger::{Accept, Command, Outcome, Settle, SettledBy};

/// A request for one clip in test mode.
pub fn accept(id: TaskId, account: AccountId, price: Credits, now: Timestamp) -> Accept {
    let task = task::Model {
        id,
        account_id: account,
        mode: Mode::Test,
        key_id: None,
        dialect: "native".into(),
        idempotency_key: None,
        request_hash: vec![7; 32],
        model: "sora-2-text-to-video".into(),
        clips: 1,
        credits: price,
        price_version: 1,
        explanation: "{}".into(),
        quote_id: None,
        external_id: None,
        state: TaskState::Live,
        error_code: None,
        error_message: None,
        created_at: now,
        terminal_at: None,
        deleted_at: None,
    };
    let text = || "{}".to_owned();
    let request = task_request::Model { task_id: id, request: text(), effective: text(), warnings: text() };
    Accept { task, request, metadata: Vec::new(), job: queued(id, account, now) }
}

/// The first attempt at a task, accepted by its provider.
pub fn attempt(task: TaskId, now: Timestamp) -> attempt::Model {
    attempt::Model {
        task_id: task,
        n: 1,
        mode: Mode::Test,
        clip_from: 0,
        clip_count: 1,
        provider: "sandbox".into(),
        endpoint: "local".into(),
        submit_key: format!("{task}-1"),
        upstream_id: Some(task.to_string()),
        state: AttemptState::Accepted,
        sends: 1,
        error_code: None,
        error_message: None,
        outcome: None,
        cost_micro_usd: None,
        created_at: now,
        accepted_at: Some(now),
        ended_at: None,
    }
}

fn queued(task_id: TaskId, account_id: AccountId, now: Timestamp) -> job::Model {
    job::Model {
        task_id,
        account_id,
        mode: Mode::Test,
        provider: "sandbox".into(),
        route: 0,
        state: JobState::Queued,
        progress: 0,
        run_at: now,
        deadline_at: now.plus_seconds(3_600),
        cancel_at: None,
        owner: None,
        epoch: None,
        fence: 0,
        created_at: now,
    }
}

pub fn settlement(account: AccountId, task: TaskId, by: SettledBy, outcome: Outcome) -> Command {
    Command::Settle(Box::new(Settle { account, task, by, outcome, callback_url: None }))
}

pub fn delivered(task: TaskId, capture: Credits) -> Outcome {
    Outcome::Delivered { capture, clips: vec![clip(task, 0, ClipState::Delivered)] }
}

pub fn failed() -> Outcome {
    Outcome::Failed { code: "provider_failed".into(), message: "No".into(), clips: Vec::new() }
}

pub fn clip(task_id: TaskId, idx: i64, state: ClipState) -> clip::Model {
    clip::Model {
        task_id,
        idx,
        state,
        attempt_n: Some(1),
        storage_key: (state == ClipState::Delivered).then(|| format!("{task_id}/{idx}.mp4")),
        millis: Some(5_000),
        bytes: Some(1),
        width: None,
        height: None,
        sha256: None,
        error_code: None,
        error_message: None,
    }
}
