//! Kling's models, which know several shots and elements.

use super::{
    AUDIO, CFG_SCALE, FRAME_LIST, Field, IMAGE, IMAGE_LIST, Model, RATIO, RATIO_OR_AUTO, RESOLUTION, SECONDS,
    SECONDS_TEXT, SOUND, field, model, negative, prompt,
};
use crate::provider::kie::field::Source::{
    Elements, Fixed, FreeShots, Link, Links, Mode, NeededLink, NeededLinks, PlannedShots, Ratio, Resolution,
    Shots,
};
use crate::provider::kie::shot::{Limits, PICTURES, VIDEOS};
use crate::video::request::MediaRole::{Audio, LastFrame, ReferenceImage, ReferenceVideo, SourceVideo};

const TAIL: Field = field("tail_image_url", Link(LastFrame));
const OMNI_PLANNED: Field = field("customize_multi_shots", PlannedShots);
const OMNI_FREE: Field = field("prefer_multi_shots", FreeShots);
const OMNI_SHOTS: Field = field("multi_prompt", Shots(Limits { shots: 6, seconds: 15, is_required: false }));
const OMNI_ELEMENTS: Field = field(
    "elements",
    Elements(&["name", "description", PICTURES, "element_input_audio_urls", "start_time", "end_time"]),
);

/// Beside a video there is no choice of sound, shape or shots.
pub const OMNI_REFERENCES_AND_VIDEO: &[Field] = &[
    prompt(3_072),
    field("image_urls", Links(&[ReferenceImage])),
    field("video_urls", Links(&[ReferenceVideo])),
    SECONDS,
    RESOLUTION,
    RATIO_OR_AUTO,
    AUDIO,
    OMNI_ELEMENTS,
];

/// What is made of a video alone has its length and shape.
pub const OMNI_VIDEO_ALONE: &[Field] = &[
    prompt(3_072),
    field("video_urls", Links(&[SourceVideo])),
    RESOLUTION,
    RATIO_OR_AUTO,
    AUDIO,
    OMNI_ELEMENTS,
];

// A line a model, as far as it goes.
#[rustfmt::skip]
pub const MODELS: &[Model] = &[
    model(
        &["kling/v2-1-standard", "kling/v2-1-master-image-to-video"],
        &[prompt(5_000), SECONDS_TEXT, IMAGE, CFG_SCALE, negative(500)],
    ),
    model(&["kling/v2-1-pro"], &[prompt(5_000), SECONDS_TEXT, IMAGE, TAIL, CFG_SCALE, negative(500)]),
    model(
        &["kling/v2-1-master-text-to-video"],
        &[prompt(5_000), SECONDS_TEXT, RATIO, CFG_SCALE, negative(500)],
    ),
    model(
        &["kling/v2-5-turbo-text-to-video-pro"],
        &[prompt(2_500), SECONDS_TEXT, RATIO, CFG_SCALE, negative(2_500)],
    ),
    model(
        &["kling/v2-5-turbo-image-to-video-pro"],
        &[prompt(2_500), SECONDS_TEXT, IMAGE, TAIL, CFG_SCALE, negative(500)],
    ),
    model(&["kling-2.6/text-to-video"], &[prompt(1_000), SECONDS_TEXT, RATIO, SOUND]),
    model(&["kling-2.6/image-to-video"], &[prompt(1_000), SECONDS_TEXT, IMAGE_LIST, SOUND]),
    model(
        &["kling-2.6/motion-control", "kling-3.0/motion-control"],
        &[
            prompt(2_500), field("input_urls", NeededLinks(ReferenceImage)),
            field("video_urls", NeededLinks(ReferenceVideo)), field("mode", Resolution),
            field("character_orientation", Fixed("video")),
        ],
    ),
    // The ratio must be there, and means nothing beside an image.
    model(
        &["kling-3.0/video"],
        &[
            prompt(2_500), SECONDS_TEXT, field("mode", Mode), field("aspect_ratio", Ratio(Some("16:9"))),
            SOUND, FRAME_LIST, field("multi_shots", PlannedShots),
            field("multi_prompt", Shots(Limits { shots: 5, seconds: 12, is_required: true })),
            field("kling_elements", Elements(&["name", "description", PICTURES, VIDEOS])),
        ],
    ),
    model(
        &["kling-3.0-omni/text-to-video"],
        &[
            prompt(3_072), SECONDS, RESOLUTION, RATIO, AUDIO, OMNI_PLANNED, OMNI_FREE, OMNI_SHOTS,
            OMNI_ELEMENTS,
        ],
    ),
    model(
        &["kling-3.0-omni/image-to-video"],
        &[
            prompt(3_072), SECONDS, RESOLUTION, RATIO_OR_AUTO, AUDIO, FRAME_LIST, OMNI_PLANNED, OMNI_FREE,
            OMNI_SHOTS, OMNI_ELEMENTS,
        ],
    ),
    model(
        &["kling-3.0-omni/reference-to-video"],
        &[
            prompt(3_072), SECONDS, RESOLUTION, RATIO, AUDIO, IMAGE_LIST, OMNI_PLANNED, OMNI_FREE,
            OMNI_SHOTS, OMNI_ELEMENTS,
        ],
    ),
    model(
        &["kling-3.0-omni/transformation"],
        &[
            prompt(3_072), SECONDS_TEXT, RESOLUTION, RATIO_OR_AUTO, AUDIO, IMAGE_LIST,
            field("video_urls", NeededLinks(SourceVideo)), OMNI_ELEMENTS,
        ],
    ),
    model(&["kling/v3-turbo-text-to-video"], &[prompt(2_500), SECONDS_TEXT, RESOLUTION, RATIO]),
    model(&["kling/v3-turbo-image-to-video"], &[prompt(2_500), SECONDS_TEXT, RESOLUTION, IMAGE_LIST]),
    model(
        &["kling/ai-avatar-standard", "kling/ai-avatar-pro"],
        &[prompt(5_000), IMAGE, field("audio_url", NeededLink(Audio))],
    ),
];
