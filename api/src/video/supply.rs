//! Who makes what now: the configured providers, which of their keys work, and the order in which they are asked.
//!
//! What a key is worth is found out by the workers and read here from their table, a second old at most: every process knows of
//! it, and none asks a provider.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use entity::attempt::{self, AttemptState};
use entity::provider_health::{self, HealthState};
use entity::{Mode, TaskId, Timestamp};
use rust_decimal::Decimal;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde::Deserialize;

use super::catalog::{Catalog, Destination, Model, Wanted};
use super::price::{Dimensions, PriceBook};
use crate::clock::{Clock, first_id};
use crate::db::Db;
use crate::db::fresh::Fresh;

/// Which of several providers is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As the catalog lists them.
    #[default]
    Listed,
    /// The one that costs us least, by the price book's cost cards; those without a figure last.
    Cost,
    /// The one that delivered the largest part of what it was sent in the last day.
    Success,
}

/// What a task needs of the provider that makes it.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    pub model: &'a Model,
    pub mode: Mode,
    /// Keys of a provider's own that it must forward.
    pub passthrough: &'a BTreeSet<String>,
    /// `None` where only the model is asked about.
    pub wanted: Option<&'a Wanted>,
    /// The only one that may make it.
    pub pinned: Option<&'a str>,
}

/// What can be had. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Supply {
    /// Names of the keys of each configured provider.
    keys: Arc<BTreeMap<String, BTreeSet<String>>>,
    order: Order,
    health: Fresh<Health>,
    rates: Fresh<Rates>,
}

/// Keys that are not used now, by provider and key.
pub type Health = HashMap<(String, String), Rest>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    pub until: Timestamp,
    /// A person has to do something.
    pub is_out: bool,
}

/// What was known at an instant.
#[derive(Clone, Debug)]
pub struct Standing {
    health: Arc<Health>,
    rates: Arc<Rates>,
    now: Timestamp,
}

impl Standing {
    /// How long a key rests; `None` when it is used.
    pub fn rest_of(&self, provider: &str, key: &str) -> Option<Rest> {
        rest_of(&self.health, provider, key, self.now)
    }
}

/// Of what was sent to a provider, the part that it delivered.
type Rates = BTreeMap<String, Decimal>;

const HEALTH_SECONDS: i64 = 1;
const RATES_SECONDS: i64 = 60;
const RATED_SECONDS: i64 = 86_400;
/// Fewer attempts say nothing: such a provider counts as one that always delivers, so that it is tried.
const RATED_MIN: i64 = 20;

impl Supply {
    pub fn new(db: Db, clock: Clock, keys: BTreeMap<String, BTreeSet<String>>, order: Order) -> Self {
        let resting = db.clone();
        Supply {
            keys: Arc::new(keys),
            order,
            health: Fresh::new(HEALTH_SECONDS, move || read_health(resting.clone())),
            rates: Fresh::new(RATES_SECONDS, move || read_rates(db.clone(), clock.now())),
        }
    }

    /// Whether anybody is configured who can do this. What their keys are worth now is not asked.
    pub fn can(&self, catalog: &Catalog, need: &Need<'_>) -> bool {
        !self.able(catalog, need).is_empty()
    }

    fn able<'a>(&self, catalog: &'a Catalog, need: &Need<'a>) -> Vec<Destination<'a>> {
        let mut routes = catalog.routes_for(need.model, need.mode, need.passthrough, need.wanted);
        // The sandbox makes everything: who is named matters only where it is they who make it.
        let fits = |name: &str| need.mode == Mode::Test || need.pinned.is_none_or(|pinned| pinned == name);
        routes.retain(|route| fits(route.provider) && self.keys.contains_key(route.provider));
        routes
    }

    /// What is known now, to choose by.
    pub async fn standing(&self, now: Timestamp) -> Result<Standing, DbErr> {
        let rates = match self.order {
            Order::Success => self.rates.get(now).await?,
            _ => Arc::default(),
        };
        Ok(Standing { health: self.health(now).await?, rates, now })
    }

