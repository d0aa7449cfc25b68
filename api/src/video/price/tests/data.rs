//! The real catalog and the real prices, held to the rules.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use entity::Mode;

use super::*;
use crate::video::catalog::{Catalog, InputMode, Model};
use crate::video::request::{GenerateRequest, Media, MediaRole};
use crate::video::rules::{Refused, check};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn real() -> (Catalog, PriceBook) {
    let catalog = Catalog::load_dir(&root().join("catalog")).unwrap();
    let text = fs::read_to_string(root().join("pricing.toml")).unwrap();
    (catalog, PriceBook::parse(&text).unwrap())
}

/// The smallest request in this mode that a model that has it accepts.
fn smallest(model: &Model, mode: InputMode) -> GenerateRequest {
    let role = match mode {
        InputMode::TextToVideo => None,
        InputMode::ImageToVideo => Some(MediaRole::FirstFrame),
        InputMode::ReferenceToVideo if model.max_images == 0 => Some(MediaRole::ReferenceVideo),
        InputMode::ReferenceToVideo => Some(MediaRole::ReferenceImage),
        InputMode::VideoToVideo | InputMode::VideoExtend => Some(MediaRole::SourceVideo),
    };
    let url = "https://example.com/input".to_owned();
    GenerateRequest {
        model: model.id.clone(),
        input_mode: Some(mode),
        prompt: Some("a cat".to_owned()),
        media: role.map(|role| Media { role, url }).into_iter().collect(),
        ..Default::default()
    }
}

fn errors_of(request: &GenerateRequest, catalog: &Catalog, field: &str) -> Vec<String> {
    match check(request, catalog, Mode::Test, 0) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.errors().of(field).to_vec(),
    }
}

#[test]
fn nothing_that_is_allowed_lacks_a_price_and_no_card_is_stray() {
    let (catalog, book) = real();
    let report = audit(&catalog, &book);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn the_example_of_the_native_dialect_costs_12_credits() {
    let (catalog, book) = real();
    let request = GenerateRequest {
        model: "sora-2-text-to-video".to_owned(),
        input_mode: Some(InputMode::TextToVideo),
        prompt: Some("A slow dolly around a coffee cup".to_owned()),
        aspect_ratio: Some("16:9".to_owned()),
        duration_s: Some(5),
        ..Default::default()
    };
    let checked = check(&request, &catalog, Mode::Test, 0).unwrap();
    let quote = book.quote(1, &checked.effective.dimensions(), DEFAULT_GROUP).unwrap();
    assert_eq!(quote.credits.to_string(), "12");
}

#[test]
fn every_model_takes_its_modes_with_all_defaults_and_a_price_and_refuses_the_others() {
    let (catalog, book) = real();
    for model in catalog.models() {
        for mode in InputMode::ALL {
            let outcome = check(&smallest(model, mode), &catalog, Mode::Test, 0);
            if model.modes.contains(&mode) {
                let checked = outcome.unwrap_or_else(|refused| panic!("{}: {refused}", model.id));
                let dims = checked.effective.dimensions();
                book.quote(1, &dims, DEFAULT_GROUP).unwrap_or_else(|error| panic!("{error}"));
            } else {
                let refused = outcome.expect_err(&model.id);
                assert!(matches!(refused, Refused::Invalid(_)));
                assert!(refused.errors().of("inputMode")[0].starts_with(&model.id), "{refused}");
            }
        }
    }
}

#[test]
fn a_models_name_keeps_its_promise_about_the_input_mode() {
    let (catalog, _) = real();
    for model in catalog.models() {
        if model.id.ends_with("-text-to-video") {
            assert_eq!(model.modes, [InputMode::TextToVideo], "{}", model.id);
        }
        if model.id.ends_with("-image-to-video") {
            assert!(!model.modes.contains(&InputMode::TextToVideo), "{}", model.id);
            let mut request = smallest(model, InputMode::ImageToVideo);
            request.media.clear();
            assert_eq!(errors_of(&request, &catalog, "inputImageUrls").len(), 1, "{}", model.id);
        }
    }
}

#[test]
fn text_to_video_takes_no_images_on_any_model() {
    let (catalog, _) = real();
    for model in catalog.models().iter().filter(|m| m.modes.contains(&InputMode::TextToVideo)) {
        let request = GenerateRequest {
            media: smallest(model, InputMode::ImageToVideo).media,
            ..smallest(model, InputMode::TextToVideo)
        };
        assert_eq!(errors_of(&request, &catalog, "inputImageUrls").len(), 1, "{}", model.id);
    }
}

#[test]
fn every_model_of_the_native_dialects_table_is_offered() {
    let (catalog, _) = real();
    for id in [
        "kling/v2-1-standard",
        "kling/v2-1-pro",
        "kling/v2-1-master-text-to-video",
        "sora-2-text-to-video",
        "sora-2-pro-text-to-video",
        "sora-2-image-to-video",
        "hailuo/02-text-to-video-standard",
        "hailuo/02-text-to-video-pro",
        "hailuo/02-image-to-video-standard",
        "hailuo/02-image-to-video-pro",
        "veo3_fast",
        "veo3",
        "veo3_lite",
        "wan/2-6-text-to-video",
        "wan/2-6-image-to-video",
        "bytedance/seedance-1.5-pro",
    ] {
        assert!(catalog.model(id).is_some(), "{id}");
    }
    for id in ["veo3_fast", "veo3", "veo3_lite"] {
        let model = catalog.model(id).unwrap();
        assert_eq!(model.durations.iter().collect::<Vec<_>>(), [8], "{id}");
        assert!(model.modes.starts_with(&[InputMode::TextToVideo, InputMode::ImageToVideo]), "{id}");
    }
}

#[test]
fn every_alias_means_what_its_model_means() {
    let (catalog, _) = real();
    for model in catalog.models() {
        for alias in &model.aliases {
            let request = GenerateRequest { model: alias.clone(), ..smallest(model, model.modes[0]) };
            let checked = check(&request, &catalog, Mode::Test, 0).unwrap();
            assert_eq!(checked.effective.model_id, model.id);
        }
    }
}

/// One line for each combination, with the price of every duration, so that a change of prices is seen in review.
fn price_table(catalog: &Catalog, book: &PriceBook) -> String {
    let mut table = String::new();
    for row in catalog.models().iter().flat_map(|model| price_rows(model, book)) {
        write!(table, "{row}:").unwrap();
        for (seconds, price) in &row.prices {
            let price = price.as_ref().map_or("none".to_owned(), ToString::to_string);
            write!(table, " {seconds}s={price}").unwrap();
        }
        table.push('\n');
    }
    table
}

/// `UPDATE_GOLDEN=1 cargo test` writes the table anew.
#[test]
fn the_whole_price_table_is_the_reviewed_one() {
    let (catalog, book) = real();
    let table = price_table(&catalog, &book);
    let path = root().join("tests/golden/prices.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &table).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<&str> =
        table.lines().filter(|line| !golden.lines().any(|old| old == *line)).take(20).collect();
    assert!(
        table == golden,
        "prices differ from tests/golden/prices.txt, for example:\n{}",
        changed.join("\n")
    );
}
