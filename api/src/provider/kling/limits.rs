//! What its models don't make, although they make each part of it. From its capability maps: that of May 2026, and that of
//! January for the first generations, which the newer one leaves out.

use super::kind::{Kind, model_name};
use crate::provider::Submission;
use crate::video::request::MediaRole;

/// Pictures that may stand beside a video.
const PICTURES_BESIDE_A_VIDEO: usize = 4;

/// Why a submission can't be made as it is.
pub fn beyond(kind: Kind, submission: &Submission) -> Option<&'static str> {
    let asked = Asked {
        kind,
        model: model_name(submission),
        submission,
        has_last_frame: submission.one(MediaRole::LastFrame).is_some(),
    };
    let reasons = [asked.last_frame(), asked.camera(), asked.masks(), asked.omni(), asked.sound()];
    reasons.into_iter().flatten().next()
}

struct Asked<'a> {
    kind: Kind,
    model: &'a str,
    submission: &'a Submission,
    has_last_frame: bool,
}

impl Asked<'_> {
    fn last_frame(&self) -> Option<&'static str> {
        if !self.has_last_frame {
            return None;
        }
        let is_pro = self.submission.resolution == "1080p";
        match self.model {
            "kling-v1" => self.unless(self.submission.duration_s == 5, "a last frame is for 5 s"),
            "kling-v1-5" | "kling-v1-6" | "kling-v2-1" | "kling-v2-5-turbo" => {
                self.unless(is_pro, "a last frame needs pro")
            }
            "kling-v2-6" => {
                self.unless(is_pro && !self.submission.audio, "a last frame needs pro and no sound")
            }
            "kling-v2-master" | "kling-v2-1-master" => Some("the model takes no last frame"),
            _ if self.kind.is_turbo() => Some("the model takes no last frame"),
            _ => self.unless(!self.wants("multi_shot"), "shots and a last frame don't go together"),
        }
    }

    /// Wherever the camera can be led, that is one of three things of which only one is taken.
    fn camera(&self) -> Option<&'static str> {
        let asked = (self.kind, self.model, self.submission.resolution.as_str(), self.submission.duration_s);
        let can = match asked {
            (Kind::Text, "kling-v1", "720p", 5) => true,
            (Kind::Image, "kling-v1-5", "1080p", 5) => !self.has_last_frame,
            _ => false,
        };
        self.unless(can || !self.wants("camera_control"), "the camera can't be led there")
    }

    fn masks(&self) -> Option<&'static str> {
        let has_masks =
            ["static_mask", "dynamic_masks"].iter().any(|name| self.submission.extra.contains_key(*name));
        let can = self.kind == Kind::Image && self.submission.duration_s == 5 && !self.has_last_frame;
        self.unless(can || !has_masks, "masks are for a first frame alone, and 5 s")
    }

    fn omni(&self) -> Option<&'static str> {
        if self.kind != Kind::Omni {
            return None;
        }
        let media = &self.submission.media;
        let has_video = media.iter().any(|medium| medium.role.is_video());
        let pictures = media.iter().filter(|medium| medium.role.is_image()).count();
        let (is_o1, seconds) = (self.model == "kling-video-o1", self.submission.duration_s);
        let is_free =
            has_video || self.has_last_frame || self.submission.one(MediaRole::ReferenceImage).is_some();
        if has_video && self.submission.audio {
            return Some("there is no sound beside a video");
        }
        if has_video && pictures > PICTURES_BESIDE_A_VIDEO {
            return Some("a video has four pictures beside it at most");
        }
        self.unless(!is_o1 || is_free || matches!(seconds, 5 | 10), "the model makes 5 or 10 s of this")
    }

    fn sound(&self) -> Option<&'static str> {
        let is_silent = !self.submission.audio || self.kind.is_turbo() || self.kind.has_sound(self.model);
        self.unless(is_silent, "the model has no sound")
    }

    fn unless(&self, can: bool, reason: &'static str) -> Option<&'static str> {
        (!can).then_some(reason)
    }

    /// Whether an option is there and not switched off.
    fn wants(&self, option: &str) -> bool {
        self.submission.options.get(option).is_some_and(|value| value.as_bool() != Some(false))
    }
}
