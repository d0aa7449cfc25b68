//! The size of a picture, from its header. The picture itself is not decoded.

use std::io::{Read, Seek, SeekFrom};

use super::{Sniffed, Unknown, bytes, picture};

/// Segments in front of a JPEG's picture; real files have a few dozen.
const SEGMENTS_MAX: usize = 1_024;

/// The signature is followed by the chunk `IHDR`, which begins with width and height.
pub fn png(start: &[u8]) -> Result<Sniffed, Unknown> {
    let damaged = Unknown::Damaged("PNG");
    let (Some(b"IHDR"), Some(width), Some(height)) =
        (start.get(12..16), big_endian(start, 16), big_endian(start, 20))
    else {
        return Err(damaged);
    };
    sized("image/png", (width, height)).ok_or(damaged)
}

fn big_endian(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn sized(content_type: &'static str, (width, height): (u32, u32)) -> Option<Sniffed> {
    (width > 0 && height > 0).then(|| picture(content_type, (width, height)))
}

/// Walks the segments to the start of a frame, which has the size.
pub fn jpeg(mut file: impl Read + Seek) -> Result<Sniffed, Unknown> {
    let damaged = || Unknown::Damaged("JPEG");
    file.seek(SeekFrom::Start(2))?;
    for _ in 0..SEGMENTS_MAX {
        let marker = marker(&mut file)?.ok_or_else(damaged)?;
        // These have no length: restarts, and a second start.
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            continue;
        }
        let length = bytes(&mut file)?.map(u16::from_be_bytes).filter(|length| *length >= 2);
        let length = length.ok_or_else(damaged)?;
        // Starts of frames are C0 to CF, except for C4 (tables), C8 (reserved) and CC (conditioning).
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let [_, height @ .., w0, w1] = bytes::<5>(&mut file)?.ok_or_else(damaged)?;
            let size = (u16::from_be_bytes([w0, w1]).into(), u16::from_be_bytes(height).into());
            return sized("image/jpeg", size).ok_or_else(damaged);
        }
        file.seek(SeekFrom::Current(i64::from(length) - 2))?;
    }
    Err(damaged())
}

/// The next marker; any number of FF may stand in front of it.
fn marker(file: &mut impl Read) -> Result<Option<u8>, Unknown> {
    let Some([0xff]) = bytes(file)? else { return Ok(None) };
    loop {
        match bytes(file)? {
            Some([0xff]) => {}
            Some([marker]) => return Ok(Some(marker)),
            None => return Ok(None),
        }
    }
}

/// After `RIFF`, a length and `WEBP` comes one of three chunks, each with the size in a place of its own.
pub fn webp(start: &[u8]) -> Result<Sniffed, Unknown> {
    let size = match start.get(12..16) {
        Some(b"VP8 ") => lossy(start),
        Some(b"VP8L") => lossless(start),
        Some(b"VP8X") => extended(start),
        _ => None,
    };
    size.and_then(|size| sized("image/webp", size)).ok_or(Unknown::Damaged("WebP"))
}

/// A frame's tag of three bytes, a start code, and two times 14 bits.
fn lossy(start: &[u8]) -> Option<(u32, u32)> {
    let size = |at: usize| {
        let pair = start.get(at..at + 2)?.try_into().ok()?;
        Some(u32::from(u16::from_le_bytes(pair) & 0x3fff))
    };
    let is_key = start.get(23..26) == Some(&[0x9d, 0x01, 0x2a]);
    is_key.then(|| Some((size(26)?, size(28)?)))?
}

/// A signature, then two times 14 bits, one less than the size.
fn lossless(start: &[u8]) -> Option<(u32, u32)> {
    let bits = u32::from_le_bytes(start.get(21..25)?.try_into().ok()?);
    (start.get(20) == Some(&0x2f)).then(|| ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
}

/// Flags, then two times 24 bits, one less than the size.
fn extended(start: &[u8]) -> Option<(u32, u32)> {
    let size = |at: usize| match start.get(at..at + 3) {
        Some(&[a, b, c]) => Some(u32::from_le_bytes([a, b, c, 0]) + 1),
        _ => None,
    };
    Some((size(24)?, size(27)?))
}
