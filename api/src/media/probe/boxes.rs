//! The box format of ISO/IEC 14496-12 §4.2, over a slice: a size, a kind of four bytes, content.

use super::NotAVideo;

/// Boxes inside one box; a real track holds a handful.
const CHILDREN_MAX: usize = 1024;

pub(in crate::media) type Kind = [u8; 4];

/// The start of a box.
pub(in crate::media) struct Header {
    pub kind: Kind,
    /// The header alone: 8, or 16 with a long size.
    pub own_bytes: u64,
    /// Header and content; never less than `own_bytes`, so a walk always moves on.
    pub bytes: u64,
}

impl Header {
    pub(in crate::media) const BYTES_MAX: usize = 16;

    /// `start` holds the first bytes of the box, `room` is what is left of the file or of the box around it.
    pub(in crate::media) fn parse(start: &[u8], room: u64) -> Result<Self, NotAVideo> {
        let mut fields = Fields::new(start);
        let short = fields.u32()?;
        let kind = fields.array()?;
        let (own_bytes, bytes) = match short {
            0 => (8, room),
            1 => (16, fields.u64()?),
            short => (8, u64::from(short)),
        };
        if bytes < own_bytes {
            return Err(NotAVideo::Malformed);
        }
        if bytes > room {
            return Err(NotAVideo::Truncated);
        }
        Ok(Self { kind, own_bytes, bytes })
    }

    pub(in crate::media) fn content_bytes(&self) -> u64 {
        self.bytes - self.own_bytes
    }
}

/// The boxes in a box's content, each as kind and content. After an error there is nothing more.
pub(in crate::media) fn children(content: &[u8]) -> impl Iterator<Item = Result<(Kind, &[u8]), NotAVideo>> {
    let mut rest = content;
    let boxes = std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let child = split_first(rest);
        rest = child.as_ref().map_or(&[], |(_, _, after)| after);
        Some(child.map(|(kind, inner, _)| (kind, inner)))
    });
    boxes
        .enumerate()
        .map(|(count, child)| if count < CHILDREN_MAX { child } else { Err(NotAVideo::TooComplex) })
}

fn split_first(rest: &[u8]) -> Result<(Kind, &[u8], &[u8]), NotAVideo> {
    let header = Header::parse(rest, rest.len() as u64)?;
    // Both are at most `rest.len()`, so they fit.
    let (own, whole) = (header.own_bytes as usize, header.bytes as usize);
    Ok((header.kind, &rest[own..whole], &rest[whole..]))
}

/// The content of the first child of a kind.
pub(in crate::media) fn find<'a>(content: &'a [u8], wanted: &Kind) -> Result<Option<&'a [u8]>, NotAVideo> {
    for child in children(content) {
        let (kind, inner) = child?;
        if kind == *wanted {
            return Ok(Some(inner));
        }
    }
    Ok(None)
}

/// Big-endian fields, one after another; the end of the slice is [`NotAVideo::Malformed`].
pub(in crate::media) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(in crate::media) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(in crate::media) fn array<const N: usize>(&mut self) -> Result<[u8; N], NotAVideo> {
        let (first, rest) = self.0.split_first_chunk().ok_or(NotAVideo::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(in crate::media) fn skip(&mut self, bytes: usize) -> Result<(), NotAVideo> {
        self.0 = self.0.get(bytes..).ok_or(NotAVideo::Malformed)?;
        Ok(())
    }

    pub(in crate::media) fn bytes(&mut self, bytes: usize) -> Result<&'a [u8], NotAVideo> {
        let (first, rest) = self.0.split_at_checked(bytes).ok_or(NotAVideo::Malformed)?;
        self.0 = rest;
        Ok(first)
    }

    pub(in crate::media) fn u32(&mut self) -> Result<u32, NotAVideo> {
        self.array().map(u32::from_be_bytes)
    }

    pub(in crate::media) fn u64(&mut self) -> Result<u64, NotAVideo> {
        self.array().map(u64::from_be_bytes)
    }

    /// Version and flags of a full box: whether its times have 64 bits.
    pub(in crate::media) fn version(&mut self) -> Result<bool, NotAVideo> {
        let [version, _, _, _] = self.array()?;
        match version {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(NotAVideo::Malformed),
        }
    }

    /// A time, and the value that means "unknown" at its width.
    pub(in crate::media) fn u32_or_u64(&mut self, wide: bool) -> Result<(u64, u64), NotAVideo> {
        if wide { Ok((self.u64()?, u64::MAX)) } else { Ok((self.u32()?.into(), u32::MAX.into())) }
    }
}
