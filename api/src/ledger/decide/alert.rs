//! Alerts: whether what can be spent has crossed a threshold, and the event that says so.
//!
//! Looked at after every command on an account, whatever came of it, so that no crossing is missed and none is told twice.
//! Nothing here moves credits.

use entity::account::AlertState;
use entity::{AccountId, Credits};

use super::super::alert::thresholds;
use super::super::book::{Book, spendable};
use super::super::{Done, Refusal, SetAlert, Thresholds};
use super::Context;

/// With less than this an account is depleted, however low it wants to be told: the cheapest task costs as much.
const ONE_CREDIT: Credits = Credits::from_thousandths(1_000);

/// New thresholds keep what was last said, so that only a real change is told. Without any all is well.
pub fn set(book: &mut Book, command: &SetAlert) -> Result<Done, Refusal> {
    let account = book.accounts.get_mut(&command.account).ok_or(Refusal::NoAccount)?;
    let before = account.clone();
    account.alert_low = command.thresholds.map(Thresholds::low);
    account.alert_recover = command.thresholds.map(Thresholds::recover);
    if command.thresholds.is_none() {
        account.alert_state = AlertState::Ok;
    }
    if *account != before {
        book.writes.accounts.insert(command.account);
    }
    Ok(Done::AlertSet)
}

/// Tells of the threshold that the account has crossed since it was last looked at, if any.
pub fn watch(book: &mut Book, id: AccountId, context: &Context) -> Result<(), Refusal> {
    let account = book.account(id)?;
    let Some(thresholds) = thresholds(account) else { return Ok(()) };
    let available = spendable(account, book.grants.of(id), context.now);
    let previous = account.alert_state;
    let state = next(previous, available, thresholds);
    if state == previous {
        return Ok(());
    }
    let body = serde_json::json!({
        "available": available, "low": thresholds.low(), "recover": thresholds.recover(), "previous": previous.as_str(),
    });
    book.tell(id, context.now, event_of(state), None, body)?;
    book.accounts.get_mut(&id).ok_or(Refusal::NoAccount)?.alert_state = state;
    Ok(())
}

/// What is to be said of a balance after what was last said. Between the thresholds nothing new is; a depleted account is
/// not low again on its way up.
fn next(state: AlertState, available: Credits, thresholds: Thresholds) -> AlertState {
    if available >= thresholds.recover() {
        AlertState::Ok
    } else if available < ONE_CREDIT {
        AlertState::Depleted
    } else if state == AlertState::Ok && available < thresholds.low() {
        AlertState::Low
    } else {
        state
    }
}

fn event_of(state: AlertState) -> &'static str {
    match state {
        AlertState::Ok => "credits.recovered",
        AlertState::Low => "credits.low",
        AlertState::Depleted => "credits.depleted",
    }
}

#[cfg(test)]
mod tests {
    use AlertState::{Depleted, Low, Ok};
    use entity::GrantId;
    use entity::grant::GrantClass;
    use uuid::Uuid;

    use super::super::decide;
    use super::super::properties::rows;
    use super::*;
    use crate::ledger::{Command, Grant};

    fn credits(thousandths: i64) -> Credits {
        Credits::from_thousandths(thousandths)
    }

    fn after(state: AlertState, available: i64, (low, recover): (i64, i64)) -> AlertState {
        next(state, credits(available), Thresholds::new(credits(low), credits(recover)).unwrap())
    }

    #[test]
    fn a_state_changes_only_at_the_threshold_that_leads_out_of_it() {
        const USUAL: (i64, i64) = (10_000, 15_000);
        for (state, available, expected) in [
            (Ok, 15_000, Ok),
            (Ok, 10_000, Ok),
            (Ok, 9_999, Low),
            (Ok, 1_000, Low),
            (Ok, 999, Depleted),
            (Ok, 0, Depleted),
            (Low, 10_000, Low),
            (Low, 14_999, Low),
            (Low, 15_000, Ok),
            (Low, 999, Depleted),
            (Depleted, 1_000, Depleted),
            (Depleted, 14_999, Depleted),
            (Depleted, 15_000, Ok),
        ] {
            assert_eq!(after(state, available, USUAL), expected, "{state:?} with {available}");
        }
    }

    #[test]
    fn thresholds_below_one_credit_do_not_flap_either() {
        for state in [Ok, Low, Depleted] {
            assert_eq!(after(state, 700, (500, 500)), Ok);
            assert_eq!(after(state, 400, (500, 500)), Depleted);
        }
    }

    #[test]
    fn several_crossings_of_one_batch_are_told_in_their_order() {
        let (chain, account) = (rows::chain(), rows::account(1));
        let id = account.id;
        let mut book = Book { accounts: [(id, account)].into(), ..Book::default() };
        let thresholds = Thresholds::new(credits(2_000), credits(3_000));
        let grant = |n: u128, amount| {
            Command::Grant(Grant {
                id: GrantId(Uuid::from_u128(n)),
                account: id,
                class: GrantClass::Paid,
                amount: credits(amount),
                priority: 0,
                expires_at: None,
                cost_basis: 0,
                reference: n.to_string(),
            })
        };
        let hold = |n, amount| Command::Accept(Box::new(rows::accept(n, id, None, amount, rows::START)));
        let commands = [
            grant(1, 4_000),
            Command::Alert(SetAlert { account: id, thresholds }),
            hold(2, 2_500),
            hold(3, 1_000),
            grant(4, 1_000),
            grant(5, 1_500),
            hold(6, 3_000),
        ];
        for command in &commands {
            let context = Context { now: rows::START, chain: &chain };
            decide(&mut book, command, Uuid::nil(), &context).unwrap();
        }
        let told: Vec<&str> = book.writes.events.iter().map(|event| event.r#type.as_str()).collect();
        let expected = [
            "credits.granted",
            "video.queued",
            "credits.low",
            "video.queued",
            "credits.depleted",
            "credits.granted",
            "credits.granted",
            "credits.recovered",
            "video.queued",
            "credits.depleted",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_was_said_once_is_not_said_again() {
        for thresholds in [(10_000, 15_000), (500, 500), (500, 2_000), (1, 1)] {
            for available in 0..160 {
                for state in [Ok, Low, Depleted] {
                    let once = after(state, available * 100, thresholds);
                    assert_eq!(after(once, available * 100, thresholds), once, "{thresholds:?} {available}");
                }
            }
        }
    }
}
