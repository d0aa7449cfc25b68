//! The lane on each engine, end to end: what it answers, what it leaves in the book, and that the book is clean afterwards
//! (which every test here checks at its end).

mod alike;
mod credit;
pub mod house;
mod replay;
pub mod rows;

use entity::Credits;
use entity::clip::ClipState;
use entity::task::TaskState;
use futures_util::future::join_all;

use super::{CapWindow, Command, Done, Outcome, Refusal, SettledBy};
use house::{credits, nobody, on_every_engine};
use rows::{clip, delivered, failed, settlement};

#[tokio::test]
async fn an_idempotency_key_pays_once_and_refuses_another_request() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let mut first = house.request(account, credits(10));
        first.task.idempotency_key = Some("retry-me".into());
        let again = |hash| {
            let mut again = house.request(account, credits(10));
            again.task.idempotency_key = Some("retry-me".into());
            again.task.request_hash = hash;
            Command::Accept(Box::new(again))
        };
        let task = house.accepted(first).await;
        assert_eq!(house.done(again(vec![7; 32])).await, Done::Accepted { task, replayed: true });
        assert_eq!(house.ledger.send(again(vec![8; 32])).await, Err(Refusal::KeyReused));
        assert_eq!(house.balance(account).await, (credits(90), credits(10), Credits::ZERO));
    })
    .await;
}

#[tokio::test]
async fn simultaneous_duplicates_become_one_task() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let duplicate = |_| {
            let mut accept = house.request(account, credits(10));
            accept.task.idempotency_key = Some("same".into());
            house.done(Command::Accept(Box::new(accept)))
        };
        let answers = join_all((0..50).map(duplicate)).await;
        let fresh =
            answers.iter().filter(|done| matches!(done, Done::Accepted { replayed: false, .. })).count();
        let tasks = answers.iter().map(|done| match done {
            Done::Accepted { task, .. } => *task,
            other => panic!("{other:?}"),
        });
        assert_eq!((fresh, tasks.collect::<std::collections::BTreeSet<_>>().len()), (1, 1));
        assert_eq!(house.balance(account).await.1, credits(10));
    })
    .await;
}

#[tokio::test]
async fn of_a_thousand_simultaneous_requests_exactly_the_affordable_ones_are_accepted() {
    on_every_engine(async |house| {
        let account = house.funded(credits(1_000)).await;
        let accept = |_| house.ledger.send(Command::Accept(Box::new(house.request(account, credits(10)))));
        let answers = join_all((0..1_000).map(accept)).await;
        let accepted = answers.iter().filter(|answer| matches!(answer, Ok(Done::Accepted { .. }))).count();
        let refused =
            answers.iter().filter(|answer| matches!(answer, Err(Refusal::Insufficient { .. }))).count();
        assert_eq!((accepted, refused), (100, 900));
        assert_eq!(house.balance(account).await, (Credits::ZERO, credits(1_000), Credits::ZERO));
    })
    .await;
}

#[tokio::test]
async fn a_quote_is_used_once() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let quoted = || {
            let mut accept = house.request(account, credits(10));
            accept.task.quote_id = Some(nobody());
            accept
        };
        house.accepted(quoted()).await;
        let again = Command::Accept(Box::new(quoted()));
        assert_eq!(house.ledger.send(again).await, Err(Refusal::QuoteUsed));
    })
    .await;
}

#[tokio::test]
async fn a_partial_delivery_captures_its_part_and_settles_once() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let task = house.accept(account, credits(10)).await;
        let settled = |fresh| Done::Settled {
            state: TaskState::Completed,
            captured: credits(4),
            released: credits(6),
            fresh,
        };
        assert_eq!(house.deliver(account, task, credits(4)).await, settled(true));
        assert_eq!(house.deliver(account, task, credits(10)).await, settled(false));
        assert_eq!(house.settle(account, task, failed()).await, settled(false));
        assert_eq!(house.balance(account).await, (credits(96), Credits::ZERO, Credits::ZERO));
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_is_worth_nothing_gives_everything_back() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let task = house.accept(account, credits(10)).await;
        let settled = |fresh| Done::Settled {
            state: TaskState::Completed,
            captured: Credits::ZERO,
            released: credits(10),
            fresh,
        };
        assert_eq!(house.deliver(account, task, Credits::ZERO).await, settled(true));
        assert_eq!(house.deliver(account, task, credits(10)).await, settled(false));
        assert_eq!(house.balance(account).await, (credits(100), Credits::ZERO, Credits::ZERO));
    })
    .await;
}

