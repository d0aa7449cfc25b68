//! What each model can do and where it runs, read once from `catalog/*.toml`.
//!
//! Data only: nothing here knows a model by name, and nothing here is money (that is the price book). A catalog that
//! loads is consistent: names are unique, every default is among the allowed values, every replacement and every
//! provider of a route exists.

mod check;
mod file;
mod limits;
mod name;
mod size;
mod value;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use entity::Mode;
use serde::Deserialize;
use url::Url;

pub use limits::{Facts, FileLimits, InputLimits};
pub use name::{KnownField, OptionName};
pub use size::{AspectRatio, Resolution, dimensions};
pub use value::{Audio, Date, Durations, InputMode, ValueError, join};

/// Every model and provider, in the order of the files.
#[derive(Clone, Debug)]
pub struct Catalog {
    models: Vec<Arc<Model>>,
    /// Position in `models` by id and by alias.
    by_name: HashMap<String, usize>,
    providers: Vec<Provider>,
    /// Ids of the models that are ours to choose, by what is given.
    defaults: BTreeMap<InputMode, String>,
}

/// One model as customers know it.
#[derive(Clone, Debug)]
pub struct Model {
    pub id: String,
    /// Other spellings of the same model.
    pub aliases: Vec<String>,
    pub family: String,
    pub modes: Vec<InputMode>,
    /// Takes a last frame beside the first one.
    pub last_frame: bool,
    pub durations: Durations,
    pub default_duration_s: u32,
    /// Makes the next longer clip of a length that it can't make, instead of refusing it.
    pub rounds_duration_up: bool,
    /// Ascending.
    pub resolutions: Vec<Resolution>,
    pub default_resolution: Resolution,
    /// In order of preference.
    pub aspect_ratios: Vec<AspectRatio>,
    pub default_aspect_ratio: AspectRatio,
    pub audio: Audio,
    /// Frames and reference images together.
    pub max_images: usize,
    /// Source and reference videos together.
    pub max_videos: usize,
    pub max_audios: usize,
    /// What the family's providers take of each file.
    pub inputs: InputLimits,
    /// Whether the family's makers read flags in prompts, such as `--dur 12`. They are not sent.
    pub flags_in_prompts: bool,
    pub prompt_max_chars: usize,
    pub prompt_required: bool,
    /// Modes in which it is not, although otherwise it is.
    pub prompt_optional_in: Vec<InputMode>,
    /// Clips that one request may ask for.
    pub count_max: u16,
    pub options: BTreeSet<OptionName>,
    pub lifecycle: Lifecycle,
    /// Live providers, the preferred one first.
    pub routes: Vec<Route>,
}

/// When a model goes away. All empty for a current one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    pub deprecated_at: Option<Date>,
    /// From this day on live requests are refused.
    pub sunset_at: Option<Date>,
    /// The id of the model to use instead.
    pub replacement: Option<String>,
}

/// One way to have a model's clips made.
#[derive(Clone, Debug)]
pub struct Route {
    pub provider: String,
    /// What the provider calls the model.
    pub native_id: String,
    /// Keys of `extra` that this route forwards verbatim; they cost nothing.
    pub passthrough: BTreeSet<String>,
    /// Keys of `extra` that mean a field of ours. They become that field before anything is checked or priced.
    pub priced: BTreeMap<String, KnownField>,
    /// What it makes, if not everything that the model can.
    pub only: RouteLimits,
}

/// What a route makes of what its model can. Whatever is left out is not limited here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteLimits {
    pub modes: Option<Vec<InputMode>>,
    pub resolutions: Option<Vec<Resolution>>,
    pub aspect_ratios: Option<Vec<AspectRatio>>,
    /// Seconds.
    pub durations: Option<Vec<u32>>,
    /// Seconds of the shortest and the longest clip.
    pub duration_range: Option<[u32; 2]>,
    pub audio: Option<bool>,
    /// Whether it takes a last frame.
    pub last_frame: Option<bool>,
    /// Options that it has no field for.
    pub without: BTreeSet<OptionName>,
}

/// What a route must be able to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub mode: InputMode,
    pub resolution: Resolution,
    pub aspect_ratio: AspectRatio,
    pub duration_s: u32,
    pub audio: bool,
    pub last_frame: bool,
    pub options: BTreeSet<OptionName>,
}

impl Route {
    pub fn serves(&self, mode: InputMode) -> bool {
        is_among(&self.only.modes, mode)
    }

    pub fn makes(&self, resolution: Resolution) -> bool {
        is_among(&self.only.resolutions, resolution)
    }

    pub fn lasts(&self, seconds: u32) -> bool {
        let in_range = self.only.duration_range.is_none_or(|[least, most]| (least..=most).contains(&seconds));
        in_range && is_among(&self.only.durations, seconds)
    }

    pub fn frames(&self, ratio: AspectRatio) -> bool {
        is_among(&self.only.aspect_ratios, ratio)
    }

    pub fn sounds(&self, audio: bool) -> bool {
        self.only.audio.is_none_or(|only| only == audio)
    }

