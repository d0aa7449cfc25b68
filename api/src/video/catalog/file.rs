//! The shape of the catalog's files, and the checks that turn them into a [`Catalog`].
//!
//! Unknown keys are refused. Every contradiction is collected, so that one run names them all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use entity::Mode;
use serde::Deserialize;
use url::Url;

use super::{
    AspectRatio, Audio, Catalog, CatalogError, Date, Durations, InputLimits, InputMode, KnownField,
    Lifecycle, Model, OptionName, Provider, Resolution, Route, RouteLimits,
};

/// One file, or several put together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogFile {
    family: Vec<FamilyFile>,
    model: Vec<ModelFile>,
    provider: Vec<ProviderFile>,
    default_models: BTreeMap<InputMode, String>,
}

/// What all models of a family have in common.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyFile {
    name: String,
    #[serde(default)]
    inputs: InputLimits,
    #[serde(default)]
    flags_in_prompts: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    family: String,
    modes: Vec<InputMode>,
    #[serde(default)]
    last_frame: bool,
    durations: Option<Vec<u32>>,
    duration_range: Option<[u32; 2]>,
    default_duration: u32,
    #[serde(default)]
    rounds_duration_up: bool,
    resolutions: Vec<Resolution>,
    default_resolution: Resolution,
    aspect_ratios: Vec<AspectRatio>,
    default_aspect_ratio: AspectRatio,
    audio: AudioFile,
    default_audio: Option<bool>,
    max_images: usize,
    max_videos: usize,
    max_audios: usize,
    prompt_max: usize,
    #[serde(default = "yes")]
    prompt_required: bool,
    #[serde(default)]
    prompt_optional_in: Vec<InputMode>,
    #[serde(default = "one")]
    count_max: u16,
    #[serde(default)]
    options: Vec<OptionName>,
    #[serde(default)]
    lifecycle: LifecycleFile,
    #[serde(default)]
    routes: Vec<RouteFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AudioFile {
    None,
    Always,
    Optional,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LifecycleFile {
    deprecated_at: Option<Date>,
    sunset_at: Option<Date>,
    replacement: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFile {
    provider: String,
    native_id: String,
    #[serde(default)]
    passthrough: BTreeSet<String>,
    #[serde(default)]
    priced: BTreeMap<String, KnownField>,
    #[serde(default)]
    only: RouteLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderFile {
    name: String,
    mode: Mode,
    models: Option<AllModels>,
    adapter: Option<String>,
    url: Option<Url>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AllModels {
    All,
}

fn yes() -> bool {
    true
}

fn one() -> u16 {
    1
}

impl CatalogFile {
    pub fn parse(name: &str, text: &str) -> Result<Self, CatalogError> {
        toml::from_str(text)
            .map_err(|error| CatalogError::Syntax { file: name.to_owned(), message: error.to_string() })
    }

    pub fn append(&mut self, mut other: CatalogFile) {
        self.family.append(&mut other.family);
        self.model.append(&mut other.model);
        self.provider.append(&mut other.provider);
        self.default_models.append(&mut other.default_models);
    }

    pub fn build(self) -> Result<Catalog, CatalogError> {
        let mut problems = Vec::new();
        let providers = providers(self.provider, &mut problems);
        let families = families(self.family, &self.model, &mut problems);
        let models = self.model.into_iter().filter_map(|file| model(file, &families, &mut problems));
        let models: Vec<Arc<Model>> = models.map(Arc::new).collect();
        let by_name = names(&models, &mut problems);
        let ids: BTreeSet<String> = models.iter().map(|model| model.id.clone()).collect();
        for model in &models {
            super::check::model(model, &mut problems);
            super::check::links(model, &ids, &providers, &mut problems);
        }
        super::check::defaults(&self.default_models, &models, &mut problems);
        if problems.is_empty() {
            Ok(Catalog { models, by_name, providers, defaults: self.default_models })
        } else {
            Err(CatalogError::Inconsistent(problems))
        }
    }
}

fn families(
    files: Vec<FamilyFile>,
    models: &[ModelFile],
    problems: &mut Vec<String>,
) -> HashMap<String, FamilyFile> {
    let mut families = HashMap::new();
    for family in files {
        let name = family.name.clone();
        if !models.iter().any(|model| model.family == name) {
            problems.push(format!("family {name} has no model"));
        }
        if families.insert(name.clone(), family).is_some() {
            problems.push(format!("family {name} is there twice"));
        }
    }
    families
}

fn providers(files: Vec<ProviderFile>, problems: &mut Vec<String>) -> Vec<Provider> {
    let mut seen = BTreeSet::new();
    let mut providers = Vec::new();
    for file in files {
        if !seen.insert(file.name.clone()) {
            problems.push(format!("provider {} is there twice", file.name));
        }
        let serves_all = file.models.is_some();
        if serves_all && file.mode == Mode::Live {
            problems.push(format!("provider {}: only a test provider serves all models", file.name));
        }
        let ProviderFile { name, mode, adapter, url, .. } = file;
        let adapter = adapter.unwrap_or_else(|| name.clone());
        providers.push(Provider { name, mode, serves_all, adapter, url });
    }
    providers
}

fn names(models: &[Arc<Model>], problems: &mut Vec<String>) -> HashMap<String, usize> {
    let mut by_name = HashMap::new();
    for (index, model) in models.iter().enumerate() {
        for name in std::iter::once(&model.id).chain(&model.aliases) {
            if by_name.insert(name.clone(), index).is_some() {
                problems.push(format!("{}: the name {name} is taken", model.id));
            }
        }
    }
    by_name
}

fn model(
    file: ModelFile,
    families: &HashMap<String, FamilyFile>,
    problems: &mut Vec<String>,
) -> Option<Model> {
    let family = families.get(&file.family);
    let durations = durations(&file, problems)?;
    let audio = audio(&file, problems);
    Some(Model {
        durations,
        audio,
        inputs: family.map(|family| family.inputs).unwrap_or_default(),
        flags_in_prompts: family.is_some_and(|family| family.flags_in_prompts),
        id: file.id,
        aliases: file.aliases,
        family: file.family,
        modes: file.modes,
        last_frame: file.last_frame,
        default_duration_s: file.default_duration,
        rounds_duration_up: file.rounds_duration_up,
        resolutions: file.resolutions,
        default_resolution: file.default_resolution,
        aspect_ratios: file.aspect_ratios,
        default_aspect_ratio: file.default_aspect_ratio,
        max_images: file.max_images,
        max_videos: file.max_videos,
        max_audios: file.max_audios,
        prompt_max_chars: file.prompt_max,
        prompt_required: file.prompt_required,
        prompt_optional_in: file.prompt_optional_in,
        count_max: file.count_max,
        options: file.options.into_iter().collect(),
        lifecycle: lifecycle(file.lifecycle),
        routes: file.routes.into_iter().map(route).collect(),
    })
}

fn durations(file: &ModelFile, problems: &mut Vec<String>) -> Option<Durations> {
    match (&file.durations, file.duration_range) {
        (Some(list), None) => Some(Durations::List(list.clone())),
        (None, Some([min, max])) => Some(Durations::Range { min, max }),
        _ => {
            problems.push(format!("{}: give one of durations and duration_range", file.id));
            None
        }
    }
}

fn audio(file: &ModelFile, problems: &mut Vec<String>) -> Audio {
    if file.default_audio.is_some() && file.audio != AudioFile::Optional {
        problems.push(format!("{}: default_audio is only for optional audio", file.id));
    }
    match file.audio {
        AudioFile::None => Audio::None,
        AudioFile::Always => Audio::Always,
        AudioFile::Optional => Audio::Optional { default: file.default_audio.unwrap_or(false) },
    }
}

fn lifecycle(file: LifecycleFile) -> Lifecycle {
    Lifecycle { deprecated_at: file.deprecated_at, sunset_at: file.sunset_at, replacement: file.replacement }
}

fn route(file: RouteFile) -> Route {
    Route {
        provider: file.provider,
        native_id: file.native_id,
        passthrough: file.passthrough,
        priced: file.priced,
        only: file.only,
    }
}
