//! A look into an MP4 file: is it a whole video, how long and how large?
//!
//! A clip is announced as completed only after this. It must never panic, loop or take much memory, whatever the bytes:
//! they come from outside. It reads the box structure of ISO/IEC 14496-12 and decodes nothing, so a file that passes
//! may still hold a broken picture.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

pub(super) mod boxes;

use boxes::{Fields, Header, children, find};

/// Boxes at the top of a file; a fragmented one has two per fragment.
const TOP_BOXES_MAX: usize = 4096;
const MOOV_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Brands of `ftyp` that ordinary players take for an MP4 video.
const BRANDS: [&[u8; 4]; 14] = [
    b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"mp41", b"mp42",
    b"avc1", b"M4V ", b"dash",
];

/// What the boxes say of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Length of the first video track, rounded to the nearest millisecond; never 0.
    pub millis: u64,
    /// Pixels as shown, before any rotation that the file asks for; never 0.
    pub width: u32,
    pub height: u32,
    /// Whether the file calls itself a kind of MP4 that players know (QuickTime, for one, is not).
    pub brand_ok: bool,
}

/// Why a file is not a video we can hand out.
#[derive(Debug, thiserror::Error)]
pub enum NotAVideo {
    /// The file could not be read: says nothing about the clip.
    #[error("the file could not be read")]
    Unreadable(#[from] io::Error),
    /// Doesn't begin with `ftyp`, or holds boxes that don't fit into each other.
    #[error("not an MP4 file")]
    Malformed,
    /// The file ends inside a box: most likely a download that was cut.
    #[error("the file is cut short")]
    Truncated,
    #[error("the file has more structure than a clip needs")]
    TooComplex,
    /// No `moov`, no `mdat` with content, or no video track with a picture size.
    #[error("no video in the file")]
    NoVideo,
    /// Every header that may tell the length says 0 or unknown, as in fragmented files made for streaming without
    /// `mehd`; the fragments themselves are not added up.
    #[error("the video has no length")]
    NoLength,
}

/// Probes a local file. Blocks; call it off the async threads.
pub fn probe_file(path: &Path) -> Result<Probe, NotAVideo> {
    probe(BufReader::new(File::open(path)?))
}

/// Probes from the start of `reader` to its end.
pub fn probe(mut reader: impl Read + Seek) -> Result<Probe, NotAVideo> {
    must_begin_as_mp4(&mut reader)?;
    let top = walk(&mut reader)?;
    let (moov, true) = (top.moov.ok_or(NotAVideo::NoVideo)?, top.has_media) else {
        return Err(NotAVideo::NoVideo);
    };
    let track = first_video(&moov)?;
    let length = track.length.or_else(|| movie_length(&moov)).ok_or(NotAVideo::NoLength)?;
    let millis = length.millis().filter(|millis| *millis > 0).ok_or(NotAVideo::NoLength)?;
    Ok(Probe { millis, width: track.width, height: track.height, brand_ok: top.brand_ok })
}

/// The index of a file that begins as an MP4.
pub(super) fn moov(mut reader: impl Read + Seek) -> Result<Vec<u8>, NotAVideo> {
    must_begin_as_mp4(&mut reader)?;
    walk(&mut reader)?.moov.ok_or(NotAVideo::NoVideo)
}

/// Without this an error page would be called cut short: read as a size, its first letters are a huge number.
fn must_begin_as_mp4(reader: &mut (impl Read + Seek)) -> Result<(), NotAVideo> {
    let mut start = Vec::with_capacity(8);
    reader.rewind()?;
    reader.by_ref().take(8).read_to_end(&mut start)?;
    if start.ends_with(b"ftyp") && start.len() == 8 { Ok(()) } else { Err(NotAVideo::Malformed) }
}

#[derive(Default)]
struct Top {
    brand_ok: bool,
    has_media: bool,
    moov: Option<Vec<u8>>,
}

fn walk(reader: &mut (impl Read + Seek)) -> Result<Top, NotAVideo> {
    let end = reader.seek(SeekFrom::End(0))?;
    let (mut at, mut top) = (0, Top::default());
    for _ in 0..TOP_BOXES_MAX {
        if at == end {
            return Ok(top);
        }
        let header = read_header(reader, at, end)?;
        note(&mut top, reader, &header)?;
        at += header.bytes;
    }
    Err(NotAVideo::TooComplex)
}

fn read_header(reader: &mut (impl Read + Seek), at: u64, end: u64) -> Result<Header, NotAVideo> {
    reader.seek(SeekFrom::Start(at))?;
    let mut start = Vec::with_capacity(Header::BYTES_MAX);
    reader.by_ref().take(Header::BYTES_MAX as u64).read_to_end(&mut start)?;
    let header = Header::parse(&start, end - at)?;
    reader.seek(SeekFrom::Start(at + header.own_bytes))?;
    Ok(header)
}

fn note(top: &mut Top, reader: &mut impl Read, header: &Header) -> Result<(), NotAVideo> {
    match &header.kind {
        b"ftyp" => top.brand_ok = has_known_brand(&read_content(reader, header)?),
        b"moov" => top.moov = Some(read_content(reader, header)?),
        b"mdat" => top.has_media |= header.content_bytes() > 0,
        _ => {}
    }
    Ok(())
}

fn read_content(reader: &mut impl Read, header: &Header) -> Result<Vec<u8>, NotAVideo> {
    let bytes = header.content_bytes();
    if bytes > MOOV_BYTES_MAX {
        return Err(NotAVideo::TooComplex);
    }
    // No capacity up front: memory follows what the file really has.
    let mut content = Vec::new();
    reader.by_ref().take(bytes).read_to_end(&mut content)?;
    Ok(content)
}

/// Major brand, minor version (a number), compatible brands.
fn has_known_brand(ftyp: &[u8]) -> bool {
    let brands = ftyp.chunks_exact(4).enumerate().filter(|(place, _)| *place != 1);
    brands.map(|(_, brand)| brand).any(|brand| BRANDS.iter().any(|known| known[..] == *brand))
}

#[derive(Clone, Copy)]
struct Length {
    units: u64,
    per_second: u32,
}

impl Length {
    /// `None` when unknown: 0, or all bits set.
    fn new(units: u64, per_second: u32, unknown: u64) -> Option<Self> {
        (units != 0 && units != unknown && per_second != 0).then_some(Self { units, per_second })
    }

