//! From a body of Jimeng's to the one request of the video room.

use super::super::gateway::{self, Folded, Route, Wish, addresses};
use crate::http::body::Fields;
use crate::video::catalog::Catalog;

/// Stands for a model by what it is made from.
const FAMILY: &str = "jimeng_v30";
const PRO: &str = "jimeng_v30_pro";
const PRO_MODEL: &str = "jimeng_ti2v_v30_pro";

pub fn fold(mut body: Fields, catalog: &Catalog) -> Folded {
    let images = ["image_urls", "binary_data_base64"];
    let count = |name: &&str| body.peek(name).and_then(addresses).map_or(0, |found| found.len());
    let images: usize = images.iter().map(count).sum();
    let key = body.text("req_key");
    let model = model(key.as_deref().unwrap_or(FAMILY), images);
    if !body.lay("model", &model.as_str().into()) {
        body.wrong("model", "Contradicts req_key: send one of them");
    }
    let has_last_frame = catalog.model(&model).is_some_and(|model| model.last_frame);
    let wish = (images >= 2 && has_last_frame).then_some(Wish::I2vFirstLast);
    let mut folded = gateway::fold(body, catalog, Route { model: None, wish });
    folded.names.say("model", "req_key");
    folded
}

/// The model that a key stands for: the family's, for so many images; any other key is a model.
fn model(key: &str, images: usize) -> String {
    let Some(size) = key.strip_prefix(FAMILY) else { return key.to_owned() };
    // The smaller size has no name in the models.
    let size = if size == "_720p" { "" } else { size };
    match images {
        _ if key == PRO => PRO_MODEL.to_owned(),
        0 => format!("jimeng_t2v_v30{size}"),
        1 => format!("jimeng_i2v_first_v30{}", size.trim_end_matches('p')),
        _ => format!("jimeng_i2v_first_tail_v30{}", size.trim_end_matches('p')),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    const URL: &str = "https://example.com/a.png";
    const OTHER: &str = "https://example.com/b.png";

    fn read(body: &Value) -> Folded {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
        fold(Fields::parse(body.to_string().as_bytes()).unwrap(), &Catalog::load_dir(&folder).unwrap())
    }

    #[test]
    fn every_field_has_its_effect() {
        let first = json!({ "role": "first_frame", "url": URL });
        let both = json!([first, { "role": "last_frame", "url": OTHER }]);
        for (body, expected) in [
            (json!({}), json!({ "model": "jimeng_t2v_v30", "input_mode": "text_to_video" })),
            (json!({ "req_key": "jimeng_v30_pro" }), json!({ "model": "jimeng_ti2v_v30_pro" })),
            (json!({ "prompt": "a fox" }), json!({ "prompt": "a fox" })),
            (json!({ "frames": 121 }), json!({ "duration_s": 5 })),
            (json!({ "frames": "241" }), json!({ "duration_s": 10 })),
            (json!({ "seed": -1 }), json!({ "seed": null })),
            (json!({ "seed": 7 }), json!({ "seed": 7 })),
            (json!({ "aspect_ratio": "9:16" }), json!({ "aspect_ratio": "9:16" })),
            (json!({ "image_urls": [URL] }), json!({ "model": "jimeng_i2v_first_v30", "media": [first] })),
            (
                json!({ "binary_data_base64": [URL] }),
                json!({ "model": "jimeng_i2v_first_v30", "media": [first] }),
            ),
            (
                json!({ "image_urls": [URL, OTHER] }),
                json!({ "model": "jimeng_i2v_first_tail_v30", "input_mode": "image_to_video", "media": both }),
            ),
            (
                json!({ "req_key": "jimeng_i2v_recamera_v30", "image_urls": [URL], "template_id": "t", "camera_strength": "weak" }),
                json!({ "extra": { "template_id": "t", "camera_strength": "weak" } }),
            ),
        ] {
            let folded = read(&body);
            assert!(folded.errors.is_empty(), "{body}: {}", folded.errors);
            assert_eq!(folded.warnings, [""; 0], "{body}");
            let request = serde_json::to_value(&folded.request).unwrap();
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(request[field], *value, "{body}: {field}");
            }
        }
    }

    #[test]
    fn what_has_no_effect_is_refused_by_its_name() {
        for (body, field) in [
            (json!({ "frames": 120 }), "frames"),
            (json!({ "frames": 0 }), "frames"),
            (json!({ "frames": 121, "duration": 10 }), "frames"),
            (json!({ "model": "jimeng_t2v_v30_1080p" }), "model"),
            (json!({ "template_id": "t" }), "template_id"),
            (json!({ "image_urls": 5 }), "image_urls"),
        ] {
            let errors = read(&body).errors;
            assert!(!errors.of(field).is_empty(), "{body}: {errors}");
        }
    }

    #[test]
    fn the_family_s_key_stands_for_a_model_by_the_number_of_images() {
        for (key, images, expected) in [
            ("jimeng_v30", 0, "jimeng_t2v_v30"),
            ("jimeng_v30", 1, "jimeng_i2v_first_v30"),
            ("jimeng_v30", 2, "jimeng_i2v_first_tail_v30"),
            ("jimeng_v30_1080p", 0, "jimeng_t2v_v30_1080p"),
            ("jimeng_v30_1080p", 1, "jimeng_i2v_first_v30_1080"),
            ("jimeng_v30_1080p", 3, "jimeng_i2v_first_tail_v30_1080"),
            ("jimeng_v30_720p", 0, "jimeng_t2v_v30"),
            ("jimeng_v30_720p", 1, "jimeng_i2v_first_v30"),
            ("jimeng_v30_pro", 0, "jimeng_ti2v_v30_pro"),
            ("jimeng_v30_pro", 1, "jimeng_ti2v_v30_pro"),
            ("jimeng_vgfm_t2v_l20", 0, "jimeng_vgfm_t2v_l20"),
            ("jimeng_i2v_recamera_v30", 1, "jimeng_i2v_recamera_v30"),
        ] {
            assert_eq!(model(key, images), expected, "{key} with {images}");
        }
    }
}