#[tokio::test]
async fn more_than_the_hold_is_never_captured() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let task = house.accept(account, credits(10)).await;
        let greedy = settlement(account, task, SettledBy::Operator, delivered(task, credits(11)));
        assert_eq!(house.ledger.send(greedy).await, Err(Refusal::AboveCaptured));
        assert_eq!(house.balance(account).await, (credits(90), credits(10), Credits::ZERO));
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_lost_its_task_changes_nothing() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let task = house.accept(account, credits(10)).await;
        house.run(task).await;
        let by = |fence, attempt| SettledBy::Worker { fence, attempt };
        let late = settlement(account, task, by(0, Some(1)), delivered(task, credits(10)));
        assert_eq!(house.done(late).await, Done::Stale);
        let unaware = settlement(account, task, by(1, None), failed());
        assert_eq!(house.done(unaware).await, Done::Stale);
        let owner = settlement(account, task, by(1, Some(1)), failed());
        let released = Done::Settled {
            state: TaskState::Failed,
            captured: Credits::ZERO,
            released: credits(10),
            fresh: true,
        };
        assert_eq!(house.done(owner).await, released);
    })
    .await;
}

#[tokio::test]
async fn a_queued_task_is_canceled_at_once_and_a_running_one_on_request() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let (queued, running) =
            (house.accept(account, credits(10)).await, house.accept(account, credits(10)).await);
        house.run(running).await;
        let canceled = Done::Settled {
            state: TaskState::Canceled,
            captured: Credits::ZERO,
            released: credits(10),
            fresh: true,
        };
        assert_eq!(house.cancel(account, queued).await, canceled);
        assert_eq!(house.cancel(account, running).await, Done::CancelRequested);
        assert_eq!(house.balance(account).await, (credits(90), credits(10), Credits::ZERO));
        house.deliver(account, running, credits(10)).await;
        assert_eq!(house.balance(account).await, (credits(90), Credits::ZERO, Credits::ZERO));
    })
    .await;
}

#[tokio::test]
async fn nobody_ends_or_refunds_another_accounts_task() {
    on_every_engine(async |house| {
        let (owner, other) = (house.funded(credits(100)).await, house.funded(credits(100)).await);
        let task = house.accept(owner, credits(10)).await;
        let stolen = settlement(other, task, SettledBy::Operator, failed());
        assert_eq!(house.ledger.send(stolen).await, Err(Refusal::NoTask));
        house.deliver(owner, task, credits(10)).await;
        assert_eq!(house.refund(other, task, credits(1)).await, Err(Refusal::NoTask));
    })
    .await;
}

#[tokio::test]
async fn a_keys_cap_counts_holds_and_what_was_captured_and_is_freed_by_releases_and_refunds() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let key = house.key(account, Some(credits(10))).await;
        let request = |price| {
            let mut accept = house.request(account, price);
            accept.task.key_id = Some(key);
            accept
        };
        let task = house.accepted(request(credits(8))).await;
        let refused = house.ledger.send(Command::Accept(Box::new(request(credits(3))))).await;
        let Err(Refusal::CapReached(cap)) = refused else { panic!("{refused:?}") };
        assert_eq!((cap.window, cap.limit, cap.spent), (CapWindow::Day, credits(10), credits(8)));
        house.deliver(account, task, credits(6)).await;
        house.refund(account, task, credits(2)).await.unwrap();
        house.accepted(request(credits(6))).await;
    })
    .await;
}

#[tokio::test]
async fn rows_that_the_database_refuses_harm_no_neighbour() {
    on_every_engine(async |house| {
        let account = house.funded(credits(100)).await;
        let task = house.accept(account, credits(10)).await;
        let twice = vec![clip(task, 0, ClipState::Delivered); 2];
        let poison = Outcome::Delivered { capture: credits(10), clips: twice };
        let poison = house.ledger.send(settlement(account, task, SettledBy::Operator, poison));
        let accept = |_| house.ledger.send(Command::Accept(Box::new(house.request(account, credits(1)))));
        let (poisoned, others) = futures_util::join!(poison, join_all((0..20).map(accept)));
        assert_eq!(poisoned, Err(Refusal::Internal));
        assert!(others.iter().all(|answer| matches!(answer, Ok(Done::Accepted { .. }))), "{others:?}");
        assert_eq!(house.balance(account).await, (credits(70), credits(30), Credits::ZERO));
    })
    .await;
}
