//! Who asks to be let in while in closed beta. A list for the operator; it decides nothing.

use entity::{CustomerId, Timestamp, access_request};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};

const LISTED: u64 = 1_000;

/// Anybody can write any address here, so a wish without a sign-in never replaces one with, nor one that was answered.
const UPSERT: &str = "INSERT INTO access_request (email, customer_id, note, created_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (email) DO UPDATE SET note = excluded.note, \
         customer_id = COALESCE(excluded.customer_id, access_request.customer_id) \
     WHERE access_request.answered_at IS NULL \
         AND (access_request.customer_id IS NULL OR excluded.customer_id IS NOT NULL)";

#[derive(Clone, Debug)]
pub struct Wish {
    pub email: String,
    /// Of whoever is signed in.
    pub customer: Option<CustomerId>,
    pub note: String,
}

/// Notes that somebody asks.
pub async fn request(tx: &DatabaseTransaction, wish: Wish, now: Timestamp) -> Result<(), DbErr> {
    let customer = wish.customer.map(|customer| customer.0);
    let values = [wish.email.into(), customer.into(), wish.note.into(), now.micros().into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), UPSERT, values)).await?;
    Ok(())
}

/// Notes that a customer was let in.
pub async fn answer(tx: &DatabaseTransaction, customer: CustomerId, now: Timestamp) -> Result<(), DbErr> {
    answer_where(tx, access_request::Column::CustomerId.eq(customer), now).await
}

/// Notes that somebody was let in who asked before there was a customer of theirs.
pub async fn answer_email(tx: &DatabaseTransaction, email: &str, now: Timestamp) -> Result<(), DbErr> {
    answer_where(tx, access_request::Column::Email.eq(email), now).await
}

async fn answer_where(tx: &DatabaseTransaction, who: Expr, now: Timestamp) -> Result<(), DbErr> {
    access_request::Entity::update_many()
        .col_expr(access_request::Column::AnsweredAt, Expr::value(now))
        .filter(who.and(access_request::Column::AnsweredAt.is_null()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Those who wait first, then the others; in both the newest first.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<access_request::Model>, DbErr> {
    access_request::Entity::find()
        .order_by_desc(access_request::Column::AnsweredAt.is_null())
        .order_by_desc(access_request::Column::CreatedAt)
        .limit(LISTED)
        .all(db)
        .await
}
