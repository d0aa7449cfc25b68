//! What a file is, by its bytes alone: names and content types of whoever sends it are not asked.
//!
//! Only kinds of files that providers take are known. It must never panic, loop or take much memory, whatever the bytes: they
//! come from outside.

mod image;
mod sound;
mod webm;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use entity::MediaKind;

use super::probe::{NotAVideo, probe};

/// What a file that may be sent to a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sniffed {
    pub kind: MediaKind,
    pub content_type: &'static str,
    /// Pixels; of a picture or video only.
    pub size: Option<(u32, u32)>,
    /// Where the file says it; of a video or sound only.
    pub millis: Option<u64>,
}

/// Why a file is none that we take.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// Says nothing about the file.
    #[error("the file could not be read")]
    Unreadable(#[from] io::Error),
    #[error("the file is empty")]
    Empty,
    #[error("it is none of {ALLOWED}")]
    Foreign,
    /// It begins like one of ours, and goes on like none.
    #[error("the {0} file is damaged or cut short")]
    Damaged(&'static str),
}

/// Everything that is taken, in words for customers.
pub const ALLOWED: &str = "PNG, JPEG, WebP; MP4, MOV, WebM; WAV, MP3";

/// The same of one kind.
pub fn allowed(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "PNG, JPEG or WebP",
        MediaKind::Video => "MP4, MOV or WebM",
        MediaKind::Audio => "WAV or MP3",
    }
}

/// How a kind's files are named: `png` for `image/png`.
pub fn extension(content_type: &str) -> &'static str {
    match content_type {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        "audio/wav" => "wav",
        "audio/mpeg" => "mp3",
        _ => "bin",
    }
}

/// Bytes from which a file's kind can be told.
const START_BYTES: u64 = 64;

/// Looks at a local file. Blocks; call it off the async threads.
pub fn sniff_file(path: &Path) -> Result<Sniffed, Unknown> {
    sniff(BufReader::new(File::open(path)?))
}

pub fn sniff(mut file: impl Read + Seek) -> Result<Sniffed, Unknown> {
    let mut start = Vec::new();
    file.by_ref().take(START_BYTES).read_to_end(&mut start)?;
    match &start[..] {
        [] => Err(Unknown::Empty),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => image::png(&start),
        [0xff, 0xd8, 0xff, ..] => image::jpeg(file),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => image::webp(&start),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => sound::wav(file),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => mp4(file, brand),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => webm::webm(file),
        [b'I', b'D', b'3', ..] | [0xff, 0xe0..=0xff, ..] => sound::mp3(file),
        _ => Err(Unknown::Foreign),
    }
}

fn picture(content_type: &'static str, size: (u32, u32)) -> Sniffed {
    Sniffed { kind: MediaKind::Image, content_type, size: Some(size), millis: None }
}

fn mp4(mut file: impl Read + Seek, brand: &[u8]) -> Result<Sniffed, Unknown> {
    let is_quicktime = brand.starts_with(b"qt  ");
    let (name, content_type) = if is_quicktime { ("MOV", "video/quicktime") } else { ("MP4", "video/mp4") };
    file.rewind()?;
    match probe(file) {
        Ok(probe) => Ok(Sniffed {
            kind: MediaKind::Video,
            content_type,
            size: Some((probe.width, probe.height)),
            millis: Some(probe.millis),
        }),
        Err(NotAVideo::Unreadable(error)) => Err(Unknown::Unreadable(error)),
        Err(_) => Err(Unknown::Damaged(name)),
    }
}

/// Exactly so many bytes, or nothing when the file ends before.
fn bytes<const N: usize>(file: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn length(file: &mut impl Seek) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(length)
}

#[cfg(test)]
mod tests;