    /// Whether its clips have the shape of what they are made from, whatever is asked for.
    pub fn follows_source(&self) -> bool {
        self.only.aspect_ratios.as_deref() == Some(&[AspectRatio::Auto])
    }

    /// Whether it can make this. A shape that is wished for beside a source is no reason to make nothing.
    pub fn can_make(&self, wanted: &Wanted) -> bool {
        self.serves(wanted.mode)
            && self.makes(wanted.resolution)
            && (self.follows_source() || self.frames(wanted.aspect_ratio))
            && self.lasts(wanted.duration_s)
            && self.sounds(wanted.audio)
            && (self.only.last_frame != Some(false) || !wanted.last_frame)
            && self.only.without.is_disjoint(&wanted.options)
    }
}

fn is_among<T: PartialEq>(list: &Option<Vec<T>>, value: T) -> bool {
    list.as_ref().is_none_or(|list| list.contains(&value))
}

/// A configured upstream, or the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub name: String,
    /// Live and test never meet: a provider serves one of them.
    pub mode: Mode,
    /// Serves every model under its own id, retired ones too; otherwise only the routes that name it.
    pub serves_all: bool,
    /// Which of our adapters speaks to it: that of its own name, unless another one is named.
    pub adapter: String,
    /// Where its API is, if it has one address.
    pub url: Option<Url>,
}

/// Where a task may be sent, and what the model is called there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    pub provider: &'a str,
    pub native_id: &'a str,
}

/// Why the catalog did not load.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{file}: {message}")]
    Syntax { file: String, message: String },
    /// Every contradiction found, each a sentence.
    #[error("the catalog contradicts itself:\n{}", .0.join("\n"))]
    Inconsistent(Vec<String>),
}

impl Catalog {
    /// Reads files given as (name, text). Names only serve error messages.
    pub fn parse<N, T>(files: impl IntoIterator<Item = (N, T)>) -> Result<Catalog, CatalogError>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        let mut all = file::CatalogFile::default();
        for (name, text) in files {
            all.append(file::CatalogFile::parse(name.as_ref(), text.as_ref())?);
        }
        all.build()
    }

    /// Reads every `*.toml` of a folder, in the order of their names.
    pub fn load_dir(dir: &Path) -> Result<Catalog, CatalogError> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(|source| unreadable(dir, source))? {
            let path = entry.map_err(|source| unreadable(dir, source))?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|source| unreadable(&path, source))?;
            files.push((path.display().to_string(), text));
        }
        Catalog::parse(files)
    }

    /// A model by its id or one of its aliases, exactly as written.
    pub fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.by_name.get(name).and_then(|index| self.models.get(*index))
    }

    /// The model of a request that names none, where its dialect leaves the choice to us.
    pub fn default_model(&self, mode: InputMode) -> Option<&Arc<Model>> {
        self.model(self.defaults.get(&mode)?)
    }

    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Where a task of this model may go, the preferred place first; empty when nobody serves it.
    ///
    /// Live tasks go only to routes that forward every one of the `passthrough` keys. Test tasks go to the providers
    /// that serve every model in test mode; those read no provider's own keys and so accept them all. What exactly is `wanted`
    /// leaves the routes out that can't make it.
    pub fn routes_for<'a>(
        &'a self,
        model: &'a Model,
        mode: Mode,
        passthrough: &BTreeSet<String>,
        wanted: Option<&Wanted>,
    ) -> Vec<Destination<'a>> {
        match mode {
            Mode::Test => self.test_destinations(model),
            Mode::Live => model.live_destinations(passthrough, wanted),
        }
    }

    fn test_destinations<'a>(&'a self, model: &'a Model) -> Vec<Destination<'a>> {
        let serving = self.providers.iter().filter(|p| p.mode == Mode::Test && p.serves_all);
        serving.map(|p| Destination { provider: &p.name, native_id: &model.id }).collect()
    }
}

impl Model {
    pub fn needs_prompt(&self, mode: InputMode) -> bool {
        self.prompt_required && !self.prompt_optional_in.contains(&mode)
    }

    pub fn has_option(&self, option: OptionName) -> bool {
        self.options.contains(&option)
    }

    fn live_destinations(
        &self,
        passthrough: &BTreeSet<String>,
        wanted: Option<&Wanted>,
    ) -> Vec<Destination<'_>> {
        let makes = |route: &&Route| wanted.is_none_or(|wanted| route.can_make(wanted));
        let able = self.routes.iter().filter(|route| passthrough.is_subset(&route.passthrough)).filter(makes);
        able.map(|r| Destination { provider: &r.provider, native_id: &r.native_id }).collect()
    }
}

impl Lifecycle {
    pub fn is_deprecated(&self, now_unix: i64) -> bool {
        self.deprecated_at.is_some_and(|date| date.unix_seconds() <= now_unix)
    }

    /// From the first second of the sunset day on.
    pub fn is_retired(&self, now_unix: i64) -> bool {
        self.sunset_at.is_some_and(|date| date.unix_seconds() <= now_unix)
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> CatalogError {
    CatalogError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
