//! The price book: every number that is money, checked once when it is read.
//!
//! A book that loads is unambiguous: for any request at most one rate applies. It serves as data only; the
//! arithmetic is in the parent module.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::BookFile;
use super::{DEFAULT_GROUP, Dimensions, Unit};
use crate::video::catalog::{Date, InputMode, Resolution};

/// Selling prices in credits and what the providers charge, in USD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceBook {
    pub(super) credit_usd: Decimal,
    pub(super) step: u32,
    /// By model id.
    pub(super) prices: BTreeMap<String, PriceCard>,
    /// By model id and provider.
    pub(super) costs: BTreeMap<(String, String), CostCard>,
}

/// What we charge for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceCard {
    pub unit: Unit,
    pub rates: Vec<Rate>,
}

/// What a provider charges us for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CostCard {
    /// No source is known. Said on purpose: a card that is simply missing is a mistake.
    Unknown,
    Known {
        unit: Unit,
        rates: Vec<Rate>,
        /// What a million of the tokens cost, in USD, that a task reports in the end, where nothing but their price is fixed: the
        /// rates are what it comes to as a rule.
        mtoken_usd: Option<Decimal>,
        /// The page the figures are from.
        source: String,
        as_of: Date,
    },
}

/// An amount for one unit, and when it applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    pub when: Matchers,
    /// Credits on a price card, USD on a cost card.
    pub amount: Decimal,
}

/// The conditions of a rate: each one given must equal the request's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Matchers {
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_input: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<InputMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Why a book did not load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    #[error("the price book cannot be read: {0}")]
    Syntax(String),
    /// Every contradiction found, each a sentence.
    #[error("the price book contradicts itself:\n{}", .0.join("\n"))]
    Inconsistent(Vec<String>),
}

impl PriceBook {
    /// Reads `pricing.toml`.
    pub fn parse(text: &str) -> Result<PriceBook, BookError> {
        let file: BookFile = toml::from_str(text).map_err(|error| BookError::Syntax(error.to_string()))?;
        file.build()
    }

    /// Reads what [`PriceBook::to_json`] wrote, with the same checks as a file.
    pub fn from_json(text: &str) -> Result<PriceBook, BookError> {
        let file: BookFile =
            serde_json::from_str(text).map_err(|error| BookError::Syntax(error.to_string()))?;
        file.build()
    }

    /// The whole book in its canonical form: cards and rates sorted, amounts without trailing zeros. Equal books
    /// give equal text.
    #[expect(clippy::expect_used, reason = "strings, numbers and booleans always become JSON")]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&BookFile::of(self)).expect("a price book is plain data")
    }

    /// SHA-256 of the canonical form. Comments, order and `1.50` instead of `1.5` in the file don't change it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_json()).into()
    }

    /// List value of a credit.
    pub fn credit_usd(&self) -> Decimal {
        self.credit_usd
    }

    /// Prices are multiples of this many whole credits; at least 1.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// The groups that a customer or key can be in: the ordinary one, and those that have a price of their own.
    pub fn groups(&self) -> BTreeSet<&str> {
        let rates = self.prices.values().flat_map(|card| &card.rates);
        let own = rates.filter_map(|rate| rate.when.group.as_deref());
        own.chain([DEFAULT_GROUP]).collect()
    }

    /// What a route's card says, `None` without a card.
    pub fn cost_card(&self, model: &str, provider: &str) -> Option<&CostCard> {
        self.costs.get(&(model.to_owned(), provider.to_owned()))
    }

    pub(super) fn price_rate(&self, dims: &Dimensions<'_>, group: &str) -> Option<(Unit, &Rate)> {
        let card = self.prices.get(dims.model)?;
        Some((card.unit, applicable(&card.rates, dims, group)?))
    }

    pub(super) fn mtoken_usd(&self, model: &str, provider: &str) -> Option<Decimal> {
        match self.cost_card(model, provider)? {
            CostCard::Unknown => None,
            CostCard::Known { mtoken_usd, .. } => *mtoken_usd,
        }
    }

    pub(super) fn cost_rate(&self, provider: &str, dims: &Dimensions<'_>) -> Option<(Unit, &Rate)> {
        match self.cost_card(dims.model, provider)? {
            CostCard::Unknown => None,
            CostCard::Known { unit, rates, .. } => Some((*unit, applicable(rates, dims, "")?)),
        }
    }
}

/// The matching rate with the most conditions. Loading made sure that there are never two of them.
fn applicable<'a>(rates: &'a [Rate], dims: &Dimensions<'_>, group: &str) -> Option<&'a Rate> {
    let matching = rates.iter().filter(|rate| rate.when.matches(dims, group));
    matching.max_by_key(|rate| rate.when.conditions())
}

impl Matchers {
    fn matches(&self, dims: &Dimensions<'_>, group: &str) -> bool {
        self.duration.is_none_or(|value| value == dims.duration_s)
            && self.resolution.is_none_or(|value| value == dims.resolution)
            && self.audio.is_none_or(|value| value == dims.audio)
            && self.video_input.is_none_or(|value| value == dims.video_input)
            && self.mode.is_none_or(|value| value == dims.mode)
            && self.group.as_deref().is_none_or(|value| value == group)
    }

    fn conditions(&self) -> usize {
        let given = [
            self.duration.is_some(),
            self.resolution.is_some(),
            self.audio.is_some(),
            self.video_input.is_some(),
            self.mode.is_some(),
            self.group.is_some(),
        ];
        given.into_iter().filter(|is_given| *is_given).count()
    }

    /// Whether some request could match both, and neither would win.
    pub(super) fn ties_with(&self, other: &Matchers) -> bool {
        self.conditions() == other.conditions()
            && agree(&self.duration, &other.duration)
            && agree(&self.resolution, &other.resolution)
            && agree(&self.audio, &other.audio)
            && agree(&self.video_input, &other.video_input)
            && agree(&self.mode, &other.mode)
            && agree(&self.group, &other.group)
    }
}

/// The conditions in words, `any` for none.
impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = [
            self.duration.map(|seconds| format!("{seconds} s")),
            self.resolution.map(|resolution| resolution.to_string()),
            self.audio.map(|on| format!("audio={on}")),
            self.video_input.map(|given| format!("video_input={given}")),
            self.mode.map(|mode| mode.to_string()),
            self.group.as_ref().map(|group| format!("group={group}")),
        ];
        let words: Vec<String> = given.into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "any" } else { "" })?;
        f.write_str(&words.join(" "))
    }
}

fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
    one.is_none() || other.is_none() || one == other
}
