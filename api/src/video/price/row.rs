//! All prices of a model, in rows: for the check of a book and for reading through them.

use std::collections::BTreeSet;
use std::fmt;

use entity::Credits;
use rust_decimal::Decimal;

use super::{Dimensions, PriceBook, PriceError, Quote, Unit};
use crate::video::catalog::{AspectRatio, InputMode, Model, Resolution, dimensions};
use crate::video::rules::video_inputs;

/// The group of a customer who has no other.
pub const DEFAULT_GROUP: &str = "default";

/// The prices of one model by duration, everything else fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRow {
    pub model: String,
    pub mode: InputMode,
    /// Only where the price depends on it (tokens).
    pub aspect_ratio: Option<AspectRatio>,
    pub audio: bool,
    pub video_input: bool,
    pub group: String,
    pub resolution: Resolution,
    /// Seconds and the price of one clip, ascending in seconds.
    pub prices: Vec<(u32, Result<Credits, PriceError>)>,
}

/// Every price of a model for a single clip, row by row. Rows that differ in resolution only are neighbours, ascending.
pub fn price_rows(model: &Model, book: &PriceBook) -> Vec<PriceRow> {
    rows_of(model, book, &groups(model, book))
}

/// The same for one group, whether or not it has a rate of its own.
pub(super) fn group_rows(model: &Model, book: &PriceBook, group: &str) -> Vec<PriceRow> {
    rows_of(model, book, &[group.to_owned()])
}

fn rows_of(model: &Model, book: &PriceBook, groups: &[String]) -> Vec<PriceRow> {
    let rows = vec![PriceRow::start(model)];
    let rows = each(rows, |_| model.modes.clone(), |row, mode| row.mode = mode);
    let rows = each(rows, |_| priced_ratios(model, book), |row, ratio| row.aspect_ratio = ratio);
    let rows = each(rows, |_| model.audio.choices().to_vec(), |row, audio| row.audio = audio);
    let videos = |row: &PriceRow| video_inputs(model, row.mode).to_vec();
    let rows = each(rows, videos, |row, given| row.video_input = given);
    let rows = each(rows, |_| groups.to_vec(), |row, group| row.group = group);
    let rows = each(rows, |_| model.resolutions.clone(), |row, value| row.resolution = value);
    rows.into_iter().map(|row| row.priced(model, book)).collect()
}

/// Every row once for each of its values.
fn each<T>(
    rows: Vec<PriceRow>,
    values: impl Fn(&PriceRow) -> Vec<T>,
    set: impl Fn(&mut PriceRow, T),
) -> Vec<PriceRow> {
    let mut all = Vec::new();
    for row in rows {
        for value in values(&row) {
            let mut next = row.clone();
            set(&mut next, value);
            all.push(next);
        }
    }
    all
}

/// Tokens depend on the exact size of the picture; no other unit looks at the ratio.
fn priced_ratios(model: &Model, book: &PriceBook) -> Vec<Option<AspectRatio>> {
    let by_tokens = book.prices.get(&model.id).is_some_and(|card| card.unit == Unit::Mtoken);
    if by_tokens { model.aspect_ratios.iter().copied().map(Some).collect() } else { vec![None] }
}

/// The default group, and those that have a rate of their own.
fn groups(model: &Model, book: &PriceBook) -> Vec<String> {
    let rates = book.prices.get(&model.id).map_or(&[][..], |card| &card.rates);
    let own = rates.iter().filter_map(|rate| rate.when.group.clone());
    let unique: BTreeSet<String> = own.chain([DEFAULT_GROUP.to_owned()]).collect();
    unique.into_iter().collect()
}

impl PriceRow {
    fn start(model: &Model) -> Self {
        PriceRow {
            model: model.id.clone(),
            mode: InputMode::TextToVideo,
            aspect_ratio: None,
            audio: false,
            video_input: false,
            group: DEFAULT_GROUP.to_owned(),
            resolution: model.default_resolution,
            prices: Vec::new(),
        }
    }

    fn priced(mut self, model: &Model, book: &PriceBook) -> Self {
        let price = |seconds| {
            let quote = book.quote(0, &self.dimensions(model, seconds), &self.group);
            (seconds, quote.map(|quote| quote.credits))
        };
        self.prices = model.durations.iter().map(price).collect();
        self
    }

    /// One clip of this row and length; `None` when it is not sold.
    pub(super) fn quote(&self, model: &Model, book: &PriceBook, seconds: u32) -> Option<Quote> {
        book.quote(0, &self.dimensions(model, seconds), &self.group).ok()
    }

    fn dimensions(&self, model: &Model, duration_s: u32) -> Dimensions<'_> {
        self.dimensions_at(self.aspect_ratio.unwrap_or(model.default_aspect_ratio), duration_s)
    }

    fn dimensions_at(&self, ratio: AspectRatio, duration_s: u32) -> Dimensions<'_> {
        let (width, height) = dimensions(self.resolution, ratio);
        Dimensions {
            model: &self.model,
            mode: self.mode,
            duration_s,
            resolution: self.resolution,
            width,
            height,
            audio: self.audio,
            video_input: self.video_input,
            count: 1,
        }
    }

    /// What a clip of this row costs us at most: a provider may bill by tokens where we don't. `None` when unknown.
    pub(super) fn dearest_cost(
        &self,
        model: &Model,
        book: &PriceBook,
        provider: &str,
        seconds: u32,
    ) -> Option<Decimal> {
        let own = self.aspect_ratio.as_slice();
        let ratios = if own.is_empty() { &model.aspect_ratios } else { own };
        let costs: Option<Vec<Decimal>> = ratios
            .iter()
            .map(|ratio| book.cost_usd(provider, &self.dimensions_at(*ratio, seconds)))
            .collect();
        costs?.into_iter().max()
    }

    pub(super) fn known(&self) -> impl Iterator<Item = (u32, Credits)> + '_ {
        self.prices.iter().filter_map(|(seconds, price)| Some((*seconds, *price.as_ref().ok()?)))
    }

    pub(super) fn differs_in_resolution_only(&self, other: &PriceRow) -> bool {
        let as_other =
            PriceRow { resolution: other.resolution, prices: other.prices.clone(), ..self.clone() };
        as_other == *other
    }
}

/// What the row is about, without its prices.
impl fmt::Display for PriceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.model, self.mode, self.resolution)?;
        if let Some(ratio) = self.aspect_ratio {
            write!(f, " {ratio}")?;
        }
        let notes = [(self.audio, " audio"), (self.video_input, " video-input")];
        for (_, note) in notes.into_iter().filter(|(is_so, _)| *is_so) {
            f.write_str(note)?;
        }
        if self.group != DEFAULT_GROUP {
            write!(f, " group={}", self.group)?;
        }
        Ok(())
    }
}
