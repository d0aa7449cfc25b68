//! A look into a WebM file (EBML, RFC 8794, with the elements of Matroska, RFC 9559): how long and how large it is.

use std::io::{Read, Seek, SeekFrom};

use entity::MediaKind;

use super::{Sniffed, Unknown, bytes, length};

const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x002a_d7b1;
const DURATION: u32 = 0x4489;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const VIDEO: u32 = 0xe0;
const PIXEL_WIDTH: u32 = 0xb0;
const PIXEL_HEIGHT: u32 = 0xba;
const CLUSTER: u32 = 0x1f43_b675;

/// Elements that are looked at before the first picture; a real file has a few dozen.
const ELEMENTS_MAX: usize = 1_024;

/// What was read of a file so far.
#[derive(Default)]
struct Found {
    is_webm: bool,
    /// Nanoseconds of one tick.
    scale: Option<u64>,
    ticks: Option<f64>,
    width: Option<u32>,
    height: Option<u32>,
}

/// Everything stands in front of the first cluster of pictures.
pub fn webm(mut file: impl Read + Seek) -> Result<Sniffed, Unknown> {
    let end = length(&mut file)?;
    let mut found = Found::default();
    for _ in 0..ELEMENTS_MAX {
        match element(&mut file)? {
            Some((CLUSTER, _)) | None => break,
            Some((id, size)) => found.take(&mut file, id, size.min(end))?,
        }
    }
    match (found.is_webm, found.width, found.height) {
        (false, ..) => Err(Unknown::Foreign),
        (true, Some(width), Some(height)) if width > 0 && height > 0 => Ok(Sniffed {
            kind: MediaKind::Video,
            content_type: "video/webm",
            size: Some((width, height)),
            millis: found.millis(),
        }),
        _ => Err(Unknown::Damaged("WebM")),
    }
}

impl Found {
    /// Reads a value, steps into what holds others, and over the rest.
    fn take(&mut self, file: &mut (impl Read + Seek), id: u32, size: u64) -> Result<(), Unknown> {
        match id {
            HEADER | SEGMENT | INFO | TRACKS | TRACK | VIDEO => {}
            DOC_TYPE => self.is_webm = value(file, size)? == b"webm",
            TIMESTAMP_SCALE => self.scale = Some(number(&value(file, size)?)),
            DURATION => self.ticks = float(&value(file, size)?),
            PIXEL_WIDTH => self.width = u32::try_from(number(&value(file, size)?)).ok(),
            PIXEL_HEIGHT => self.height = u32::try_from(number(&value(file, size)?)).ok(),
            _ => {
                file.seek_relative(i64::try_from(size).unwrap_or(i64::MAX))?;
            }
        }
        Ok(())
    }

    fn millis(&self) -> Option<u64> {
        let millis = self.ticks? * self.scale.unwrap_or(1_000_000) as f64 / 1_000_000.0;
        (1.0..1e12).contains(&millis).then_some(millis as u64)
    }
}

const HEADER: u32 = 0x1a45_dfa3;
/// The longest value that is read; the others are stepped over.
const VALUE_BYTES_MAX: u64 = 64;

/// The id and the size of the next element: each is as long as the zeros in front of its first one-bit tell.
fn element(file: &mut impl Read) -> Result<Option<(u32, u64)>, Unknown> {
    let Some((id, _)) = variable(file, 4)? else { return Ok(None) };
    let Some((size, length)) = variable(file, 8)? else { return Ok(None) };
    let size = size & !(1 << (7 * length));
    // All ones: as long as it takes.
    let is_open = size == (1 << (7 * length)) - 1;
    Ok(Some((u32::try_from(id).unwrap_or(0), if is_open { u64::MAX } else { size })))
}

fn variable(file: &mut impl Read, longest: u32) -> Result<Option<(u64, u32)>, Unknown> {
    let Some([first]) = bytes(file)? else { return Ok(None) };
    let length = first.leading_zeros() + 1;
    if length > longest {
        return Err(Unknown::Damaged("WebM"));
    }
    let mut number = u64::from(first);
    for _ in 1..length {
        let Some([next]) = bytes(file)? else { return Ok(None) };
        number = number << 8 | u64::from(next);
    }
    Ok(Some((number, length)))
}

fn value(file: &mut (impl Read + Seek), size: u64) -> Result<Vec<u8>, Unknown> {
    let mut value = Vec::new();
    file.by_ref().take(size.min(VALUE_BYTES_MAX)).read_to_end(&mut value)?;
    file.seek(SeekFrom::Current(i64::try_from(size.saturating_sub(VALUE_BYTES_MAX)).unwrap_or(0)))?;
    Ok(value)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => Some(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}
