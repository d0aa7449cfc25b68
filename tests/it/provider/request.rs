//! What is sent for every model that is routed to an adapter, in every mode: as it is written down in `requests.txt`, and with
//! everything in it that was priced.
//!
//! `REELMETER_TEST_WRITE_REQUESTS=1 tests/run written_down` writes the files anew, to be read next to what the vendors document.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use reelmeter::provider::{MadeBy, Submission, SubmissionMedia, UpstreamId};
use reelmeter::video::catalog::{
    AspectRatio, Catalog, InputMode, Model, OptionName, Resolution, Route, dimensions,
};
use reelmeter::video::request::MediaRole;
use serde_json::{Map, Value, json};

use super::cases::{Stage, folder};
use super::sample;

/// A model in a mode, at an instance.
struct Asked<'a> {
    instance: &'a str,
    made_by: Option<&'a str>,
    needs: &'a [MediaRole],
    model: &'a Model,
    route: &'a Route,
    mode: InputMode,
}

fn catalog() -> Catalog {
    Catalog::load_dir(&sample::repository().join("catalog")).expect("the catalog loads")
}

fn asked<'a>(stage: &'a Stage, catalog: &'a Catalog) -> Vec<Asked<'a>> {
    let mut all = Vec::new();
    for instance in &stage.cases.instances {
        for model in catalog.models() {
            let routes = model.routes.iter().filter(|route| route.provider == instance.name);
            for route in routes {
                all.extend(model.modes.iter().filter(|mode| route.serves(**mode)).map(|mode| Asked {
                    instance: &instance.name,
                    made_by: stage.cases.made_by.as_deref(),
                    needs: stage.cases.needs.get(&format!("{} {mode}", model.id)).map_or(&[], Vec::as_slice),
                    model,
                    route,
                    mode: *mode,
                }));
            }
        }
    }
    all
}

