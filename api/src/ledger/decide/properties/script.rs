//! Random scripts: what can be asked of the vault, often enough something that it has to refuse.

use entity::attempt::AttemptState;
use entity::grant::GrantClass;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sea_orm::Iterable;

/// One line of a script. Which account, key or task is meant is an index into those there are.
#[derive(Clone, Debug)]
pub enum Step {
    Grant {
        account: u128,
        class: GrantClass,
        amount: i64,
        priority: i64,
        hours: Option<i64>,
    },
    Adjust {
        account: u128,
        amount: i64,
    },
    Accept {
        account: u128,
        key: Option<u128>,
        amount: i64,
    },
    /// A worker made an attempt and knows this of it.
    Attempt {
        task: Index,
        state: AttemptState,
    },
    Settle {
        task: Index,
        who: Who,
        how: How,
    },
    Cancel {
        task: Index,
    },
    /// Percent of what was captured; more than 100 has to be refused.
    Refund {
        task: Index,
        percent: i64,
    },
    Expire {
        account: u128,
    },
    /// Watches the balance; `None` no more.
    Alert {
        account: u128,
        low: Option<i64>,
        more: i64,
    },
    Wait {
        hours: i64,
    },
    /// A command that was done before comes again.
    Repeat {
        command: Index,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Who {
    Owner,
    /// Owns the job, but doesn't know its newest attempt.
    Unaware,
    TakenOver,
    Operator,
}

#[derive(Clone, Copy, Debug)]
pub enum How {
    /// Captures this percent of the hold; what is no part of it has to be refused.
    Delivered(i64),
    Failed,
    Canceled,
    Expired,
}

/// An amount out of a range, often enough one that has to be refused.
fn amount(range: std::ops::Range<i64>) -> impl Strategy<Value = i64> {
    prop_oneof![18 => range, 1 => Just(0), 1 => Just(-1)]
}

pub fn script() -> impl Strategy<Value = Vec<Step>> {
    let account = || 1..=2u128;
    let classes = vec![GrantClass::Paid, GrantClass::Promotional, GrantClass::Compensation];
    let hours = prop::option::weighted(0.7, 1..40i64);
    let grant = (account(), select(classes), amount(1..6_000), 0..3i64, hours).prop_map(
        |(account, class, amount, priority, hours)| Step::Grant { account, class, amount, priority, hours },
    );
    // Key 3 is the second account's; drawn for the first it has to be refused, and the other way round.
    let key = prop::option::weighted(0.8, select(vec![1, 1, 2, 3, 3]));
    let adjust = (account(), -4_000..2_000i64).prop_map(|(account, amount)| Step::Adjust { account, amount });
    let accept = (account(), key, amount(1..1_500)).prop_map(|(account, key, amount)| Step::Accept {
        account,
        key,
        amount,
    });
    let states: Vec<_> = AttemptState::iter().collect();
    let attempt = (any::<Index>(), select(states)).prop_map(|(task, state)| Step::Attempt { task, state });
    let who = select(vec![Who::Owner, Who::Owner, Who::Unaware, Who::TakenOver, Who::Operator]);
    let how = prop_oneof![
        3 => (0..=100i64).prop_map(How::Delivered),
        1 => select(vec![-10, 0, 100, 101]).prop_map(How::Delivered),
        2 => Just(How::Failed),
        1 => Just(How::Canceled),
        1 => Just(How::Expired),
    ];
    let settle = (any::<Index>(), who, how).prop_map(|(task, who, how)| Step::Settle { task, who, how });
    let refund = (any::<Index>(), prop_oneof![1..=100i64, select(vec![0, 100, 101])])
        .prop_map(|(task, percent)| Step::Refund { task, percent });
    let low = prop::option::weighted(0.8, 1..4_000i64);
    let alert =
        (account(), low, 0..2_000i64).prop_map(|(account, low, more)| Step::Alert { account, low, more });
    let step = prop_oneof![
        5 => grant,
        2 => adjust,
        8 => accept,
        2 => attempt,
        7 => settle,
        2 => any::<Index>().prop_map(|task| Step::Cancel { task }),
        4 => refund,
        1 => account().prop_map(|account| Step::Expire { account }),
        2 => alert,
        4 => (1..30i64).prop_map(|hours| Step::Wait { hours }),
        2 => any::<Index>().prop_map(|command| Step::Repeat { command }),
    ];
    prop::collection::vec(step, 20..=40)
}
