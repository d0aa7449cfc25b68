//! Files that customers gave us to work from. The same bytes of the same account are one upload, whose id is made of both: a
//! request that brings a file again is the same request, and storage holds the file once.
//!
//! An upload belongs to an account, so that test keys see nothing of live ones. Its bytes stay until nobody can want them:
//! until it expires or is deleted, and until the last task that was accepted with it is over.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use entity::upload::{self, Column};
use entity::{AccountId, MediaKind, Timestamp, UploadId};
use futures_util::Stream;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::catalog::Facts;
use crate::clock::Clock;
use crate::db::Db;
use crate::media::sniff::extension;
use crate::media::{Allow, Given, Scrap, Sniffed, Store, StoreError, Stored, Unknown, upload_key};

/// What may be given, and for how long it is kept.
#[derive(Clone, Debug)]
pub struct Terms {
    pub max_image_bytes: u64,
    pub max_video_bytes: u64,
    pub max_audio_bytes: u64,
    /// Seconds from when a file was last given.
    pub kept_s: u32,
    /// Whether a web address may be plain http.
    pub http: bool,
    /// Places that may be named although they are private.
    pub allow: Allow,
}

/// The uploads of everybody. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Uploads {
    pub db: Db,
    pub clock: Clock,
    pub store: Store,
    /// Where files lie on their way in.
    pub scratch: PathBuf,
    pub terms: Arc<Terms>,
}

#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Not a file that we take; the text is for its customer.
    #[error("{0}")]
    Refused(String),
    #[error("more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    /// Whoever sent it did not get to its end.
    #[error("the file did not arrive: {0}")]
    Cut(String),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl From<StoreError> for UploadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { limit_bytes } => UploadError::TooLarge { limit_bytes },
            StoreError::Source(error) => UploadError::Cut(error.to_string()),
            other => UploadError::Store(other),
        }
    }
}

impl Terms {
    pub fn max_bytes(&self, kind: MediaKind) -> u64 {
        match kind {
            MediaKind::Image => self.max_image_bytes,
            MediaKind::Video => self.max_video_bytes,
            MediaKind::Audio => self.max_audio_bytes,
        }
    }

    /// The largest file of any kind.
    pub fn largest(&self) -> u64 {
        self.max_image_bytes.max(self.max_video_bytes).max(self.max_audio_bytes)
    }
}

/// What the rules ask of an upload.
pub fn facts(upload: &upload::Model) -> Facts {
    let pixels = |side: Option<i64>| side.and_then(|side| u32::try_from(side).ok());
    Facts {
        kind: upload.kind,
        bytes: u64::try_from(upload.bytes).unwrap_or(0),
        size: pixels(upload.width).zip(pixels(upload.height)),
        millis: upload.millis.and_then(|millis| u64::try_from(millis).ok()),
    }
}

fn id_of(account: AccountId, sha256: &[u8; 32]) -> UploadId {
    let hash: [u8; 32] = Sha256::new().chain_update(account.0).chain_update(sha256).finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    UploadId(Uuid::from_bytes(id))
}

impl Uploads {
    /// Takes a file in from a stream, however large, without looking at it.
    pub async fn take(
        &self,
        stream: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
    ) -> Result<Given, UploadError> {
        let path = self.scratch.join(format!("{}.given", self.clock.new_id()));
        Ok(Scrap::take(stream, path, self.terms.largest()).await?.into())
    }

    /// Keeps a file for an account, from now on as long as any other. One that is there already is not stored again.
    pub async fn keep(&self, account: AccountId, given: &Given) -> Result<upload::Model, UploadError> {
        let expires_at = self.clock.now().plus_seconds(i64::from(self.terms.kept_s));
        self.keep_until(account, given, (expires_at, Timestamp::default())).await
    }

