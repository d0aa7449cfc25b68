//! The same random script through the pure core in memory and through the lane on each engine: every answer and the books
//! that are left are the same.
//!
//! The core's clock stands still between two steps and a lane's doesn't, so instants are compared by the hour: scripts move
//! time by whole hours, and nothing that is decided by time has a finer grain than they do.

mod picture;

use std::cell::Cell;

use entity::{CustomerId, api_key, customer, job};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use tokio::runtime::Handle;

use super::house::{House, on_every_engine_unchecked};
use crate::ledger::check::{Scope, check};
use crate::ledger::decide::properties::rows::START;
use crate::ledger::decide::properties::script::{Step, script};
use crate::ledger::decide::properties::{Act, World};
use picture::Picture;

/// How many scripts are tried on each engine, unless `REELMETER_TEST_SCRIPTS` says otherwise.
const SCRIPTS: u32 = 12;
/// More ids than a script uses.
const IDS_OF_A_SCRIPT: u128 = 1 << 32;

#[tokio::test(flavor = "multi_thread")]
async fn the_core_and_the_lane_on_each_engine_do_the_same_with_any_script() {
    let seed: [u8; 32] = rand::random();
    on_every_engine_unchecked(async |house| {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config(), rng);
        let ids = Cell::new(0);
        let tried = runner.run(&script(), |script| {
            ids.set(ids.get() + IDS_OF_A_SCRIPT);
            let world = World::with_ids_from(ids.get());
            tokio::task::block_in_place(|| Handle::current().block_on(play(house, world, &script)));
            Ok(())
        });
        tried.unwrap_or_else(|failure| panic!("{failure}"));
    })
    .await;
}

fn config() -> Config {
    let wanted = std::env::var("REELMETER_TEST_SCRIPTS").ok();
    let cases = wanted.map_or(SCRIPTS, |number| number.parse().expect("a number of scripts"));
    Config { cases, failure_persistence: None, max_shrink_iters: 256, ..Config::default() }
}

async fn play(house: &House, mut world: World, script: &[Step]) {
    move_in(house, &world).await;
    house.clock.advance(START.seconds() - house.clock.now().seconds());
    for step in script {
        let Some(act) = world.act(step) else { continue };
        let expected = world.perform(&act);
        let answer = match &act {
            Act::Wait(seconds) => {
                house.clock.advance(*seconds);
                None
            }
            Act::Attempt(attempt) => {
                claim(house, attempt).await;
                None
            }
            Act::Ask(command) | Act::Repeat(command, _) => Some(house.ledger.send(command.clone()).await),
        };
        assert_eq!(answer, expected, "{}: {act:?}", house.url);
    }
    assert_eq!(Picture::of_database(&house.db, &world).await, Picture::of_model(&world), "{}", house.url);
    assert_clean(house).await;
}

/// The customers, accounts and keys of a world that has only begun.
async fn move_in(house: &House, world: &World) {
    let tx = house.db.begin().await.unwrap();
    for account in world.book.accounts.values() {
        let owner = customer::Model {
            id: account.customer_id,
            name: "Ada".into(),
            price_group: "default".into(),
            admitted_at: None,
            demo: false,
            created_at: START,
        };
        owner.into_active_model().insert(&tx).await.unwrap();
        account.clone().into_active_model().insert(&tx).await.unwrap();
    }
    for key in world.book.keys.values() {
        let hash = key.id.0.as_bytes().to_vec();
        let key = api_key::Model { hash, customer_id: CustomerId(key.account_id.0), ..key.clone() };
        key.into_active_model().insert(&tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// What a worker writes.
async fn claim(house: &House, attempt: &entity::attempt::Model) {
    let tx = house.db.begin().await.unwrap();
    attempt.clone().into_active_model().insert(&tx).await.unwrap();
    let job = job::Entity::find_by_id(attempt.task_id).one(&tx).await.unwrap().unwrap();
    let claimed = job::Model { fence: job.fence + 1, ..job };
    claimed.into_active_model().reset_all().update(&tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// A script makes attempts at random, so that more than one of a task may be alive; all else has to be in order.
async fn assert_clean(house: &House) {
    let report = check(&house.db, &house.chain, Scope::Everything).await.unwrap();
    let wrong: Vec<_> =
        report.violations.iter().filter(|found| found.invariant != "one-live-submission").collect();
    assert!(wrong.is_empty(), "{}: {wrong:#?}", house.url);
}
