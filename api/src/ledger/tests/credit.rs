//! Grants, corrections and refunds: what is spent first, what expires, what comes back and what is owed.

use entity::grant::GrantClass;
use entity::{Credits, GrantId, grant};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::house::{credits, on_every_engine};
use super::rows::failed;
use crate::ledger::{Command, Done, Grant, Outcome, Refund, Refusal};

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_refund_returns_to_its_grant_once_and_never_exceeds_the_capture() {
    on_every_engine(async |house| {
        let account = house.account().await;
        let grant = house.grant(account, credits(100), GrantClass::Paid, None).await;
        let task = house.accept(account, credits(10)).await;
        assert_eq!(house.refund(account, task, credits(1)).await, Err(Refusal::NotSettled));
        house.deliver(account, task, credits(8)).await;
        let part = Command::Refund(Refund { account, task, amount: credits(5), reference: "admin:1".into() });
        assert_eq!(house.done(part.clone()).await, Done::Booked { replayed: false });
        assert_eq!(house.done(part).await, Done::Booked { replayed: true });
        assert_eq!(house.refund(account, task, credits(4)).await, Err(Refusal::AboveCaptured));
        assert_eq!(house.balance(account).await.0, credits(97));
        assert_eq!(house.lot(grant).await.consumed, credits(3));
    })
    .await;
}

#[tokio::test]
async fn a_refund_of_an_expired_grant_opens_a_new_one() {
    on_every_engine(async |house| {
        let account = house.account().await;
        let old = house.grant(account, credits(10), GrantClass::Promotional, Some(DAY)).await;
        let task = house.accept(account, credits(10)).await;
        house.deliver(account, task, credits(10)).await;
        house.clock.advance(2 * DAY);
        house.refund(account, task, credits(10)).await.unwrap();
        let lots = grant::Entity::find().filter(grant::Column::AccountId.eq(account)).all(house.db.read());
        let lots = lots.await.unwrap();
        let fresh = lots.iter().find(|lot| lot.id != old).unwrap();
        assert_eq!(
            (fresh.remaining, fresh.class, fresh.cost_basis),
            (credits(10), GrantClass::Promotional, 8_000)
        );
        assert_eq!(house.lot(old).await.remaining, Credits::ZERO);
    })
    .await;
}

#[tokio::test]
async fn what_is_over_expires_and_can_not_be_spent() {
    on_every_engine(async |house| {
        let account = house.account().await;
        let grant = house.grant(account, credits(10), GrantClass::Promotional, Some(DAY)).await;
        house.clock.advance(DAY + 1);
        let accept = Command::Accept(Box::new(house.request(account, credits(1))));
        let refusal =
            Refusal::Insufficient { required: credits(1), available: Credits::ZERO, held: Credits::ZERO };
        assert_eq!(house.ledger.send(accept).await, Err(refusal));
        assert_eq!(house.done(Command::Expire(account)).await, Done::Expired(Credits::ZERO));
        assert_eq!(house.lot(grant).await.expired, credits(10));
    })
    .await;
}

#[tokio::test]
async fn credits_that_come_back_from_our_failure_after_their_expiry_live_one_more_day_once() {
    on_every_engine(async |house| {
        let account = house.account().await;
        let grant = house.grant(account, credits(10), GrantClass::Promotional, Some(DAY)).await;
        let (first, second) =
            (house.accept(account, credits(6)).await, house.accept(account, credits(4)).await);
        house.clock.advance(DAY + 1);
        house.settle(account, first, failed()).await;
        let grace = house.lot(grant).await.grace_until;
        assert_eq!(house.balance(account).await, (credits(6), credits(4), Credits::ZERO));
        house.clock.advance(DAY / 2);
        house.settle(account, second, Outcome::Expired).await;
        assert_eq!(house.lot(grant).await.grace_until, grace);
        house.clock.advance(DAY / 2);
        assert_eq!(house.done(Command::Expire(account)).await, Done::Expired(credits(10)));
    })
    .await;
}

#[tokio::test]
async fn the_customers_own_cancel_earns_no_grace() {
    on_every_engine(async |house| {
        let account = house.account().await;
        let grant = house.grant(account, credits(10), GrantClass::Promotional, Some(DAY)).await;
        let task = house.accept(account, credits(10)).await;
        house.clock.advance(DAY + 1);
        house.cancel(account, task).await;
        assert_eq!(house.balance(account).await, (Credits::ZERO, Credits::ZERO, Credits::ZERO));
        assert_eq!(house.lot(grant).await.expired, credits(10));
    })
    .await;
}

#[tokio::test]
async fn what_expires_sooner_is_spent_first() {
    on_every_engine(async |house| {
        let account = house.account().await;
        let late = house.grant(account, credits(10), GrantClass::Promotional, Some(9 * DAY)).await;
        let never = house.grant(account, credits(10), GrantClass::Promotional, None).await;
        let soon = house.grant(account, credits(10), GrantClass::Promotional, Some(DAY)).await;
        let task = house.accept(account, credits(15)).await;
        let held = async |id: GrantId| house.lot(id).await.held;
        assert_eq!(
            (held(soon).await, held(late).await, held(never).await),
            (credits(10), credits(5), Credits::ZERO)
        );
        house.deliver(account, task, credits(12)).await;
        let consumed = async |id: GrantId| house.lot(id).await.consumed;
        assert_eq!((consumed(soon).await, consumed(late).await), (credits(10), credits(2)));
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_taken_becomes_debt_that_the_next_credit_repays() {
    on_every_engine(async |house| {
        let account = house.funded(credits(10)).await;
        let task = house.accept(account, credits(4)).await;
        house.adjust(account, credits(-9)).await;
        assert_eq!(house.balance(account).await, (Credits::ZERO, credits(4), credits(3)));
        house.settle(account, task, failed()).await;
        assert_eq!(house.balance(account).await, (credits(1), Credits::ZERO, Credits::ZERO));
        house.adjust(account, credits(-5)).await;
        house.grant(account, credits(10), GrantClass::Paid, None).await;
        assert_eq!(house.balance(account).await, (credits(6), Credits::ZERO, Credits::ZERO));
    })
    .await;
}

#[tokio::test]
async fn a_grants_reference_is_booked_once() {
    on_every_engine(async |house| {
        let (account, other) = (house.account().await, house.account().await);
        let grant = house.given(account, credits(10), GrantClass::Paid, None);
        let stolen = Grant { account: other, ..grant.clone() };
        assert_eq!(house.done(Command::Grant(grant.clone())).await, Done::Booked { replayed: false });
        assert_eq!(house.done(Command::Grant(grant)).await, Done::Booked { replayed: true });
        assert_eq!(house.ledger.send(Command::Grant(stolen)).await, Err(Refusal::ReferenceTaken));
        assert_eq!(house.balance(account).await.0, credits(10));
    })
    .await;
}