    /// The configured providers that can do this, the one to ask first in front. Of equals the catalog's order stays, and
    /// whoever has no key that works comes last; with no money or no right anywhere, not at all.
    pub fn routes<'a>(
        &self,
        catalog: &'a Catalog,
        need: &Need<'a>,
        cost: Option<(&PriceBook, &Dimensions<'_>)>,
        standing: &Standing,
    ) -> Vec<Destination<'a>> {
        let mut routes = self.able(catalog, need);
        if need.mode == Mode::Test {
            return routes;
        }
        match (self.order, cost) {
            (Order::Listed, _) | (Order::Cost, None) => {}
            (Order::Cost, Some(cost)) => routes.sort_by_cached_key(|route| cost_key(cost, route)),
            (Order::Success, _) => {
                let rate = |route: &Destination<'_>| standing.rates.get(route.provider).copied();
                routes.sort_by_key(|route| std::cmp::Reverse(rate(route).unwrap_or(Decimal::ONE)));
            }
        }
        let rest = |route: &Destination<'_>| self.rest(standing, route.provider);
        routes.retain(|route| !rest(route).is_some_and(|rest| rest.is_out));
        routes.sort_by_key(|route| rest(route).is_some());
        routes
    }

    /// How long a provider rests: until the first of its keys is used again. `None` when one is used now.
    fn rest(&self, standing: &Standing, provider: &str) -> Option<Rest> {
        let keys = self.keys.get(provider)?;
        let rests: Option<Vec<Rest>> = keys.iter().map(|key| standing.rest_of(provider, key)).collect();
        rests?.into_iter().min_by_key(|rest| (rest.is_out, rest.until))
    }

    /// Which keys are not used now.
    pub async fn health(&self, now: Timestamp) -> Result<Arc<Health>, DbErr> {
        self.health.get(now).await
    }

    /// Looks again at once: this process has just changed it.
    pub fn health_changed(&self) {
        self.health.forget();
    }
}

async fn read_health(db: Db) -> Result<Health, DbErr> {
    let resting = provider_health::Entity::find()
        .filter(provider_health::Column::RestsUntil.is_not_null())
        .all(db.read())
        .await?;
    let rest = |row: provider_health::Model| {
        let rest = Rest { until: row.rests_until?, is_out: row.state == HealthState::Out };
        Some(((row.provider, row.endpoint), rest))
    };
    Ok(resting.into_iter().filter_map(rest).collect())
}

async fn read_rates(db: Db, now: Timestamp) -> Result<Rates, DbErr> {
    use attempt::Column as A;
    let ended: Vec<(String, AttemptState, i64)> = attempt::Entity::find()
        .select_only()
        .columns([A::Provider, A::State])
        .column_as(A::N.count(), "attempts")
        // Tasks' ids are in the order of time, so that the older ones are not looked at.
        .filter(A::TaskId.gte(TaskId(first_id(now.plus_seconds(-RATED_SECONDS)))))
        .filter(A::EndedAt.is_not_null())
        .filter(A::Mode.eq(Mode::Live))
        .group_by(A::Provider)
        .group_by(A::State)
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(rates(ended))
}

/// How long a key rests; `None` when it is used.
pub fn rest_of(health: &Health, provider: &str, key: &str, now: Timestamp) -> Option<Rest> {
    let rest = health.get(&(provider.to_owned(), key.to_owned()))?;
    (rest.until > now).then_some(*rest)
}

/// Cheap first, unknown last.
fn cost_key((book, dims): (&PriceBook, &Dimensions<'_>), route: &Destination<'_>) -> (bool, Decimal) {
    match book.cost_usd(route.provider, dims) {
        Some(cost) => (false, cost),
        None => (true, Decimal::ZERO),
    }
}

fn rates(ended: Vec<(String, AttemptState, i64)>) -> Rates {
    let mut counted: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (provider, state, attempts) in ended {
        let (delivered, all) = counted.entry(provider).or_default();
        *all += attempts;
        // What the customer stopped says nothing.
        match state {
            AttemptState::Delivered => *delivered += attempts,
            AttemptState::Canceled => *all -= attempts,
            _ => {}
        }
    }
    let rated = counted.into_iter().filter(|(_, (_, all))| *all >= RATED_MIN);
    let rate = |(delivered, all): (i64, i64)| Decimal::from(delivered) / Decimal::from(all);
    rated.map(|(provider, counts)| (provider, rate(counts))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_rated_by_what_it_delivered_of_what_nobody_stopped() {
        let ended = vec![
            ("north".to_owned(), AttemptState::Delivered, 15),
            ("north".to_owned(), AttemptState::Failed, 5),
            ("north".to_owned(), AttemptState::Canceled, 80),
            ("south".to_owned(), AttemptState::Failed, 19),
        ];
        assert_eq!(rates(ended), BTreeMap::from([("north".to_owned(), Decimal::new(75, 2))]));
    }

    #[test]
    fn a_key_rests_until_its_time_is_over() {
        let until = Timestamp::from_seconds(100);
        let health = Health::from([(("north".to_owned(), "k1".to_owned()), Rest { until, is_out: false })]);
        let rest = |key, now| rest_of(&health, "north", key, Timestamp::from_seconds(now)).is_some();
        assert!(rest("k1", 99) && !rest("k1", 100) && !rest("k2", 99));
    }
}
