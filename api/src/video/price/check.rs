//! Does the price book fit the catalog? Run before a book is published and in a test.
//!
//! Proves that nothing the rules allow lacks a price, by pricing all of it.

use std::collections::BTreeMap;
use std::fmt;

use entity::Credits;
use rust_decimal::Decimal;

use super::PriceBook;
use super::row::{PriceRow, price_rows};
use crate::video::catalog::{Catalog, Model};

/// How a model earns on its preferred route, in its worst allowed combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Margin {
    pub model: String,
    /// `None` for a model without a live route.
    pub provider: Option<String>,
    pub cheapest: Option<Credits>,
    pub dearest: Option<Credits>,
    /// Percent of the selling price that is left, at a credit's list value, over the combinations whose cost is
    /// known; `None` when none is.
    pub lowest_percent: Option<Decimal>,
}

/// What was found. No problems: the book may be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Must be mended.
    pub problems: Vec<String>,
    /// Should be known: selling below cost, or at an unknown one.
    pub warnings: Vec<String>,
    /// In the catalog's order.
    pub margins: Vec<Margin>,
}

impl AuditReport {
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Compares every price, cost and model with each other.
pub fn audit(catalog: &Catalog, book: &PriceBook) -> AuditReport {
    let mut report = AuditReport::default();
    stray_cards(catalog, book, &mut report);
    for model in catalog.models() {
        let rows = price_rows(model, book);
        unpriced(&rows, &mut report);
        cheaper_for_more(&rows, &mut report);
        missing_costs(model, book, &mut report);
        margin(model, book, &rows, &mut report);
    }
    report
}

fn stray_cards(catalog: &Catalog, book: &PriceBook, report: &mut AuditReport) {
    let is_id = |name: &str| catalog.model(name).is_some_and(|model| model.id == name);
    for model in book.prices.keys().filter(|model| !is_id(model)) {
        report.problems.push(format!("{model}: a price for a model that is not in the catalog"));
    }
    for (model, provider) in book.costs.keys() {
        let routes = catalog.model(model).filter(|m| m.id == *model).map(|m| &m.routes);
        if !routes.is_some_and(|routes| routes.iter().any(|route| route.provider == *provider)) {
            report.problems.push(format!("{model}: a cost at {provider}, which is no route of it"));
        }
    }
}

fn unpriced(rows: &[PriceRow], report: &mut AuditReport) {
    let missing = rows.iter().flat_map(|row| &row.prices).filter_map(|(_, price)| price.as_ref().err());
    report.problems.extend(missing.map(ToString::to_string));
}

/// More seconds or more pixels must never be cheaper: somebody would find out.
fn cheaper_for_more(rows: &[PriceRow], report: &mut AuditReport) {
    for row in rows {
        let prices: Vec<_> = row.known().collect();
        let falling = prices.windows(2).filter(|pair| pair[1].1 < pair[0].1);
        report
            .problems
            .extend(falling.map(|pair| format!("{row}: {} s is cheaper than {} s", pair[1].0, pair[0].0)));
    }
    for pair in rows.windows(2).filter(|pair| pair[0].differs_in_resolution_only(&pair[1])) {
        let larger: BTreeMap<u32, Credits> = pair[1].known().collect();
        let cheaper = |(seconds, price)| larger.get(&seconds).is_some_and(|more| *more < price);
        if pair[0].known().any(cheaper) {
            report.problems.push(format!("{}: cheaper than {}", pair[1], pair[0].resolution));
        }
    }
}

fn missing_costs(model: &Model, book: &PriceBook, report: &mut AuditReport) {
    for route in &model.routes {
        if book.cost_card(&model.id, &route.provider).is_none() {
            report.problems.push(format!("{}: no cost card for {}", model.id, route.provider));
        }
    }
}

fn margin(model: &Model, book: &PriceBook, rows: &[PriceRow], report: &mut AuditReport) {
    let prices = || rows.iter().flat_map(PriceRow::known).map(|(_, price)| price);
    let mut margin = Margin {
        model: model.id.clone(),
        provider: model.routes.first().map(|route| route.provider.clone()),
        cheapest: prices().min(),
        dearest: prices().max(),
        lowest_percent: None,
    };
    if let Some(provider) = margin.provider.clone() {
        margin.lowest_percent = lowest_percent(model, book, rows, &provider, &mut report.warnings);
    }
    report.margins.push(margin);
}

fn lowest_percent(
    model: &Model,
    book: &PriceBook,
    rows: &[PriceRow],
    provider: &str,
    warnings: &mut Vec<String>,
) -> Option<Decimal> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for row in rows {
        for (seconds, price) in row.known() {
            let cost = row.dearest_cost(model, book, provider, seconds);
            match cost.and_then(|cost| percent_left(price, book.credit_usd(), cost)) {
                Some(percent) => known.push(percent),
                None => unknown.push(format!("{row} {seconds} s")),
            }
        }
    }
    let lowest = known.into_iter().min();
    match (unknown.first(), lowest) {
        (Some(first), Some(_)) => warnings.push(format!("{first}: unknown cost at {provider}")),
        (Some(_), None) => warnings.push(format!("{}: unknown cost at {provider}", model.id)),
        (None, _) => {}
    }
    if let Some(percent) = lowest.filter(|percent| *percent < Decimal::ZERO) {
        let id = &model.id;
        warnings.push(format!("{id}: sold below cost at {provider}, {percent} %"));
    }
    lowest
}

/// One decimal; a report, so the rounding of a division does no harm.
fn percent_left(price: Credits, credit_usd: Decimal, cost_usd: Decimal) -> Option<Decimal> {
    let revenue = Decimal::new(price.thousandths(), 3).checked_mul(credit_usd)?;
    let left = revenue.checked_sub(cost_usd)?.checked_mul(Decimal::ONE_HUNDRED)?;
    left.checked_div(revenue).map(|percent| percent.round_dp(1))
}

/// A table of margins, then the warnings and the problems.
impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.margins.iter().map(|margin| margin.model.len()).max().unwrap_or(0).max(5);
        writeln!(f, "{:width$}  {:12}  {:>15}  lowest margin", "model", "provider", "credits")?;
        for margin in &self.margins {
            let provider = margin.provider.as_deref().unwrap_or("-");
            let left = margin.lowest_percent.map_or("unknown".to_owned(), |p| format!("{p} %"));
            writeln!(f, "{:width$}  {provider:12}  {:>15}  {left:>13}", margin.model, margin.span())?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        write!(f, "{} problems, {} warnings", self.problems.len(), self.warnings.len())
    }
}

impl Margin {
    fn span(&self) -> String {
        match (self.cheapest, self.dearest) {
            (Some(low), Some(high)) if low == high => low.to_string(),
            (Some(low), Some(high)) => format!("{low}–{high}"),
            _ => "-".to_owned(),
        }
    }
}
