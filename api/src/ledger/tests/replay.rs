//! Many clients at once, and afterwards their answers against the journal: replayed through the pure core in the order of its
//! numbers it gives the same transfers, and everybody was told what was true at some moment while they waited.

mod journal;
mod shop;
mod witness;

use entity::transfer::TransferKind;
use entity::{Credits, transfer};
use futures_util::future::join_all;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::house::{House, credits, on_every_engine};
use crate::ledger::{Done, Refusal};
use journal::assert_replays;
use shop::Shop;
use witness::{Record, Witness};

const ACCOUNTS: usize = 3;
const CLIENTS: usize = 16;
const ERRANDS: usize = 30;

#[tokio::test]
async fn the_journal_replayed_gives_the_answers_that_simultaneous_clients_saw() {
    on_every_engine(async |house| {
        let witness = Witness::new(house);
        let mut shops = Vec::new();
        for _ in 0..ACCOUNTS {
            shops.push(Shop::open(&witness).await);
        }
        let client = async |n: usize| {
            for _ in 0..ERRANDS {
                shops[n % ACCOUNTS].errand(&witness).await;
            }
        };
        join_all((0..CLIENTS).map(client)).await;
        let records = witness.records();
        assert_replays(house, &records).await;
        assert_met(house, &records).await;
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "could not be told")]
async fn a_refusal_that_was_never_true_does_not_replay() {
    on_every_engine(async |house| {
        let witness = Witness::new(house);
        let shop = Shop::open(&witness).await;
        shop.accept(&witness, credits(5)).await;
        shop.accept(&witness, credits(1_000)).await;
        let mut records = witness.records();
        let refused = records.last_mut().unwrap();
        let refusal =
            Refusal::Insufficient { required: credits(1_000), available: Credits::ZERO, held: credits(5) };
        assert_ne!(refused.answer, Err(refusal.clone()));
        refused.answer = Err(refusal);
        assert_replays(house, &records).await;
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "is not in the journal")]
async fn an_answer_without_a_transfer_does_not_replay() {
    on_every_engine(async |house| {
        let witness = Witness::new(house);
        let shop = Shop::open(&witness).await;
        shop.accept(&witness, credits(1_000)).await;
        let mut records = witness.records();
        let refused = records.last_mut().unwrap();
        let task = refused.task().unwrap();
        refused.answer = Ok(Done::Accepted { task, replayed: false });
        assert_replays(house, &records).await;
    })
    .await;
}

/// What the clients have met whatever they drew, or it proves nothing. What is rarer is met in most runs.
async fn assert_met(house: &House, records: &[Record]) {
    let met = |what: fn(&Record) -> bool| records.iter().any(what);
    assert!(met(|record| matches!(record.answer, Ok(Done::Accepted { replayed: false, .. }))));
    assert!(met(|record| matches!(record.answer, Ok(Done::Settled { fresh: true, .. }))));
    assert!(met(|record| matches!(record.answer, Err(Refusal::Insufficient { .. }))));
    for kind in [TransferKind::Capture, TransferKind::Release] {
        let found = transfer::Entity::find().filter(transfer::Column::Kind.eq(kind)).count(house.db.read());
        assert!(found.await.unwrap() > 0, "no {kind:?}");
    }
}
