//! Writes what came of a send: the delivery, and what it says of the endpoint. An endpoint that is gone, or that took nothing
//! for days, is disabled with the reason, and what it is still owed is given up.

use entity::delivery::DeliveryState;
use entity::{EndpointId, Timestamp, delivery, endpoint};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};

use super::outcome::Lesson;
use crate::db::Db;

/// Days of nothing but failures after which an endpoint is disabled.
const FAILING_DAYS_MAX: i64 = 5;
const GONE: &str = "It answered 410 Gone";
const DISABLED: &str = "the endpoint was disabled";

/// The delivery as it is after the send; `tries` are those before it.
pub async fn record(
    db: &Db,
    after: delivery::Model,
    lesson: Lesson,
    tries: i64,
    now: Timestamp,
) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    // The endpoint first, as whoever changes or removes one does.
    let endpoint = after.endpoint.parse::<EndpointId>().ok();
    let disabled = match endpoint {
        Some(id) => learn(&tx, id, lesson, &after, now).await?,
        None => false,
    };
    save(&tx, &after, tries).await?;
    if disabled {
        give_up(&tx, &after).await?;
        tracing::info!(endpoint = after.endpoint, "an endpoint was disabled");
    }
    tx.commit().await
}

/// Whether the endpoint is disabled by what was learnt.
async fn learn(
    tx: &DatabaseTransaction,
    id: EndpointId,
    lesson: Lesson,
    after: &delivery::Model,
    now: Timestamp,
) -> Result<bool, DbErr> {
    use endpoint::Column as E;
    let row = endpoint::Entity::update_many().filter(E::Id.eq(id));
    let slow_until = match lesson {
        Lesson::Nothing => return Ok(false),
        Lesson::Listens => {
            let well = row.filter(E::FailingSince.is_not_null());
            well.col_expr(E::FailingSince, Expr::value(None::<i64>)).exec(tx).await?;
            return Ok(false);
        }
        Lesson::IsGone => return disable(tx, id, GONE.to_owned(), now).await,
        Lesson::Fails { slow_until } => slow_until,
    };
    if slow_until.is_some() {
        row.clone().col_expr(E::SlowUntil, Expr::value(slow_until)).exec(tx).await?;
    }
    let first = row.filter(E::FailingSince.is_null()).col_expr(E::FailingSince, Expr::value(now));
    if first.exec(tx).await?.rows_affected > 0 {
        return Ok(false);
    }
    let long_ago = now.plus_seconds(-FAILING_DAYS_MAX * 86_400);
    let failing = endpoint::Entity::find_by_id(id).filter(E::FailingSince.lte(long_ago)).one(tx).await?;
    match failing.and_then(|endpoint| endpoint.failing_since) {
        Some(since) => disable(tx, id, failures(since, after), now).await,
        None => Ok(false),
    }
}

fn failures(since: Timestamp, after: &delivery::Model) -> String {
    let last = match (after.last_status, &after.last_error) {
        (Some(status), _) => format!("it answered {status}"),
        (None, Some(error)) => error.clone(),
        (None, None) => "no answer".to_owned(),
    };
    format!("It took nothing since {since}; the last time: {last}")
}

async fn disable(
    tx: &DatabaseTransaction,
    id: EndpointId,
    reason: String,
    now: Timestamp,
) -> Result<bool, DbErr> {
    use endpoint::Column as E;
    let disabled = endpoint::Entity::update_many()
        .col_expr(E::DisabledAt, Expr::value(now))
        .col_expr(E::DisabledReason, Expr::value(reason))
        .filter(E::Id.eq(id))
        .filter(E::DisabledAt.is_null())
        .exec(tx)
        .await?;
    Ok(disabled.rows_affected > 0)
}

/// Only while it is still owed as it was when it was sent: its task may have been deleted since, or it is to be sent again.
async fn save(tx: &DatabaseTransaction, after: &delivery::Model, tries: i64) -> Result<(), DbErr> {
    use delivery::Column as D;
    delivery::Entity::update_many()
        .col_expr(D::State, Expr::value(after.state))
        .col_expr(D::Tries, Expr::value(after.tries))
        .col_expr(D::NextAt, Expr::value(after.next_at))
        .col_expr(D::LastStatus, Expr::value(after.last_status))
        .col_expr(D::LastError, Expr::value(after.last_error.clone()))
        .col_expr(D::DeliveredAt, Expr::value(after.delivered_at))
        .col_expr(D::TriedAt, Expr::value(after.tried_at))
        .filter(D::AccountId.eq(after.account_id))
        .filter(D::EventN.eq(after.event_n))
        .filter(D::Endpoint.eq(&after.endpoint))
        .filter(D::State.eq(DeliveryState::Pending))
        .filter(D::Tries.eq(tries))
        .exec(tx)
        .await?;
    Ok(())
}

/// Whatever else an endpoint is owed.
async fn give_up(tx: &DatabaseTransaction, of: &delivery::Model) -> Result<(), DbErr> {
    use delivery::Column as D;
    delivery::Entity::update_many()
        .col_expr(D::State, Expr::value(DeliveryState::Failed))
        .col_expr(D::LastError, Expr::value(DISABLED))
        .filter(D::AccountId.eq(of.account_id))
        .filter(D::Endpoint.eq(&of.endpoint))
        .filter(D::State.eq(DeliveryState::Pending))
        .exec(tx)
        .await?;
    Ok(())
}
