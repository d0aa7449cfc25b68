//! Submissions, and how they differ.

use std::path::PathBuf;

use reelmeter::provider::{Submission, SubmissionMedia, UpstreamId};
use reelmeter::video::catalog::InputMode;
use reelmeter::video::request::MediaRole;
use serde_json::{Map, Value};

pub fn repository() -> PathBuf {
    match option_env!("REELMETER_REPOSITORY") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."),
    }
}

/// Five seconds from a text.
pub fn submission() -> Submission {
    Submission {
        submit_key: "tsk_01KBCDEFGHJKMNPQRSTVWXYZ00-1".to_owned(),
        native_id: "some-model".to_owned(),
        model: "some/model".to_owned(),
        mode: InputMode::TextToVideo,
        prompt: "a paper boat in a gutter after rain".to_owned(),
        negative_prompt: None,
        media: Vec::new(),
        duration_s: 5,
        resolution: "720p".to_owned(),
        aspect_ratio: "16:9".to_owned(),
        width: 1_280,
        height: 720,
        audio: false,
        seed: None,
        clip: 0,
        clips: 1,
        options: Map::new(),
        extra: Map::new(),
        callback_url: Some("https://reelmeter.example/callbacks/instance/token".to_owned()),
    }
}

/// A file of a role, in our storage.
pub fn medium(role: MediaRole, n: usize) -> SubmissionMedia {
    let name = match role {
        MediaRole::FirstFrame => format!("first{n}.png"),
        MediaRole::LastFrame => format!("last{n}.png"),
        MediaRole::ReferenceImage => format!("reference{n}.png"),
        MediaRole::SourceVideo => format!("source{n}.mp4"),
        MediaRole::ReferenceVideo => format!("reference{n}.mp4"),
        MediaRole::Audio => format!("sound{n}.mp3"),
    };
    SubmissionMedia {
        role,
        url: format!("https://reelmeter.example/in/{name}"),
        file: Some(file(&name)),
        made_by: None,
    }
}

/// Four bytes in a store of their own.
fn file(name: &str) -> reelmeter::provider::InputFile {
    let kind = match name.rsplit('.').next() {
        Some("png") => "image/png",
        Some("mp4") => "video/mp4",
        _ => "audio/mpeg",
    };
    let folder = std::env::temp_dir().join("reelmeter-inputs");
    std::fs::create_dir_all(&folder).expect("a folder");
    if !folder.join(name).exists() {
        // Whole at once: others read it at the same time.
        let new = tempfile::NamedTempFile::new_in(&folder).expect("a file");
        std::fs::write(new.path(), b"file").expect("a file");
        new.persist(folder.join(name)).expect("a file");
    }
    let url = url::Url::from_directory_path(&folder).expect("a folder");
    reelmeter::provider::InputFile {
        content_type: kind.to_owned(),
        bytes: 4,
        key: name.to_owned(),
        store: reelmeter::media::Store::open(url.as_str()).expect("a store"),
    }
}

/// Changes the fields that are named.
pub fn changed(mut submission: Submission, fields: &Map<String, Value>) -> Submission {
    for (name, value) in fields {
        let text = || value.as_str().unwrap_or_else(|| panic!("{name} is a text")).to_owned();
        let number = || value.as_i64().unwrap_or_else(|| panic!("{name} is a number"));
        match name.as_str() {
            "native_id" => submission.native_id = text(),
            "model" => submission.model = text(),
            "prompt" => submission.prompt = text(),
            "negative_prompt" => submission.negative_prompt = Some(text()),
            "resolution" => submission.resolution = text(),
            "aspect_ratio" => submission.aspect_ratio = text(),
            "submit_key" => submission.submit_key = text(),
            "callback_url" => submission.callback_url = value.as_str().map(str::to_owned),
            "mode" => submission.mode = text().parse().expect("an input mode"),
            "duration_s" => submission.duration_s = u32::try_from(number()).expect("seconds"),
            "width" => submission.width = u32::try_from(number()).expect("pixels"),
            "height" => submission.height = u32::try_from(number()).expect("pixels"),
            "seed" => submission.seed = Some(number()),
            "audio" => submission.audio = value.as_bool().expect("true or false"),
            "options" => submission.options = value.as_object().expect("options").clone(),
            "extra" => submission.extra = value.as_object().expect("keys").clone(),
            "media" => submission.media = media(value),
            other => panic!("{other} is no field of a submission"),
        }
    }
    submission
}

/// `["first_frame", …]`, or `{"role": "source_video", "made_by": {"provider": …, "id": …}}`.
fn media(value: &Value) -> Vec<SubmissionMedia> {
    let list = value.as_array().expect("a list");
    let one = |(n, value): (usize, &Value)| {
        let role = value.get("role").unwrap_or(value);
        let role: MediaRole = serde_json::from_value(role.clone()).expect("a role");
        let made_by = value.get("made_by").map(|made_by| reelmeter::provider::MadeBy {
            provider: made_by["provider"].as_str().expect("a provider").to_owned(),
            id: UpstreamId(made_by["id"].as_str().expect("an id").to_owned()),
        });
        SubmissionMedia { made_by, ..medium(role, n + 1) }
    };
    list.iter().enumerate().map(one).collect()
}
