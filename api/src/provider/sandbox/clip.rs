//! From a submission to files: how many clips, how large, how long, under which names; and the drawing of one.
//!
//! A plan depends on the submission alone, so the same submission gives the same files in every process.

use super::card::Card;
use super::directive::Directives;
use super::encode::{EncodeError, FPS, Recorder};
use super::landscape::Palette;
use super::scene::Scene;
use crate::provider::{ClipSource, RemoteClip, Submission};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Longest clip that is rendered, whatever was asked: a bound on the work, not a promise.
const MAX_SECONDS: u32 = 600;
/// Clips of one job: more than any model in the catalog offers.
const MAX_CLIPS: u32 = 16;
/// Pictures up to this size are drawn as asked: the widest shape that is sold as 1080p (21:9).
const MAX_PIXELS_AS_ASKED: u64 = 2560 * 1080;
/// Larger pictures are scaled down to this many pixels.
const SCALED_PIXELS: u64 = 1920 * 1080;
const MIN_SIDE: u64 = 32;
/// The longest side that the encoder accepts. Its other limit, a short side of 2160, is beyond our pixel limit.
const MAX_LONG_SIDE: u64 = 3840;

/// One clip that is to be rendered.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Counted from 0 over the whole task.
    pub index: u32,
    pub path: PathBuf,
    /// Width and height in pixels, both even.
    size: (usize, usize),
    seconds: u32,
    palette: u8,
    card: Card,
}

/// The clips of a submission that will be delivered. Clips that a directive lets fail are left out.
pub(super) fn plan(dir: &Path, id: &str, submission: &Submission, directives: &Directives) -> Vec<Plan> {
    let last = submission.clip.saturating_add(submission.clips.clamp(1, MAX_CLIPS));
    let wanted = (submission.clip..last).filter(|&index| !directives.fails(index));
    wanted.map(|index| Plan::new(dir, id, submission, directives, index)).collect()
}

impl Plan {
    fn new(dir: &Path, id: &str, submission: &Submission, directives: &Directives, index: u32) -> Self {
        let asked = submission.duration_s.clamp(1, MAX_SECONDS);
        let seconds = directives.short_s.map_or(asked, |short| short.min(asked));
        Self {
            index,
            path: dir.join(format!("{id}-{index}.mp4")),
            size: size(submission.width, submission.height),
            seconds,
            palette: id.bytes().fold(index as u8, u8::wrapping_add),
            card: Card::new(submission, index, seconds),
        }
    }

    pub fn frames(&self) -> u32 {
        self.seconds * FPS
    }

    /// What a poll reports once the file is there.
    pub fn delivered(&self) -> RemoteClip {
        let source = ClipSource::File(self.path.clone());
        RemoteClip { index: self.index, source, millis: Some(u64::from(self.seconds) * 1_000) }
    }

    /// Draws and encodes the clip unless its file is there already. `before_frame` may stop the work: then no file
    /// appears and the answer is `Break`.
    pub fn render(
        &self,
        mut before_frame: impl FnMut() -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, EncodeError> {
        if self.path.exists() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut scene = Scene::new(&self.card, Palette::pick(self.palette), self.size, self.frames(), FPS);
        let mut recorder = Recorder::create(&self.path, self.size)?;
        for frame in 0..self.frames() {
            if before_frame().is_break() {
                return Ok(ControlFlow::Break(()));
            }
            recorder.push(scene.draw(frame))?;
        }
        recorder.finish()?;
        Ok(ControlFlow::Continue(()))
    }
}

/// The size that is rendered: as asked up to 1080p, otherwise the same shape with the pixels of 1080p; always even.
fn size(width: u32, height: u32) -> (usize, usize) {
    let (mut width, mut height) = (u64::from(width).max(1), u64::from(height).max(1));
    if width * height > MAX_PIXELS_AS_ASKED {
        let of_full_hd = |side: u64, other: u64| (side * SCALED_PIXELS / other).isqrt();
        (width, height) = (of_full_hd(width, height), of_full_hd(height, width));
    }
    let long = width.max(height);
    if long > MAX_LONG_SIDE {
        (width, height) = (width * MAX_LONG_SIDE / long, height * MAX_LONG_SIDE / long);
    }
    let even = |side: u64| (side.max(MIN_SIDE) & !1) as usize;
    (even(width), even(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::sandbox::sample;

    #[test]
    fn sizes_up_to_full_hd_are_kept_and_larger_ones_keep_their_shape() {
        let cases = [
            ((1280, 720), (1280, 720)),
            ((720, 1280), (720, 1280)),
            ((1920, 1080), (1920, 1080)),
            ((1440, 1440), (1440, 1440)),
            ((2520, 1080), (2520, 1080)),
            ((853, 480), (852, 480)),
            ((3840, 2160), (1920, 1080)),
            ((2160, 3840), (1080, 1920)),
            ((2560, 1440), (1920, 1080)),
            ((4096, 4096), (1440, 1440)),
            ((10, 10), (32, 32)),
            ((0, 0), (32, 32)),
            ((20_000, 100), (3840, 32)),
            ((u32::MAX, 1), (3840, 32)),
        ];
        for ((width, height), expected) in cases {
            assert_eq!(size(width, height), expected, "{width} × {height}");
        }
    }

    #[test]
    fn a_plan_has_a_file_for_every_clip_that_does_not_fail() {
        let mut submission = sample("a cat [sandbox:fail=3]");
        (submission.clip, submission.clips) = (2, 3);
        let plans = plan(Path::new("/clips"), "sbx_1", &submission, &Directives::parse(&submission.prompt));
        let paths: Vec<_> =
            plans.iter().map(|plan| (plan.index, plan.path.to_string_lossy().into_owned())).collect();
        assert_eq!(paths, [(2, "/clips/sbx_1-2.mp4".to_owned()), (4, "/clips/sbx_1-4.mp4".to_owned())]);
    }

    #[test]
    fn short_delivers_less_but_never_more_than_was_asked() {
        let seconds = |prompt: &str| {
            let plans = plan(Path::new("/"), "sbx_1", &sample(prompt), &Directives::parse(prompt));
            plans[0].delivered().millis
        };
        assert_eq!(seconds("a cat"), Some(2_000));
        assert_eq!(seconds("[sandbox:short=1]"), Some(1_000));
        assert_eq!(seconds("[sandbox:short=9]"), Some(2_000));
    }
}