    /// The same until it expires, and until no task needs it.
    pub async fn keep_until(
        &self,
        account: AccountId,
        given: &Given,
        (expires_at, needed_until): (Timestamp, Timestamp),
    ) -> Result<upload::Model, UploadError> {
        let stored = given.stored();
        let id = id_of(account, &stored.sha256);
        if let Some(known) = self.prolong(id, expires_at, needed_until).await? {
            return Ok(known);
        }
        let sniffed = self.check(given).await?;
        let fresh = self.clock.new_id();
        let storage_key = upload_key(id.0, fresh, extension(sniffed.content_type));
        let copied = given.put(&self.store, &storage_key).await?;
        if copied != stored {
            return Err(UploadError::Cut("it changed while it was stored".into()));
        }
        let row = row((id, account), &stored, &sniffed, storage_key, self.clock.now());
        self.insert(upload::Model { expires_at, needed_until, ..row }).await
    }

    /// What a file is, if it is one that we take.
    async fn check(&self, given: &Given) -> Result<Sniffed, UploadError> {
        let sniffed = given.sniff().await.map_err(|error| match error {
            Unknown::Unreadable(error) => UploadError::Store(StoreError::Disk(error)),
            unknown => UploadError::Refused(format!("Can't be used: {unknown}")),
        })?;
        let (bytes, max) = (given.stored().bytes, self.terms.max_bytes(sniffed.kind));
        if bytes > max {
            let kind = sniffed.kind.as_str();
            return Err(UploadError::Refused(format!(
                "Can't be used: {kind} files may have at most {max} bytes"
            )));
        }
        Ok(sniffed)
    }

    /// Makes an upload that is there last longer, if it is there.
    async fn prolong(
        &self,
        id: UploadId,
        expires_at: Timestamp,
        needed_until: Timestamp,
    ) -> Result<Option<upload::Model>, DbErr> {
        let tx = self.db.begin().await?;
        later(&tx, id, Column::ExpiresAt, expires_at).await?;
        later(&tx, id, Column::NeededUntil, needed_until).await?;
        let known = upload::Entity::find_by_id(id).one(&tx).await?;
        tx.commit().await?;
        Ok(known)
    }

    /// Somebody may have stored the same file meanwhile: then theirs is kept.
    async fn insert(&self, row: upload::Model) -> Result<upload::Model, UploadError> {
        let (id, key) = (row.id, row.storage_key.clone());
        let (expires_at, needed_until) = (row.expires_at, row.needed_until);
        let tx = self.db.begin().await?;
        let first = OnConflict::column(Column::Id).do_nothing().to_owned();
        upload::Entity::insert(row.clone().into_active_model())
            .on_conflict(first)
            .exec_without_returning(&tx)
            .await?;
        later(&tx, id, Column::ExpiresAt, expires_at).await?;
        later(&tx, id, Column::NeededUntil, needed_until).await?;
        let kept = upload::Entity::find_by_id(id).one(&tx).await?.unwrap_or(row);
        tx.commit().await?;
        if kept.storage_key != key {
            self.store.delete_all(vec![key]).await;
        }
        Ok(kept)
    }

    /// An upload of this account; not one that has expired.
    pub async fn find(&self, account: AccountId, id: UploadId) -> Result<Option<upload::Model>, UploadError> {
        let found = self.any(id).await?;
        let now = self.clock.now();
        Ok(found.filter(|upload| upload.account_id == account && upload.expires_at > now))
    }

    /// An upload of whomever, as long as its bytes are there. For tasks that were accepted with it, and for signed links.
    pub async fn any(&self, id: UploadId) -> Result<Option<upload::Model>, UploadError> {
        Ok(upload::Entity::find_by_id(id).one(self.db.read()).await?)
    }

