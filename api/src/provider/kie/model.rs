//! What each model takes, by its native id: the tables of docs.kie.ai, model by model. What is left out there on purpose costs
//! nothing and is nobody's wish, such as the mode of Grok.

mod kling;

use super::field::{Field, Source};
use crate::provider::Submission;
use crate::video::request::MediaRole::{
    self, Audio, FirstFrame, LastFrame, ReferenceImage, ReferenceVideo, SourceVideo,
};
use Source::{
    Fixed, Frames, Generation, KeepAudio, Link, Links, MultiShot, NativeId, NeededLink, Negative, OneClip,
    OneScene, OriginEnd, OriginTask, Prompt, Quality, Ratio, Resolution, ResolutionUpper, Seconds,
    SecondsText, Seed, Sound, Videos,
};

/// Models that take the same.
struct Model {
    ids: &'static [&'static str],
    fields: &'static [Field],
}

/// What the model of a submission takes; nothing if they have no such model.
pub fn fields(submission: &Submission) -> Option<&'static [Field]> {
    let id = submission.native_id.as_str();
    let has = |role| submission.one(role).is_some();
    match id {
        "kling-3.0-omni/reference-to-video" if has(ReferenceVideo) => {
            return Some(kling::OMNI_REFERENCES_AND_VIDEO);
        }
        "kling-3.0-omni/transformation" if !has(ReferenceImage) => return Some(kling::OMNI_VIDEO_ALONE),
        _ => {}
    }
    let mut models = MODELS.iter().chain(kling::MODELS);
    models.find(|model| model.ids.contains(&id)).map(|model| model.fields)
}

const fn model(ids: &'static [&'static str], fields: &'static [Field]) -> Model {
    Model { ids, fields }
}

const fn field(name: &'static str, source: Source) -> Field {
    Field { name, source }
}

const fn prompt(most: usize) -> Field {
    field("prompt", Prompt(most))
}

const fn negative(most: usize) -> Field {
    field("negative_prompt", Negative(most))
}

/// Where no length is documented.
const ANY: usize = usize::MAX;

const FRAMES: &[MediaRole] = &[FirstFrame, LastFrame];
const IMAGES: &[MediaRole] = &[FirstFrame, ReferenceImage];
const VIDEOS_IN: &[MediaRole] = &[SourceVideo, ReferenceVideo];

const SECONDS: Field = field("duration", Seconds);
const SECONDS_TEXT: Field = field("duration", SecondsText);
const RESOLUTION: Field = field("resolution", Resolution);
const RESOLUTION_UPPER: Field = field("resolution", ResolutionUpper);
const RATIO: Field = field("aspect_ratio", Ratio(None));
const RATIO_OR_AUTO: Field = field("aspect_ratio", Ratio(Some("auto")));
const RATIO_OR_ADAPTIVE: Field = field("aspect_ratio", Ratio(Some("adaptive")));
const IMAGE: Field = field("image_url", Link(FirstFrame));
const IMAGE_LIST: Field = field("image_urls", Links(IMAGES));
const FRAME_LIST: Field = field("image_urls", Links(FRAMES));
const END: Field = field("end_image_url", Link(LastFrame));
const FIRST: Field = field("first_frame_url", Link(FirstFrame));
const LAST: Field = field("last_frame_url", Link(LastFrame));
const REFERENCE_IMAGES: Field = field("reference_image_urls", Links(&[ReferenceImage]));
const REFERENCE_VIDEOS: Field = field("reference_video_urls", Links(VIDEOS_IN));
const REFERENCE_AUDIOS: Field = field("reference_audio_urls", Links(&[Audio]));
const REFERENCE_IMAGE: Field = field("reference_image", Links(&[ReferenceImage]));
const VIDEO_LIST: Field = field("video_urls", Links(VIDEOS_IN));
const SOUND: Field = field("sound", Sound);
const AUDIO: Field = field("audio", Sound);
const GENERATE_AUDIO: Field = field("generate_audio", Sound);
const SEED: Field = field("seed", Seed { least: 0, span: 1 << 31 });
const CFG_SCALE: Field = field("cfg_scale", Source::Option("cfg_scale"));
const WATERMARK: Field = field("watermark", Source::Option("watermark"));
const KEEP_AUDIO: Field = field("audio_setting", KeepAudio);
const MULTI_SHOTS: Field = field("multi_shots", MultiShot);
const SORA_RATIO: Field = field("aspect_ratio", Source::Orientation);
const SORA_SECONDS: Field = field("n_frames", SecondsText);

