//! What an API key has spent and has under way: for deciding, under the account's lock, and for showing.
//!
//! Both add up the same rows in the same way, so that what a customer is shown is what refuses them. Weeks and months are sums
//! of their days.

use std::collections::{BTreeMap, BTreeSet};

use entity::key_usage::UsageWindow;
use entity::{Credits, KeyId, Timestamp, api_key, key_usage};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter};

use super::CapWindow;
use super::book::{UsageRow, usage_row};

/// Usage rows of some keys.
pub type Usage = BTreeMap<(KeyId, UsageRow), key_usage::Model>;

/// What a key may spend in each window, shortest first; `None` is as much as the account has.
pub fn caps(key: &api_key::Model) -> [(CapWindow, Option<Credits>); 4] {
    [
        (CapWindow::Day, key.cap_day),
        (CapWindow::Week, key.cap_week),
        (CapWindow::Month, key.cap_month),
        (CapWindow::Lifetime, key.cap_lifetime),
    ]
}

/// What a key has spent in the window that `now` is in; holds count. `None` when that is more than can be counted.
pub fn spent_in(usage: &Usage, key: KeyId, window: CapWindow, now: Timestamp) -> Option<Credits> {
    let rows = match window.starts_at(now) {
        Some(start) => usage.range((key, UsageRow::Day(start))..(key, UsageRow::Lifetime)),
        None => usage.range((key, UsageRow::Lifetime)..=(key, UsageRow::Lifetime)),
    };
    rows.flat_map(|(_, row)| [row.used, row.open]).try_fold(Credits::ZERO, Credits::checked_add)
}

/// What a key has spent in a window, for showing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub window: CapWindow,
    /// Holds count.
    pub spent: Credits,
    pub cap: Option<Credits>,
    /// When it counts from zero again; never for a lifetime.
    pub resets_at: Option<Timestamp>,
}

impl Spent {
    /// What the cap leaves, which is never below zero; `None` without a cap.
    pub fn remaining(&self) -> Option<Credits> {
        let left = |cap: Credits| cap.checked_sub(self.spent).filter(|left| !left.is_negative());
        self.cap.map(|cap| left(cap).unwrap_or(Credits::ZERO))
    }
}

/// What a key has spent in each window that `now` is in.
pub fn windows(usage: &Usage, key: &api_key::Model, now: Timestamp) -> [Spent; 4] {
    caps(key).map(|(window, cap)| {
        let spent = spent_in(usage, key.id, window, now).unwrap_or(Credits::from_thousandths(i64::MAX));
        Spent { window, spent, cap, resets_at: window.resets_at(now) }
    })
}

/// How many tasks of a key are not settled yet.
pub fn open_tasks(usage: &Usage, key: KeyId) -> i64 {
    usage.get(&(key, UsageRow::Lifetime)).map_or(0, |row| row.open_tasks)
}

/// The first day that a window which `now` is in needs, for showing all of them.
pub fn first_day(now: Timestamp) -> Timestamp {
    let windows = [CapWindow::Week, CapWindow::Month].into_iter().filter_map(|window| window.starts_at(now));
    windows.min().unwrap_or(now)
}

/// The first day that the caps of a key need.
pub fn oldest_day(key: &api_key::Model, now: Timestamp) -> Timestamp {
    let capped = caps(key).into_iter().filter(|(_, cap)| cap.is_some());
    capped.filter_map(|(window, _)| window.starts_at(now)).min().unwrap_or(now).day()
}

/// The usage rows of these keys: their lifetime, and the days from `oldest` on.
pub async fn usage_of(
    db: &impl ConnectionTrait,
    keys: &BTreeSet<KeyId>,
    oldest: Timestamp,
) -> Result<Usage, DbErr> {
    use key_usage::Column as U;
    let needed = U::Win.eq(UsageWindow::Lifetime).or(U::StartsAt.gte(oldest));
    let own = key_usage::Entity::find().filter(U::KeyId.is_in(keys.iter().copied()));
    Ok(by_row(own.filter(needed).all(db).await?))
}

pub fn by_row(rows: Vec<key_usage::Model>) -> Usage {
    rows.into_iter().map(|row| ((row.key_id, usage_row(&row)), row)).collect()
}

/// How many tasks one key has under way, by its primary key: cheap enough to be told with every answer.
pub async fn open_tasks_of(db: &impl ConnectionTrait, key: KeyId) -> Result<i64, DbErr> {
    let empty = UsageRow::Lifetime.empty(key);
    let row = key_usage::Entity::find_by_id((key, empty.win, empty.starts_at)).one(db).await?;
    Ok(row.map_or(0, |row| row.open_tasks))
}
