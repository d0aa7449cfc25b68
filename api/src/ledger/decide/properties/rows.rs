//! Rows for tests of the vault, with nothing in them that decisions don't look at.

use entity::attempt::AttemptState;
use entity::clip::ClipState;
use entity::job::JobState;
use entity::task::TaskState;
use entity::{
    AccountId, Credits, CustomerId, KeyId, Mode, TaskId, Timestamp, account, api_key, attempt, clip, job,
    task, task_request,
};
use uuid::Uuid;

use crate::ledger::Accept;
use crate::ledger::chain::Chain;
use crate::ledger::open::empty_account;
use crate::secret::Secret;

/// Friday, 2026-01-30, 20:00 UTC: a few hours, days and weeks later every kind of spending window has turned.
pub const START: Timestamp = Timestamp::from_seconds(1_769_803_200);

pub fn credits(thousandths: i64) -> Credits {
    Credits::from_thousandths(thousandths)
}

pub fn chain() -> Chain {
    Chain::new(&Secret::parse(&"07".repeat(32)).unwrap())
}

pub fn account(n: u128) -> account::Model {
    empty_account(AccountId(Uuid::from_u128(n)), CustomerId(Uuid::from_u128(n)), Mode::Live, START)
}

/// A key with caps for a day, a week, a month and a lifetime, and a limit of tasks under way.
pub fn key(n: u128, account: AccountId, caps: [Option<i64>; 4], max_tasks: Option<i64>) -> api_key::Model {
    let [cap_day, cap_week, cap_month, cap_lifetime] = caps.map(|cap| cap.map(credits));
    api_key::Model {
        id: KeyId(Uuid::from_u128(n)),
        customer_id: CustomerId(account.0),
        account_id: account,
        mode: Mode::Live,
        name: String::new(),
        hash: Vec::new(),
        hint: String::new(),
        scopes: String::new(),
        models: None,
        price_group: None,
        cap_day,
        cap_week,
        cap_month,
        cap_lifetime,
        demo: false,
        created_at: START,
        expires_at: None,
        revoked_at: None,
        ip_ranges: None,
        rate_per_minute: None,
        max_tasks,
        created_by: None,
        last_used_at: None,
        previous_hash: None,
        previous_until: None,
    }
}

pub fn accept(id: u128, account: AccountId, key: Option<KeyId>, amount: i64, now: Timestamp) -> Accept {
    let id = TaskId(Uuid::from_u128(id));
    Accept {
        task: task(id, account, key, amount, now),
        request: task_request::Model {
            task_id: id,
            request: String::new(),
            effective: String::new(),
            warnings: String::new(),
        },
        metadata: Vec::new(),
        job: job(id, account, now),
    }
}

fn task(
    id: TaskId,
    account_id: AccountId,
    key_id: Option<KeyId>,
    amount: i64,
    now: Timestamp,
) -> task::Model {
    task::Model {
        id,
        account_id,
        mode: Mode::Live,
        key_id,
        dialect: "native".into(),
        idempotency_key: Some(id.to_string()),
        request_hash: vec![1],
        model: "model".into(),
        clips: 1,
        credits: credits(amount),
        price_version: 1,
        explanation: String::new(),
        quote_id: None,
        external_id: None,
        state: TaskState::Live,
        error_code: None,
        error_message: None,
        created_at: now,
        terminal_at: None,
        deleted_at: None,
    }
}

fn job(task_id: TaskId, account_id: AccountId, now: Timestamp) -> job::Model {
    job::Model {
        task_id,
        account_id,
        mode: Mode::Live,
        provider: "upstream".into(),
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

pub fn attempt(task_id: TaskId, n: i64, state: AttemptState, now: Timestamp) -> attempt::Model {
    attempt::Model {
        task_id,
        n,
        mode: Mode::Live,
        clip_from: 0,
        clip_count: 1,
        provider: "upstream".into(),
        endpoint: "submit".into(),
        submit_key: format!("{task_id}-{n}"),
        upstream_id: None,
        state,
        sends: 1,
        error_code: None,
        error_message: None,
        outcome: None,
        cost_micro_usd: None,
        created_at: now,
        accepted_at: None,
        ended_at: None,
    }
}

/// The one clip that every task here asks for.
pub fn clip(task_id: TaskId) -> clip::Model {
    clip::Model {
        task_id,
        idx: 0,
        state: ClipState::Delivered,
        attempt_n: None,
        storage_key: Some(task_id.to_string()),
        millis: None,
        bytes: None,
        width: None,
        height: None,
        sha256: None,
        error_code: None,
        error_message: None,
    }
}
