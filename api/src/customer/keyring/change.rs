//! What may become different about a key.

use std::num::NonZeroU32;

use entity::{Credits, Timestamp, api_key};
use ipnet::IpNet;

use crate::customer::key;

/// What becomes different: `None` stays as it is, `Some(None)` is no limit any more.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub models: Option<Option<Vec<String>>>,
    pub ip_ranges: Option<Option<Vec<IpNet>>>,
    pub rate_per_minute: Option<Option<NonZeroU32>>,
    pub max_tasks: Option<Option<u32>>,
    pub expires_at: Option<Option<Timestamp>>,
    pub cap_day: Option<Option<Credits>>,
    pub cap_week: Option<Option<Credits>>,
    pub cap_month: Option<Option<Credits>>,
    pub cap_lifetime: Option<Option<Credits>>,
}

impl Change {
    pub(super) fn apply(self, key: &mut api_key::Model) {
        set(&mut key.name, self.name);
        set(&mut key.models, self.models.map(|models| models.as_deref().map(key::list)));
        set(&mut key.ip_ranges, self.ip_ranges.map(|ranges| ranges.as_deref().map(key::list)));
        set(
            &mut key.rate_per_minute,
            self.rate_per_minute.map(|rate| rate.map(|rate| i64::from(rate.get()))),
        );
        set(&mut key.max_tasks, self.max_tasks.map(|limit| limit.map(i64::from)));
        set(&mut key.expires_at, self.expires_at);
        set(&mut key.cap_day, self.cap_day);
        set(&mut key.cap_week, self.cap_week);
        set(&mut key.cap_month, self.cap_month);
        set(&mut key.cap_lifetime, self.cap_lifetime);
    }
}

fn set<T>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}
