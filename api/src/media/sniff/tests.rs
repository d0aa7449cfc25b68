use std::io::Cursor;

use super::*;

fn look(bytes: &[u8]) -> Result<Sniffed, Unknown> {
    sniff(Cursor::new(bytes.to_vec()))
}

fn found(bytes: &[u8]) -> (&'static str, Option<(u32, u32)>, Option<u64>) {
    let Sniffed { content_type, size, millis, .. } = look(bytes).unwrap();
    (content_type, size, millis)
}

fn png() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([0, 0, 2, 0x80, 0, 0, 1, 0x68, 8, 6, 0, 0, 0]);
    png
}

/// A comment, tables, and a progressive frame.
fn jpeg() -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xfe, 0, 4, 0xff, 0xc0];
    jpeg.extend([0xff, 0xff, 0xc4, 0, 3, 0]);
    jpeg.extend([0xff, 0xc2, 0, 11, 8, 0x01, 0x68, 0x02, 0x80, 1, 0, 0, 0]);
    jpeg
}

fn webp(chunk: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [b"RIFF\x40\0\0\0WEBP", &chunk[..], b"\x20\0\0\0", content].concat()
}

#[test]
fn a_picture_has_the_size_of_its_header() {
    assert_eq!(found(&png()), ("image/png", Some((640, 360)), None));
    assert_eq!(found(&jpeg()), ("image/jpeg", Some((640, 360)), None));
    for (chunk, content) in [
        (b"VP8 ", &[0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01][..]),
        // 639 and 359 in 14 bits each.
        (b"VP8L", &[0x2f, 0x7f, 0xc2, 0x59, 0x00]),
        (b"VP8X", &[0, 0, 0, 0, 0x7f, 0x02, 0, 0x67, 0x01, 0]),
    ] {
        assert_eq!(found(&webp(chunk, content)), ("image/webp", Some((640, 360)), None), "{chunk:?}");
    }
}

#[test]
fn a_wav_is_as_long_as_its_sound_even_when_the_recorder_did_not_note_it() {
    let wav = |noted: u32, bytes: usize| {
        let mut wav = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wav.extend(8_000_u32.to_le_bytes());
        wav.extend(16_000_u32.to_le_bytes());
        wav.extend([2, 0, 16, 0]);
        wav.extend(b"data");
        wav.extend(noted.to_le_bytes());
        wav.extend(vec![0; bytes]);
        wav
    };
    assert_eq!(found(&wav(24_000, 24_000)), ("audio/wav", None, Some(1_500)));
    assert_eq!(found(&wav(u32::MAX, 32_000)), ("audio/wav", None, Some(2_000)));
    assert!(matches!(look(&wav(0, 0)[..40]), Err(Unknown::Damaged("WAV"))));
}

#[test]
fn an_mp3_is_as_long_as_its_first_frame_tells() {
    // MPEG 1, layer III, 128 kbit/s, 44.1 kHz, stereo.
    let mut constant = vec![0xff, 0xfb, 0x90, 0x00];
    constant.resize(16_000, 0);
    assert_eq!(found(&constant), ("audio/mpeg", None, Some(1_000)));
    let mut noted = [&b"ID3\x04\0\0\0\0\x01\x00"[..], &[0; 128], &constant].concat();
    noted[10 + 128 + 36..][..12].copy_from_slice(b"Xing\0\0\0\x01\0\0\0\x64");
    assert_eq!(found(&noted), ("audio/mpeg", None, Some(100 * 1_152 * 1_000 / 44_100)));
    // The same bits with another layer are a stream of AAC.
    assert!(look(&[0xff, 0xf1, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &[0x40 | (content.len() >> 8) as u8, content.len() as u8], content].concat()
}

fn webm(doc_type: &[u8]) -> Vec<u8> {
    let header = element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], doc_type));
    let info = element(&[0x15, 0x49, 0xa9, 0x66], &element(&[0x44, 0x89], &2_500_f32.to_be_bytes()));
    let sizes = [element(&[0xb0], &[0x02, 0x80]), element(&[0xba], &[0x01, 0x68])].concat();
    let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &element(&[0xe0], &sizes)));
    // A segment of unknown length, and something in it that nobody asks for.
    let segment = [&[0x18, 0x53, 0x80, 0x67, 0xff][..], &element(&[0xec], &[0; 300])].concat();
    [header, segment, info, tracks, element(&[0x1f, 0x43, 0xb6, 0x75], &[0; 8])].concat()
}

#[test]
fn a_webm_tells_its_size_and_length_and_other_matroska_is_not_taken() {
    assert_eq!(found(&webm(b"webm")), ("video/webm", Some((640, 360)), Some(2_500)));
    assert!(matches!(look(&webm(b"matroska")), Err(Unknown::Foreign)));
}

#[test]
fn what_is_something_else_is_told_so() {
    for bytes in [&b"GIF89a"[..], b"<html>", b"%PDF-1.7", b"BM", b"RIFF\0\0\0\0AVI ", b"\0\0\0"] {
        assert!(matches!(look(bytes), Err(Unknown::Foreign)), "{bytes:?}");
    }
    assert!(matches!(look(b""), Err(Unknown::Empty)));
    assert!(matches!(look(b"\0\0\0\x18ftypM4A \0\0\0\0"), Err(Unknown::Damaged("MP4"))));
}

#[test]
fn no_beginning_of_a_file_does_any_harm() {
    for whole in [png(), jpeg(), webp(b"VP8X", &[0; 10]), webm(b"webm")] {
        for length in 0..whole.len() {
            let _any = look(&whole[..length]);
            let mut changed = whole.clone();
            changed[length] = !changed[length];
            let _any = look(&changed);
        }
    }
}
