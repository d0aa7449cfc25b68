//! Our own storage of clips and uploads: a directory or an S3 bucket behind one small type.
//!
//! A key appears only when all its bytes are there: files are written aside, synced and renamed; S3 publishes an object
//! when its upload is completed. Keys hold the hash of the content, so writing one twice writes the same bytes.

use std::{
    io,
    ops::Range,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ClientConfigKey, GetOptions, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    buffered::BufWriter,
    local::LocalFileSystem,
    path::Path,
    prefix::PrefixStore,
};
use tokio::{fs::File, io::AsyncWriteExt};
use url::Url;
use uuid::Uuid;

use super::flow::{SourceError, Stored, Tally, file_chunks, range_chunks};

/// Smaller clips go up in one request, larger ones in parts of this size. S3 wants at least 5 MiB a part and at most
/// 10,000 parts.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one upload in flight: with [`PART_BYTES`] this bounds an upload's memory.
const PARTS_IN_FLIGHT: usize = 2;

/// Why storage could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The storage URL is not one we can open; the text says why and is meant for the operator.
    #[error("storage URL: {0}")]
    Url(String),
    /// There is no object with this key.
    #[error("no object {0}")]
    NotFound(String),
    /// The object ends before the end of the wanted range, so a promised length could not be kept.
    #[error("object {0} is shorter than the wanted range")]
    Short(String),
    /// The source had more bytes than its limit.
    #[error("more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    /// The source of the bytes failed, not storage.
    #[error("the source of the bytes failed")]
    Source(#[source] SourceError),
    /// A local file outside storage could not be read or written.
    #[error("local file")]
    Disk(#[source] io::Error),
    /// Storage itself failed.
    #[error("storage")]
    Backend(#[source] object_store::Error),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::NotFound(path),
            other => Self::Backend(other),
        }
    }
}

/// HTTP bodies fail with an `io::Error`.
impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        Self::other(error)
    }
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub key: String,
    pub bytes: u64,
    /// When it was written, by the clock of the disk or of S3. The sweeper spares the young.
    pub modified: SystemTime,
}

impl From<ObjectMeta> for Meta {
    fn from(meta: ObjectMeta) -> Self {
        Self { key: meta.location.into(), bytes: meta.size, modified: meta.last_modified.into() }
    }
}

/// Whether a file in storage is the beginning of an object (`KEY#N`), as it is written aside or was left by a crash.
pub fn is_unfinished(path: &FilePath) -> bool {
    let number = path.to_str().and_then(|path| path.rsplit_once('#')).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Opened storage; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Of the files, if they are no objects of S3.
    folder: Option<PathBuf>,
}

impl Store {
    /// Opens `file:///absolute/dir` (made if absent) or `s3://bucket/prefix`.
    ///
    /// S3 takes its credentials, region and endpoint from the usual `AWS_*` variables; plain http is used only when
    /// the endpoint says http. Nothing is sent yet, so a wrong bucket or key shows at the first use. For S3 the process
    /// must have installed a rustls provider. Set a bucket rule that removes incomplete uploads: a crash leaves them.
    pub fn open(storage_url: &str) -> Result<Self, StoreError> {
        let url = Url::parse(storage_url).map_err(|e| StoreError::Url(e.to_string()))?;
        match url.scheme() {
            "file" => Self::directory(&url),
            "s3" => Self::bucket(AmazonS3Builder::from_env(), &url),
            other => Err(StoreError::Url(format!("scheme {other} is neither file nor s3"))),
        }
    }