    /// Uploads of this account that have not expired. With `until` a task will need them: their bytes stay until then,
    /// whatever becomes of them.
    pub async fn of_account(
        &self,
        account: AccountId,
        ids: &[UploadId],
        until: Option<Timestamp>,
    ) -> Result<HashMap<UploadId, upload::Model>, UploadError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let own = || {
            upload::Entity::find()
                .filter(Column::Id.is_in(ids.iter().copied()))
                .filter(Column::AccountId.eq(account))
                .filter(Column::ExpiresAt.gt(self.clock.now()))
        };
        let mut found = own().all(self.db.read()).await?;
        if let Some(until) = until.filter(|until| found.iter().any(|upload| upload.needed_until < *until)) {
            let tx = self.db.begin().await?;
            upload::Entity::update_many()
                .col_expr(Column::NeededUntil, Expr::value(until))
                .filter(Column::Id.is_in(found.iter().map(|upload| upload.id)))
                .filter(Column::NeededUntil.lt(until))
                .exec(&tx)
                .await?;
            // Looked at again: some may have been swept in between.
            found = own().all(&tx).await?;
            tx.commit().await?;
        }
        Ok(found.into_iter().map(|upload| (upload.id, upload)).collect())
    }

    /// Takes an upload from its account. Answers with the key of its bytes if nobody needs them any more; `None` when there
    /// is no such upload.
    pub async fn forget(
        &self,
        account: AccountId,
        id: UploadId,
    ) -> Result<Option<Option<String>>, UploadError> {
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let taken = upload::Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::value(now))
            .filter(Column::Id.eq(id))
            .filter(Column::AccountId.eq(account))
            .filter(Column::ExpiresAt.gt(now))
            .exec(&tx)
            .await?;
        let gone = sweep(&tx, Some(id), now, 1).await?.pop();
        tx.commit().await?;
        Ok((taken.rows_affected > 0).then_some(gone))
    }

    /// Those of the keys that an upload's bytes are under.
    pub async fn known(&self, keys: &[String]) -> Result<HashSet<String>, DbErr> {
        let known = upload::Entity::find().select_only().column(Column::StorageKey);
        let known: Vec<String> =
            known.filter(Column::StorageKey.is_in(keys)).into_tuple().all(self.db.read()).await?;
        Ok(known.into_iter().collect())
    }

    /// Forgets some of the uploads that nobody can want any more; answers with the keys of their bytes.
    pub async fn sweep(&self, most: u64) -> Result<Vec<String>, DbErr> {
        let tx = self.db.begin().await?;
        let keys = sweep(&tx, None, self.clock.now(), most).await?;
        tx.commit().await?;
        Ok(keys)
    }
}

async fn later(
    tx: &DatabaseTransaction,
    id: UploadId,
    column: Column,
    until: Timestamp,
) -> Result<(), DbErr> {
    let sooner = column.lt(until);
    let update = upload::Entity::update_many().col_expr(column, Expr::value(until));
    update.filter(Column::Id.eq(id)).filter(sooner).exec(tx).await?;
    Ok(())
}

/// Locked before they are deleted, so that what is prolonged meanwhile stays.
async fn sweep(
    tx: &DatabaseTransaction,
    only: Option<UploadId>,
    now: Timestamp,
    most: u64,
) -> Result<Vec<String>, DbErr> {
    let over = upload::Entity::find().filter(Column::ExpiresAt.lte(now)).filter(Column::NeededUntil.lte(now));
    let mut find = over.limit(most).lock_exclusive();
    if let Some(id) = only {
        find = find.filter(Column::Id.eq(id));
    }
    let rows = find.all(tx).await?;
    let ids = rows.iter().map(|row| row.id);
    upload::Entity::delete_many().filter(Column::Id.is_in(ids)).exec(tx).await?;
    Ok(rows.into_iter().map(|row| row.storage_key).collect())
}

fn row(
    (id, account_id): (UploadId, AccountId),
    stored: &Stored,
    sniffed: &Sniffed,
    storage_key: String,
    now: Timestamp,
) -> upload::Model {
    upload::Model {
        id,
        account_id,
        sha256: stored.sha256.to_vec(),
        kind: sniffed.kind,
        content_type: sniffed.content_type.to_owned(),
        bytes: i64::try_from(stored.bytes).unwrap_or(i64::MAX),
        width: sniffed.size.map(|(width, _)| i64::from(width)),
        height: sniffed.size.map(|(_, height)| i64::from(height)),
        millis: sniffed.millis.and_then(|millis| i64::try_from(millis).ok()),
        storage_key,
        created_at: now,
        expires_at: now,
        needed_until: now,
    }
}
