//! An order in this dialect's words, and the request that it stands for.

use std::time::Duration;

use serde_json::Value;

use super::super::gateway::{Folded, Nested, Route, Sent, Wish, addresses, fold_nested};
use super::scene::{Given, KEPT_AS, Scene};
use crate::http::body::Fields;
use crate::video::catalog::Catalog;

const TIMEOUT: Duration = Duration::from_secs(600);
/// Longer waits end after so long.
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
const WORKSPACE: &str = "workspaceId";
/// As long as what can be searched for.
const WORKSPACE_MAX_CHARS: usize = 255;

/// This dialect writes names as one word with humps.
const OPTIONS: Nested = Nested {
    field: "options",
    prefix: "options.",
    spellings: &[
        ("aspectRatio", "aspect_ratio"),
        ("audioInput", "audio_urls"),
        ("callbackUrl", "callback_url"),
        ("cameraControl", "camera_control"),
        ("cfgScale", "cfg_scale"),
        ("count", "n"),
        ("endImage", "last_frame"),
        ("externalTaskId", "external_task_id"),
        ("generateAudio", "generate_audio"),
        ("keepAudio", "keep_audio"),
        ("lastFrame", "last_frame"),
        ("multiPrompt", "multi_prompt"),
        ("multiShot", "multi_shot"),
        ("negativePrompt", "negative_prompt"),
        ("referenceImages", "reference_images"),
        ("shotType", "shot_type"),
    ],
};

/// How long the answer is waited for.
pub fn timeout(body: &mut Fields) -> Duration {
    let asked = body.whole::<u64>("timeoutMs").map(Duration::from_millis);
    asked.map_or(TIMEOUT, |asked| asked.min(TIMEOUT_MAX))
}

pub fn fold(mut body: Fields, catalog: &Catalog) -> Folded {
    let expected = format!("one of {}", Scene::ALL.map(Scene::as_str).join(", "));
    let scene = body.word("scene", &expected, Scene::named).unwrap_or_default();
    let provider = body.text("provider");
    let quote_id = body.text("quoteId");
    let workspace = workspace(&mut body);
    let images = listed(&mut body, "imageInput", "image");
    let videos = listed(&mut body, "videoInput", "video");
    let given = Given { images, videos };
    lift(&mut body);
    let model = scene.default_model(given, catalog).map(str::to_owned);
    let named = body.peek("model").and_then(Value::as_str).or(model.as_deref());
    let known = named.and_then(|name| catalog.model(name)).cloned();
    let takes_two =
        scene == Scene::ImageToVideo && images == 2 && known.as_ref().is_some_and(|model| model.last_frame);
    let wish = takes_two.then_some(Wish::I2vFirstLast);
    let sent = [("image", "imageInput"), ("video", "videoInput"), ("metadata", "options")];
    let sent: Sent = sent.map(|(name, sent)| (name.to_owned(), sent.to_owned())).into();
    let mut folded = fold_nested(body, OPTIONS, sent, catalog, Route { model: model.as_deref(), wish });
    folded.errors.merge(scene.check(&mut folded.request, given, known.as_deref()));
    folded.names.say("inputMode", "scene");
    folded.quote_id = quote_id;
    folded.request.provider = provider;
    folded.request.metadata.extend(kept(scene, workspace));
    folded
}

/// What the task keeps beside what it is made from.
fn kept(scene: Scene, workspace: Option<String>) -> impl Iterator<Item = (String, Value)> {
    let scene = (scene == Scene::AdVideo).then(|| (KEPT_AS.to_owned(), scene.as_str().into()));
    let workspace = workspace.map(|id| (WORKSPACE.to_owned(), id.into()));
    scene.into_iter().chain(workspace)
}

fn workspace(body: &mut Fields) -> Option<String> {
    let id = body.text(WORKSPACE);
    let fits = |id: &String| (1..=WORKSPACE_MAX_CHARS).contains(&id.chars().count());
    body.checked(WORKSPACE, id, fits, &format!("1 to {WORKSPACE_MAX_CHARS} characters"))
}

/// What may be in `options` may stand beside it as well.
fn lift(body: &mut Fields) {
    for (theirs, ours) in OPTIONS.spellings {
        let Some(value) = body.value(theirs) else { continue };
        if !body.lay(ours, &value) {
            body.wrong(theirs, format!("Contradicts {ours}: send one of them"));
        }
    }
}

/// Puts a list of addresses where they are looked for, and says how many they are.
fn listed(body: &mut Fields, theirs: &str, ours: &str) -> usize {
    let Some(value) = body.value(theirs) else { return 0 };
    let found = match &value {
        Value::String(text) => Some(split(text)),
        Value::Array(_) => addresses(&value),
        _ => None,
    };
    let Some(found) = found else {
        body.wrong(
            theirs,
            "Must be an address or several, as a list or in one text with commas between them",
        );
        return 0;
    };
    if !found.is_empty() && !body.lay(ours, &found.clone().into()) {
        body.wrong(theirs, format!("Contradicts {ours}: send one of them"));
    }
    found.len()
}

/// A comma ends an address only where the next one begins: addresses have commas of their own.
fn split(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in text.trim().trim_end_matches([',', ' ']).split(',') {
        match found.last_mut() {
            Some(last) if !is_beginning(piece.trim_start()) => {
                last.push(',');
                last.push_str(piece);
            }
            _ => found.push(piece.trim_start().to_owned()),
        }
    }
    found
        .into_iter()
        .map(|address| address.trim_end().to_owned())
        .filter(|address| !address.is_empty())
        .collect()
}

fn is_beginning(text: &str) -> bool {
    let begins =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    ["https://", "http://", "upl_", "data:"].into_iter().any(begins)
}

#[cfg(test)]
mod tests;
