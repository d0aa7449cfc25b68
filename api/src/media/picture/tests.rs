use super::*;

#[test]
fn a_picture_lies_beside_its_clip_and_names_it() {
    let clip = "clips/07/x/0-1-abc.mp4";
    for variant in [Variant::Thumbnail, Variant::Spritesheet] {
        let key = picture_key(clip, variant);
        assert!(key.starts_with("clips/07/x/0-1-abc.") && key.ends_with(".webp"), "{key}");
        assert_eq!(clip_of(&key), clip);
    }
    assert_eq!(clip_of(clip), clip);
    assert_eq!(clip_of("clips/07/x/note.webp"), "clips/07/x/note.webp");
}

#[test]
fn what_is_no_h264_has_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    let boxed = |kind: &[u8; 4], content: &[u8]| {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    };
    let empty = [boxed(b"ftyp", b"isom"), boxed(b"moov", b""), boxed(b"mdat", b"x")].concat();
    for bytes in [&b""[..], b"<html>", &empty] {
        std::fs::write(&path, bytes).unwrap();
        for variant in [Variant::Thumbnail, Variant::Spritesheet] {
            assert!(matches!(draw(&path, variant), Err(NoPicture::Undecodable(_))));
        }
    }
}
