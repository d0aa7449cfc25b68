//! Pictures, videos and sounds: which a mode takes, how many a model takes.

use super::Review;
use crate::media::sniff::allowed;
use crate::video::catalog::{Facts, InputMode, Model};
use crate::video::request::{Media, MediaRole};

/// Why a file can't have this role, in words; of an unknown model only the kind of the file is known.
pub fn unfit(model: Option<&Model>, role: MediaRole, facts: &Facts) -> Option<String> {
    let wanted = role.kind();
    if facts.kind != wanted {
        let (is, must) = (facts.kind.as_str(), wanted.as_str());
        return Some(format!("Must be of the kind {must} ({}), not {is}", allowed(wanted)));
    }
    let model = model?;
    let broken = model.inputs.of(wanted).broken_by(facts)?;
    Some(format!("{} does not take this {}: {broken}", model.id, wanted.as_str()))
}

/// Whether a mode has a use for media of this role at all.
pub fn takes(mode: InputMode, role: MediaRole) -> bool {
    use InputMode::*;
    match role {
        MediaRole::FirstFrame | MediaRole::LastFrame => mode == ImageToVideo,
        MediaRole::ReferenceImage => matches!(mode, ReferenceToVideo | VideoToVideo),
        MediaRole::ReferenceVideo => matches!(mode, ReferenceToVideo | VideoToVideo),
        MediaRole::SourceVideo => matches!(mode, VideoToVideo | VideoExtend),
        MediaRole::Audio => true,
    }
}

/// The values that "a video is given" can have for an allowed request in this mode; prices may depend on it.
pub fn video_inputs(model: &Model, mode: InputMode) -> &'static [bool] {
    match mode {
        InputMode::TextToVideo | InputMode::ImageToVideo => &[false],
        InputMode::VideoToVideo | InputMode::VideoExtend => &[true],
        InputMode::ReferenceToVideo => match (model.max_images, model.max_videos) {
            (_, 0) => &[false],
            (0, _) => &[true],
            _ => &[false, true],
        },
    }
}

impl Review<'_> {
    /// The media that will be sent. Without a valid mode nothing can be said about them.
    pub(super) fn media(&mut self, mode: Option<InputMode>) -> Vec<Media> {
        let Some(mode) = mode else { return Vec::new() };
        let sent = self.first_frame_only();
        self.roles(mode, &sent);
        self.required(mode, &sent);
        self.limits(mode, &sent);
        sent
    }

    /// Providers animate one picture. Customers send whole galleries, so the rest is named and left out.
    fn first_frame_only(&mut self) -> Vec<Media> {
        let mut frames = 0_usize;
        let mut sent = self.request.media.clone();
        sent.retain(|medium| {
            frames += usize::from(medium.role == MediaRole::FirstFrame);
            medium.role != MediaRole::FirstFrame || frames == 1
        });
        let unsent = frames.saturating_sub(1);
        if unsent > 0 {
            self.warn(format!("inputImageUrls: only the first image is used, {unsent} not sent"));
        }
        sent
    }

    fn roles(&mut self, mode: InputMode, sent: &[Media]) {
        for role in ROLES {
            if count(sent, |r| r == role) > 0 && !takes(mode, role) {
                let message = format!("{mode} takes no {}{}", role.field(), self.other_mode(role));
                self.error(role.field(), message);
            }
        }
        let last_frames = count(sent, |role| role == MediaRole::LastFrame);
        if last_frames > 0 && !self.model.last_frame {
            self.error("lastFrameUrl", format!("{} takes no last frame", self.model.id));
        }
        if last_frames > 1 {
            self.error("lastFrameUrl", "Must be one image");
        }
    }

    fn other_mode(&self, role: MediaRole) -> String {
        let fitting = self.model.modes.iter().find(|mode| takes(**mode, role));
        fitting.map(|mode| format!("; use inputMode {mode}")).unwrap_or_default()
    }

    fn required(&mut self, mode: InputMode, sent: &[Media]) {
        let missing = match mode {
            InputMode::TextToVideo => None,
            InputMode::ImageToVideo => Some(MediaRole::FirstFrame),
            InputMode::VideoToVideo | InputMode::VideoExtend => Some(MediaRole::SourceVideo),
            InputMode::ReferenceToVideo if self.model.max_images == 0 => Some(MediaRole::ReferenceVideo),
            InputMode::ReferenceToVideo => Some(MediaRole::ReferenceImage),
        };
        let either =
            mode == InputMode::ReferenceToVideo && count(sent, |role| role == MediaRole::ReferenceVideo) > 0;
        if let Some(role) = missing
            && !either
            && count(sent, |r| r == role) == 0
        {
            self.error(role.field(), format!("{mode} needs at least one"));
        }
    }

    fn limits(&mut self, mode: InputMode, sent: &[Media]) {
        let max_audios = self.model.max_audios;
        let (images, videos) = (self.model.max_images, self.model.max_videos);
        self.limit(mode, sent, MediaRole::is_image, (images, "images"));
        self.limit(mode, sent, MediaRole::is_video, (videos, "videos"));
        let is_audio = |role| role == MediaRole::Audio;
        self.limit(mode, sent, is_audio, (max_audios, "audio files"));
    }

    /// Counts only what may be there at all; the rest is an error already. Filed under the role that came last,
    /// because the others fit before it.
    fn limit(
        &mut self,
        mode: InputMode,
        sent: &[Media],
        kind: fn(MediaRole) -> bool,
        (max, what): (usize, &str),
    ) {
        let fits = |role| takes(mode, role) && (role != MediaRole::LastFrame || self.model.last_frame);
        let counted = |medium: &&Media| kind(medium.role) && fits(medium.role);
        let number = sent.iter().filter(counted).count();
        if let Some(last) = sent.iter().rfind(counted)
            && number > max
        {
            let field = last.role.field();
            self.error(field, format!("{} takes at most {max} {what}", self.model.id));
        }
    }
}

const ROLES: [MediaRole; 6] = [
    MediaRole::FirstFrame,
    MediaRole::LastFrame,
    MediaRole::ReferenceImage,
    MediaRole::SourceVideo,
    MediaRole::ReferenceVideo,
    MediaRole::Audio,
];

fn count(media: &[Media], wanted: impl Fn(MediaRole) -> bool) -> usize {
    media.iter().filter(|medium| wanted(medium.role)).count()
}
