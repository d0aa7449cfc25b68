//! Promotion codes: how they are made, listed and taken back. [`Cashier`] gives what they promise.
//!
//! A promise never changes once it is made: a redemption that was interrupted asks for the very same again.

mod redeem;

use entity::{Credits, Mode, Timestamp, promotion};
use rand::RngExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryOrder,
    Set,
};

pub use redeem::{Cashier, RedeemError, Redeemed};

/// What a code may look like, for whoever sent one that does not.
pub const CODE_FORM: &str = "4 to 32 letters, digits and hyphens";
const CODE_CHARS: std::ops::RangeInclusive<usize> = 4..=32;

/// Digits and letters that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// A made code: so many groups of so many characters, 80 random bits.
const GROUPS: usize = 4;
const GROUP_CHARS: usize = 4;

/// A code as it is stored: without blanks around it, in capitals. `None` when it can't be one.
pub fn normal(text: &str) -> Option<String> {
    let code = text.trim().to_ascii_uppercase();
    let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    (CODE_CHARS.contains(&code.len()) && code.bytes().all(fits)).then_some(code)
}

/// A code that nobody guesses.
pub fn make_code() -> String {
    let mut rng = rand::rng();
    let mut char = || char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]);
    let groups: Vec<String> = (0..GROUPS).map(|_| (0..GROUP_CHARS).map(|_| char()).collect()).collect();
    groups.join("-")
}

/// What a code promises.
#[derive(Clone, Debug)]
pub struct NewPromotion {
    /// [`normal`].
    pub code: String,
    /// Only accounts of this mode are given anything.
    pub mode: Mode,
    pub credits: Credits,
    /// Accounts that may redeem it, once each.
    pub redemptions: u32,
    /// Days for which the credits can be spent; `None` is for ever.
    pub grant_days: Option<u32>,
    /// From then on nobody can redeem it.
    pub expires_at: Option<Timestamp>,
    pub note: String,
    pub created_by: String,
}

/// Makes a promotion. False when the code is in use, also by one that is over.
pub async fn create(tx: &DatabaseTransaction, new: NewPromotion, now: Timestamp) -> Result<bool, DbErr> {
    let row = promotion::Model {
        code: new.code,
        mode: new.mode,
        credits: new.credits,
        grant_days: new.grant_days.map(i64::from),
        redemptions_max: i64::from(new.redemptions),
        redemptions: 0,
        note: new.note,
        created_by: new.created_by,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
    };
    let unless_taken = OnConflict::column(promotion::Column::Code).do_nothing().to_owned();
    let insert = promotion::Entity::insert(row.into_active_model()).on_conflict(unless_taken);
    Ok(insert.exec_without_returning(tx).await? > 0)
}

/// Every promotion, the newest first.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<promotion::Model>, DbErr> {
    promotion::Entity::find().order_by_desc(promotion::Column::CreatedAt).all(db).await
}

/// Lets nobody else redeem a code; what was redeemed stays theirs. False when there is no such code.
pub async fn revoke(tx: &DatabaseTransaction, code: &str, now: Timestamp) -> Result<bool, DbErr> {
    let Some(promotion) = promotion::Entity::find_by_id(code).one(tx).await? else { return Ok(false) };
    let revoked_at = promotion.revoked_at.or(Some(now));
    let mut promotion = promotion.into_active_model();
    promotion.revoked_at = Set(revoked_at);
    promotion.update(tx).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_compared_without_case_and_blanks_around_it() {
        for (text, code) in
            [("spring-27", "SPRING-27"), (" Welcome \n", "WELCOME"), ("----", "----"), ("A1b2", "A1B2")]
        {
            assert_eq!(normal(text).as_deref(), Some(code));
        }
        let long = "A".repeat(33);
        for text in ["", "ABC", "AB C", "ABCÉ", "ſabc", "ABC_D", "ABCD\0", long.as_str()] {
            assert_eq!(normal(text), None, "{text:?}");
        }
        assert!(normal(&long[1..]).is_some());
    }

    #[test]
    fn a_made_code_is_one_and_no_two_are_the_same() {
        let codes: std::collections::HashSet<String> = (0..100).map(|_| make_code()).collect();
        assert_eq!(codes.len(), 100);
        assert!(codes.iter().all(|code| normal(code).as_ref() == Some(code)), "{codes:?}");
    }
}
