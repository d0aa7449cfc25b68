//! `POST /api/credits/redeem`: a promotion code becomes credits.

use std::num::NonZeroU32;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::repeatable;
use crate::app::App;
use crate::customer::promotion::{self, CODE_FORM, Cashier, RedeemError, Redeemed};
use crate::db;
use crate::http::Tag;
use crate::http::auth::{BillingWrite, Caller};
use crate::http::body::{Fields, JsonObject};
use crate::http::error::ApiError;
use crate::http::peer;
use crate::http::value::{Amount, Moment, Shown};
use crate::limit::{Policy, subject_of};

pub struct Redeem;

const MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Codes that a customer may try without success: a code can't be guessed.
const BY_CUSTOMER: Policy = Policy { name: "redeem", quota: NonZeroU32::new(10).unwrap(), window_s: MINUTE };

/// The same from one address, where many customers may sit. Success clears nothing here: whoever makes customers on purpose
/// could clear it as often as they like.
const BY_ADDRESS: Policy =
    Policy { name: "redeem-address", quota: NonZeroU32::new(60).unwrap(), window_s: MINUTE };

/// A promotion code.
#[derive(Debug, Object)]
#[oai(rename = "RedeemCode", rename_all = "camelCase")]
struct RedeemBody {
    /// As it was given to you: 4 to 32 letters, digits and hyphens, in any case.
    code: String,
}

/// Credits that a code gave.
#[derive(Debug, Object)]
#[oai(rename = "RedeemedCode", rename_all = "camelCase")]
struct RedeemAnswer {
    code: String,
    /// What the code gave.
    credits: Amount,
    /// When these credits end; null if never.
    #[oai(nullable)]
    expires_at: Option<Moment>,
    /// What the account can spend now.
    available: Amount,
    /// `live` or `test`: the account that was given them.
    mode: String,
}

#[OpenApi(tag = "Tag::Credits")]
impl Redeem {
    /// Redeem a promotion code
    ///
    /// Gives the code's credits to your account of the code's mode, once. A key redeems codes of its own mode only; with
    /// a session, those of either mode. When a request got no answer, send it again: credits are never given twice.
    ///
    /// After 10 codes within a minute that gave nothing, `too_many_attempts` says how long to wait.
    ///
    /// Scope: `billing:write`.
    #[oai(path = "/api/credits/redeem", method = "post", operation_id = "redeemCode")]
    async fn redeem(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<BillingWrite>,
        request: &Request,
        body: JsonObject<RedeemBody>,
    ) -> Result<Json<RedeemAnswer>, ApiError> {
        let code = read_code(body.fields)?;
        let customer = caller.customer.to_string();
        let address = subject_of(peer::address(request)?);
        for (policy, subject) in [(BY_CUSTOMER, &customer), (BY_ADDRESS, &address)] {
            let taken = app.limiter.take(policy, subject).await;
            if !taken.is_allowed {
                return Err(ApiError::TooManyAttempts { retry_after_s: taken.retry_after_s });
            }
        }
        let cashier = Cashier { db: &app.db, ledger: &app.ledger, clock: &app.clock };
        let redeemed = cashier.redeem(&code, &caller).await?;
        app.limiter.clear(BY_CUSTOMER, &customer).await;
        Ok(Json(answer(redeemed)))
    }
}

fn read_code(mut fields: Fields) -> Result<String, ApiError> {
    let code = fields.word("code", CODE_FORM, promotion::normal);
    fields.finish()?;
    code.ok_or_else(|| ApiError::field("code", "Required"))
}

fn answer(redeemed: Redeemed) -> RedeemAnswer {
    RedeemAnswer {
        code: redeemed.code,
        credits: Shown(redeemed.credits),
        expires_at: redeemed.expires_at.map(Shown),
        available: Shown(redeemed.available),
        mode: redeemed.mode.as_str().to_owned(),
    }
}

impl From<RedeemError> for ApiError {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::NotFound => ApiError::PromotionNotFound,
            RedeemError::AlreadyRedeemed => ApiError::AlreadyRedeemed,
            RedeemError::Over => ApiError::PromotionOver,
            RedeemError::Refused(refusal) => repeatable(refusal),
            RedeemError::Db(error) => ApiError::database(db::fault(&error), error),
        }
    }
}
