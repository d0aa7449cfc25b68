//! The kinds of work: each has a path of its own, and is the first part of an id.

use crate::provider::{Submission, UpstreamId};
use crate::video::catalog::InputMode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Image,
    Images,
    Omni,
    Extend,
    Motion,
    Avatar,
    TurboText,
    TurboImage,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Text,
        Kind::Image,
        Kind::Images,
        Kind::Omni,
        Kind::Extend,
        Kind::Motion,
        Kind::Avatar,
        Kind::TurboText,
        Kind::TurboImage,
    ];

    /// The kind of a submission, or why there is none.
    pub fn of(submission: &Submission) -> Result<Kind, &'static str> {
        let model = submission.native_id.as_str();
        let is_turbo = model.starts_with("kling-3.0-turbo");
        Ok(match submission.mode {
            _ if model.starts_with("motion-control/") => Kind::Motion,
            _ if model == "avatar" => Kind::Avatar,
            _ if model.ends_with("-omni") || model == "kling-video-o1" => Kind::Omni,
            InputMode::TextToVideo if is_turbo => Kind::TurboText,
            InputMode::ImageToVideo if is_turbo => Kind::TurboImage,
            InputMode::TextToVideo => Kind::Text,
            InputMode::ImageToVideo => Kind::Image,
            InputMode::ReferenceToVideo => Kind::Images,
            InputMode::VideoExtend => Kind::Extend,
            InputMode::VideoToVideo => return Err("the model edits no videos there"),
        })
    }

    /// What an id starts with.
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "text2video",
            Kind::Image => "image2video",
            Kind::Images => "multi-image2video",
            Kind::Omni => "omni-video",
            Kind::Extend => "video-extend",
            Kind::Motion => "motion-control",
            Kind::Avatar => "avatar",
            Kind::TurboText => "text-to-video",
            Kind::TurboImage => "image-to-video",
        }
    }

    /// The newer style: all tasks are read at one path, and an access key with a secret opens nothing.
    pub fn is_turbo(self) -> bool {
        matches!(self, Kind::TurboText | Kind::TurboImage)
    }

    pub fn path(self) -> String {
        match self {
            Kind::TurboText | Kind::TurboImage => format!("{}/kling-3.0-turbo", self.name()),
            Kind::Avatar => "v1/videos/avatar/image2video".to_owned(),
            _ => format!("v1/videos/{}", self.name()),
        }
    }

    pub fn id(self, task: &str) -> UpstreamId {
        UpstreamId(format!("{}/{task}", self.name()))
    }

    pub fn split(id: &UpstreamId) -> Option<(Kind, &str)> {
        let (name, task) = id.0.split_once('/')?;
        Some((Kind::ALL.into_iter().find(|kind| kind.name() == name)?, task))
    }

    /// Whether sound is a switch.
    pub fn has_sound(self, model: &str) -> bool {
        matches!(model, "kling-v2-6" | "kling-v3" | "kling-v3-omni")
            && matches!(self, Kind::Text | Kind::Image | Kind::Omni)
    }
}

/// What it calls the model, without the endpoint that our name of it may start with.
pub fn model_name(submission: &Submission) -> &str {
    submission.native_id.rsplit('/').next().unwrap_or_default()
}
