//! Files on their way in: in the scratch folder, gone with the value that stands for them.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use sha2::{Digest, Sha256};

use super::flow::{SourceError, Stored, spool};
use super::sniff::{Sniffed, Unknown, sniff, sniff_file};
use super::store::{Store, StoreError};

/// A file of the scratch folder, deleted when this is dropped, also half written. What a process that dies leaves is swept.
#[derive(Debug)]
pub struct Scrap {
    path: PathBuf,
    stored: Stored,
}

impl Scrap {
    /// Writes a stream to a new file, at most `limit_bytes` of it.
    pub async fn take<S, E>(stream: S, path: PathBuf, limit_bytes: u64) -> Result<Scrap, StoreError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Into<SourceError>,
    {
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(StoreError::Disk)?;
        }
        let nothing = Stored { bytes: 0, sha256: [0; 32] };
        let mut scrap = Scrap { path, stored: nothing };
        scrap.stored = spool(stream, &scrap.path, limit_bytes).await?;
        Ok(scrap)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        // One that is left is swept some hours later.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A file that somebody gave us: on disk, or in memory if it came inside a text.
#[derive(Clone, Debug)]
pub enum Given {
    File(Arc<Scrap>),
    Bytes(Bytes),
}

impl From<Scrap> for Given {
    fn from(scrap: Scrap) -> Self {
        Given::File(Arc::new(scrap))
    }
}

impl Given {
    /// Its size and hash.
    pub fn stored(&self) -> Stored {
        match self {
            Given::File(scrap) => scrap.stored,
            Given::Bytes(bytes) => Stored { bytes: bytes.len() as u64, sha256: Sha256::digest(bytes).into() },
        }
    }

    /// What it is, by its bytes.
    pub async fn sniff(&self) -> Result<Sniffed, Unknown> {
        match self.clone() {
            Given::Bytes(bytes) => sniff(Cursor::new(bytes)),
            Given::File(scrap) => {
                let sniffed = tokio::task::spawn_blocking(move || sniff_file(scrap.path()));
                sniffed.await.map_err(std::io::Error::other)?
            }
        }
    }

    /// Copies it to storage.
    pub async fn put(&self, store: &Store, key: &str) -> Result<Stored, StoreError> {
        match self {
            Given::File(scrap) => store.put_file(key, scrap.path()).await,
            Given::Bytes(bytes) => {
                let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes.clone())]);
                store.put_stream(key, chunks, u64::MAX).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(parts: &[&'static [u8]]) -> impl Stream<Item = std::io::Result<Bytes>> + Unpin {
        futures_util::stream::iter(parts.iter().map(|part| Ok(Bytes::from_static(part))).collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn a_scrap_is_gone_with_its_last_holder_and_half_a_one_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/one");
        let given = Given::from(Scrap::take(chunks(&[b"ab", b"c"]), path.clone(), 3).await.unwrap());
        assert_eq!((given.stored().bytes, path.exists()), (3, true));
        assert_eq!(given.stored(), Given::Bytes(Bytes::from_static(b"abc")).stored());
        let other = given.clone();
        drop(given);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
        let refused = Scrap::take(chunks(&[b"ab", b"c"]), path.clone(), 2).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { limit_bytes: 2 })));
        assert!(!path.exists());
    }
}
