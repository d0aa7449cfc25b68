use super::*;
use proptest::prelude::*;
use std::io::Cursor;

fn boxed(kind: &str, content: &[u8]) -> Vec<u8> {
    let bytes = 8 + content.len() as u32;
    [&bytes.to_be_bytes(), kind.as_bytes(), content].concat()
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// `mvhd` or `mdhd` of version 0.
fn timed(kind: &str, per_second: u32, units: u32) -> Vec<u8> {
    boxed(kind, &words(&[0, 0, 0, per_second, units, 0]))
}

fn track(handler: &str, (width, height): (u32, u32), mdhd: Vec<u8>) -> Vec<u8> {
    let tkhd = [vec![0; 4 + 72], words(&[width << 16, height << 16])].concat();
    let hdlr = boxed("hdlr", &[vec![0; 8], handler.as_bytes().to_vec(), vec![0; 13]].concat());
    boxed("trak", &joined(&[boxed("tkhd", &tkhd), boxed("mdia", &joined(&[mdhd, hdlr]))]))
}

fn ftyp() -> Vec<u8> {
    boxed("ftyp", b"isom\0\0\x02\0isommp41")
}

fn file(moov: &[Vec<u8>]) -> Vec<u8> {
    joined(&[ftyp(), boxed("moov", &joined(moov)), boxed("mdat", b"picture")])
}

fn clip() -> Vec<u8> {
    file(&[
        timed("mvhd", 1000, 5100),
        track("soun", (0, 0), timed("mdhd", 44100, 224_910)),
        track("vide", (1280, 720), timed("mdhd", 12800, 64000)),
    ])
}

fn read(bytes: &[u8]) -> Result<Probe, NotAVideo> {
    probe(Cursor::new(bytes))
}

#[test]
fn a_clip_tells_the_length_and_size_of_its_picture_not_of_its_sound() {
    assert_eq!(read(&clip()).unwrap(), Probe { millis: 5000, width: 1280, height: 720, brand_ok: true });
}

#[test]
fn a_clip_without_its_last_bytes_is_never_a_video() {
    let clip = clip();
    for bytes in 0..clip.len() {
        assert!(read(&clip[..bytes]).is_err(), "{bytes} of {}", clip.len());
    }
    assert!(matches!(read(&clip[..clip.len() - 1]), Err(NotAVideo::Truncated)));
}

#[test]
fn a_long_header_has_64_bit_times() {
    let mdhd = [words(&[0x0100_0000, 0, 0, 0, 0, 600]), 1500u64.to_be_bytes().to_vec(), words(&[0])].concat();
    let tkhd = [vec![1, 0, 0, 0], vec![0; 84], words(&[64 << 16, 48 << 16])].concat();
    let hdlr = boxed("hdlr", b"\0\0\0\0\0\0\0\0vide\0");
    let mdia = boxed("mdia", &joined(&[boxed("mdhd", &mdhd), hdlr]));
    let video = file(&[boxed("trak", &joined(&[boxed("tkhd", &tkhd), mdia]))]);
    assert_eq!(read(&video).unwrap(), Probe { millis: 2500, width: 64, height: 48, brand_ok: true });
}

#[test]
fn the_length_is_rounded_to_the_nearest_millisecond() {
    for (per_second, units, millis) in [(30_000, 149_149, 4972), (3, 2, 667), (3, 1, 333), (2000, 1, 1)] {
        let video = file(&[track("vide", (2, 2), timed("mdhd", per_second, units))]);
        assert_eq!(read(&video).unwrap().millis, millis, "{units}/{per_second}");
    }
}

#[test]
fn a_length_unknown_to_the_track_comes_from_the_movie_or_its_fragments() {
    for units in [0, u32::MAX] {
        let nameless = || track("vide", (2, 2), timed("mdhd", 1000, units));
        let movie = file(&[timed("mvhd", 1000, 4000), nameless()]);
        assert_eq!(read(&movie).unwrap().millis, 4000);
        let mvex = boxed("mvex", &boxed("mehd", &words(&[0, 3000])));
        let fragments = file(&[timed("mvhd", 1000, units), nameless(), mvex]);
        assert_eq!(read(&fragments).unwrap().millis, 3000);
        let nowhere = file(&[timed("mvhd", 1000, units), nameless()]);
        assert!(matches!(read(&nowhere), Err(NotAVideo::NoLength)));
    }
}

#[test]
fn a_length_below_half_a_millisecond_or_without_units_is_no_length() {
    for (per_second, units) in [(10_000, 1), (0, 5)] {
        let video = file(&[track("vide", (2, 2), timed("mdhd", per_second, units))]);
        assert!(matches!(read(&video), Err(NotAVideo::NoLength)));
    }
}

#[test]
fn sound_or_a_picture_without_a_size_is_no_video() {
    for no_video in [
        track("soun", (1280, 720), timed("mdhd", 1, 5)),
        track("vide", (0, 720), timed("mdhd", 1, 5)),
        track("vide", (1280, 0), timed("mdhd", 1, 5)),
        timed("mvhd", 1, 5),
    ] {
        assert!(matches!(read(&file(&[no_video])), Err(NotAVideo::NoVideo)));
    }
}

#[test]
fn a_header_without_media_is_no_video() {
    let moov = boxed("moov", &track("vide", (2, 2), timed("mdhd", 1, 5)));
    assert!(matches!(read(&joined(&[ftyp(), moov.clone()])), Err(NotAVideo::NoVideo)));
    assert!(matches!(read(&joined(&[ftyp(), moov, boxed("mdat", b"")])), Err(NotAVideo::NoVideo)));
}

#[test]
fn other_files_are_not_mp4() {
    for other in [
        &b""[..],
        b"\0",
        b"<html><body>502 Bad Gateway</body></html>",
        b"{\"error\":\"not found\"}",
        b"GIF89a\x01\0",
    ] {
        assert!(matches!(read(other), Err(NotAVideo::Malformed)), "{other:?}");
    }
}

#[test]
fn a_brand_is_known_as_major_or_as_compatible_and_never_as_version() {
    for (brands, ok) in [
        (&b"isom\0\0\0\0"[..], true),
        (b"XXXX\0\0\0\0mp42", true),
        (b"qt  \0\0\0\0qt  ", false),
        (b"XXXXisom", false),
        (b"", false),
    ] {
        let moov = boxed("moov", &track("vide", (2, 2), timed("mdhd", 1, 5)));
        let video = joined(&[boxed("ftyp", brands), moov, boxed("mdat", b"x")]);
        assert_eq!(read(&video).unwrap().brand_ok, ok, "{brands:?}");
    }
}

#[test]
fn a_box_may_reach_to_the_end_or_have_a_64_bit_size() {
    let moov = boxed("moov", &track("vide", (2, 2), timed("mdhd", 1, 5)));
    let long = [&ftyp()[..], b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x11x", &moov].concat();
    assert!(read(&long).is_ok());
    let open = [&ftyp()[..], &moov, b"\0\0\0\0mdatx"].concat();
    assert!(read(&open).is_ok());
}

#[test]
fn a_box_smaller_than_its_header_ends_the_walk() {
    for bad in [&b"\0\0\0\x07mdatxxxx"[..], b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0fxx"] {
        assert!(matches!(read(&[&ftyp()[..], bad].concat()), Err(NotAVideo::Malformed)));
    }
}

#[test]
fn a_size_of_64_bits_beyond_the_file_is_a_cut_file() {
    let cut = [&ftyp()[..], b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff"].concat();
    assert!(matches!(read(&cut), Err(NotAVideo::Truncated)));
}

#[test]
fn too_many_boxes_are_refused_at_the_top_and_inside() {
    let many = [ftyp(), boxed("free", b"").repeat(TOP_BOXES_MAX)].concat();
    assert!(matches!(read(&many), Err(NotAVideo::TooComplex)));
    let inside = file(&[boxed("free", b"").repeat(1025)]);
    assert!(matches!(read(&inside), Err(NotAVideo::TooComplex)));
}

#[test]
fn a_moov_over_its_limit_is_refused_before_it_is_read() {
    let huge = joined(&[ftyp(), boxed("moov", &vec![0; MOOV_BYTES_MAX as usize + 1])]);
    assert!(matches!(read(&huge), Err(NotAVideo::TooComplex)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        let _ = read(&[ftyp(), bytes].concat());
    }

    #[test]
    fn no_damage_to_a_clip_makes_it_panic_or_break_its_promise(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = clip();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(probe) = read(&bytes) {
            prop_assert!(probe.millis > 0 && probe.width > 0 && probe.height > 0);
        }
    }
}
