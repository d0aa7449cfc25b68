//! The program dies between two steps, once or twice. Each point of the source is here, each is met by a process that aborts,
//! and what is left in the end is what a run leaves in which nobody died.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;

use tests::Engine;

use super::site::Site;
use super::story::{CANCELED, DELIVERED, FAILED, HALF, REDEEMED, Story, Telling, UNCLEAR};
use crate::program::Server;

/// SIGABRT.
const ABORTED: i32 = 6;

/// Tests that the program may die at these points, one after the other: `POINT:N` is where it comes for the N-th time. In the
/// end an attempt was sent so many times at most.
macro_rules! dies {
    ($($name:ident: $story:ident, [$($point:literal),*], $sends:literal;)*) => {
        const POINTS: &[&str] = &[$($($point,)*)*];

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::lives_through(super::Engine::Sqlite, super::$story, &[$($point),*], $sends).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::lives_through(super::Engine::Postgres, super::$story, &[$($point),*], $sends).await;
            })*
        }
    };
}

dies! {
    // Nobody dies: this is what the others are compared with.
    a_task_that_fails: FAILED, [], 1;
    a_submission_whose_answer_is_lost: UNCLEAR, [], 1;
    a_task_that_is_delivered: DELIVERED, [], 1;
    a_task_that_is_delivered_by_half: HALF, [], 1;
    a_task_that_is_canceled: CANCELED, [], 1;
    a_code_that_is_redeemed: REDEEMED, [], 0;

    before_an_accept_is_committed: FAILED, ["lane.commit:1"], 1;
    between_an_accept_and_its_reply: FAILED, ["lane.reply:1"], 1;
    between_the_intent_and_the_call: FAILED, ["claim.call:1"], 1;
    right_before_a_submission_is_sent: FAILED, ["submit.call:1"], 2;
    between_the_provider_s_acceptance_and_its_reply: FAILED, ["sandbox.accepted:1"], 2;
    between_a_submission_and_its_record: FAILED, ["submit.reply:1"], 2;
    after_a_submission_is_recorded: FAILED, ["submit.recorded:1"], 1;
    between_an_unclear_answer_and_the_search: UNCLEAR, ["submit.unclear:1"], 2;
    between_a_verdict_and_its_record: FAILED, ["poll.verdict:1"], 1;
    between_a_success_and_its_clip: DELIVERED, ["poll.success:1"], 1;
    between_a_clip_in_storage_and_the_end_of_its_source: DELIVERED, ["store.copied:1"], 1;
    between_a_stored_clip_and_its_record: DELIVERED, ["store.kept:1"], 1;
    before_a_settlement_is_asked_for: FAILED, ["settle.ask:1"], 1;
    before_a_settlement_is_committed: FAILED, ["lane.commit:2"], 1;
    after_a_settlement_is_committed: DELIVERED, ["lane.reply:2"], 1;
    between_a_settlement_and_its_webhook: FAILED, ["deliver.call:1"], 1;
    between_a_webhook_and_its_record: FAILED, ["deliver.reply:1"], 1;

    before_a_wish_to_cancel_is_committed: CANCELED, ["lane.commit:2"], 1;
    between_a_wish_to_cancel_and_its_reply: CANCELED, ["lane.reply:2"], 1;
    after_the_provider_was_asked_to_cancel: CANCELED, ["cancel.reply:1"], 1;
    between_a_cancellation_and_its_record: CANCELED, ["poll.verdict:1"], 1;
    before_the_settlement_of_a_cancellation: CANCELED, ["settle.ask:1"], 1;
    after_the_settlement_of_a_cancellation: CANCELED, ["lane.reply:3"], 1;

    before_the_second_clip_is_sent: HALF, ["submit.call:2"], 2;
    after_the_second_clip_is_recorded: HALF, ["submit.recorded:2"], 1;
    between_the_only_clip_of_two_and_its_record: HALF, ["store.kept:1"], 1;
    before_a_settlement_by_half: HALF, ["settle.ask:1"], 1;
    before_a_settlement_by_half_is_committed: HALF, ["lane.commit:2"], 1;

    before_a_redemption_is_claimed_for_good: REDEEMED, ["redeem.claimed:1"], 0;
    before_the_credits_of_a_code_are_committed: REDEEMED, ["lane.commit:1"], 0;
    after_the_credits_of_a_code_are_committed: REDEEMED, ["lane.reply:1"], 0;
    between_the_credits_of_a_code_and_their_record: REDEEMED, ["redeem.given:1"], 0;

    before_an_accept_and_then_before_its_reply: FAILED, ["lane.commit:1", "lane.reply:1"], 1;
    before_the_call_and_when_nothing_was_found: FAILED, ["submit.call:1", "reconcile.absent:1"], 2;
    at_each_of_two_calls: FAILED, ["sandbox.accepted:1", "submit.reply:1"], 3;
    at_the_first_call_and_at_the_verdict: FAILED, ["claim.call:1", "poll.verdict:1"], 1;
    at_the_storing_and_at_the_settlement: DELIVERED, ["store.copied:1", "lane.commit:2"], 1;
    at_the_settlement_and_at_its_webhook: FAILED, ["settle.ask:1", "deliver.reply:1"], 1;
    twice_between_a_webhook_and_its_record: FAILED, ["deliver.reply:1", "deliver.reply:1"], 1;
    at_the_wish_to_cancel_and_at_the_settlement: CANCELED, ["lane.reply:2", "settle.ask:1"], 1;
    at_the_storing_and_while_the_customer_asks_again: DELIVERED, ["store.copied:1", "lane.commit:1"], 1;
    with_one_clip_stored_and_with_both_recorded: HALF, ["store.kept:1", "settle.ask:1"], 1;
    twice_while_a_code_is_redeemed: REDEEMED, ["redeem.claimed:1", "redeem.given:1"], 0;
}

#[test]
fn every_point_of_the_source_is_met() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/src");
    let mut found = BTreeSet::new();
    crate::tidy::each_line(&root, &mut |line| {
        if let Some((_, rest)) = line.split_once("fail_point!(\"") {
            found.extend(rest.split('"').next().map(str::to_owned));
        }
    });
    let met: BTreeSet<String> =
        POINTS.iter().filter_map(|point| point.split(':').next()).map(str::to_owned).collect();
    assert_eq!(found, met);
}

async fn lives_through(engine: Engine, story: Story, deaths: &[&str], sends: i64) {
    let site = Site::with(engine, 1_000).await;
    let telling = Telling::of(story, &site).await;
    for point in deaths {
        dies_at(site.serve(Some(point)).await, &telling, point).await;
        site.let_leases_end().await;
    }
    let server = site.serve(None).await;
    telling.tell(&server.url()).await.expect("the program is there");
    server.stop("-TERM").await;
    insta::assert_snapshot!(story.name, site.left().await);
    assert_eq!(site.most_sends().await, sends);
    site.assert_stored().await;
    site.assert_one_webhook();
    site.close().await;
}

/// The story goes as far as it can.
async fn dies_at(server: Server, telling: &Telling<'_>, point: &str) {
    let url = server.url();
    let mut ended = pin!(server.ended());
    let status = tokio::select! {
        status = &mut ended => status,
        told = telling.tell(&url) => {
            assert!(told.is_err(), "{point} was not met: the story came to its end");
            ended.await
        }
    };
    assert_eq!(status.signal(), Some(ABORTED), "{point} was not met: {status}");
}
