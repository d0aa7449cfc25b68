//! Streams of bytes between files, sockets and storage: chunked, counted, hashed and limited.
//!
//! A stream is never collected; at most one chunk of it is in memory here.

use std::{error::Error, io, ops::Range, path::Path};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

use super::store::StoreError;

/// Bytes a read asks a file for. Each costs a hop to a blocking thread, so the few kilobytes usual elsewhere are slow.
const CHUNK_BYTES: u64 = 128 * 1024;

/// What a source may fail with; kept as the cause in [`StoreError::Source`].
pub type SourceError = Box<dyn Error + Send + Sync>;

/// What was written: the size in bytes and the SHA-256 of exactly those bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    pub sha256: [u8; 32],
}

/// Counts and hashes chunks on their way, and refuses the one that would pass the limit.
pub(super) struct Tally {
    bytes: u64,
    limit_bytes: u64,
    hash: Sha256,
}

impl Tally {
    pub(super) fn new(limit_bytes: u64) -> Self {
        Self { bytes: 0, limit_bytes, hash: Sha256::new() }
    }

    /// Must come before the chunk is written, so that nothing beyond the limit reaches the disk.
    pub(super) fn add(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let bytes = self.bytes.saturating_add(chunk.len() as u64);
        if bytes > self.limit_bytes {
            return Err(StoreError::TooLarge { limit_bytes: self.limit_bytes });
        }
        self.bytes = bytes;
        self.hash.update(chunk);
        Ok(())
    }

    pub(super) fn finish(self) -> Stored {
        Stored { bytes: self.bytes, sha256: self.hash.finalize().into() }
    }
}

/// Writes a stream to a new local file, at most `limit_bytes` of it, and syncs the file.
///
/// For remote clips: they are looked at on disk before they get a key, since the key holds their hash. An existing file
/// is refused, never overwritten. After an error, or when the future is dropped, a part may be left at `path`; give a
/// path in a temporary directory that is removed either way.
pub async fn spool<S, E>(stream: S, path: &Path, limit_bytes: u64) -> Result<Stored, StoreError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<SourceError>,
{
    let mut file = File::create_new(path).await.map_err(StoreError::Disk)?;
    let stored = copy(stream, &mut file, limit_bytes).await?;
    file.sync_all().await.map_err(StoreError::Disk)?;
    Ok(stored)
}

async fn copy<S, E>(mut stream: S, file: &mut File, limit_bytes: u64) -> Result<Stored, StoreError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<SourceError>,
{
    let mut tally = Tally::new(limit_bytes);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| StoreError::Source(e.into()))?;
        tally.add(&chunk)?;
        file.write_all(&chunk).await.map_err(StoreError::Disk)?;
    }
    file.flush().await.map_err(StoreError::Disk)?;
    Ok(tally.finish())
}

/// The size and hash of a local file, for the key of a clip that was made on this machine.
pub async fn digest_file(path: &Path) -> Result<Stored, StoreError> {
    let mut chunks = Box::pin(file_chunks(File::open(path).await.map_err(StoreError::Disk)?));
    let mut tally = Tally::new(u64::MAX);
    while let Some(chunk) = chunks.next().await {
        tally.add(&chunk.map_err(StoreError::Disk)?)?;
    }
    Ok(tally.finish())
}

/// The file from its current position to its end.
pub(super) fn file_chunks(file: File) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((file, u64::MAX), next_chunk)
}

/// A part of the file. A file that ends early ends the stream early: whoever promised a length must compare.
pub(super) async fn range_chunks(
    mut file: File,
    range: Range<u64>,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
    file.seek(io::SeekFrom::Start(range.start)).await?;
    Ok(stream::try_unfold((file, range.end.saturating_sub(range.start)), next_chunk))
}

async fn next_chunk((mut file, left): (File, u64)) -> io::Result<Option<(Bytes, (File, u64))>> {
    let want = left.min(CHUNK_BYTES);
    let mut chunk = BytesMut::with_capacity(want as usize);
    (&mut file).take(want).read_buf(&mut chunk).await?;
    let left = left - chunk.len() as u64;
    Ok((!chunk.is_empty()).then(|| (chunk.freeze(), (file, left))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    fn chunks(parts: &[&'static [u8]]) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
        stream::iter(parts.iter().map(|part| Ok(Bytes::from_static(part))).collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn a_spooled_stream_is_the_file_and_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clip");
        let stored = spool(chunks(&[b"ab", b"", b"c"]), &path, 3).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        assert_eq!(stored.bytes, 3);
        assert_eq!(
            hex::encode(stored.sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest_file(&path).await.unwrap(), stored);
    }

    #[tokio::test]
    async fn one_byte_over_the_limit_is_refused_and_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clip");
        let refused = spool(chunks(&[b"ab", b"c"]), &path, 2).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { limit_bytes: 2 })));
        assert!(std::fs::metadata(&path).unwrap().len() <= 2);
    }

    #[tokio::test]
    async fn a_failing_source_is_not_a_short_file() {
        let dir = tempfile::tempdir().unwrap();
        let parts = vec![Ok(Bytes::from_static(b"ab")), Err(io::Error::other("cut"))];
        let refused = spool(stream::iter(parts), &dir.path().join("clip"), 9).await;
        assert!(matches!(refused, Err(StoreError::Source(_))));
    }

    #[tokio::test]
    async fn an_existing_file_is_never_spooled_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clip");
        std::fs::write(&path, b"old").unwrap();
        assert!(matches!(spool(chunks(&[b"new"]), &path, 9).await, Err(StoreError::Disk(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }

    #[tokio::test]
    async fn a_range_comes_in_bounded_chunks_and_stops_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clip");
        let content: Vec<u8> = (0..500_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let file = File::open(&path).await.unwrap();
        let read: Vec<Bytes> = range_chunks(file, 7..400_000).await.unwrap().try_collect().await.unwrap();
        assert!(read.len() > 1 && read.iter().all(|chunk| chunk.len() as u64 <= CHUNK_BYTES));
        assert_eq!(read.concat(), content[7..400_000]);
    }
}