impl Asked<'_> {
    /// The model's defaults, as far as the route makes them, and no more files than it needs.
    fn plain(&self) -> Submission {
        let model = self.model;
        let resolution = preferred(&self.resolutions(), model.default_resolution);
        let ratio = preferred(&self.ratios(), model.default_aspect_ratio);
        let (width, height) = dimensions(resolution, ratio);
        Submission {
            native_id: self.route.native_id.clone(),
            model: model.id.clone(),
            mode: self.mode,
            media: self.with_needed(self.media(false)),
            duration_s: preferred(&self.durations(), model.default_duration_s),
            resolution: resolution.as_str().to_owned(),
            aspect_ratio: ratio.to_string(),
            width,
            height,
            audio: preferred(&self.sounds(), model.audio.default_on()),
            callback_url: None,
            ..sample::submission()
        }
    }

    /// Everything that the model takes, and nothing as it is by default.
    fn full(&self) -> Submission {
        let plain = self.plain();
        let ratio = self.ratios().into_iter().find(|ratio| ratio.to_string() != plain.aspect_ratio);
        let ratio = ratio.unwrap_or(self.ratios()[0]);
        let resolution = self.resolutions().into_iter().max().expect("a resolution");
        let (width, height) = dimensions(resolution, ratio);
        Submission {
            media: self.with_needed(self.media(true)),
            duration_s: self.durations().into_iter().max().expect("a duration"),
            resolution: resolution.as_str().to_owned(),
            aspect_ratio: ratio.to_string(),
            width,
            height,
            audio: self.sounds().into_iter().find(|audio| *audio != plain.audio).unwrap_or(plain.audio),
            negative_prompt: self.takes(OptionName::NegativePrompt).then(|| "text, logos".to_owned()),
            seed: self.takes(OptionName::Seed).then_some(7),
            options: self.options(),
            extra: self.route.passthrough.iter().map(|key| (key.clone(), json!("as it is"))).collect(),
            callback_url: sample::submission().callback_url,
            ..plain
        }
    }

    /// The same, as long and as large as by default.
    fn shorter(&self, full: Submission) -> Submission {
        let Submission { duration_s, resolution, width, height, .. } = self.plain();
        Submission { duration_s, resolution, width, height, ..full }
    }

    /// The same without options and without a word about what is not wanted.
    fn wishless(&self, full: Submission) -> Submission {
        let extra = Map::new();
        Submission { options: Map::new(), negative_prompt: None, extra, ..self.shorter(full) }
    }

    fn resolutions(&self) -> Vec<Resolution> {
        let made = self.model.resolutions.iter().copied();
        made.filter(|resolution| self.route.makes(*resolution)).collect()
    }

    fn durations(&self) -> Vec<u32> {
        self.model.durations.iter().filter(|seconds| self.route.lasts(*seconds)).collect()
    }

    fn ratios(&self) -> Vec<AspectRatio> {
        if self.route.follows_source() {
            return vec![AspectRatio::Auto];
        }
        self.model.aspect_ratios.iter().copied().filter(|ratio| self.route.frames(*ratio)).collect()
    }

    fn sounds(&self) -> Vec<bool> {
        self.model.audio.choices().iter().copied().filter(|audio| self.route.sounds(*audio)).collect()
    }

    fn takes(&self, option: OptionName) -> bool {
        self.model.has_option(option) && !self.route.only.without.contains(&option)
    }

    fn options(&self) -> Map<String, Value> {
        let value = |option: OptionName| match option {
            OptionName::CameraControl => json!({ "type": "simple", "config": { "zoom": 5 } }),
            OptionName::CfgScale => json!(0.4),
            OptionName::Elements => {
                json!([{ "name": "boat", "description": "a paper boat", "element_input_urls": ["https://reelmeter.example/in/boat.png"] }])
            }
            OptionName::MultiPrompt => {
                json!([{ "prompt": "rain", "duration": 2 }, { "prompt": "sun", "duration": 3 }])
            }
            OptionName::ShotType => json!("customize"),
            OptionName::KeepAudio | OptionName::MultiShot | OptionName::Watermark => json!(true),
            OptionName::NegativePrompt | OptionName::Seed => Value::Null,
        };
        let keyed = self.model.options.iter().filter(|option| self.takes(**option));
        let keyed = keyed.filter_map(|option| Some((option.key()?.to_owned(), value(*option))));
        keyed.collect()
    }

    fn takes_last_frame(&self) -> bool {
        self.model.last_frame && self.route.only.last_frame != Some(false)
    }

    fn made_by(&self) -> Option<MadeBy> {
        let id = UpstreamId(self.made_by?.to_owned());
        Some(MadeBy { provider: self.instance.to_owned(), id })
    }

    fn with_needed(&self, mut media: Vec<SubmissionMedia>) -> Vec<SubmissionMedia> {
        for role in self.needs {
            if !media.iter().any(|medium| medium.role == *role) {
                media.push(sample::medium(*role, 1));
            }
        }
        media
    }

    fn media(&self, all: bool) -> Vec<SubmissionMedia> {
        let model = self.model;
        let several = |role: MediaRole, most: usize| (1..=most.min(2)).map(move |n| sample::medium(role, n));
        let least = |role: MediaRole| vec![sample::medium(role, 1)];
        let source =
            || vec![SubmissionMedia { made_by: self.made_by(), ..sample::medium(MediaRole::SourceVideo, 1) }];
        match (self.mode, all) {
            (InputMode::TextToVideo, _) => Vec::new(),
            (InputMode::ImageToVideo, true) if self.takes_last_frame() => {
                vec![sample::medium(MediaRole::FirstFrame, 1), sample::medium(MediaRole::LastFrame, 1)]
            }
            (InputMode::ImageToVideo, _) => least(MediaRole::FirstFrame),
            (InputMode::ReferenceToVideo, false) if model.max_images == 0 => least(MediaRole::ReferenceVideo),
            (InputMode::ReferenceToVideo, false) => least(MediaRole::ReferenceImage),
            (InputMode::ReferenceToVideo, true) => several(MediaRole::ReferenceImage, model.max_images)
                .chain(several(MediaRole::ReferenceVideo, model.max_videos))
                .chain(several(MediaRole::Audio, model.max_audios))
                .collect(),
            (InputMode::VideoToVideo | InputMode::VideoExtend, false) => source(),
            (InputMode::VideoToVideo | InputMode::VideoExtend, true) => {
                source().into_iter().chain(several(MediaRole::ReferenceImage, model.max_images)).collect()
            }
        }
    }
}

