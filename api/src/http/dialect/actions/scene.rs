//! Scenes: this dialect's words for what a video is made from, and the model of each.

use crate::video::catalog::{Catalog, InputMode, Model};
use crate::video::read::TaskView;
use crate::video::request::{FieldErrors, GenerateRequest};

/// The name under which a task keeps a scene that its input mode does not tell.
pub const KEPT_AS: &str = "scene";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the words of the format")]
pub enum Scene {
    #[default]
    TextToVideo,
    ImageToVideo,
    VideoToVideo,
    /// Whatever is given: an advertisement is made like anything else.
    AdVideo,
}

impl Scene {
    pub const ALL: [Scene; 4] =
        [Scene::TextToVideo, Scene::ImageToVideo, Scene::VideoToVideo, Scene::AdVideo];

    pub fn as_str(self) -> &'static str {
        match self {
            Scene::TextToVideo => "text-to-video",
            Scene::ImageToVideo => "image-to-video",
            Scene::VideoToVideo => "video-to-video",
            Scene::AdVideo => "ad-video",
        }
    }

    pub fn named(text: &str) -> Option<Scene> {
        Scene::ALL.into_iter().find(|scene| scene.as_str() == text)
    }

    /// The scene of a task, in whichever dialect it was made.
    pub fn of(view: &TaskView) -> Scene {
        let kept = view.terms.request.metadata.get(KEPT_AS).and_then(|kept| kept.as_str());
        kept.and_then(Scene::named).unwrap_or_else(|| Scene::of_mode(view.terms.effective.mode))
    }

    fn of_mode(mode: InputMode) -> Scene {
        match mode {
            InputMode::TextToVideo => Scene::TextToVideo,
            InputMode::ImageToVideo | InputMode::ReferenceToVideo => Scene::ImageToVideo,
            InputMode::VideoToVideo | InputMode::VideoExtend => Scene::VideoToVideo,
        }
    }

    /// The model of a request that names none.
    pub fn default_model(self, given: Given, catalog: &Catalog) -> Option<&str> {
        let mode = match (self, given) {
            (Scene::ImageToVideo, _) | (Scene::AdVideo, Given { images: 1.., .. }) => InputMode::ImageToVideo,
            (Scene::VideoToVideo, _) | (Scene::AdVideo, Given { videos: 1.., .. }) => InputMode::VideoToVideo,
            (Scene::TextToVideo | Scene::AdVideo, _) => InputMode::TextToVideo,
        };
        catalog.default_model(mode).map(|model| model.id.as_str())
    }

    /// The input modes that the scene stands for, the plain one first.
    fn modes(self) -> &'static [InputMode] {
        use InputMode::*;
        match self {
            Scene::TextToVideo => &[TextToVideo],
            Scene::ImageToVideo => &[ImageToVideo, ReferenceToVideo],
            Scene::VideoToVideo => &[VideoToVideo, VideoExtend, ReferenceToVideo],
            Scene::AdVideo => &InputMode::ALL,
        }
    }

    /// Holds what the inputs and the model come to against what the scene says.
    pub fn check(self, request: &mut GenerateRequest, given: Given, model: Option<&Model>) -> FieldErrors {
        let mut errors = FieldErrors::default();
        let (Some(mode), Some(model)) = (request.input_mode, model) else { return errors };
        if self.modes().contains(&mode) {
            return errors;
        }
        request.input_mode = self.modes().first().copied();
        let (field, message) = self.misfit(given, model);
        errors.push(field, message);
        errors
    }

    fn misfit(self, given: Given, model: &Model) -> (&'static str, String) {
        let scene = self.as_str();
        match (self, given) {
            (Scene::TextToVideo, Given { images: 1.., .. }) => {
                ("imageInput", format!("{scene} takes no image: send scene image-to-video"))
            }
            (Scene::TextToVideo | Scene::ImageToVideo, Given { videos: 1.., .. }) => {
                ("videoInput", format!("{scene} takes no video: send scene video-to-video"))
            }
            (Scene::ImageToVideo, Given { images: 0, .. }) => {
                ("imageInput", format!("Required: {scene} needs an image"))
            }
            (Scene::VideoToVideo, Given { videos: 0, .. }) => {
                ("videoInput", format!("Required: {scene} needs a video"))
            }
            _ => {
                let mut scenes: Vec<&str> =
                    model.modes.iter().map(|mode| Scene::of_mode(*mode).as_str()).collect();
                scenes.dedup();
                ("scene", format!("{} is for {}", model.id, scenes.join(", ")))
            }
        }
    }
}

/// How many inputs of each kind there are.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub images: usize,
    pub videos: usize,
}
