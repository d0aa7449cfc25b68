//! Where the H.264 samples of an MP4 file lie (ISO/IEC 14496-12 §8, 14496-15 §5.3).

use std::io::{Read, Seek};

use super::super::probe::boxes::{Fields, children, find};
use super::super::probe::{NotAVideo, moov};
use super::NoPicture;

/// Samples of a track; a clip has a few hundred.
const SAMPLES_MAX: usize = 20_000;
/// A sample entry before its own boxes.
const ENTRY_BYTES: usize = 78;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The first H.264 track of a file.
pub struct Track {
    /// What a decoder has to know first, as it reads it.
    pub parameters: Vec<u8>,
    /// Bytes of the length in front of each unit of a sample.
    pub length_bytes: usize,
    /// In the order of decoding: place in the file, and bytes.
    pub samples: Vec<(u64, u32)>,
    /// Samples, ascending, that can be decoded by themselves; all of them if this is empty.
    keys: Vec<usize>,
}

impl Track {
    pub fn read(file: impl Read + Seek) -> Result<Track, NoPicture> {
        let moov = moov(file)?;
        for child in children(&moov) {
            let (kind, trak) = child?;
            if &kind == b"trak"
                && let Some(stbl) = sample_table(trak)?
                && let Some((parameters, length_bytes)) = h264(stbl)?
            {
                let samples = samples(stbl)?;
                return Ok(Track { parameters, length_bytes, samples, keys: keys(stbl)? });
            }
        }
        Err(NoPicture::Undecodable("there is no H.264 in it".into()))
    }

    /// The last sample up to this one that can be decoded by itself.
    pub fn key_before(&self, sample: usize) -> usize {
        if self.keys.is_empty() {
            return sample;
        }
        self.keys.iter().copied().take_while(|key| *key <= sample).last().unwrap_or(0)
    }

    /// A sample as a decoder reads it: start codes in the place of lengths.
    pub fn units(&self, sample: &[u8]) -> Option<Vec<u8>> {
        let (mut units, mut rest) = (Vec::with_capacity(sample.len() + 16), sample);
        while !rest.is_empty() {
            let (length, after) = rest.split_at_checked(self.length_bytes)?;
            let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            let (unit, after) = after.split_at_checked(length)?;
            units.extend(START_CODE);
            units.extend(unit);
            rest = after;
        }
        Some(units)
    }
}

fn sample_table(trak: &[u8]) -> Result<Option<&[u8]>, NotAVideo> {
    let Some(mdia) = find(trak, b"mdia")? else { return Ok(None) };
    let Some(minf) = find(mdia, b"minf")? else { return Ok(None) };
    find(minf, b"stbl")
}

/// The parameter sets, and how long a unit's length is; nothing of another codec.
fn h264(stbl: &[u8]) -> Result<Option<(Vec<u8>, usize)>, NotAVideo> {
    let stsd = find(stbl, b"stsd")?.ok_or(NotAVideo::Malformed)?;
    for entry in children(stsd.get(8..).ok_or(NotAVideo::Malformed)?) {
        let (kind, content) = entry?;
        if matches!(&kind, b"avc1" | b"avc3") {
            let avcc = find(content.get(ENTRY_BYTES..).ok_or(NotAVideo::Malformed)?, b"avcC")?;
            return avcc.map(parameters).transpose();
        }
    }
    Ok(None)
}

fn parameters(avcc: &[u8]) -> Result<(Vec<u8>, usize), NotAVideo> {
    let mut fields = Fields::new(avcc);
    let [_, _, _, _, length, sequence_sets] = fields.array()?;
    let mut parameters = Vec::new();
    sets(&mut fields, sequence_sets & 0x1f, &mut parameters)?;
    let [picture_sets] = fields.array()?;
    sets(&mut fields, picture_sets, &mut parameters)?;
    Ok((parameters, usize::from(length & 3) + 1))
}

fn sets(fields: &mut Fields<'_>, count: u8, parameters: &mut Vec<u8>) -> Result<(), NotAVideo> {
    for _ in 0..count {
        let length = u16::from_be_bytes(fields.array()?);
        parameters.extend(START_CODE);
        parameters.extend(fields.bytes(usize::from(length))?);
    }
    Ok(())
}

/// The chunks' places, how many samples each chunk has, and how long each sample is.
fn samples(stbl: &[u8]) -> Result<Vec<(u64, u32)>, NotAVideo> {
    let (sizes, chunks) = (sizes(stbl)?, chunks(stbl)?);
    let runs = numbers(find(stbl, b"stsc")?.ok_or(NotAVideo::Malformed)?, 3)?;
    let mut runs = runs.chunks_exact(3).peekable();
    let (mut samples, mut sizes, mut in_chunk) = (Vec::new(), sizes.into_iter(), 0);
    for (chunk, start) in (1..).zip(chunks) {
        if let Some(run) = runs.next_if(|run| run[0] == chunk) {
            in_chunk = run[1];
        }
        let mut at = start;
        for size in sizes.by_ref().take(in_chunk as usize) {
            samples.push((at, size));
            at += u64::from(size);
        }
    }
    if samples.is_empty() { Err(NotAVideo::NoVideo) } else { Ok(samples) }
}

fn sizes(stbl: &[u8]) -> Result<Vec<u32>, NotAVideo> {
    let mut fields = Fields::new(find(stbl, b"stsz")?.ok_or(NotAVideo::Malformed)?);
    fields.skip(4)?;
    let (same, count) = (fields.u32()?, fields.u32()? as usize);
    if count > SAMPLES_MAX {
        return Err(NotAVideo::TooComplex);
    }
    if same > 0 {
        return Ok(vec![same; count]);
    }
    (0..count).map(|_| fields.u32()).collect()
}

fn chunks(stbl: &[u8]) -> Result<Vec<u64>, NotAVideo> {
    if let Some(stco) = find(stbl, b"stco")? {
        return Ok(numbers(stco, 1)?.into_iter().map(u64::from).collect());
    }
    let co64 = numbers(find(stbl, b"co64")?.ok_or(NotAVideo::Malformed)?, 2)?;
    Ok(co64.chunks_exact(2).map(|pair| u64::from(pair[0]) << 32 | u64::from(pair[1])).collect())
}

fn keys(stbl: &[u8]) -> Result<Vec<usize>, NotAVideo> {
    let Some(stss) = find(stbl, b"stss")? else { return Ok(Vec::new()) };
    Ok(numbers(stss, 1)?.into_iter().map(|number| (number as usize).saturating_sub(1)).collect())
}

/// A table: version and flags, a count, and so many rows of numbers.
fn numbers(table: &[u8], columns: usize) -> Result<Vec<u32>, NotAVideo> {
    let mut fields = Fields::new(table);
    fields.skip(4)?;
    let rows = fields.u32()? as usize;
    if rows > SAMPLES_MAX {
        return Err(NotAVideo::TooComplex);
    }
    (0..rows * columns).map(|_| fields.u32()).collect()
}