/// The value if it is among those that can be had, else the first of them.
fn preferred<T: Copy + PartialEq>(had: &[T], value: T) -> T {
    if had.contains(&value) { value } else { *had.first().expect("a route makes something") }
}

/// The requests of one submission, a line each: what is asked, and the body.
async fn sent(stage: &Stage, instance: &str, submission: &Submission) -> String {
    stage.script.heard();
    let outcome = stage.instance(instance).submit(submission).await;
    let always: BTreeSet<&str> =
        stage.cases.always.iter().map(|recorded| recorded.request.as_str()).collect();
    let heard = stage.script.heard();
    let own = heard.iter().filter(|request| !always.contains(request.request.as_str()));
    let lines: Vec<String> = own.map(|request| format!("{} {}", request.request, request.body)).collect();
    if lines.is_empty() {
        return format!("refused: {}", outcome.err().map(|error| error.to_string()).unwrap_or_default());
    }
    lines.join(" | ").replace(&stage.script.url(""), "{base}")
}

#[tokio::test]
async fn what_is_sent_for_each_model_is_written_down() {
    let catalog = catalog();
    let mut wrong = Vec::new();
    for stage in Stage::of_each().await {
        let mut text = String::new();
        for asked in asked(&stage, &catalog) {
            let place = format!("{} {} {}", asked.instance, asked.model.id, asked.mode);
            for (what, submission) in [("plain", asked.plain()), ("full", asked.full())] {
                let mut sent = sent(&stage, asked.instance, &submission).await;
                // Not everything may go together.
                for lesser in [asked.shorter(submission.clone()), asked.wishless(submission)] {
                    if sent.starts_with("refused") {
                        sent = self::sent(&stage, asked.instance, &lesser).await;
                    }
                }
                writeln!(text, "{place} {what}: {sent}").unwrap();
            }
        }
        let path = folder(stage.adapter).join("requests.txt");
        if std::env::var_os("REELMETER_TEST_WRITE_REQUESTS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        let differs =
            text.lines().zip(written.lines().chain(std::iter::repeat(""))).find(|(is, was)| is != was);
        if let Some((is, was)) = differs {
            wrong.push(format!("{}:\n  was: {was}\n  is:  {is}", path.display()));
        } else if text.lines().count() != written.lines().count() {
            wrong.push(format!("{} has other lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Two requests that differ in what decides the price differ in what is sent.
#[tokio::test]
async fn everything_that_is_priced_is_sent() {
    let catalog = catalog();
    let mut wrong = Vec::new();
    for stage in Stage::of_each().await {
        for asked in asked(&stage, &catalog) {
            let plain = sent(&stage, asked.instance, &asked.plain()).await;
            for (what, other) in others(&asked) {
                let known =
                    [format!("{} {what}", asked.mode), format!("{} {} {what}", asked.model.id, asked.mode)];
                let is_known = known.iter().any(|known| stage.cases.not_sent.contains_key(known));
                if !is_known && sent(&stage, asked.instance, &other).await == plain {
                    wrong.push(format!("{} {} {}: {what}", asked.instance, asked.model.id, asked.mode));
                }
            }
            if plain.starts_with("refused") {
                wrong.push(format!("{} {} {}: {plain}", asked.instance, asked.model.id, asked.mode));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The plain submission with one thing changed that may decide the price.
fn others(asked: &Asked<'_>) -> Vec<(&'static str, Submission)> {
    let plain = asked.plain();
    let mut others = Vec::new();
    // The length of an edit is that of what is edited.
    let has_length = asked.mode != InputMode::VideoToVideo;
    if let Some(duration_s) =
        asked.durations().into_iter().find(|s| *s != plain.duration_s).filter(|_| has_length)
    {
        others.push(("duration", Submission { duration_s, ..plain.clone() }));
    }
    let other = asked.resolutions().into_iter().find(|resolution| resolution.as_str() != plain.resolution);
    if let Some(resolution) = other {
        let ratio = plain.aspect_ratio.parse().expect("a ratio");
        let (width, height) = dimensions(resolution, ratio);
        let resolution = resolution.as_str().to_owned();
        others.push(("resolution", Submission { resolution, width, height, ..plain.clone() }));
    }
    if asked.sounds().len() > 1 {
        others.push(("audio", Submission { audio: !plain.audio, ..plain.clone() }));
    }
    others
}
