//! What is told of balances, followed from event to event and written without the code that tells it.

use std::collections::BTreeMap;

use entity::account::{self, AlertState};
use entity::{AccountId, Timestamp, event};
use serde_json::Value;
use uuid::Uuid;

use super::super::{Context, decide};
use super::audit::reloaded;
use crate::ledger::book::Book;
use crate::ledger::{Command, Done, Refusal};

/// What each account was last told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    last: BTreeMap<AccountId, AlertState>,
}

impl Told {
    /// Follows a command that was decided on a book with nothing else to write.
    pub fn follow(&mut self, command: &Command, before: &Book, book: &Book, now: Timestamp) {
        let (id, events) = (command.account(), &book.writes.events);
        let last = self.last.entry(id).or_insert(AlertState::Ok);
        let said: Vec<_> = events.iter().filter_map(|event| Some((event, state_said(event)?))).collect();
        assert!(said.len() <= 2, "one by what expired, one by the command: {said:?}");
        for (event, state) in said {
            assert_eq!(event.account_id, id);
            assert_ne!(state, *last, "said twice in a row: {event:?}");
            assert!(
                (*last, state) != (AlertState::Depleted, AlertState::Low),
                "low on the way up: {event:?}"
            );
            assert_body(event, *last, [&before.accounts[&id], &book.accounts[&id]]);
            *last = state;
        }
        let account = &book.accounts[&id];
        if account.alert_low.is_none() {
            *last = AlertState::Ok;
        }
        assert_eq!(account.alert_state, *last, "stored but not said: {account:?}");
        assert_says_the_balance(book, account, now);
    }
}

fn state_said(event: &event::Model) -> Option<AlertState> {
    match event.r#type.as_str() {
        "credits.recovered" => Some(AlertState::Ok),
        "credits.low" => Some(AlertState::Low),
        "credits.depleted" => Some(AlertState::Depleted),
        _ => None,
    }
}

/// The thresholds are those before or after the command, which may have set others.
fn assert_body(event: &event::Model, previous: AlertState, accounts: [&account::Model; 2]) {
    let body: Value = serde_json::from_str(&event.body).unwrap();
    let thresholds = |account: &account::Model| {
        [account.alert_low, account.alert_recover].map(|amount| serde_json::to_value(amount).unwrap())
    };
    let told = [body["low"].clone(), body["recover"].clone()];
    assert!(accounts.map(thresholds).contains(&told), "{event:?}");
    assert_eq!(body["previous"], format!("{previous:?}").to_lowercase(), "{event:?}");
    assert!(body["available"].is_number() && event.task_id.is_none(), "{event:?}");
}

/// Whoever has enough is ok, whoever has next to nothing is depleted, and whoever has too little is not ok.
fn assert_says_the_balance(book: &Book, account: &account::Model, now: Timestamp) {
    let (Some(low), Some(recover)) = (account.alert_low, account.alert_recover) else {
        assert_eq!((account.alert_low, account.alert_recover), (None, None));
        return;
    };
    let live = book.grants.values().filter(|grant| {
        let end = grant.grace_until.or(grant.expires_at);
        grant.account_id == account.id && end.is_none_or(|end| end > now)
    });
    let available: i64 = live.map(|grant| grant.remaining.thousandths()).sum();
    let state = account.alert_state;
    if available >= recover.thousandths() {
        assert_eq!(state, AlertState::Ok, "{account:?}");
    } else if available < 1_000 {
        assert_eq!(state, AlertState::Depleted, "{account:?}");
    } else if available < low.thousandths() {
        assert_ne!(state, AlertState::Ok, "{account:?}");
    }
}

/// The same command on the same book, had nobody asked for alerts, moves the same credits.
pub fn assert_money_is_blind(
    before: &Book,
    after: &Book,
    (command, answer): (&Command, &Result<Done, Refusal>),
    spare: Uuid,
    context: &Context,
) {
    if matches!(command, Command::Alert(_)) {
        let money = |book: &Book| book.accounts.values().map(money_of).collect::<Vec<_>>();
        let mut expired = reloaded(before);
        decide(&mut expired, &Command::Expire(command.account()), spare, context).unwrap();
        assert_eq!(money(&expired), money(after));
        return assert_eq!((&expired.grants, &expired.holds), (&after.grants, &after.holds));
    }
    let mut blind = reloaded(before);
    for account in blind.accounts.values_mut() {
        (account.alert_low, account.alert_recover, account.alert_state) = (None, None, AlertState::Ok);
    }
    assert_eq!(&decide(&mut blind, command, spare, context), answer, "{command:?}");
    assert_eq!(blind.writes.transfers, after.writes.transfers, "{command:?}");
    assert_eq!((&blind.grants, &blind.holds, &blind.usage), (&after.grants, &after.holds, &after.usage));
}

/// An account but for what is told of it.
fn money_of(account: &account::Model) -> account::Model {
    account::Model {
        event_seq: 0,
        alert_low: None,
        alert_recover: None,
        alert_state: AlertState::Ok,
        ..account.clone()
    }
}
