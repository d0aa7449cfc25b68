//! Pictures of a clip: one frame of it, and sixteen on one sheet. Made when somebody first asks for one, kept beside the clip.
//!
//! A clip is decoded on a blocking thread, a few at once, and only if that can be done while somebody waits.

mod decode;
mod mp4;
mod scale;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use image_webp::{ColorType, WebPEncoder};
use tokio::sync::Semaphore;

use super::link::Variant;
use super::probe::NotAVideo;
use super::scrap::Scrap;
use super::store::{Store, StoreError};
use decode::Frames;
use mp4::Track;
use scale::{Picture, Sheet};

/// Clips that are decoded at once: each takes a core and some 50 MB.
const AT_ONCE: usize = 2;
/// Pixels of the longer side.
const THUMBNAIL_SIDE: usize = 480;
const TILE_SIDE: usize = 240;
/// Tiles of a sheet, in rows and columns.
const TILES_A_SIDE: usize = 4;

/// Why there is no picture of a clip.
#[derive(Debug, thiserror::Error)]
pub enum NoPicture {
    /// Of this clip none can be made.
    #[error("the clip can't be decoded: {0}")]
    Undecodable(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotAVideo> for NoPicture {
    fn from(error: NotAVideo) -> Self {
        match error {
            NotAVideo::Unreadable(error) => NoPicture::Store(StoreError::Disk(error)),
            other => NoPicture::Undecodable(other.to_string()),
        }
    }
}

/// Makes pictures of clips. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pictures {
    store: Store,
    /// Where a clip lies while it is decoded.
    scratch: PathBuf,
    permits: Arc<Semaphore>,
}

/// Where a picture of a clip is kept.
pub fn picture_key(clip_key: &str, variant: Variant) -> String {
    format!("{}.{variant}.webp", clip_key.trim_end_matches(".mp4"))
}

/// The clip that a key's picture is of; a key that is no picture's is its own.
pub fn clip_of(key: &str) -> String {
    let start = [Variant::Thumbnail, Variant::Spritesheet]
        .iter()
        .find_map(|variant| key.strip_suffix(&format!(".{variant}.webp")));
    start.map_or_else(|| key.to_owned(), |start| format!("{start}.mp4"))
}

impl Pictures {
    pub fn new(store: Store, scratch: PathBuf) -> Self {
        Pictures { store, scratch, permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A picture of a clip of so many bytes in storage, as WebP. Whoever asks later gets the same bytes.
    pub async fn of(&self, clip_key: &str, bytes: u64, variant: Variant) -> Result<Bytes, NoPicture> {
        let key = picture_key(clip_key, variant);
        if let Some(kept) = self.kept(&key).await? {
            return Ok(kept);
        }
        // Goes with the work: whoever hangs up makes no room for more before it is done.
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| NoPicture::Undecodable("the program stops".into()))?;
        if let Some(kept) = self.kept(&key).await? {
            return Ok(kept);
        }
        let path = self.scratch.join(format!("{}.decoded", uuid::Uuid::from_u128(rand::random())));
        let scrap = Scrap::take(self.store.read(clip_key, 0..bytes).await?, path, bytes).await?;
        let drawn = tokio::task::spawn_blocking(move || {
            let drawn = draw(scrap.path(), variant);
            drop((scrap, permit));
            drawn
        });
        let drawn = drawn.await.map_err(|error| NoPicture::Undecodable(error.to_string()))??;
        let picture = Bytes::from(drawn);
        let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(picture.clone())]);
        self.store.put_stream(&key, chunks, u64::MAX).await?;
        Ok(picture)
    }

    async fn kept(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(meta) = self.store.head(key).await? else { return Ok(None) };
        let chunks: Vec<Bytes> = self.store.read(key, 0..meta.bytes).await?.try_collect().await?;
        Ok(Some(chunks.concat().into()))
    }
}

fn draw(clip: &Path, variant: Variant) -> Result<Vec<u8>, NoPicture> {
    let mut file = std::fs::File::open(clip).map_err(StoreError::Disk)?;
    let track = Track::read(&mut file)?;
    let picture = match variant {
        Variant::Spritesheet => sheet(&track, &mut file)?,
        _ => thumbnail(&track, &mut file)?,
    };
    let mut webp = Vec::new();
    let encoder = WebPEncoder::new(&mut webp);
    let (width, height) = (picture.width as u32, picture.height as u32);
    let encoded = encoder.encode(&picture.rgb, width, height, ColorType::Rgb8);
    encoded.map_err(|error| NoPicture::Undecodable(error.to_string()))?;
    Ok(webp)
}

/// The last picture up to a third of the clip that can be decoded by itself: the first one is often black.
fn thumbnail(track: &Track, file: &mut std::fs::File) -> Result<Picture, NoPicture> {
    let start = track.key_before(track.samples.len() / 3);
    let mut found = None;
    Frames::new(track)?.each(file, start, |_, frame| {
        found = Some(Picture::of(frame, THUMBNAIL_SIDE));
        false
    })?;
    found.ok_or_else(|| NoPicture::Undecodable("no picture came out".into()))
}

/// Pictures from the middle of each of sixteen parts of the same length.
fn sheet(track: &Track, file: &mut std::fs::File) -> Result<Picture, NoPicture> {
    let (count, tiles) = (track.samples.len(), TILES_A_SIDE * TILES_A_SIDE);
    let wanted = |tile: usize| (2 * tile + 1) * count / (2 * tiles);
    let mut sheet = Sheet::new(TILES_A_SIDE);
    Frames::new(track)?.each(file, 0, |n, frame| {
        // Of a short clip the same one may be wanted more than once.
        while sheet.tiles() < tiles && wanted(sheet.tiles()) <= n {
            sheet.add(&Picture::of(frame, TILE_SIDE));
        }
        sheet.tiles() < tiles
    })?;
    sheet.finish().ok_or_else(|| NoPicture::Undecodable("no picture came out".into()))
}

#[cfg(test)]
mod tests;
