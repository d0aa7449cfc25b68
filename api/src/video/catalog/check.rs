//! What must hold for every model of a catalog. Each broken rule is a sentence in `problems`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use entity::Mode;

use super::{InputMode, KnownField, Model, Provider, Resolution, Route, join};

/// Longer than anything a model makes; a typo in a range must not become a million combinations.
const DURATION_MAX_S: u32 = 3_600;

/// Rules that need nothing but the model itself.
pub fn model(model: &Model, problems: &mut Vec<String>) {
    let broken = [
        (model.id.trim().is_empty(), "the id is empty"),
        (!ascending(&model.durations.iter().collect::<Vec<_>>()), "durations must ascend"),
        (
            model.durations.iter().any(|seconds| !(1..=DURATION_MAX_S).contains(&seconds)),
            "a clip must have 1 to 3600 seconds",
        ),
        (!ascending(&model.resolutions), "resolutions must ascend"),
        (!distinct(&model.modes), "modes must be given, each once"),
        (!distinct(&model.aspect_ratios), "aspect_ratios must be given, each once"),
        (!model.durations.contains(model.default_duration_s), "default_duration is not allowed"),
        (!model.resolutions.contains(&model.default_resolution), "default_resolution is not allowed"),
        (!model.aspect_ratios.contains(&model.default_aspect_ratio), "default_aspect_ratio is not allowed"),
        (model.prompt_max_chars == 0, "prompt_max must be at least 1"),
        (model.count_max == 0, "count_max must be at least 1"),
    ];
    let media = media_rules(model);
    for (is_broken, rule) in broken.into_iter().chain(media) {
        if is_broken {
            problems.push(format!("{}: {rule}", model.id));
        }
    }
    lifecycle(model, problems);
    extra_keys(model, problems);
}

fn media_rules(model: &Model) -> [(bool, &'static str); 4] {
    let has = |mode| model.modes.contains(&mode);
    let edits = has(InputMode::VideoToVideo) || has(InputMode::VideoExtend);
    let no_media = model.max_images + model.max_videos == 0;
    [
        (has(InputMode::ImageToVideo) && model.max_images == 0, "image_to_video needs max_images"),
        (has(InputMode::ReferenceToVideo) && no_media, "reference_to_video needs images or videos"),
        (edits && model.max_videos == 0, "a mode that takes a video needs max_videos"),
        (
            model.last_frame && (!has(InputMode::ImageToVideo) || model.max_images < 2),
            "last_frame needs image_to_video and two images",
        ),
    ]
}

fn lifecycle(model: &Model, problems: &mut Vec<String>) {
    let life = &model.lifecycle;
    if let (Some(deprecated), Some(sunset)) = (life.deprecated_at, life.sunset_at)
        && deprecated > sunset
    {
        problems.push(format!("{}: gone before it is deprecated", model.id));
    }
}

/// A key that is priced on one route may be neither free nor another field on the next: the price would depend on
/// where the task happens to go.
fn extra_keys(model: &Model, problems: &mut Vec<String>) {
    let mut priced: BTreeMap<&str, BTreeSet<KnownField>> = BTreeMap::new();
    for (key, field) in model.routes.iter().flat_map(|route| &route.priced) {
        priced.entry(key).or_default().insert(*field);
    }
    for (key, fields) in priced {
        if fields.len() > 1 {
            let names = join(fields);
            problems.push(format!("{}: {key} is priced as several fields: {names}", model.id));
        }
        if model.routes.iter().any(|route| route.passthrough.contains(key)) {
            problems.push(format!("{}: {key} is both priced and passed through", model.id));
        }
    }
}

/// Rules about what the model points to.
pub fn links(model: &Model, ids: &BTreeSet<String>, providers: &[Provider], problems: &mut Vec<String>) {
    if let Some(replacement) = &model.lifecycle.replacement
        && (!ids.contains(replacement) || *replacement == model.id)
    {
        problems.push(format!("{}: the replacement {replacement} does not exist", model.id));
    }
    let mut seen = BTreeSet::new();
    for route in &model.routes {
        if !providers.iter().any(|p| p.name == route.provider && p.mode == Mode::Live) {
            problems.push(format!("{}: no live provider {}", model.id, route.provider));
        }
        let again = made(model, route).filter(|(mode, resolution)| {
            !seen.insert((&route.provider, &route.native_id, *mode, *resolution))
        });
        if again.count() > 0 {
            problems.push(format!("{}: the route {} is there twice", model.id, route.provider));
        }
    }
}

/// What a model makes by a route: of one place, only one route may lead to it.
fn made<'a>(model: &'a Model, route: &'a Route) -> impl Iterator<Item = (InputMode, Resolution)> + 'a {
    let modes = model.modes.iter().copied().filter(|mode| route.serves(*mode));
    modes.flat_map(|mode| {
        let resolutions = model.resolutions.iter().copied();
        resolutions.filter(|resolution| route.makes(*resolution)).map(move |resolution| (mode, resolution))
    })
}

/// A default must be able to do what it is the default for.
pub fn defaults(defaults: &BTreeMap<InputMode, String>, models: &[Arc<Model>], problems: &mut Vec<String>) {
    for (mode, id) in defaults {
        if !models.iter().any(|model| model.id == *id && model.modes.contains(mode)) {
            problems.push(format!("default_models: there is no {id} that takes {mode}"));
        }
    }
}

fn ascending<T: PartialOrd>(values: &[T]) -> bool {
    !values.is_empty() && values.windows(2).all(|pair| pair[0] < pair[1])
}

fn distinct<T: Ord>(values: &[T]) -> bool {
    let unique: BTreeSet<&T> = values.iter().collect();
    !values.is_empty() && unique.len() == values.len()
}
