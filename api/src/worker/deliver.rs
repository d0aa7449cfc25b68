//! Telling customers' own servers how their tasks ended: one signed webhook an event and address, tried until it is taken.
//!
//! Standard Webhooks 1.0: the receiver checks `webhook-signature` and drops what it has seen by `webhook-id`, which is the
//! same on every try. Only 2xx counts as taken; redirects are not followed; 410 ends it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::delivery::DeliveryState;
use entity::{AccountId, Timestamp, delivery, event};
use fail::fail_point;
use reqwest::Method;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use tracing::field::Empty;

use super::{Context, pause};
use crate::customer::endpoint;
use crate::video::event::told;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Sends under way at once.
const MAX_SENDING: usize = 32;
const TIMEOUT: Duration = Duration::from_secs(20);
/// Seconds after each failed try: some three days in all.
const SCHEDULE_SECONDS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Seconds for which a worker that took a delivery up has it for itself.
const LEASE_SECONDS: i64 = 60;

/// Each send goes its own way: an address that hangs keeps no other waiting.
pub async fn run(context: Context, stop: CancellationToken, tasks: TaskTracker) {
    let room = Arc::new(Semaphore::new(MAX_SENDING));
    while pause(LOOK_EVERY, &stop).await {
        let due = take(&context, room.available_permits()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "webhooks could not be looked up");
            Vec::new()
        });
        for (delivery, event) in due {
            let (context, room, stop) = (context.clone(), room.clone(), stop.clone());
            tasks.spawn(async move {
                let place = room.acquire().await;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = deliver(&context, delivery, event).instrument(tracing::debug_span!("delivery", status = Empty)) => {}
                }
                drop(place);
            });
        }
    }
}

/// Takes up to `most` of what is due, and puts it off for everybody else.
async fn take(context: &Context, most: usize) -> Result<Vec<(delivery::Model, event::Model)>, DbErr> {
    let now = context.app.clock.now();
    let due = delivery::Entity::find()
        .filter(delivery::Column::State.eq(DeliveryState::Pending))
        .filter(delivery::Column::NextAt.lte(now));
    if most == 0 || due.clone().one(context.app.db.read()).await?.is_none() {
        return Ok(Vec::new());
    }
    let tx = context.app.db.begin().await?;
    let rows = due
        .order_by_asc(delivery::Column::NextAt)
        .limit(most as u64)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(&tx)
        .await?;
    let events = events_of(&tx, &rows).await?;
    let find = |row: &delivery::Model| events.get(&(row.account_id, row.event_n)).cloned();
    let (taken, forgotten): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|row| (find(&row), row)).partition(|(event, _)| event.is_some());
    let lease = Expr::value(now.plus_seconds(LEASE_SECONDS));
    mark(&tx, taken.iter().map(|(_, row)| row), delivery::Column::NextAt, lease).await?;
    // What those were to tell is forgotten; left pending they would stand in the way of the others.
    let failed = Expr::value(DeliveryState::Failed);
    mark(&tx, forgotten.iter().map(|(_, row)| row), delivery::Column::State, failed).await?;
    tx.commit().await?;
    Ok(taken.into_iter().filter_map(|(event, row)| Some((row, event?))).collect())
}

async fn events_of(
    tx: &DatabaseTransaction,
    rows: &[delivery::Model],
) -> Result<HashMap<(AccountId, i64), event::Model>, DbErr> {
    let one = |row: &delivery::Model| {
        event::Column::AccountId.eq(row.account_id).and(event::Column::N.eq(row.event_n))
    };
    let any = rows.iter().map(one).fold(Condition::any(), Condition::add);
    // Without a condition it would be every event there is.
    if any.is_empty() {
        return Ok(HashMap::new());
    }
    let events = event::Entity::find().filter(any).all(tx).await?;
    Ok(events.into_iter().map(|event| ((event.account_id, event.n), event)).collect())
}

/// Sets one column of these deliveries.
async fn mark<'a>(
    tx: &DatabaseTransaction,
    rows: impl Iterator<Item = &'a delivery::Model>,
    column: delivery::Column,
    value: Expr,
) -> Result<(), DbErr> {
    use delivery::Column as C;
    let one = |row: &delivery::Model| {
        C::AccountId.eq(row.account_id).and(C::EventN.eq(row.event_n)).and(C::Endpoint.eq(&row.endpoint))
    };
    let any = rows.map(one).fold(Condition::any(), Condition::add);
    if !any.is_empty() {
        delivery::Entity::update_many().col_expr(column, value).filter(any).exec(tx).await?;
    }
    Ok(())
}

