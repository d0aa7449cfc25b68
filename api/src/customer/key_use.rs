//! When a key was last used: written coarsely and in the background, never while a request waits.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::{KeyId, Timestamp, api_key};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::key_caller::KeyCaller;
use crate::db::Db;

/// A use is written when the one that is written is older than this.
const COARSE_SECONDS: i64 = 300;
/// Keys that one statement writes.
const BATCH: usize = 500;

/// Keys whose use is to be written. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyUses {
    db: Db,
    uses: Arc<Mutex<Uses>>,
}

#[derive(Debug, Default)]
struct Uses {
    waiting: BTreeSet<KeyId>,
    writing: BTreeSet<KeyId>,
    is_running: bool,
}

impl KeyUses {
    pub fn new(db: Db) -> Self {
        KeyUses { db, uses: Arc::default() }
    }

    /// Notes that a key is used now.
    pub fn note(&self, caller: &KeyCaller, now: Timestamp) {
        if caller.last_used_at.is_some_and(|last| last.plus_seconds(COARSE_SECONDS) > now) {
            return;
        }
        let mut uses = self.uses();
        if !uses.writing.contains(&caller.id) {
            uses.waiting.insert(caller.id);
        }
        if !uses.waiting.is_empty() && !uses.is_running {
            uses.is_running = true;
            tokio::spawn(self.clone().write_all(now));
        }
    }

    /// Writes until nobody waits. What can't be written is told by the key's next use.
    async fn write_all(self, now: Timestamp) {
        while let Some(keys) = self.next() {
            if let Err(error) = self.write(keys, now).await {
                tracing::warn!(%error, "the last use of keys could not be written");
            }
        }
    }

    fn next(&self) -> Option<BTreeSet<KeyId>> {
        let mut uses = self.uses();
        let rest = uses.waiting.iter().nth(BATCH).copied();
        let rest = rest.map(|first| uses.waiting.split_off(&first)).unwrap_or_default();
        uses.writing = std::mem::replace(&mut uses.waiting, rest);
        uses.is_running = !uses.writing.is_empty();
        uses.is_running.then(|| uses.writing.clone())
    }

    async fn write(&self, keys: BTreeSet<KeyId>, now: Timestamp) -> Result<(), DbErr> {
        let tx = self.db.begin().await?;
        let update = api_key::Entity::update_many().col_expr(api_key::Column::LastUsedAt, Expr::value(now));
        update.filter(api_key::Column::Id.is_in(keys)).exec(&tx).await?;
        tx.commit().await
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
