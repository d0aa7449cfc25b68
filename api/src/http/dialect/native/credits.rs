//! `GET /api/ai/credits` and `/credits/ledger`: what the account holds, and how it came to that.

use std::sync::Arc;

use entity::transfer::{self, TransferKind};
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::db;
use crate::http::Tag;
use crate::http::auth::{BillingRead, Caller};
use crate::http::error::ApiError;
use crate::http::page::{Limit, cut, next_link, read_cursor, twenty, write_cursor};
use crate::http::value::{Amount, Moment, Shown};
use crate::ledger::book::place_name;
use crate::ledger::read::{Balance, balance, transfers};

pub struct Credits;

/// Tells cursors of the ledger from those of other lists.
const CURSOR_KIND: &str = "seq";

/// What an account holds at an instant.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CreditsAnswer {
    /// Can be spent now.
    available: Amount,
    /// Reserved for pending tasks.
    held: Amount,
    /// Owed to us; the next grant repays it first.
    debt: Amount,
    /// `available` and `held` together.
    total: Amount,
    /// The part of `available` that ends, soonest first.
    expiring: Vec<Expiring>,
    /// `live` or `test`: test credits buy test videos only.
    mode: String,
    as_of: Moment,
    /// The number of the last transfer that this includes.
    seq: i64,
}

/// Credits that end.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Expiring {
    amount: Amount,
    expires_at: Moment,
}

/// A page of the account's journal, newest first.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct TransferPage {
    data: Vec<Transfer>,
    /// Send it as `cursor` for the next page; null on the last one.
    #[oai(nullable)]
    next_cursor: Option<String>,
    as_of: Moment,
}

/// An immutable movement of credits from one place (`debit`) to another (`credit`).
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Transfer {
    /// Its number in the account: without gaps, from 1 on.
    seq: i64,
    at: Moment,
    /// `grant`, `hold`, `capture`, `release`, `refund`, `expire`, `adjust`, `debt` or `repay`.
    kind: String,
    /// `available`, `held`, `debt`, or one of our accounts: `purchases`, `promotions`, `revenue`, `expired`,
    /// `adjustments`.
    debit: String,
    /// As `debit`.
    credit: String,
    amount: Amount,
    available_after: Amount,
    held_after: Amount,
    debt_after: Amount,
    #[oai(nullable)]
    task_id: Option<String>,
    #[oai(nullable)]
    reference: Option<String>,
}

#[OpenApi(tag = "Tag::Credits")]
impl Credits {
    /// Read the balance
    ///
    /// Scope: `billing:read`.
    #[oai(path = "/api/ai/credits", method = "get", operation_id = "getCredits")]
    async fn credits(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<BillingRead>,
    ) -> Result<Json<CreditsAnswer>, ApiError> {
        let balance = balance(app.db.read(), caller.account, app.clock.now()).await;
        let balance = balance.map_err(|error| ApiError::database(db::fault(&error), error))?;
        let missing = || {
            ApiError::internal(anyhow::anyhow!(
                "{} is the account of a key but does not exist",
                caller.account
            ))
        };
        let balance = balance.ok_or_else(missing)?;
        Ok(Json(credits_answer(balance, caller.mode.as_str())))
    }

    /// List transfers
    ///
    /// Everything that ever changed the balance, newest first. The header `Link` with `rel="next"` is the next page.
    ///
    /// Scope: `billing:read`.
    #[oai(path = "/api/ai/credits/ledger", method = "get", operation_id = "listTransfers")]
    async fn ledger(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<BillingRead>,
        /// Transfers on a page.
        #[oai(default = "twenty")]
        limit: Query<Limit>,
        /// `nextCursor` of the page before.
        cursor: Query<Option<String>>,
        request: &Request,
    ) -> Result<Response<Json<TransferPage>>, ApiError> {
        let limit = limit.0.0;
        let read = |cursor| read_cursor(CURSOR_KIND, cursor, |seq| seq.parse().ok());
        let before = cursor.0.as_deref().map(read).transpose()?;
        let as_of = Shown(app.clock.now());
        // One more than asked for tells whether there is a next page.
        let rows = transfers(app.db.read(), caller.account, before, u64::from(limit) + 1).await;
        let mut rows = rows.map_err(|error| ApiError::database(db::fault(&error), error))?;
        let next_cursor = cut(&mut rows, limit).map(|row| write_cursor(CURSOR_KIND, &row.seq.to_string()));
        let link = next_cursor.as_deref().map(|cursor| next_link(request, cursor));
        let data = rows.into_iter().map(transfer).collect();
        let response = Response::new(Json(TransferPage { data, next_cursor, as_of }));
        Ok(match link {
            Some(link) => response.header("Link", link),
            None => response,
        })
    }
}

fn credits_answer(balance: Balance, mode: &str) -> CreditsAnswer {
    let expiring = |(at, amount)| Expiring { amount: Shown(amount), expires_at: Shown(at) };
    CreditsAnswer {
        available: Shown(balance.available),
        held: Shown(balance.held),
        debt: Shown(balance.debt),
        total: Shown(balance.total),
        expiring: balance.expiring.into_iter().map(expiring).collect(),
        mode: mode.to_owned(),
        as_of: Shown(balance.as_of),
        seq: balance.seq,
    }
}

fn transfer(row: transfer::Model) -> Transfer {
    Transfer {
        seq: row.seq,
        at: Shown(row.at),
        kind: kind_name(row.kind).to_owned(),
        debit: place_name(row.debit).to_owned(),
        credit: place_name(row.credit).to_owned(),
        amount: Shown(row.amount),
        available_after: Shown(row.available_after),
        held_after: Shown(row.held_after),
        debt_after: Shown(row.debt_after),
        task_id: row.task_id.map(|id| id.to_string()),
        reference: row.reference,
    }
}

fn kind_name(kind: TransferKind) -> &'static str {
    match kind {
        TransferKind::Grant => "grant",
        TransferKind::Hold => "hold",
        TransferKind::Capture => "capture",
        TransferKind::Release => "release",
        TransferKind::Refund => "refund",
        TransferKind::Expire => "expire",
        TransferKind::Adjust => "adjust",
        TransferKind::Debt => "debt",
        TransferKind::Repay => "repay",
    }
}