// A line a model, as far as it goes.
#[rustfmt::skip]
const MODELS: &[Model] = &[
    // Seedance
    model(
        &["bytedance/seedance-1.5-pro"],
        &[prompt(20_000), SECONDS, RESOLUTION, RATIO, GENERATE_AUDIO, field("input_urls", Links(FRAMES))],
    ),
    model(
        &["bytedance/seedance-2", "bytedance/seedance-2-fast", "bytedance/seedance-2-mini"],
        &[
            prompt(20_000), SECONDS, RESOLUTION, RATIO_OR_ADAPTIVE, GENERATE_AUDIO, FIRST, LAST,
            REFERENCE_IMAGES, REFERENCE_VIDEOS, REFERENCE_AUDIOS,
        ],
    ),
    model(
        &["bytedance/seedance-2-5"],
        &[
            prompt(30_000), SECONDS, RESOLUTION, RATIO_OR_ADAPTIVE, GENERATE_AUDIO, FIRST, LAST,
            REFERENCE_IMAGES, REFERENCE_VIDEOS, REFERENCE_AUDIOS,
        ],
    ),
    model(
        &["bytedance/v1-lite-text-to-video", "bytedance/v1-pro-text-to-video"],
        &[prompt(10_000), SECONDS_TEXT, RESOLUTION, RATIO, SEED],
    ),
    model(
        &["bytedance/v1-lite-image-to-video"],
        &[prompt(10_000), SECONDS_TEXT, RESOLUTION, IMAGE, END, SEED],
    ),
    model(&["bytedance/v1-pro-image-to-video"], &[prompt(10_000), SECONDS_TEXT, RESOLUTION, IMAGE, SEED]),
    model(&["bytedance/v1-pro-fast-image-to-video"], &[prompt(10_000), SECONDS_TEXT, RESOLUTION, IMAGE]),
    // Gemini
    model(
        &["gemini-omni-video"],
        &[
            prompt(20_000), SECONDS_TEXT, RESOLUTION, RATIO, IMAGE_LIST,
            field("video_list", Videos(VIDEOS_IN)), SEED,
        ],
    ),
    // Grok
    model(&["grok-imagine/text-to-video"], &[prompt(ANY), SECONDS, RESOLUTION, RATIO]),
    model(&["grok-imagine/image-to-video"], &[prompt(ANY), SECONDS_TEXT, RESOLUTION, RATIO, IMAGE_LIST]),
    model(
        &["grok-imagine-video-1-5-preview"],
        &[prompt(4_096), SECONDS, RESOLUTION, RATIO_OR_AUTO, IMAGE_LIST],
    ),
    // Their schema calls the added seconds a number; their example and clients that work send them in quotes.
    model(
        &["grok-imagine/extend"],
        &[
            prompt(ANY), field("task_id", OriginTask), field("extend_at", OriginEnd),
            field("extend_times", SecondsText),
        ],
    ),
    model(&["grok-imagine/upscale"], &[field("task_id", OriginTask), RESOLUTION]),
    // Hailuo and MiniMax
    model(&["hailuo/02-text-to-video-standard"], &[prompt(1_500), SECONDS_TEXT]),
    model(&["hailuo/02-text-to-video-pro"], &[prompt(1_500)]),
    model(
        &["hailuo/02-image-to-video-standard"],
        &[prompt(1_500), SECONDS_TEXT, RESOLUTION_UPPER, IMAGE, END],
    ),
    model(&["hailuo/02-image-to-video-pro"], &[prompt(1_500), IMAGE, END]),
    model(
        &["hailuo/2-3-image-to-video-standard", "hailuo/2-3-image-to-video-pro"],
        &[prompt(5_000), SECONDS_TEXT, RESOLUTION_UPPER, IMAGE],
    ),
    model(&["minimax-h3/text-to-video"], &[prompt(7_000), SECONDS, RESOLUTION_UPPER, RATIO]),
    model(&["minimax-h3/image-to-video"], &[prompt(7_000), SECONDS, RESOLUTION_UPPER, FIRST, LAST]),
    model(
        &["minimax-h3/reference-to-video"],
        &[
            prompt(7_000), SECONDS, RESOLUTION_UPPER, RATIO_OR_ADAPTIVE, REFERENCE_IMAGES, REFERENCE_VIDEOS,
            REFERENCE_AUDIOS,
        ],
    ),
    // HappyHorse
    model(&["happyhorse/text-to-video"], &[prompt(5_000), SECONDS, RESOLUTION, RATIO, SEED]),
    model(&["happyhorse/image-to-video"], &[prompt(5_000), SECONDS, RESOLUTION, IMAGE_LIST, SEED]),
    model(
        &["happyhorse/reference-to-video"],
        &[prompt(5_000), SECONDS, RESOLUTION, RATIO, REFERENCE_IMAGE, SEED],
    ),
    model(
        &["happyhorse/video-edit"],
        &[
            prompt(5_000), RESOLUTION, field("video_url", NeededLink(SourceVideo)), REFERENCE_IMAGE,
            KEEP_AUDIO, SEED,
        ],
    ),
    model(&["happyhorse-1-1/text-to-video"], &[prompt(4_999), SECONDS, RESOLUTION, RATIO]),
    model(&["happyhorse-1-1/image-to-video"], &[prompt(5_000), SECONDS, RESOLUTION, IMAGE_LIST]),
    model(
        &["happyhorse-1-1/reference-to-video"],
        &[prompt(5_000), SECONDS, RESOLUTION, RATIO, REFERENCE_IMAGE],
    ),
    // Midjourney
    model(
        &["mj_video", "mj_video_hd"],
        &[
            field("taskType", NativeId), prompt(2_000), field("fileUrl", Link(FirstFrame)),
            field("motion", Fixed("high")), field("videoBatchSize", OneClip),
            field("aspectRatio", Ratio(None)),
        ],
    ),
    // Sora
    model(
        &["sora-2-text-to-video", "sora-2-image-to-video"],
        &[prompt(5_000), SORA_SECONDS, SORA_RATIO, IMAGE_LIST],
    ),
    model(
        &["sora-2-pro-text-to-video", "sora-2-pro-image-to-video"],
        &[prompt(5_000), SORA_SECONDS, SORA_RATIO, field("size", Quality), IMAGE_LIST],
    ),
    model(&["sora-2-pro-storyboard"], &[field("shots", OneScene), SORA_SECONDS, SORA_RATIO, IMAGE_LIST]),
    // Veo
    model(
        &["veo3", "veo3_fast", "veo3_lite"],
        &[
            field("model", NativeId), prompt(ANY), field("generationType", Generation),
            field("imageUrls", Links(&[FirstFrame, LastFrame, ReferenceImage])), SECONDS, RESOLUTION,
            field("aspect_ratio", Ratio(Some("Auto"))), field("seeds", Seed { least: 10_000, span: 90_000 }),
        ],
    ),
    // Wan
    model(&["wan/2-2-a14b-text-to-video-turbo"], &[prompt(5_000), RESOLUTION, RATIO, SEED]),
    model(&["wan/2-2-a14b-image-to-video-turbo"], &[prompt(5_000), RESOLUTION, IMAGE, SEED]),
    model(
        &["wan/2-2-a14b-speech-to-video-turbo"],
        &[
            prompt(5_000), IMAGE, field("audio_url", NeededLink(Audio)), RESOLUTION,
            field("num_frames", Frames(16)), field("frames_per_second", Source::FrameRate(16)),
            negative(500), SEED,
        ],
    ),
    model(
        &["wan/2-2-animate-move", "wan/2-2-animate-replace"],
        &[
            field("image_url", NeededLink(ReferenceImage)), field("video_url", NeededLink(ReferenceVideo)),
            RESOLUTION,
        ],
    ),
    model(&["wan/2-5-text-to-video"], &[prompt(800), SECONDS_TEXT, RESOLUTION, RATIO, negative(500), SEED]),
    model(&["wan/2-5-image-to-video"], &[prompt(800), SECONDS_TEXT, RESOLUTION, IMAGE, negative(500), SEED]),
    model(&["wan/2-6-text-to-video"], &[prompt(5_000), SECONDS_TEXT, RESOLUTION, MULTI_SHOTS]),
    model(&["wan/2-6-image-to-video"], &[prompt(5_000), SECONDS_TEXT, RESOLUTION, IMAGE_LIST, MULTI_SHOTS]),
    model(&["wan/2-6-video-to-video"], &[prompt(5_000), SECONDS_TEXT, RESOLUTION, VIDEO_LIST, MULTI_SHOTS]),
    model(
        &["wan/2-6-flash-image-to-video"],
        &[prompt(1_500), SECONDS_TEXT, RESOLUTION, IMAGE_LIST, AUDIO, MULTI_SHOTS],
    ),
    model(
        &["wan/2-6-flash-video-to-video"],
        &[prompt(1_500), SECONDS_TEXT, RESOLUTION, VIDEO_LIST, AUDIO, MULTI_SHOTS],
    ),
    model(
        &["wan/2-7-text-to-video"],
        &[
            prompt(5_000), SECONDS, RESOLUTION, field("ratio", Ratio(None)), field("audio_url", Link(Audio)),
            negative(500), WATERMARK, SEED,
        ],
    ),
    model(
        &["wan/2-7-image-to-video"],
        &[
            prompt(5_000), SECONDS, RESOLUTION, FIRST, LAST, field("driving_audio_url", Link(Audio)),
            negative(500), WATERMARK, SEED,
        ],
    ),
    model(
        &["wan/2-7-r2v"],
        &[
            prompt(5_000), SECONDS, RESOLUTION, RATIO, REFERENCE_IMAGE,
            field("reference_video", Links(&[ReferenceVideo])), field("reference_voice", Link(Audio)),
            negative(500), WATERMARK, SEED,
        ],
    ),
    model(
        &["wan/2-7-videoedit"],
        &[
            prompt(5_000), SECONDS, RESOLUTION, RATIO, field("video_url", NeededLink(SourceVideo)),
            field("reference_image", Link(ReferenceImage)), KEEP_AUDIO, negative(500), WATERMARK, SEED,
        ],
    ),
];