    fn directory(url: &Url) -> Result<Self, StoreError> {
        let path = url.to_file_path().map_err(|()| StoreError::Url("not an absolute path".into()))?;
        std::fs::create_dir_all(&path).map_err(|e| StoreError::Url(format!("{}: {e}", path.display())))?;
        // Synced, because a clip is announced as completed right after; cleaned up, because each task has a folder.
        let files = LocalFileSystem::new_with_prefix(&path)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { objects: Arc::new(files), folder: Some(path) })
    }

    fn bucket(builder: AmazonS3Builder, url: &Url) -> Result<Self, StoreError> {
        let bucket = url.host_str().ok_or_else(|| StoreError::Url("no bucket".into()))?;
        let prefix = Path::from_url_path(url.path()).map_err(|e| StoreError::Url(e.to_string()))?;
        let plain = endpoint_is_http(&builder);
        // A slow reader may take long over a large clip: the pause between reads is limited, not the whole.
        let s3 = builder
            .with_bucket_name(bucket)
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), "1 hour")
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ReadTimeout), "30 seconds")
            .with_allow_http(plain)
            .build()?;
        Ok(Self { objects: Arc::new(PrefixStore::new(s3, prefix)), folder: None })
    }

    /// Where the objects are files.
    pub fn folder(&self) -> Option<&FilePath> {
        self.folder.as_deref()
    }

    /// Copies a local file to `key`. Compare the answer with the hash in the key: the file may have changed since.
    pub async fn put_file(&self, key: &str, path: &FilePath) -> Result<Stored, StoreError> {
        let file = File::open(path).await.map_err(StoreError::Disk)?;
        self.put_stream(key, Box::pin(file_chunks(file)), u64::MAX).await
    }

    /// Streams at most `limit_bytes` to `key`. When the source fails or has more, `key` is as it was before. When
    /// storage fails at the very end, S3 may have published the object all the same; nobody points to it then.
    pub async fn put_stream<S, E>(&self, key: &str, stream: S, limit_bytes: u64) -> Result<Stored, StoreError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Into<SourceError>,
    {
        let mut writer =
            BufWriter::with_capacity(self.objects.clone(), Path::parse(key).map_err(bad_key)?, PART_BYTES)
                .with_max_concurrency(PARTS_IN_FLIGHT);
        match fill(&mut writer, stream, limit_bytes).await {
            Ok(stored) => writer.shutdown().await.map(|()| stored).map_err(write_failed),
            Err(error) => {
                // The first error is the one to tell; parts that can't be removed now fall to the bucket's rule.
                let _ = writer.abort().await;
                Err(error)
            }
        }
    }

    /// What is known of `key`; `None` when there is no such object.
    pub async fn head(&self, key: &str) -> Result<Option<Meta>, StoreError> {
        match self.objects.head(&Path::parse(key).map_err(bad_key)?).await {
            Ok(meta) => Ok(Some(meta.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes of `range` in chunks. A range that reaches beyond the object is [`StoreError::Short`]; an empty one is
    /// an empty stream. An object deleted while it is read stays readable from a directory and may fail from S3.
    pub async fn read(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let wanted = GetOptions::new().with_range(Some(range.clone()));
        let found = self.objects.get_opts(&Path::parse(key).map_err(bad_key)?, wanted).await?;
        if found.range != range {
            return Err(StoreError::Short(key.to_owned()));
        }
        Ok(match found.payload {
            GetResultPayload::File(file, _) => {
                let chunks = range_chunks(File::from_std(file), range).await.map_err(StoreError::Disk)?;
                chunks.map_err(StoreError::Disk).boxed()
            }
            GetResultPayload::Stream(chunks) => chunks.map_err(StoreError::from).boxed(),
        })
    }

    /// Removes an object; one that is already gone is fine.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.objects.delete(&Path::parse(key).map_err(bad_key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes objects as far as that works: what stays is found by the sweeper, and said in the log.
    pub async fn delete_all(&self, keys: Vec<String>) {
        let gone = keys.iter().map(async |key| {
            if let Err(error) = self.delete(key).await {
                tracing::warn!(%error, key, "an object that nobody needs could not be deleted yet");
            }
        });
        futures_util::future::join_all(gone).await;
    }

    /// Every object below a folder, in no order; the empty prefix means all. `clips/a` doesn't match `clips/ab/…`.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<Meta, StoreError>> {
        match Path::parse(prefix) {
            Ok(prefix) => {
                self.objects.list(Some(&prefix)).map_ok(Meta::from).map_err(StoreError::from).boxed()
            }
            Err(error) => futures_util::stream::iter([Err(bad_key(error))]).boxed(),
        }
    }
}

/// The key of one stored clip: `clips/<shard>/<task>/<clip>-<attempt>-<first 16 hex digits of the hash>.mp4`.
///
/// The shard is the task id's *last* byte: its first ones are the time, which would put a whole month into one folder.
pub fn clip_key(task: Uuid, clip: u32, attempt: u32, sha256: &[u8; 32]) -> String {
    let shard = task.as_bytes()[15];
    format!("clips/{shard:02x}/{task}/{clip}-{attempt}-{}.mp4", hex::encode(&sha256[..8]))
}

/// The key of one stored upload: `uploads/<shard>/<upload>-<one that was never used>.<extension>`.
///
/// A row that is made again after it was swept gets another key, so that whoever still deletes the old object deletes no new
/// one.
pub fn upload_key(upload: Uuid, fresh: Uuid, extension: &str) -> String {
    let shard = upload.as_bytes()[15];
    format!("uploads/{shard:02x}/{upload}-{fresh}.{extension}")
}

async fn fill<S, E>(writer: &mut BufWriter, mut stream: S, limit_bytes: u64) -> Result<Stored, StoreError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<SourceError>,
{
    let mut tally = Tally::new(limit_bytes);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| StoreError::Source(e.into()))?;
        tally.add(&chunk)?;
        writer.put(chunk).await?;
    }
    Ok(tally.finish())
}

fn endpoint_is_http(builder: &AmazonS3Builder) -> bool {
    [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
        .iter()
        .find_map(|key| builder.get_config_value(key))
        .is_some_and(|endpoint| endpoint.starts_with("http://"))
}

fn bad_key(error: object_store::path::Error) -> StoreError {
    StoreError::Backend(error.into())
}

fn write_failed(error: io::Error) -> StoreError {
    StoreError::Backend(object_store::Error::Generic { store: "upload", source: error.into() })
}

#[cfg(test)]
mod tests;
