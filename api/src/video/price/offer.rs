//! A model's prices as customers read them: for what a combination costs, no more rows than the book distinguishes.
//!
//! Every price is asked of [`PriceBook::quote`], so that what is told can't differ from what is held.

use entity::Credits;
use rust_decimal::Decimal;

use super::row::group_rows;
use super::{PriceBook, PriceRow, Quote, Unit};
use crate::video::catalog::{AspectRatio, Durations, InputMode, Model, Resolution};

/// What clips cost for every combination of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub modes: Vec<InputMode>,
    pub resolutions: Vec<Resolution>,
    /// Empty where the price does not depend on it.
    pub aspect_ratios: Vec<AspectRatio>,
    pub audio: Vec<bool>,
    /// Whether a source or reference video is given.
    pub video_input: Vec<bool>,
    /// Ascending in seconds.
    pub prices: Vec<Price>,
}

/// What one clip of a length costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub seconds_min: u32,
    /// As `seconds_min` for a single length.
    pub seconds_max: u32,
    pub unit: Unit,
    /// Credits.
    pub unit_price: Decimal,
    /// The price of one clip; `None` over lengths that differ in it, where it is the unit price times the seconds, rounded up.
    pub credits: Option<Credits>,
}

/// Everything that a customer of this group can buy of a model, in the order of the catalog.
pub fn offers(model: &Model, book: &PriceBook, group: &str) -> Vec<Offer> {
    let rows = group_rows(model, book, group);
    let single: Vec<Offer> = rows.iter().map(|row| offer(row, model, book)).collect();
    let sold = single.into_iter().filter(|offer| !offer.prices.is_empty()).collect();
    let offers = merged(sold, |offer| &mut offer.audio);
    let offers = merged(offers, |offer| &mut offer.video_input);
    let offers = merged(offers, |offer| &mut offer.resolutions);
    let offers = merged(offers, |offer| &mut offer.aspect_ratios);
    merged(offers, |offer| &mut offer.modes)
}

fn offer(row: &PriceRow, model: &Model, book: &PriceBook) -> Offer {
    let quotes =
        model.durations.iter().filter_map(|seconds| Some((seconds, row.quote(model, book, seconds)?)));
    let prices = quotes.map(|(seconds, quote)| price(seconds, quote));
    Offer {
        modes: vec![row.mode],
        resolutions: vec![row.resolution],
        aspect_ratios: row.aspect_ratio.into_iter().collect(),
        audio: vec![row.audio],
        video_input: vec![row.video_input],
        prices: match model.durations {
            Durations::List(_) => prices.collect(),
            Durations::Range { .. } => prices.fold(Vec::new(), joined),
        },
    }
}

fn price(seconds: u32, quote: Quote) -> Price {
    let (unit, unit_price) = (quote.explanation.unit, quote.explanation.unit_price);
    Price { seconds_min: seconds, seconds_max: seconds, unit, unit_price, credits: Some(quote.credits) }
}

/// Takes a price into the one before it where both follow the same rule.
fn joined(mut prices: Vec<Price>, next: Price) -> Vec<Price> {
    let same = |last: &&mut Price| {
        last.seconds_max + 1 == next.seconds_min
            && (last.unit, last.unit_price) == (next.unit, next.unit_price)
            && (next.unit == Unit::Second || last.credits == next.credits)
    };
    match prices.last_mut().filter(same) {
        Some(last) => {
            last.seconds_max = next.seconds_max;
            last.credits = last.credits.filter(|credits| Some(*credits) == next.credits);
        }
        None => prices.push(next),
    }
    prices
}

