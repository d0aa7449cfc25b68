//! The shape of `pricing.toml` and of the same book as JSON in the database, and the checks on the way in.
//!
//! Amounts are strings: a number in TOML or JSON is read as a float by somebody, sooner or later.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Unit;
use super::book::{BookError, CostCard, Matchers, PriceBook, PriceCard, Rate};
use crate::video::catalog::{Date, InputMode, Resolution};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookFile {
    credit_usd: String,
    step: u32,
    #[serde(default)]
    price: Vec<PriceFile>,
    #[serde(default)]
    cost: Vec<CostFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    model: String,
    unit: Unit,
    rates: Vec<RateFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostFile {
    model: String,
    provider: String,
    #[serde(default, skip_serializing_if = "is_false")]
    unknown: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<Unit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtoken_usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Date>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rates: Vec<RateFile>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<Resolution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_input: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<InputMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usd: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl BookFile {
    pub fn build(self) -> Result<PriceBook, BookError> {
        let mut problems = Vec::new();
        let credit_usd = amount("credit_usd", Some(self.credit_usd), &mut problems);
        if self.step == 0 {
            problems.push("step must be at least 1".to_owned());
        }
        let prices = prices(self.price, &mut problems);
        let costs = costs(self.cost, &mut problems);
        match (credit_usd, problems.is_empty()) {
            (Some(credit_usd), true) => Ok(PriceBook { credit_usd, step: self.step, prices, costs }),
            _ => Err(BookError::Inconsistent(problems)),
        }
    }

    pub fn of(book: &PriceBook) -> Self {
        BookFile {
            credit_usd: book.credit_usd.to_string(),
            step: book.step,
            price: book.prices.iter().map(|(model, card)| PriceFile::of(model, card)).collect(),
            cost: book.costs.iter().map(|(route, card)| CostFile::of(route, card)).collect(),
        }
    }
}

impl PriceFile {
    fn of(model: &str, card: &PriceCard) -> Self {
        let rates = card
            .rates
            .iter()
            .map(|rate| RateFile { credits: Some(rate.amount.to_string()), ..RateFile::of(&rate.when) });
        PriceFile { model: model.to_owned(), unit: card.unit, rates: rates.collect() }
    }
}

impl CostFile {
    fn of((model, provider): &(String, String), card: &CostCard) -> Self {
        let mut file = CostFile {
            model: model.clone(),
            provider: provider.clone(),
            unknown: *card == CostCard::Unknown,
            unit: None,
            mtoken_usd: None,
            source: None,
            as_of: None,
            rates: Vec::new(),
        };
        if let CostCard::Known { unit, rates, mtoken_usd, source, as_of } = card {
            let rates = rates
                .iter()
                .map(|rate| RateFile { usd: Some(rate.amount.to_string()), ..RateFile::of(&rate.when) });
            file.unit = Some(*unit);
            file.mtoken_usd = mtoken_usd.map(|usd| usd.to_string());
            file.source = Some(source.clone());
            file.as_of = Some(*as_of);
            file.rates = rates.collect();
        }
        file
    }
}

impl RateFile {
    fn of(when: &Matchers) -> Self {
        RateFile {
            duration: when.duration,
            resolution: when.resolution,
            audio: when.audio,
            video_input: when.video_input,
            mode: when.mode,
            group: when.group.clone(),
            credits: None,
            usd: None,
        }
    }

    fn matchers(&self) -> Matchers {
        Matchers {
            duration: self.duration,
            resolution: self.resolution,
            audio: self.audio,
            video_input: self.video_input,
            mode: self.mode,
            group: self.group.clone(),
        }
    }
}

fn prices(files: Vec<PriceFile>, problems: &mut Vec<String>) -> BTreeMap<String, PriceCard> {
    let mut cards = BTreeMap::new();
    for file in files {
        let place = format!("price of {}", file.model);
        let rates = rates(&place, file.rates, price_amount, problems);
        if rates.iter().any(|rate| rate.amount.is_zero()) {
            problems.push(format!("{place}: nothing is free"));
        }
        insert(&mut cards, file.model, PriceCard { unit: file.unit, rates }, &place, problems);
    }
    cards
}

fn costs(files: Vec<CostFile>, problems: &mut Vec<String>) -> BTreeMap<(String, String), CostCard> {
    let mut cards = BTreeMap::new();
    for file in files {
        let place = format!("cost of {} at {}", file.model, file.provider);
        let route = (file.model.clone(), file.provider.clone());
        if let Some(card) = cost_card(&place, file, problems) {
            insert(&mut cards, route, card, &place, problems);
        }
    }
    cards
}

fn insert<K: Ord, V>(cards: &mut BTreeMap<K, V>, key: K, card: V, place: &str, problems: &mut Vec<String>) {
    match cards.entry(key) {
        Entry::Vacant(free) => {
            free.insert(card);
        }
        Entry::Occupied(_) => problems.push(format!("{place}: there twice")),
    }
}

/// Either unknown and nothing else, or known with everything.
fn cost_card(place: &str, file: CostFile, problems: &mut Vec<String>) -> Option<CostCard> {
    let bare =
        file.unit.is_none() && file.mtoken_usd.is_none() && file.source.is_none() && file.as_of.is_none();
    if file.unknown && bare && file.rates.is_empty() {
        return Some(CostCard::Unknown);
    }
    if file.rates.iter().any(|rate| rate.group.is_some()) {
        problems.push(format!("{place}: a provider knows nothing of our groups"));
    }
    match (file.unknown, file.unit, file.source, file.as_of) {
        (false, Some(unit), Some(source), Some(as_of)) => {
            let rates = rates(place, file.rates, cost_amount, problems);
            let mtoken_usd = file.mtoken_usd.and_then(|usd| amount(place, Some(usd), problems));
            Some(CostCard::Known { unit, rates, mtoken_usd, source, as_of })
        }
        _ => {
            problems.push(format!("{place}: give unknown, or unit, source, as_of and rates"));
            None
        }
    }
}

fn price_amount(rate: &mut RateFile) -> (Option<String>, Option<String>) {
    (rate.credits.take(), rate.usd.take())
}

fn cost_amount(rate: &mut RateFile) -> (Option<String>, Option<String>) {
    (rate.usd.take(), rate.credits.take())
}

/// Reads and sorts rates. `pick` gives the amount in the card's currency, then the one in the other.
fn rates(
    place: &str,
    files: Vec<RateFile>,
    pick: fn(&mut RateFile) -> (Option<String>, Option<String>),
    problems: &mut Vec<String>,
) -> Vec<Rate> {
    let mut rates = Vec::new();
    for mut file in files {
        let (own, other) = pick(&mut file);
        if other.is_some() {
            problems.push(format!("{place}: prices are in credits, costs in usd"));
        }
        if let Some(amount) = amount(place, own, problems) {
            rates.push(Rate { when: file.matchers(), amount });
        }
    }
    rates.sort();
    unambiguous(place, &rates, problems);
    rates
}

fn unambiguous(place: &str, rates: &[Rate], problems: &mut Vec<String>) {
    if rates.is_empty() {
        problems.push(format!("{place}: no rates"));
    }
    for (index, rate) in rates.iter().enumerate() {
        for other in &rates[index + 1..] {
            if rate.when.ties_with(&other.when) {
                let (one, two) = (&rate.when, &other.when);
                problems.push(format!("{place}: two rates apply alike: {one} and {two}"));
            }
        }
    }
}

/// A decimal of at least zero, without trailing zeros.
fn amount(place: &str, text: Option<String>, problems: &mut Vec<String>) -> Option<Decimal> {
    let Some(text) = text else {
        problems.push(format!("{place}: an amount is missing"));
        return None;
    };
    match Decimal::from_str_exact(&text) {
        Ok(amount) if amount >= Decimal::ZERO => Some(amount.normalize()),
        _ => {
            problems.push(format!("{place}: {text:?} is not an amount"));
            None
        }
    }
}
