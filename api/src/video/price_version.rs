//! Price versions: immutable books in the database, and which of them sells now.
//!
//! Every process must sell at one price. A version is activated for an instant a little in the future, and every process
//! looks for activations more often than that, so all of them change over at the same moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::{Timestamp, price_activation, price_version};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder,
};

use super::price::{BookError, PriceBook};
use crate::db::Db;
use crate::db::fresh::Fresh;
use crate::db::lookup::Lookup;

/// A version and its book.
#[derive(Clone, Debug)]
pub struct Version {
    pub id: i64,
    pub book: Arc<PriceBook>,
}

/// The versions of one database, cached: books never change, activations are looked for every second. Whoever needs what is not
/// in the cache has it read together with the others who do.
#[derive(Clone, Debug)]
pub struct PriceVersions {
    books: Lookup<i64, Arc<PriceBook>, VersionError>,
    kept: Arc<Mutex<BTreeMap<i64, Arc<PriceBook>>>>,
    activations: Fresh<Activations>,
}

/// From when on which version sells, the newest last.
type Activations = Vec<(Timestamp, i64)>;

const REFRESH_SECONDS: i64 = 1;
/// How far in the future an activation lies at least, so that every process knows of it in time.
const LEAD_SECONDS: i64 = 5;

#[derive(Clone, Debug, thiserror::Error)]
pub enum VersionError {
    #[error("no price version is active: publish one with `reelmeter pricing publish`")]
    NoneActive,
    #[error("price version {0} does not exist")]
    Unknown(i64),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl PriceVersions {
    pub fn new(db: Db) -> Self {
        let other = db.clone();
        PriceVersions {
            books: Lookup::new(move |ids| read_books(db.clone(), ids)),
            kept: Arc::default(),
            activations: Fresh::new(REFRESH_SECONDS, move || read_activations(other.clone())),
        }
    }

    /// The version that sells at `now`.
    pub async fn active(&self, now: Timestamp) -> Result<Version, VersionError> {
        let mut active = self.activated(now).await?;
        if active.is_none() {
            // The first book of a database sells from the moment it is published, not from the next look.
            self.activations.forget();
            active = self.activated(now).await?;
        }
        self.version(active.ok_or(VersionError::NoneActive)?).await
    }

    async fn activated(&self, now: Timestamp) -> Result<Option<i64>, DbErr> {
        let activations = self.activations.get(now).await?;
        Ok(activations.iter().rev().find(|(from, _)| *from <= now).map(|(_, id)| *id))
    }

    /// A version by its number.
    pub async fn version(&self, id: i64) -> Result<Version, VersionError> {
        if let Some(book) = self.kept().get(&id).cloned() {
            return Ok(Version { id, book });
        }
        let book = self.books.get(id).await?.ok_or(VersionError::Unknown(id))?;
        self.kept().insert(id, book.clone());
        Ok(Version { id, book })
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<PriceBook>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read_books(db: Db, ids: Vec<i64>) -> Result<HashMap<i64, Arc<PriceBook>>, VersionError> {
    let rows =
        price_version::Entity::find().filter(price_version::Column::Id.is_in(ids)).all(db.read()).await?;
    rows.into_iter().map(|row| Ok((row.id, Arc::new(PriceBook::from_json(&row.book)?)))).collect()
}

async fn read_activations(db: Db) -> Result<Activations, DbErr> {
    let rows = price_activation::Entity::find()
        .order_by_asc(price_activation::Column::EffectiveAt)
        .order_by_asc(price_activation::Column::Id)
        .all(db.read())
        .await?;
    Ok(rows.into_iter().map(|row| (row.effective_at, row.version_id)).collect())
}

/// What publishing a book came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It sells from this instant on.
    Activated { version: i64, effective_at: Timestamp },
    /// It is what sells already.
    Unchanged { version: i64 },
}

/// Makes a book a version, unless it is one, and activates it. In an empty database it sells at once.
pub async fn publish(
    tx: &DatabaseTransaction,
    book: &PriceBook,
    by: &str,
    now: Timestamp,
) -> Result<Published, DbErr> {
    let newest = newest_activation(tx).await?;
    let version = match find_by_hash(tx, book).await? {
        Some(version) => version,
        None => insert_version(tx, book, by, now).await?,
    };
    let effective_at = match &newest {
        Some(active) if active.version_id == version => return Ok(Published::Unchanged { version }),
        Some(active) => now.plus_seconds(LEAD_SECONDS).max(active.effective_at),
        None => now,
    };
    let row = price_activation::Model {
        id: newest.map_or(0, |row| row.id) + 1,
        version_id: version,
        effective_at,
        created_at: now,
        created_by: by.to_owned(),
    };
    row.into_active_model().insert(tx).await?;
    Ok(Published::Activated { version, effective_at })
}

async fn newest_activation(db: &impl ConnectionTrait) -> Result<Option<price_activation::Model>, DbErr> {
    price_activation::Entity::find().order_by_desc(price_activation::Column::Id).one(db).await
}

async fn find_by_hash(db: &impl ConnectionTrait, book: &PriceBook) -> Result<Option<i64>, DbErr> {
    let hash = price_version::Column::Hash.eq(book.hash().to_vec());
    Ok(price_version::Entity::find().filter(hash).one(db).await?.map(|row| row.id))
}

async fn insert_version(
    tx: &DatabaseTransaction,
    book: &PriceBook,
    by: &str,
    now: Timestamp,
) -> Result<i64, DbErr> {
    let newest = price_version::Entity::find().order_by_desc(price_version::Column::Id).one(tx).await?;
    let id = newest.map_or(0, |row| row.id) + 1;
    let row = price_version::Model {
        id,
        hash: book.hash().to_vec(),
        book: book.to_json(),
        created_at: now,
        created_by: by.to_owned(),
    };
    row.into_active_model().insert(tx).await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use migration::{Migrator, MigratorTrait};

    use super::*;

    #[tokio::test]
    async fn what_is_published_into_an_empty_database_sells_at_once_also_where_nothing_was_found_before() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::connect(&format!("sqlite:{}", folder.path().join("test.db").display())).await.unwrap();
        Migrator::up(db.schema(), None).await.unwrap();
        let (versions, now) = (PriceVersions::new(db.clone()), Timestamp::from_seconds(1_800_000_000));
        assert!(matches!(versions.active(now).await, Err(VersionError::NoneActive)));
        let book = PriceBook::parse("credit_usd = \"0.05\"\nstep = 1\nprice = []\n").unwrap();
        let tx = db.begin().await.unwrap();
        publish(&tx, &book, "test", now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(versions.active(now).await.unwrap().id, 1);
    }
}
