//! The shortest scripts behind what random ones are unlikely to hit, or would be slow to shrink to.

use entity::grant::GrantClass;
use entity::{AccountId, Credits, GrantId, KeyId, TaskId};
use uuid::Uuid;

use super::{World, rows};
use crate::ledger::{Command, Done, Grant, Outcome, Refund, Refusal, Settle, SettledBy};

fn account() -> AccountId {
    AccountId(Uuid::from_u128(1))
}

fn credits(thousandths: i64) -> Credits {
    rows::credits(thousandths)
}

fn grant(
    world: &mut World,
    n: u128,
    class: GrantClass,
    hours: Option<i64>,
    reference: &str,
) -> Result<Done, Refusal> {
    world.send(&Command::Grant(Grant {
        id: GrantId(Uuid::from_u128(n)),
        account: account(),
        class,
        amount: credits(500),
        priority: 0,
        expires_at: hours.map(|hours| rows::START.plus_seconds(hours * 3_600)),
        cost_basis: i64::from(class == GrantClass::Paid) * 10_000,
        reference: reference.into(),
    }))
}

fn accept(world: &mut World, n: u128, amount: i64) -> Result<Done, Refusal> {
    world.send(&Command::Accept(Box::new(rows::accept(n, account(), None, amount, world.now))))
}

/// The same with key 2, which may have one task under way and spend 2,000 thousandths in a week.
fn accept_with_key(world: &mut World, n: u128, amount: i64) -> Result<Done, Refusal> {
    let key = Some(KeyId(Uuid::from_u128(2)));
    world.send(&Command::Accept(Box::new(rows::accept(n, account(), key, amount, world.now))))
}

fn deliver(world: &mut World, n: u128, capture: i64) -> Result<Done, Refusal> {
    let (task, by) = (TaskId(Uuid::from_u128(n)), SettledBy::Operator);
    let outcome = Outcome::Delivered { capture: credits(capture), clips: vec![rows::clip(task)] };
    world.send(&Command::Settle(Box::new(Settle {
        account: account(),
        task,
        by,
        outcome,
        callback_url: None,
    })))
}

fn refund(world: &mut World, n: u128, amount: i64, reference: &str) -> Result<Done, Refusal> {
    let (task, reference) = (TaskId(Uuid::from_u128(n)), reference.to_owned());
    world.send(&Command::Refund(Refund { account: account(), task, amount: credits(amount), reference }))
}

#[test]
fn a_capture_below_zero_is_refused() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Paid, None, "bought").unwrap();
    accept(&mut world, 10, 300).unwrap();
    assert_eq!(deliver(&mut world, 10, -1), Err(Refusal::NotPositive));
}

#[test]
fn a_task_that_costs_nothing_or_less_is_refused() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Paid, None, "bought").unwrap();
    for amount in [0, -1] {
        assert_eq!(accept(&mut world, 10, amount), Err(Refusal::NotPositive), "{amount}");
    }
}

#[test]
fn a_refund_from_two_grants_that_are_over_replaces_each_by_its_like() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Promotional, Some(1), "given").unwrap();
    grant(&mut world, 2, GrantClass::Paid, Some(2), "bought").unwrap();
    accept(&mut world, 10, 1_000).unwrap();
    deliver(&mut world, 10, 1_000).unwrap();
    world.now = world.now.plus_seconds(3 * 3_600);
    refund(&mut world, 10, 1_000, "once").unwrap();
    let spendable = |class| -> i64 {
        let like = world.book.grants.values().filter(|grant| grant.class == class);
        like.map(|grant| grant.remaining.thousandths()).sum()
    };
    assert_eq!((spendable(GrantClass::Promotional), spendable(GrantClass::Paid)), (500, 500));
}

#[test]
fn the_reference_of_one_tasks_refund_is_taken_for_another_task() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Paid, None, "bought").unwrap();
    for task in [10, 11] {
        accept(&mut world, task, 200).unwrap();
        deliver(&mut world, task, 200).unwrap();
    }
    assert_eq!(refund(&mut world, 10, 50, "complaint"), Ok(Done::Booked { replayed: false }));
    assert_eq!(refund(&mut world, 10, 50, "complaint"), Ok(Done::Booked { replayed: true }));
    assert_eq!(refund(&mut world, 11, 50, "complaint"), Err(Refusal::ReferenceTaken));
}

#[test]
fn the_reference_of_a_purchase_is_taken_for_a_promotion() {
    let mut world = World::new();
    for (n, class, answer) in [
        (1, GrantClass::Paid, Ok(Done::Booked { replayed: false })),
        (2, GrantClass::Paid, Ok(Done::Booked { replayed: true })),
        (3, GrantClass::Promotional, Err(Refusal::ReferenceTaken)),
    ] {
        assert_eq!(grant(&mut world, n, class, None, "payment"), answer, "{class:?}");
    }
}

#[test]
fn a_refund_goes_to_the_grant_that_was_captured_last() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Promotional, Some(5), "given").unwrap();
    grant(&mut world, 2, GrantClass::Paid, None, "bought").unwrap();
    accept(&mut world, 10, 800).unwrap();
    deliver(&mut world, 10, 800).unwrap();
    refund(&mut world, 10, 350, "once").unwrap();
    let remaining: Vec<_> = world.book.grants.values().map(|grant| grant.remaining.thousandths()).collect();
    assert_eq!(remaining, [50, 500]);
}

#[test]
fn a_grant_gets_its_grace_once_however_often_something_comes_back() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Promotional, Some(1), "given").unwrap();
    for task in [10, 11] {
        accept(&mut world, task, 250).unwrap();
    }
    for (task, hours) in [(10, 2), (11, 10)] {
        world.now = rows::START.plus_seconds(hours * 3_600);
        deliver(&mut world, task, 100).unwrap();
    }
    let grace = world.book.grants.values().map(|grant| grant.grace_until).collect::<Vec<_>>();
    assert_eq!(grace, [Some(rows::START.plus_seconds(26 * 3_600))]);
}

#[test]
fn a_key_takes_as_many_tasks_as_it_may_and_one_more_when_one_has_ended() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Paid, None, "bought").unwrap();
    accept_with_key(&mut world, 10, 100).unwrap();
    let full = Err(Refusal::TooManyTasks { limit: 1 });
    assert_eq!(accept_with_key(&mut world, 11, 100), full);
    let replayed = Done::Accepted { task: TaskId(Uuid::from_u128(10)), replayed: true };
    assert_eq!(accept_with_key(&mut world, 10, 100), Ok(replayed), "a replay is no second task");
    deliver(&mut world, 10, 100).unwrap();
    assert!(accept_with_key(&mut world, 11, 100).is_ok());
}

#[test]
fn tasks_under_way_object_before_caps_and_balance() {
    let mut world = World::new();
    grant(&mut world, 1, GrantClass::Paid, None, "bought").unwrap();
    accept_with_key(&mut world, 10, 100).unwrap();
    assert_eq!(accept_with_key(&mut world, 11, 3_000), Err(Refusal::TooManyTasks { limit: 1 }));
    deliver(&mut world, 10, 100).unwrap();
    assert!(matches!(accept_with_key(&mut world, 11, 3_000), Err(Refusal::CapReached(_))));
    assert!(matches!(accept_with_key(&mut world, 11, 1_000), Err(Refusal::Insufficient { .. })));
}
