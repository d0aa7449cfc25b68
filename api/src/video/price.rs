//! What a request costs, and what is left of that when less was delivered than asked for.
//!
//! Pure and exact: decimals with checked arithmetic, never a float, rounded up once at the end. Nothing is guessed:
//! a combination without a rate has no price. [`settle_price`] reads only what was stored with the task, so a task
//! that runs while prices change is never priced again.

mod book;
mod check;
mod file;
mod offer;
mod row;

use entity::Credits;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::catalog::{InputMode, Resolution};

pub use book::{BookError, CostCard, Matchers, PriceBook, PriceCard, Rate};
pub use check::{AuditReport, Margin, audit};
pub use offer::{Offer, Price, offers};
pub use row::{DEFAULT_GROUP, PriceRow, price_rows};

/// The version of the rules below; stored with every price.
const FORMULA: u16 = 1;

/// Frames a second in the token formula of those who bill by tokens, and the pixels that make a token.
const TOKEN_FPS: u128 = 24;
const PIXELS_PER_TOKEN: u128 = 1_024;

/// A clip may be this much shorter than asked and still counts as whole: encoders end on a frame, not on a second.
const TOLERANCE_MIN_MS: u128 = 250;
const TOLERANCE_PERCENT: u128 = 3;

/// What one unit price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A whole clip, however long.
    Clip,
    /// A second of a clip.
    Second,
    /// A million tokens, where tokens = width × height × 24 × seconds / 1024, rounded up.
    Mtoken,
}

/// Everything a price may depend on. Every value is effective: defaults are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions<'a> {
    /// The model's id, not an alias.
    pub model: &'a str,
    pub mode: InputMode,
    /// Seconds of one clip.
    pub duration_s: u32,
    pub resolution: Resolution,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    pub audio: bool,
    /// A source or reference video is given.
    pub video_input: bool,
    /// Clips.
    pub count: u16,
}

/// The price of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    pub credits: Credits,
    pub explanation: Explanation,
}

/// How a price came about; stored with the task and shown to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub formula: u16,
    pub price_version: i64,
    pub model: String,
    pub unit: Unit,
    /// Credits for one unit.
    #[serde(with = "rust_decimal::serde::str")]
    pub unit_price: Decimal,
    /// Units of one clip: 1 clip, seconds, or millions of tokens.
    #[serde(with = "rust_decimal::serde::str")]
    pub quantity: Decimal,
    /// Clips. Two bytes, so that settling can't overflow.
    pub count: u16,
    /// Seconds of one clip.
    pub asked_seconds: u32,
    /// What the applied rate depends on; empty for a flat one.
    pub matched: Matchers,
    /// Prices are whole multiples of this many credits.
    pub step: u32,
    /// Before rounding.
    #[serde(with = "rust_decimal::serde::str")]
    pub exact: Decimal,
    pub credits: Credits,
    /// The same in words: `5 s × 2.4 credits/s × 1 clip = 12 credits`.
    pub text: String,
}

/// Why there is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("no price for {0}")]
    NoPrice(String),
    #[error("the price of {0} is too large or too fine to be exact")]
    Overflow(String),
}

impl PriceBook {
    /// Prices a request for a customer of this group. `version` is the book's number in the database (0 for a book
    /// that is not published) and only goes into the explanation.
    ///
    /// The result is a multiple of the book's step and at least one step.
    pub fn quote(&self, version: i64, dims: &Dimensions<'_>, group: &str) -> Result<Quote, PriceError> {
        let (unit, rate) =
            self.price_rate(dims, group).ok_or_else(|| PriceError::NoPrice(describe(dims, group)))?;
        let overflow = || PriceError::Overflow(describe(dims, group));
        let quantity = unit.quantity(dims).ok_or_else(overflow)?;
        let exact = total(rate.amount, quantity, dims.count).ok_or_else(overflow)?;
        let credits = round_up(exact, self.step()).ok_or_else(overflow)?;
        let mut explanation = Explanation {
            formula: FORMULA,
            price_version: version,
            model: dims.model.to_owned(),
            unit,
            unit_price: rate.amount,
            quantity,
            count: dims.count,
            asked_seconds: dims.duration_s,
            matched: rate.when.clone(),
            step: self.step(),
            exact,
            credits,
            text: String::new(),
        };
        explanation.text = explanation.in_words();
        Ok(Quote { credits, explanation })
    }

    /// What a route charges us for a request, in USD; `None` when no source for it is known.
    pub fn cost_usd(&self, provider: &str, dims: &Dimensions<'_>) -> Option<Decimal> {
        let (unit, rate) = self.cost_rate(provider, dims)?;
        total(rate.amount, unit.quantity(dims)?, dims.count)
    }

    /// What a route charges us for so many tokens of a request, in USD; `None` where it doesn't charge by tokens.
    pub fn tokens_cost_usd(&self, provider: &str, dims: &Dimensions<'_>, tokens: u64) -> Option<Decimal> {
        let own = self.mtoken_usd(dims.model, provider);
        let usd = own.or_else(|| self.cost_per(Unit::Mtoken, provider, dims))?;
        exact_product(usd, millions(tokens.into())?).map(|sum| sum.normalize())
    }