async fn deliver(context: &Context, delivery: delivery::Model, event: event::Model) {
    fail_point!("deliver.call");
    let outcome = send(context, &delivery, &event).await;
    fail_point!("deliver.reply");
    if let Ok(status) = outcome {
        tracing::Span::current().record("status", status);
    }
    let after = after(delivery, outcome, context.app.clock.now());
    context.tally.delivered(after.state);
    if let Err(error) = save(context, after).await {
        tracing::warn!(%error, "the outcome of a webhook could not be written; it is sent again");
    }
}

/// The status of the answer, or why there was none.
async fn send(context: &Context, delivery: &delivery::Model, event: &event::Model) -> Result<u16, String> {
    let url = url::Url::parse(&delivery.url).map_err(|error| error.to_string())?;
    let body = told(event).to_string();
    let id = format!("evt_{}_{}", event.account_id.0.simple(), event.n);
    let now = context.app.clock.now();
    let mut request = context.app.fetcher.request(Method::POST, url).map_err(|error| error.to_string())?;
    for (name, value) in endpoint::signed_headers(&context.app.webhooks, event.account_id, &id, now, &body) {
        request = request.header(name, value);
    }
    let request = request.header("content-type", "application/json").timeout(TIMEOUT).body(body);
    let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
    Ok(answer.status().as_u16())
}

fn after(mut delivery: delivery::Model, outcome: Result<u16, String>, now: Timestamp) -> delivery::Model {
    delivery.tries += 1;
    let wait = usize::try_from(delivery.tries - 1).ok().and_then(|n| SCHEDULE_SECONDS.get(n));
    match &outcome {
        Ok(200..=299) => {
            delivery.state = DeliveryState::Delivered;
            delivery.delivered_at = Some(now);
        }
        Ok(410) => delivery.state = DeliveryState::Failed,
        _ => match wait {
            Some(seconds) => delivery.next_at = now.plus_seconds(*seconds),
            None => delivery.state = DeliveryState::Failed,
        },
    }
    delivery.last_status = outcome.as_ref().ok().map(|status| i64::from(*status));
    delivery.last_error = outcome.err();
    delivery
}

/// Only while it is still owed: its task may have been deleted while it was sent.
async fn save(context: &Context, delivery: delivery::Model) -> Result<(), DbErr> {
    use delivery::Column as C;
    let tx = context.app.db.begin().await?;
    delivery::Entity::update_many()
        .col_expr(C::State, Expr::value(delivery.state))
        .col_expr(C::Tries, Expr::value(delivery.tries))
        .col_expr(C::NextAt, Expr::value(delivery.next_at))
        .col_expr(C::LastStatus, Expr::value(delivery.last_status))
        .col_expr(C::LastError, Expr::value(delivery.last_error))
        .col_expr(C::DeliveredAt, Expr::value(delivery.delivered_at))
        .filter(C::AccountId.eq(delivery.account_id))
        .filter(C::EventN.eq(delivery.event_n))
        .filter(C::Endpoint.eq(delivery.endpoint))
        .filter(C::State.eq(DeliveryState::Pending))
        .exec(&tx)
        .await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use entity::AccountId;

    use super::*;

    fn pending(tries: i64) -> delivery::Model {
        delivery::Model {
            account_id: AccountId(uuid::Uuid::nil()),
            event_n: 1,
            endpoint: "callback".into(),
            url: String::new(),
            state: DeliveryState::Pending,
            tries,
            next_at: Timestamp::from_seconds(0),
            last_status: None,
            last_error: None,
            created_at: Timestamp::from_seconds(0),
            delivered_at: None,
        }
    }

    #[test]
    fn only_2xx_counts_as_taken_410_ends_it_and_everything_else_is_tried_again() {
        let now = Timestamp::from_seconds(100);
        assert_eq!(after(pending(0), Ok(204), now).state, DeliveryState::Delivered);
        assert_eq!(after(pending(0), Ok(410), now).state, DeliveryState::Failed);
        for outcome in [Ok(302), Ok(404), Ok(500), Err("no route".to_owned())] {
            let again = after(pending(0), outcome, now);
            assert_eq!((again.state, again.next_at), (DeliveryState::Pending, Timestamp::from_seconds(105)));
        }
        assert_eq!(after(pending(9), Ok(500), now).state, DeliveryState::Failed);
    }
}
