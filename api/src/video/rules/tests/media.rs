use super::*;

#[test]
fn each_mode_needs_its_media() {
    use InputMode::*;
    for (model, mode, field) in [
        ("walker", ImageToVideo, "inputImageUrls"),
        ("editor", ReferenceToVideo, "referenceImageUrls"),
        ("mover", ReferenceToVideo, "referenceVideoUrls"),
        ("editor", VideoToVideo, "inputVideoUrls"),
        ("editor", VideoExtend, "inputVideoUrls"),
    ] {
        one_error(&with_media(model, mode, &[]), field, &format!("{mode} needs at least one"));
    }
}

#[test]
fn each_mode_takes_only_its_media() {
    use InputMode::*;
    use MediaRole::*;
    for (mode, roles) in [
        (ImageToVideo, &[FirstFrame][..]),
        (ReferenceToVideo, &[ReferenceImage]),
        (ReferenceToVideo, &[ReferenceVideo]),
        (ReferenceToVideo, &[ReferenceImage, ReferenceImage, ReferenceVideo]),
        (VideoToVideo, &[SourceVideo]),
        (VideoToVideo, &[SourceVideo, ReferenceImage]),
        (VideoExtend, &[SourceVideo]),
    ] {
        let sent = accepted(&with_media("editor", mode, roles)).effective.media;
        assert_eq!(sent.iter().map(|medium| medium.role).collect::<Vec<_>>(), roles);
    }
    for (model, mode, roles, field, words) in [
        ("walker", TextToVideo, &[FirstFrame][..], "inputImageUrls", "use inputMode image_to_video"),
        ("walker", TextToVideo, &[LastFrame], "lastFrameUrl", "use inputMode image_to_video"),
        ("plain", TextToVideo, &[FirstFrame], "inputImageUrls", "text_to_video takes no inputImageUrls"),
        ("plain", TextToVideo, &[SourceVideo], "inputVideoUrls", "text_to_video takes no"),
        (
            "walker",
            ImageToVideo,
            &[FirstFrame, ReferenceImage],
            "referenceImageUrls",
            "image_to_video takes no",
        ),
        (
            "editor",
            ImageToVideo,
            &[FirstFrame, ReferenceVideo],
            "referenceVideoUrls",
            "use inputMode reference",
        ),
        ("editor", ReferenceToVideo, &[ReferenceImage, FirstFrame], "inputImageUrls", "use inputMode image"),
        (
            "editor",
            VideoExtend,
            &[SourceVideo, ReferenceImage],
            "referenceImageUrls",
            "use inputMode reference",
        ),
    ] {
        one_error(&with_media(model, mode, roles), field, words);
    }
}

#[test]
fn frames_beyond_the_first_are_named_and_not_sent() {
    use MediaRole::*;
    let mut request =
        with_media("walker", InputMode::ImageToVideo, &[FirstFrame, FirstFrame, LastFrame, FirstFrame]);
    request.media[0].url = "https://example.com/first".into();
    let checked = accepted(&request);
    assert_eq!(checked.warnings, ["inputImageUrls: only the first image is used, 2 not sent"]);
    let sent: Vec<_> = checked.effective.media.iter().map(|m| (m.role, m.url.as_str())).collect();
    assert_eq!(sent, [(FirstFrame, "https://example.com/first"), (LastFrame, "https://example.com/a")]);
}

#[test]
fn a_last_frame_needs_a_model_that_takes_it_and_comes_alone() {
    use MediaRole::*;
    let frames = |model, roles: &[MediaRole]| with_media(model, InputMode::ImageToVideo, roles);
    one_error(&frames("editor", &[FirstFrame, LastFrame]), "lastFrameUrl", "editor takes no last frame");
    one_error(&frames("movers", &[FirstFrame, LastFrame]), "lastFrameUrl", "movers takes no last frame");
    let twice = check_at(&frames("walker", &[FirstFrame, LastFrame, LastFrame]), Mode::Live, EARLY);
    assert!(twice.unwrap_err().errors().of("lastFrameUrl").contains(&"Must be one image".to_owned()));
    one_error(&frames("walker", &[LastFrame]), "inputImageUrls", "needs at least one");
}

#[test]
fn media_are_counted_by_kind() {
    use InputMode::*;
    use MediaRole::*;
    for (model, mode, roles, field, words) in [
        ("editor", ReferenceToVideo, &[ReferenceImage; 3][..], "referenceImageUrls", "at most 2 images"),
        ("editor", ReferenceToVideo, &[ReferenceVideo; 2], "referenceVideoUrls", "at most 1 videos"),
        ("editor", VideoToVideo, &[SourceVideo, ReferenceVideo], "referenceVideoUrls", "at most 1 videos"),
        ("editor", VideoToVideo, &[SourceVideo, SourceVideo], "inputVideoUrls", "at most 1 videos"),
        (
            "mover",
            ReferenceToVideo,
            &[ReferenceVideo, ReferenceImage],
            "referenceImageUrls",
            "at most 0 images",
        ),
        ("walker", TextToVideo, &[Audio, Audio], "inputAudioUrls", "at most 1 audio files"),
        ("plain", TextToVideo, &[Audio], "inputAudioUrls", "at most 0 audio files"),
    ] {
        one_error(&with_media(model, mode, roles), field, words);
    }
    accepted(&with_media("walker", TextToVideo, &[Audio]));
}
