//! How long a sound is, from its headers.

use std::io::{Read, Seek, SeekFrom};

use entity::MediaKind;

use super::{Sniffed, Unknown, bytes, length};

/// Chunks of a WAV file that are looked at for the sound.
const CHUNKS_MAX: usize = 256;

fn sound(content_type: &'static str, millis: Option<u64>) -> Sniffed {
    Sniffed { kind: MediaKind::Audio, content_type, size: None, millis }
}

/// Chunks of a name and a length: `fmt ` has the bytes a second, `data` the sound.
pub fn wav(mut file: impl Read + Seek) -> Result<Sniffed, Unknown> {
    let damaged = || Unknown::Damaged("WAV");
    let end = length(&mut file)?;
    let (mut at, mut bytes_a_second) = (12, None);
    for _ in 0..CHUNKS_MAX {
        file.seek(SeekFrom::Start(at))?;
        let [n0, n1, n2, n3, size @ ..] = bytes::<8>(&mut file)?.ok_or_else(damaged)?;
        let size = u64::from(u32::from_le_bytes(size));
        match &[n0, n1, n2, n3] {
            b"fmt " => {
                let [_, _, _, _, _, _, _, _, rate @ ..] = bytes::<12>(&mut file)?.ok_or_else(damaged)?;
                bytes_a_second = Some(u64::from(u32::from_le_bytes(rate))).filter(|rate| *rate > 0);
            }
            b"data" => {
                // A recorder that could not go back left the length open.
                let size = size.min(end.saturating_sub(at + 8));
                let millis = bytes_a_second.map(|rate| size * 1_000 / rate);
                return millis.map(|millis| sound("audio/wav", Some(millis))).ok_or_else(damaged);
            }
            _ => {}
        }
        // Chunks begin at even places.
        at += 8 + size + size % 2;
    }
    Err(damaged())
}

/// Kilobits a second by the index of a frame's header: layer III of MPEG 1, and of MPEG 2 and 2.5.
const BITRATES: [[u32; 16]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
];
/// Samples a second of MPEG 1; half of them in MPEG 2, a quarter in 2.5.
const SAMPLE_RATES: [u32; 3] = [44_100, 48_000, 32_000];

struct Frame {
    bits_a_second: u32,
    samples: u32,
    samples_a_second: u32,
    /// From the frame's start to where an encoder may have noted how many there are.
    note_at: u64,
}

/// Tags, then frames that each begin with a header. The length is that of all frames if the first one tells how many there
/// are, and otherwise that of a file whose every second takes as much as its first.
pub fn mp3(mut file: impl Read + Seek) -> Result<Sniffed, Unknown> {
    let damaged = || Unknown::Damaged("MP3");
    let end = length(&mut file)?;
    let start = after_tag(&mut file)?;
    file.seek(SeekFrom::Start(start))?;
    let header = bytes(&mut file)?.map(u32::from_be_bytes);
    let frame = header.and_then(frame).ok_or_else(damaged)?;
    file.seek(SeekFrom::Start(start + frame.note_at))?;
    let millis = match noted_frames(&mut file)? {
        Some(frames) => {
            u64::from(frames) * u64::from(frame.samples) * 1_000 / u64::from(frame.samples_a_second)
        }
        None => (end - start.min(end)) * 8_000 / u64::from(frame.bits_a_second),
    };
    Ok(sound("audio/mpeg", Some(millis)))
}

/// `ID3`, a version, flags, and a length of four times seven bits.
fn after_tag(file: &mut impl Read) -> Result<u64, Unknown> {
    let size = match bytes::<10>(file)? {
        Some([b'I', b'D', b'3', _, _, _, size @ ..]) => size,
        _ => return Ok(0),
    };
    let bytes = size.iter().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
    Ok(10 + bytes)
}

fn frame(header: u32) -> Option<Frame> {
    let bits = |at: u32, count: u32| (header >> at) & ((1 << count) - 1);
    let (version, layer, mono) = (bits(19, 2), bits(17, 2), bits(6, 2) == 3);
    if bits(21, 11) != 0x7ff || version == 1 || layer != 1 {
        return None;
    }
    let is_first = version == 3;
    let kilobits = BITRATES[usize::from(!is_first)][bits(12, 4) as usize];
    let rate = SAMPLE_RATES.get(bits(10, 2) as usize)? >> [2, 0, 1, 0][version as usize];
    let side = match (is_first, mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    (kilobits > 0).then_some(Frame {
        bits_a_second: kilobits * 1_000,
        samples: if is_first { 1_152 } else { 576 },
        samples_a_second: rate,
        note_at: 4 + side,
    })
}

/// `Xing` or `Info`, flags, and the number of frames if the first flag is set.
fn noted_frames(file: &mut impl Read) -> Result<Option<u32>, Unknown> {
    let Some([a, b, c, d, _, _, _, flags, frames @ ..]) = bytes::<12>(file)? else { return Ok(None) };
    let is_noted = matches!(&[a, b, c, d], b"Xing" | b"Info") && flags & 1 == 1;
    Ok(is_noted.then(|| u32::from_be_bytes(frames)))
}
