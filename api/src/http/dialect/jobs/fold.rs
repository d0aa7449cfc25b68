//! A body in this dialect's words, and the request that it stands for.

use serde_json::Value;

use super::super::gateway::{Folded, Nested, Route, Sent, Wish, addresses, fold_nested};
use crate::http::body::Fields;
use crate::video::catalog::Catalog;

/// Names that models have here and nowhere else. Those that a model's own routes know are left to them.
const INPUT: Nested = Nested {
    field: "input",
    prefix: "",
    spellings: &[
        ("aspectRatio", "aspect_ratio"),
        ("audio", "generate_audio"),
        ("driving_audio_url", "audio_urls"),
        ("first_clip_url", "video_url"),
        ("first_frame_image_url", "first_frame"),
        ("first_frame_url", "first_frame"),
        ("image_input", "image_urls"),
        ("image_references", "reference_images"),
        ("imageUrls", "image_urls"),
        ("input_urls", "image_urls"),
        ("last_frame_image_url", "last_frame"),
        ("last_frame_url", "last_frame"),
        ("reference_audio_urls", "audio_urls"),
        ("reference_image", "reference_images"),
        ("reference_image_urls", "reference_images"),
        ("reference_video", "video_urls"),
        ("reference_video_urls", "video_urls"),
        ("reference_voice", "audio_urls"),
        ("tail_image_url", "image_tail"),
    ],
};

/// What errors call inputs that are missing, unless another name for them was sent.
const MISSING: [(&str, &str); 6] = [
    ("audio_urls", "reference_audio_urls"),
    ("image", "image_urls"),
    ("last_frame", "last_frame_url"),
    ("metadata", "input"),
    ("reference_images", "reference_image_urls"),
    ("video", "video_urls"),
];

/// Lists of images whose second one is the last frame, where the model takes one.
const FRAMES: [&str; 3] = ["image_urls", "input_urls", "imageUrls"];

pub fn fold(mut body: Fields, catalog: &Catalog) -> Folded {
    let capability = body.text("capability");
    body.checked("capability", capability, |capability| capability == "video", "video");
    if let Some(url) = body.value("callBackUrl")
        && !body.lay("callback_url", &url)
    {
        body.wrong("callBackUrl", "Contradicts callback_url: send one of them");
    }
    let mut sent: Sent = MISSING.map(|(name, sent)| (name.to_owned(), sent.to_owned())).into();
    sent.insert("callback_url".to_owned(), "callBackUrl".to_owned());
    let wish = frames(&body, catalog).then_some(Wish::I2vFirstLast);
    let mut folded = fold_nested(body, INPUT, sent, catalog, Route { model: None, wish });
    folded.names.say("inputMode", "model");
    folded
}

/// Whether two images are the first and the last frame.
fn frames(body: &Fields, catalog: &Catalog) -> bool {
    let name = body.peek("model").and_then(Value::as_str);
    let Some(model) = name.and_then(|name| catalog.model(name)) else { return false };
    let Some(input) = body.peek(INPUT.field) else { return false };
    let images =
        FRAMES.iter().filter_map(|name| input.get(name)).filter_map(addresses).map(|found| found.len());
    model.last_frame && images.sum::<usize>() == 2
}

#[cfg(test)]
mod tests;
