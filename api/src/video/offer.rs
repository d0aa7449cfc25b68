//! What a customer can choose from: the catalog's models with the prices of their group, who serves them now, and how long
//! they take.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use entity::Mode;
use sea_orm::DbErr;

use super::catalog::Model;
use super::price::{Offer, offers};
use super::price_version::{Version, VersionError};
use super::supply::Need;
use super::typical::Typical;
use super::{Payer, Video, rules};

/// A model as one customer sees it now.
#[derive(Clone, Debug)]
pub struct ModelView {
    pub model: Arc<Model>,
    pub status: Status,
    /// Whether a task of it would be taken now.
    pub available: bool,
    pub offers: Arc<Vec<Offer>>,
    pub price_version: i64,
    /// Prices are multiples of this many credits.
    pub price_step: u32,
    /// `None` when too few were made lately.
    pub typical: Option<Typical>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Deprecated,
    Retired,
}

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// With a hint for the customer.
    #[error("{0}")]
    Unknown(String),
    #[error("the API key may not use the model {0}")]
    NotAllowed(String),
    #[error(transparent)]
    Prices(#[from] VersionError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Offers by group and model, of one price version.
#[derive(Clone, Debug, Default)]
pub struct OfferCache(Arc<Mutex<Cached>>);

#[derive(Debug, Default)]
struct Cached {
    version: Option<i64>,
    offers: HashMap<(String, String), Arc<Vec<Offer>>>,
}

/// More groups than we have, times more models than there are.
const CACHED_MAX: usize = 20_000;

impl OfferCache {
    fn get(&self, version: &Version, group: &str, model: &Model) -> Arc<Vec<Offer>> {
        let key = (group.to_owned(), model.id.clone());
        if let Some(offers) = self.with(version.id, |cached| cached.offers.get(&key).cloned()) {
            return offers;
        }
        let fresh = Arc::new(offers(model, &version.book, group));
        self.with(version.id, |cached| cached.offers.insert(key, fresh.clone()));
        fresh
    }

    /// Forgets what another version, or too many groups, left.
    fn with<T>(&self, version: i64, use_it: impl FnOnce(&mut Cached) -> T) -> T {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.version != Some(version) || cached.offers.len() >= CACHED_MAX {
            *cached = Cached { version: Some(version), offers: HashMap::new() };
        }
        use_it(&mut cached)
    }
}

impl Video {
    /// Every model that this customer may use, in the order of the catalog.
    pub async fn models(&self, payer: &Payer) -> Result<Vec<ModelView>, ModelError> {
        let allowed = self.catalog.models().iter().filter(|model| payer.may_use(model));
        self.views(payer, allowed.cloned().collect()).await
    }

    /// A model by any of its names.
    pub async fn model(&self, payer: &Payer, name: &str) -> Result<ModelView, ModelError> {
        let model = self.named_model(payer, name)?;
        let view = self.views(payer, vec![model]).await?.pop();
        view.ok_or_else(|| ModelError::Unknown(rules::unknown_model(name, &self.catalog)))
    }

    /// The same, as the catalog has it.
    pub fn named_model(&self, payer: &Payer, name: &str) -> Result<Arc<Model>, ModelError> {
        let model = self.catalog.model(name);
        let model = model.ok_or_else(|| ModelError::Unknown(rules::unknown_model(name, &self.catalog)))?;
        if payer.may_use(model) { Ok(model.clone()) } else { Err(ModelError::NotAllowed(model.id.clone())) }
    }

    async fn views(&self, payer: &Payer, models: Vec<Arc<Model>>) -> Result<Vec<ModelView>, ModelError> {
        let now = self.clock.now();
        let version = self.prices.active(now).await?;
        let typical = self.typical.of(now).await?;
        let view = |model: Arc<Model>| ModelView {
            status: status(&model, now.seconds()),
            available: self.is_available(&model, payer.mode, now.seconds()),
            offers: self.offers.get(&version, &payer.group, &model),
            price_version: version.id,
            price_step: version.book.step(),
            typical: typical.get(&(model.id.clone(), payer.mode.as_str())).copied(),
            model,
        };
        Ok(models.into_iter().map(view).collect())
    }

    fn is_available(&self, model: &Model, mode: Mode, now_unix: i64) -> bool {
        let sold = mode == Mode::Test || !model.lifecycle.is_retired(now_unix);
        let passthrough = BTreeSet::new();
        let need = Need { model, mode, passthrough: &passthrough, wanted: None, pinned: None };
        sold && self.supply.can(&self.catalog, &need)
    }
}

impl Payer {
    pub fn may_use(&self, model: &Model) -> bool {
        self.models.as_ref().is_none_or(|allowed| allowed.contains(&model.id))
    }
}

fn status(model: &Model, now_unix: i64) -> Status {
    match &model.lifecycle {
        life if life.is_retired(now_unix) => Status::Retired,
        life if life.is_deprecated(now_unix) => Status::Deprecated,
        _ => Status::Active,
    }
}