/// Puts offers together that differ in nothing but one side.
fn merged<T>(offers: Vec<Offer>, side: fn(&mut Offer) -> &mut Vec<T>) -> Vec<Offer> {
    let mut all: Vec<Offer> = Vec::new();
    for mut offer in offers {
        let values = std::mem::take(side(&mut offer));
        let alike = |other: &&mut Offer| {
            let mut other = (*other).clone();
            side(&mut other).clear();
            other == offer
        };
        match all.iter_mut().find(alike) {
            Some(other) => side(other).extend(values),
            None => {
                *side(&mut offer) = values;
                all.push(offer);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::video::catalog::Catalog;

    fn real() -> (Catalog, PriceBook) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let prices = std::fs::read_to_string(root.join("pricing.toml")).unwrap();
        (Catalog::load_dir(&root.join("catalog")).unwrap(), PriceBook::parse(&prices).unwrap())
    }

    fn covers(offer: &Offer, row: &PriceRow) -> bool {
        let by_ratio = |ratio| offer.aspect_ratios.contains(&ratio);
        offer.modes.contains(&row.mode)
            && offer.resolutions.contains(&row.resolution)
            && row.aspect_ratio.map_or(offer.aspect_ratios.is_empty(), by_ratio)
            && offer.audio.contains(&row.audio)
            && offer.video_input.contains(&row.video_input)
    }

    #[test]
    fn every_combination_of_every_model_is_in_one_offer_at_the_price_of_its_quote() {
        let (catalog, book) = real();
        for model in catalog.models() {
            let offers = offers(model, &book, "default");
            for row in group_rows(model, &book, "default") {
                let [offer] = offers.iter().filter(|offer| covers(offer, &row)).collect::<Vec<_>>()[..]
                else {
                    panic!("{row} is not in one offer");
                };
                for (seconds, quoted) in row.known() {
                    let fits = |price: &&Price| (price.seconds_min..=price.seconds_max).contains(&seconds);
                    let price = offer.prices.iter().find(fits).unwrap();
                    let exact = price.unit_price * Decimal::from(seconds);
                    let worked_out = || super::super::round_up(exact, book.step()).unwrap();
                    assert_eq!(price.credits.unwrap_or_else(worked_out), quoted, "{row} {seconds} s");
                }
            }
        }
    }

    #[test]
    fn a_group_sees_its_own_prices() {
        let (catalog, _) = real();
        let model = catalog.model("sora-2-text-to-video").unwrap();
        let book = format!(
            "credit_usd = \"0.05\"\nstep = 1\n[[price]]\nmodel = \"{}\"\nunit = \"clip\"\n\
             rates = [{{ credits = \"10\" }}, {{ group = \"partner\", credits = \"7\" }}]",
            model.id
        );
        let book = PriceBook::parse(&book).unwrap();
        for (group, whole) in [("partner", 7), ("default", 10), ("unheard of", 10)] {
            let offers = offers(model, &book, group);
            let prices = offers.iter().flat_map(|offer| &offer.prices);
            let all: Vec<_> = prices.map(|price| price.credits).collect();
            assert!(
                !all.is_empty() && all.iter().all(|credits| *credits == Credits::from_whole(whole)),
                "{group}"
            );
        }
    }

    fn price(seconds: u32, unit: Unit, credits: i64) -> Price {
        let credits = Credits::from_whole(credits);
        Price { seconds_min: seconds, seconds_max: seconds, unit, unit_price: Decimal::TWO, credits }
    }

    #[test]
    fn lengths_that_follow_one_rule_become_a_range() {
        let fold = |prices: &[Price]| -> Vec<(u32, u32, Option<Credits>)> {
            let folded = prices.iter().cloned().fold(Vec::new(), joined);
            folded.into_iter().map(|price| (price.seconds_min, price.seconds_max, price.credits)).collect()
        };
        let ten = Credits::from_whole(10);
        let by_second = [price(4, Unit::Second, 8), price(5, Unit::Second, 10), price(6, Unit::Second, 12)];
        assert_eq!(fold(&by_second), [(4, 6, None)]);
        assert_eq!(fold(&by_second[1..2]), [(5, 5, ten)]);
        let flat = [price(4, Unit::Clip, 10), price(5, Unit::Clip, 10), price(6, Unit::Clip, 20)];
        assert_eq!(fold(&flat), [(4, 5, ten), (6, 6, Credits::from_whole(20))]);
        let tokens = [price(4, Unit::Mtoken, 9), price(5, Unit::Mtoken, 10)];
        assert_eq!(fold(&tokens), [(4, 4, Credits::from_whole(9)), (5, 5, ten)]);
        let gap = [price(4, Unit::Second, 8), price(6, Unit::Second, 12)];
        assert_eq!(fold(&gap).len(), 2);
    }
}
