//! What a clip says about itself: the words on the picture, taken from the submission.

use percent_encoding::percent_decode_str;

use crate::provider::{Submission, SubmissionMedia};
use crate::video::request::MediaRole;

/// Longest file name worth drawing; the picture shortens further if it must.
const MAX_NAME_CHARS: usize = 200;

/// The words on one clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    pub model: String,
    pub mode: String,
    pub prompt: String,
    /// One line for each input: its role and the name of its file. Inputs are never fetched.
    pub media: Vec<String>,
    /// The settings that were priced, the most telling first.
    pub facts: Vec<String>,
}

impl Card {
    /// The card of the clip with this index. `seconds` is what will be delivered, which may be less than was asked.
    pub fn new(submission: &Submission, index: u32, seconds: u32) -> Self {
        Self {
            model: submission.model.clone(),
            mode: submission.mode.as_str().replace('_', " "),
            prompt: submission.prompt.clone(),
            media: submission.media.iter().map(describe).collect(),
            facts: facts(submission, index, seconds),
        }
    }
}

fn facts(submission: &Submission, index: u32, seconds: u32) -> Vec<String> {
    let mut facts =
        vec![submission.resolution.clone(), submission.aspect_ratio.clone(), format!("{seconds} s")];
    facts.retain(|fact| !fact.is_empty());
    if submission.clips > 1 || index > 0 {
        facts.push(format!("clip {}", index + 1));
    }
    if submission.audio {
        facts.push("audio".to_owned());
    }
    if let Some(seed) = submission.seed {
        facts.push(format!("seed {seed}"));
    }
    facts
}

fn describe(media: &SubmissionMedia) -> String {
    format!("{}: {}", words(media.role), file_name(&media.url))
}

fn words(role: MediaRole) -> &'static str {
    match role {
        MediaRole::FirstFrame => "first frame",
        MediaRole::LastFrame => "last frame",
        MediaRole::ReferenceImage => "reference",
        MediaRole::SourceVideo => "source",
        MediaRole::ReferenceVideo => "reference video",
        MediaRole::Audio => "audio",
    }
}

/// The last path segment of a URL, percent-decoded, without query and fragment; the whole URL if it has no path.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/');
    let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(url);
    // What is not valid afterwards is shown as it was written.
    let decoded = percent_decode_str(name).decode_utf8().unwrap_or(name.into());
    decoded.chars().take(MAX_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::sandbox::sample;

    #[test]
    fn an_input_is_named_by_the_last_segment_of_its_url() {
        let cases = [
            ("https://cdn.example/a/cat.png", "cat.png"),
            ("https://cdn.example/a/cat.png?sig=a/b#c", "cat.png"),
            ("https://cdn.example/%E7%8C%AB%20.png", "猫 .png"),
            ("https://cdn.example/100%.png", "100%.png"),
            ("https://cdn.example/%ff", "%ff"),
            ("https://cdn.example/", "cdn.example"),
            ("", ""),
        ];
        for (url, name) in cases {
            assert_eq!(file_name(url), name, "{url}");
        }
    }

    #[test]
    fn the_facts_name_what_was_asked() {
        let mut submission = sample("a cat");
        assert_eq!(facts(&submission, 0, 5), ["90p", "16:9", "5 s"]);
        (submission.audio, submission.seed, submission.clips) = (true, Some(7), 2);
        assert_eq!(facts(&submission, 1, 5), ["90p", "16:9", "5 s", "clip 2", "audio", "seed 7"]);
    }
}
