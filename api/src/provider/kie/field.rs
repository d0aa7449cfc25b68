//! How a member of a request is made of a submission. Members that they don't know are ignored without a word, so that nothing
//! is sent but what a model's table names, and what the table has no place for is refused before anything is sent.

use serde_json::{Map, Value, json};

use super::{limit, shot};
use crate::provider::{Submission, SubmissionMedia};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// A member by its name, and what it is made of.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub source: Source,
}

#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// Of so many characters at most.
    Prompt(usize),
    /// Of so many characters at most.
    Negative(usize),
    /// Always the same, unless one of the customer's own keys says otherwise.
    Fixed(&'static str),
    NativeId,
    /// Nothing but one clip.
    OneClip,
    Seconds,
    SecondsText,
    /// The length in frames, at so many a second.
    Frames(u32),
    /// So many frames a second.
    FrameRate(u32),
    /// As we write it, such as `720p` or `4k`.
    Resolution,
    /// `768P`, `2K`.
    ResolutionUpper,
    /// Kling's: `std`, `pro`, `4K`.
    Mode,
    /// Sora's: `standard`, `high`.
    Quality,
    /// With their word for the shape of the input; it is left out where they have none.
    Ratio(Option<&'static str>),
    /// Sora's: `landscape`, `portrait`.
    Orientation,
    /// The address of a file, if it is there.
    Link(MediaRole),
    /// The address of a file that must be there.
    NeededLink(MediaRole),
    /// The addresses of files, if there are any.
    Links(&'static [MediaRole]),
    /// A list with the address of a file that must be there.
    NeededLinks(MediaRole),
    /// Gemini Omni's, with the seconds to take of each.
    Videos(&'static [MediaRole]),
    Sound,
    /// A number below `span`, from `least`.
    Seed {
        least: i64,
        span: i64,
    },
    /// An option as it is.
    Option(&'static str),
    /// `origin` or `auto`.
    KeepAudio,
    /// Whether there may be several shots.
    MultiShot,
    /// Whether there are several shots as described.
    PlannedShots,
    /// Whether there are several shots as the model likes.
    FreeShots,
    /// Those that are described.
    Shots(shot::Limits),
    /// The prompt as the only scene of a storyboard.
    OneScene,
    /// With these members each.
    Elements(&'static [&'static str]),
    /// Veo's word for the kind of input.
    Generation,
    /// The task that this one goes on from.
    OriginTask,
    /// The second at which it does.
    OriginEnd,
}

/// A task of theirs that a submission goes on from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub task: String,
    /// Seconds, where they matter.
    pub ends_at_s: Option<Value>,
}

/// Why something can't be asked for there.
pub type Reason = &'static str;

/// Everything that is sent of a submission, with the customer's own keys. Ours are never overwritten: they were priced.
pub fn members(
    fields: &[Field],
    submission: &Submission,
    origin: Option<&Origin>,
) -> Result<Map<String, Value>, Reason> {
    if let Some(reason) = without_place(fields, submission).or_else(|| limit::beyond(submission)) {
        return Err(reason);
    }
    let mut members = Map::new();
    for field in fields {
        let is_overruled =
            matches!(field.source, Source::Fixed(_)) && submission.extra.contains_key(field.name);
        if !is_overruled && let Some(value) = field.source.value(submission, origin)? {
            members.insert(field.name.to_owned(), value);
        }
    }
    for (key, value) in &submission.extra {
        members.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Ok(members)
}

/// What is asked for and has no place among the fields.
fn without_place(fields: &[Field], submission: &Submission) -> Option<Reason> {
    let has = |takes: fn(&Source) -> bool| fields.iter().any(|field| takes(&field.source));
    let carried: usize = fields.iter().map(|field| field.source.files(submission).len()).sum();
    let is_placed = |option: &str| fields.iter().any(|field| field.source.is_of_option(option));
    let mut wishes = submission.options.iter().filter(|(_, value)| is_wish(value));
    if carried < submission.media.len() {
        return Some("there is no place for one of the files");
    }
    if submission.seed.is_some() && !has(|source| matches!(source, Source::Seed { .. })) {
        return Some("the model takes no seed there");
    }
    if submission.negative_prompt.is_some() && !has(|source| matches!(source, Source::Negative(_))) {
        return Some("the model takes no negative prompt there");
    }
    wishes.any(|(option, _)| !is_placed(option)).then_some("the model doesn't take one of the options there")
}

/// Whether an option asks for something: what is off or empty is so by default.
fn is_wish(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
        && value.as_array().is_none_or(|items| !items.is_empty())
}

impl Source {
    fn value(&self, submission: &Submission, origin: Option<&Origin>) -> Result<Option<Value>, Reason> {
        let seconds = submission.duration_s;
        Ok(Some(match self {
            Source::Prompt(most) => return text(&submission.prompt, *most),
            Source::Negative(most) => {
                return text(submission.negative_prompt.as_deref().unwrap_or_default(), *most);
            }
            Source::Fixed(word) => json!(word),
            Source::NativeId => json!(submission.native_id),
            Source::OneClip => json!(1),
            Source::Seconds => json!(seconds),
            Source::SecondsText => json!(seconds.to_string()),
            Source::Frames(rate) => json!(seconds.saturating_mul(*rate)),
            Source::FrameRate(rate) => json!(rate),
            Source::Resolution => json!(submission.resolution),
            Source::ResolutionUpper => json!(submission.resolution.to_uppercase()),
            Source::Mode => json!(word(&submission.resolution, &MODES)?),
            Source::Quality => json!(word(&submission.resolution, &QUALITIES)?),
            Source::Ratio(auto) => return Ok(ratio(submission, *auto)),
            Source::Orientation => json!(word(&submission.aspect_ratio, &ORIENTATIONS)?),
            Source::Sound => json!(submission.audio),
            Source::Seed { least, span } => return Ok(seed(submission.seed, *least, *span)),
            Source::Option(name) => return Ok(submission.options.get(*name).cloned()),
            Source::KeepAudio => return Ok(kept_audio(submission)),
            Source::MultiShot => json!(shot::plan(submission)? != shot::Plan::Single),
            Source::PlannedShots => json!(matches!(shot::plan(submission)?, shot::Plan::Planned(_))),
            Source::FreeShots => json!(shot::plan(submission)? == shot::Plan::Free),
            Source::Shots(limits) => return shot::shots(submission, *limits),
            Source::OneScene => json!([{ "Scene": submission.prompt, "duration": seconds }]),
            Source::Elements(members) => return shot::elements(submission, members),
            Source::Generation => json!(generation(submission.mode)?),
            Source::OriginTask => return Ok(origin.map(|origin| json!(origin.task))),
            Source::OriginEnd => return Ok(origin.and_then(|origin| origin.ends_at_s.clone())),
            _ => return self.addresses(submission),
        }))
    }

    /// The files that go into it.
    fn files<'a>(&self, submission: &'a Submission) -> Vec<&'a SubmissionMedia> {
        match self {
            Source::Link(role) | Source::NeededLink(role) | Source::NeededLinks(role) => {
                submission.one(*role).into_iter().collect()
            }
            Source::Links(roles) | Source::Videos(roles) => {
                roles.iter().flat_map(|role| submission.all(*role)).collect()
            }
            Source::OriginTask => submission.one(MediaRole::SourceVideo).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn addresses(&self, submission: &Submission) -> Result<Option<Value>, Reason> {
        let urls: Vec<&str> = self.files(submission).iter().map(|file| file.url.as_str()).collect();
        match (self, urls.first()) {
            (Source::NeededLink(_) | Source::NeededLinks(_), None) => {
                Err("one of the files that it needs is missing")
            }
            (_, None) => Ok(None),
            (Source::Link(_) | Source::NeededLink(_), Some(first)) => Ok(Some(json!(first))),
            (Source::Videos(_), _) => {
                let part = |url| json!({ "url": url, "start": 0, "ends": submission.duration_s });
                Ok(Some(urls.iter().map(part).collect()))
            }
            _ => Ok(Some(json!(urls))),
        }
    }

    fn is_of_option(&self, option: &str) -> bool {
        match self {
            Source::Option(name) => *name == option,
            Source::KeepAudio => option == "keep_audio",
            Source::MultiShot => option == "multi_shot",
            Source::Shots(_) => matches!(option, "multi_shot" | "multi_prompt" | "shot_type"),
            Source::Elements(_) => option == "elements",
            _ => false,
        }
    }
}

/// What we write, and they.
type Words = [(&'static str, &'static str)];

const MODES: [(&str, &str); 3] = [("720p", "std"), ("1080p", "pro"), ("4k", "4K")];
const QUALITIES: [(&str, &str); 2] = [("720p", "standard"), ("1080p", "high")];
const ORIENTATIONS: [(&str, &str); 2] = [("16:9", "landscape"), ("9:16", "portrait")];

fn word(ours: &str, words: &Words) -> Result<&'static str, Reason> {
    let found = words.iter().find(|(word, _)| *word == ours);
    found.map(|(_, theirs)| *theirs).ok_or("there is no word for this size or shape")
}

fn text(text: &str, most: usize) -> Result<Option<Value>, Reason> {
    match text.chars().count() {
        0 => Ok(None),
        characters if characters > most => Err("a prompt is longer than they take"),
        _ => Ok(Some(json!(text))),
    }
}

fn ratio(submission: &Submission, auto: Option<&str>) -> Option<Value> {
    match submission.aspect_ratio.as_str() {
        "auto" => auto.map(Value::from),
        ratio => Some(json!(ratio)),
    }
}

/// A seed only has to give the same again: what they don't take is folded into what they do.
fn seed(seed: Option<i64>, least: i64, span: i64) -> Option<Value> {
    let above = seed?.checked_sub(least)?.checked_rem_euclid(span)?;
    Some(json!(least.checked_add(above)?))
}

fn kept_audio(submission: &Submission) -> Option<Value> {
    let keeps = submission.options.get("keep_audio")?.as_bool()?;
    Some(json!(if keeps { "origin" } else { "auto" }))
}

fn generation(mode: InputMode) -> Result<&'static str, Reason> {
    match mode {
        InputMode::TextToVideo => Ok("TEXT_2_VIDEO"),
        InputMode::ImageToVideo => Ok("FIRST_AND_LAST_FRAMES_2_VIDEO"),
        InputMode::ReferenceToVideo => Ok("REFERENCE_2_VIDEO"),
        InputMode::VideoToVideo | InputMode::VideoExtend => Err("it takes no video"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_they_take_stays_and_any_other_is_folded_into_their_range() {
        for (ours, theirs) in
            [(10_000, 10_000), (99_999, 99_999), (42, 90_042), (100_000, 10_000), (-1, 89_999)]
        {
            assert_eq!(seed(Some(ours), 10_000, 90_000), Some(json!(theirs)), "{ours}");
        }
        assert_eq!(seed(Some(i64::from(u32::MAX)), 0, 1 << 31), Some(json!((1_i64 << 31) - 1)));
        assert_eq!(seed(None, 0, 10), None);
    }
}
