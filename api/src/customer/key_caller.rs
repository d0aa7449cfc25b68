//! Who stands behind a key that is shown to us.
//!
//! The row is read for every request, so that a revocation counts at once in every process; requests that come together
//! share the look-up.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use entity::{KeyId, Timestamp, api_key};
use ipnet::IpNet;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use secrecy::SecretString;

use super::caller::{By, Identity};
use super::key::{hash, is_well_formed, read_list};
use crate::clock::Clock;
use crate::db::lookup::Lookup;
use crate::db::{Db, Reader, bulk};

/// Who stands behind a key, and what limits it beside its caps, which are the vault's.
#[derive(Clone, Debug)]
pub struct KeyCaller {
    pub id: KeyId,
    pub identity: Arc<Identity>,
    /// Networks that it may be used from; `None` is everywhere.
    pub ip_ranges: Option<Vec<IpNet>>,
    pub rate_per_minute: Option<NonZeroU32>,
    /// Tasks that may be under way at once.
    pub max_tasks: Option<u32>,
    /// Coarse.
    pub last_used_at: Option<Timestamp>,
}

/// The callers of a database, by the hashes of their secrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyCallers(Lookup<Vec<u8>, Arc<KeyCaller>>);

impl KeyCallers {
    pub fn new(db: Db, clock: Clock) -> Self {
        KeyCallers(Lookup::new(move |hashes| load(db.clone(), clock.now(), hashes)))
    }

    /// Who stands behind a key; nobody, when it is malformed, unknown, revoked or expired. For a while after a rotation the
    /// secret before it is as good as the new one.
    pub async fn find(&self, secret: &str) -> Result<Option<Arc<KeyCaller>>, DbErr> {
        if !is_well_formed(secret) {
            return Ok(None);
        }
        self.0.get(hash(&SecretString::from(secret))).await
    }
}

/// A key, and the price group of its customer.
type Owned = (api_key::Model, String);

async fn load(
    db: Db,
    now: Timestamp,
    hashes: Vec<Vec<u8>>,
) -> Result<HashMap<Vec<u8>, Arc<KeyCaller>>, DbErr> {
    use api_key::Column as K;
    let mut reader = db.reader().await?;
    let mut keys = find(&mut reader, K::Hash, hashes.clone(), "").await?;
    let known: HashSet<&Vec<u8>> = keys.iter().map(|(key, _)| &key.hash).collect();
    let unknown: Vec<_> = hashes.into_iter().filter(|hash| !known.contains(hash)).collect();
    // Said although the hashes imply it: the index is partial.
    let rotated = find(&mut reader, K::PreviousHash, unknown, "AND previous_hash IS NOT NULL").await?;
    keys.extend(rotated.into_iter().filter_map(|(key, group)| Some((with_previous(key, now)?, group))));
    let is_live =
        |key: &api_key::Model| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now);
    let live = keys.into_iter().filter(|(key, _)| is_live(key));
    Ok(live.map(|(key, group)| (key.hash.clone(), Arc::new(caller(key, group)))).collect())
}

async fn find(
    reader: &mut Reader,
    by: api_key::Column,
    hashes: Vec<Vec<u8>>,
    tail: &str,
) -> Result<Vec<Owned>, DbErr> {
    const WITH_OWNER: &str = "SELECT k.*, c.price_group AS owner_group FROM api_key AS k JOIN customer AS c ON c.id = k.customer_id";
    let hashes = hashes.into_iter().map(|hash| vec![Value::from(hash)]).collect();
    let rows = bulk::query(reader, WITH_OWNER, &[by], hashes, tail).await?;
    let owned = |row: &QueryResult| {
        Ok((api_key::Model::from_query_result(row, "")?, row.try_get("", "owner_group")?))
    };
    rows.iter().map(owned).collect()
}

/// The key under the hash of the secret before its rotation, as long as that is good.
fn with_previous(mut key: api_key::Model, now: Timestamp) -> Option<api_key::Model> {
    key.previous_until.filter(|until| *until > now)?;
    key.hash = key.previous_hash.take()?;
    Some(key)
}

fn caller(key: api_key::Model, owner_group: String) -> KeyCaller {
    let limit = |limit: i64| u32::try_from(limit).unwrap_or(u32::MAX);
    let identity = Identity {
        customer: key.customer_id,
        account: key.account_id,
        mode: key.mode,
        group: key.price_group.unwrap_or(owner_group),
        scopes: read_list(&key.scopes),
        models: key.models.as_deref().map(read_list),
        by: By::Key(key.id),
    };
    KeyCaller {
        id: key.id,
        identity: Arc::new(identity),
        ip_ranges: key.ip_ranges.as_deref().map(read_list),
        rate_per_minute: key.rate_per_minute.map(limit).and_then(NonZeroU32::new),
        max_tasks: key.max_tasks.map(limit),
        last_used_at: key.last_used_at,
    }
}