    fn millis(self) -> Option<u64> {
        let per_second = u128::from(self.per_second);
        u64::try_from((u128::from(self.units) * 1000 + per_second / 2) / per_second).ok()
    }
}

struct Track {
    length: Option<Length>,
    width: u32,
    height: u32,
}

fn first_video(moov: &[u8]) -> Result<Track, NotAVideo> {
    for child in children(moov) {
        let (kind, trak) = child?;
        if &kind == b"trak"
            && let Some(track) = video_track(trak)?
        {
            return Ok(track);
        }
    }
    Err(NotAVideo::NoVideo)
}

/// `None` for sound, text, and a picture without a size.
fn video_track(trak: &[u8]) -> Result<Option<Track>, NotAVideo> {
    let (Some(tkhd), Some(mdia)) = (find(trak, b"tkhd")?, find(trak, b"mdia")?) else {
        return Err(NotAVideo::Malformed);
    };
    let Some(hdlr) = find(mdia, b"hdlr")? else {
        return Err(NotAVideo::Malformed);
    };
    // After version, flags and a reserved word.
    if hdlr.get(8..12) != Some(&b"vide"[..]) {
        return Ok(None);
    }
    let (width, height) = picture_size(tkhd)?;
    let length = find(mdia, b"mdhd")?.map(header_length).transpose()?.flatten();
    Ok((width > 0 && height > 0).then_some(Track { length, width, height }))
}

/// `tkhd` ends in width and height, fixed point 16.16; what comes before has the same length but for version's times.
fn picture_size(tkhd: &[u8]) -> Result<(u32, u32), NotAVideo> {
    let mut fields = Fields::new(tkhd);
    let wide = fields.version()?;
    fields.skip(if wide { 84 } else { 72 })?;
    Ok((fields.u32()? >> 16, fields.u32()? >> 16))
}

/// `mvhd` and `mdhd` begin alike: times of creation and change, units a second, length.
fn header_length(content: &[u8]) -> Result<Option<Length>, NotAVideo> {
    let mut fields = Fields::new(content);
    let wide = fields.version()?;
    fields.skip(if wide { 16 } else { 8 })?;
    let per_second = fields.u32()?;
    let (units, unknown) = fields.u32_or_u64(wide)?;
    Ok(Length::new(units, per_second, unknown))
}

/// A fragmented file tells its length in `mvex/mehd`, if at all, in the units of `mvhd`. A box that can't be read here
/// counts as absent: the length was missing already.
fn movie_length(moov: &[u8]) -> Option<Length> {
    let mvhd = find(moov, b"mvhd").ok()??;
    if let Some(length) = header_length(mvhd).ok()? {
        return Some(length);
    }
    let mehd = find(find(moov, b"mvex").ok()??, b"mehd").ok()??;
    let mut fields = Fields::new(mehd);
    let wide = fields.version().ok()?;
    let (units, unknown) = fields.u32_or_u64(wide).ok()?;
    Length::new(units, per_second(mvhd)?, unknown)
}

fn per_second(mvhd: &[u8]) -> Option<u32> {
    let mut fields = Fields::new(mvhd);
    let wide = fields.version().ok()?;
    fields.skip(if wide { 16 } else { 8 }).ok()?;
    fields.u32().ok()
}

#[cfg(test)]
mod tests;