    /// The same by seconds.
    pub fn seconds_cost_usd(
        &self,
        provider: &str,
        dims: &Dimensions<'_>,
        seconds: Decimal,
    ) -> Option<Decimal> {
        let usd = self.cost_per(Unit::Second, provider, dims)?;
        exact_product(usd, seconds).map(|sum| sum.normalize())
    }

    /// What one unit costs us, where that is the unit of the card.
    fn cost_per(&self, unit: Unit, provider: &str, dims: &Dimensions<'_>) -> Option<Decimal> {
        let (charged_by, rate) = self.cost_rate(provider, dims)?;
        (charged_by == unit).then_some(rate.amount)
    }
}

impl Unit {
    /// Units in one clip; `None` when there are more tokens than can be counted.
    fn quantity(self, dims: &Dimensions<'_>) -> Option<Decimal> {
        match self {
            Unit::Clip => Some(Decimal::ONE),
            Unit::Second => Some(Decimal::from(dims.duration_s)),
            Unit::Mtoken => millions(tokens(dims)?),
        }
    }
}

fn millions(tokens: u128) -> Option<Decimal> {
    let millions = Decimal::try_from_i128_with_scale(i128::try_from(tokens).ok()?, 6).ok()?;
    Some(millions.normalize())
}

fn tokens(dims: &Dimensions<'_>) -> Option<u128> {
    let pixels = u128::from(dims.width) * u128::from(dims.height);
    let frames = TOKEN_FPS * u128::from(dims.duration_s);
    Some(pixels.checked_mul(frames)?.div_ceil(PIXELS_PER_TOKEN))
}

fn total(unit_price: Decimal, quantity: Decimal, count: u16) -> Option<Decimal> {
    let clip = exact_product(unit_price, quantity)?;
    exact_product(clip, Decimal::from(count)).map(|sum| sum.normalize())
}

/// `None` where the product of two decimals would have to be rounded. The library rounds silently when digits run
/// out, which shows in a smaller scale.
fn exact_product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let product = a.checked_mul(b)?;
    (product.is_zero() || product.scale() == a.scale() + b.scale()).then_some(product)
}

/// Up to the next multiple of `step` credits; at least one step.
fn round_up(exact: Decimal, step: u32) -> Option<Credits> {
    let step = u64::from(step);
    let whole = exact.ceil().to_u64()?.max(1).checked_next_multiple_of(step)?;
    let thousandths = i64::try_from(whole).ok()?.checked_mul(1_000)?;
    Some(Credits::from_thousandths(thousandths))
}

fn describe(dims: &Dimensions<'_>, group: &str) -> String {
    let sound = if dims.audio { "with" } else { "without" };
    let video = if dims.video_input { ", video input" } else { "" };
    format!(
        "{} {}, {} s, {}, {sound} audio{video}, group {group}",
        dims.model, dims.mode, dims.duration_s, dims.resolution
    )
}

impl Explanation {
    fn in_words(&self) -> String {
        let price = self.unit_price.normalize();
        let clips = if self.count == 1 { "clip" } else { "clips" };
        let units = match self.unit {
            Unit::Clip => format!("{price} credits/clip"),
            Unit::Second => format!("{} s × {price} credits/s", self.quantity),
            Unit::Mtoken => format!("{} M tokens × {price} credits/M", self.quantity),
        };
        let sum = format!("{units} × {} {clips} =", self.count);
        let rounded = Decimal::new(self.credits.thousandths(), 3).normalize();
        if rounded == self.exact {
            format!("{sum} {rounded} credits")
        } else {
            format!("{sum} {} credits, rounded up to {rounded}", self.exact)
        }
    }
}

/// The price of what was delivered: never more than quoted, nothing for nothing.
///
/// `delivered` holds the length of each clip in milliseconds, `None` for one that is missing; fewer entries than
/// clips asked for are missing clips, and more than asked for are not charged. A clip within the tolerance (a
/// quarter of a second or 3 %, whichever is more) counts as whole, a shorter one by its share. The shares are added
/// and rounded up once. Cannot fail: whatever is stored, a task must be able to end.
pub fn settle_price(explanation: &Explanation, delivered: &[Option<u64>]) -> Credits {
    let quoted = u128::try_from(explanation.credits.thousandths()).unwrap_or(0);
    let asked = u128::from(explanation.asked_seconds) * 1_000;
    let count = usize::from(explanation.count);
    // At most 2^16 clips of 2^42 ms each and 2^63 thousandths: the products stay below 2^121.
    let made: u128 = delivered.iter().take(count).flatten().map(|ms| counted_ms(*ms, asked)).sum();
    let whole = asked * u128::from(explanation.count);
    if whole == 0 {
        return Credits::ZERO;
    }
    let step = u128::from(explanation.step.max(1)) * 1_000;
    let due = (quoted * made).div_ceil(whole).next_multiple_of(step).min(quoted);
    i64::try_from(due).map_or(explanation.credits, Credits::from_thousandths)
}

/// Milliseconds of one clip that are paid for.
fn counted_ms(delivered: u64, asked: u128) -> u128 {
    let delivered = u128::from(delivered);
    let tolerance = TOLERANCE_MIN_MS.max(asked * TOLERANCE_PERCENT / 100);
    if delivered + tolerance >= asked { asked } else { delivered }
}

#[cfg(test)]
mod tests;
