//! Which provider, and which of its keys, an attempt goes to.

use std::collections::BTreeSet;

use entity::{task, task_request};
use sea_orm::DbErr;
use serde::Deserialize;

use super::Context;
use super::dock::Dock;
use crate::provider::Cost;
use crate::provider::json::micro_usd;
use crate::video::price::Dimensions;
use crate::video::price_version::Version;
use crate::video::rules::Effective;
use crate::video::supply::{Need, Standing};

/// What choices are made by, read once for many of them.
#[derive(Clone, Debug)]
pub struct Choosing {
    standing: Standing,
    /// None was ever published: nothing is chosen by its cost then.
    version: Option<Version>,
}

/// What a choice needs to know of a task.
#[derive(Debug)]
pub struct Order {
    effective: Effective,
    /// The only provider that may make it.
    pinned: Option<String>,
}

impl Order {
    pub fn of(request: &task_request::Model) -> serde_json::Result<Order> {
        /// The one field of a request that is looked at.
        #[derive(Deserialize)]
        struct Asked {
            provider: Option<String>,
        }
        let Asked { provider } = serde_json::from_str(&request.request)?;
        Ok(Order { effective: serde_json::from_str(&request.effective)?, pinned: provider })
    }
}

impl Choosing {
    /// What a clip of an order costs us at a provider, in millionths of a US dollar; `None` where the price book does not say.
    pub fn cost_micro_usd(&self, order: &Order, provider: &str) -> Option<i64> {
        let dims = Dimensions { count: 1, ..order.effective.dimensions() };
        micro_usd(self.version.as_ref()?.book.cost_usd(provider, &dims)?)
    }

    /// What a provider charged for an order, in the same; `None` for units that the price book has no price of.
    pub fn charged_micro_usd(&self, order: &Order, provider: &str, cost: Cost) -> Option<i64> {
        let (book, dims) = (&self.version.as_ref()?.book, order.effective.dimensions());
        match cost {
            Cost::MicroUsd(cost) => Some(cost),
            Cost::Tokens(tokens) => micro_usd(book.tokens_cost_usd(provider, &dims, tokens)?),
            Cost::Seconds(seconds) => micro_usd(book.seconds_cost_usd(provider, &dims, seconds)?),
        }
    }
}

impl Context {
    /// What choices are made by, as it is now.
    pub async fn choosing(&self) -> Result<Choosing, DbErr> {
        let now = self.app.clock.now();
        let standing = self.app.video.supply.standing(now).await?;
        Ok(Choosing { standing, version: self.app.video.prices.active(now).await.ok() })
    }

    /// The providers that can make a task, the one to ask first in front, without those that were `tried`.
    fn able(
        &self,
        choosing: &Choosing,
        task: &task::Model,
        order: &Order,
        tried: &BTreeSet<&str>,
    ) -> Vec<String> {
        let video = &self.app.video;
        // A model that left the catalog has no routes any more.
        let Some(model) = video.catalog.model(&task.model) else { return Vec::new() };
        let passthrough: BTreeSet<String> = order.effective.extra.keys().cloned().collect();
        let (wanted, dims) = (order.effective.wanted(), order.effective.dimensions());
        let need = Need {
            model,
            mode: task.mode,
            passthrough: &passthrough,
            wanted: Some(&wanted),
            pinned: order.pinned.as_deref(),
        };
        let cost = choosing.version.as_ref().map(|version| (&*version.book, &dims));
        let routes = video.supply.routes(&video.catalog, &need, cost, &choosing.standing);
        let names = routes.into_iter().map(|route| route.provider).filter(|name| !tried.contains(name));
        names.map(str::to_owned).collect()
    }

    /// Where a task's first attempts go: to the provider that it was queued for, or, while that one does not work, to the next
    /// one that can make it.
    pub fn first_dock(
        &self,
        choosing: &Choosing,
        task: &task::Model,
        request: &task_request::Model,
        queued_for: &str,
    ) -> Option<Dock> {
        let home = self.app.providers.get(queued_for)?;
        let works = home.endpoints.iter().any(|key| choosing.standing.rest_of(queued_for, &key.id).is_none());
        if works {
            return self.dock(choosing, queued_for);
        }
        let able = Order::of(request).map(|order| self.able(choosing, task, &order, &BTreeSet::new()));
        let next = able.ok().and_then(|able| able.into_iter().next());
        self.dock(choosing, next.as_deref().unwrap_or(queued_for))
    }

    /// Where a clip goes that those who were `tried` did not make.
    pub fn next_dock(
        &self,
        choosing: &Choosing,
        task: &task::Model,
        order: &Order,
        tried: &BTreeSet<&str>,
    ) -> Option<Dock> {
        let next = self.able(choosing, task, order, tried).into_iter().next()?;
        self.dock(choosing, &next)
    }

    /// Another key of the same provider that works.
    pub fn other_key(&self, choosing: &Choosing, dock: &Dock, tried: &BTreeSet<&str>) -> Option<Dock> {
        let works = |dock: &Dock| choosing.standing.rest_of(dock.name(), &dock.endpoint.id).is_none();
        let others = Dock::all(&dock.instance).filter(|other| !tried.contains(other.endpoint.id.as_str()));
        others.filter(works).min_by_key(|other| self.seats.taken(other))
    }

    /// The key of a provider that works and has the fewest submissions under way; any, if none works.
    fn dock(&self, choosing: &Choosing, provider: &str) -> Option<Dock> {
        let instance = self.app.providers.get(provider)?;
        let rests =
            |dock: &Dock| choosing.standing.rest_of(provider, &dock.endpoint.id).map(|rest| rest.until);
        Dock::all(&instance).min_by_key(|dock| (rests(dock), self.seats.taken(dock)))
    }
}
