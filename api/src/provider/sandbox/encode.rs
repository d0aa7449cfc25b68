//! Pictures in, an MP4 file out: H.264 (Constrained Baseline, 4:2:0), constant frame rate, `moov` before `mdat`.
//!
//! Only compressed frames are kept in memory until the file is written: the index that a browser needs first can't be
//! known before the last frame. A file appears under its final name only when it is complete.

use super::canvas::Canvas;
use muxide::api::{Muxer, MuxerBuilder, VideoCodec};
use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, RateControlMode,
    UsageType, VuiConfig,
};
use openh264::{OpenH264API, Timestamp};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Frames a second of every clip.
pub(super) const FPS: u32 = 24;
/// Frames from one key frame to the next: a player can seek to every fourth second.
const KEY_FRAME_EVERY: u32 = 4 * FPS;

/// Why a clip could not be written. For the log: customers are told less.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    #[error("encoder: {0}")]
    Encoder(#[from] openh264::Error),
    #[error("encoder left out frame {0}")]
    NoPacket(u32),
    #[error("container: {0}")]
    Container(#[from] muxide::api::MuxerError),
    #[error("file: {0}")]
    File(#[from] std::io::Error),
}

/// A clip that is being written.
pub(super) struct Recorder {
    encoder: Encoder,
    muxer: Muxer<BufWriter<File>>,
    packet: Vec<u8>,
    frames: u32,
    unfinished: Unfinished,
}

impl Recorder {
    /// Starts the file `path` for pictures of `size`; until it is complete its name ends in `.part`.
    pub fn create(path: &Path, size: (usize, usize)) -> Result<Self, EncodeError> {
        let unfinished = Unfinished::beside(path);
        let file = BufWriter::new(File::create(&unfinished.part)?);
        let (width, height) = (size.0 as u32, size.1 as u32);
        let muxer = MuxerBuilder::new(file)
            .video(VideoCodec::H264, width, height, f64::from(FPS))
            .with_fast_start(true)
            .build()?;
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), settings())?;
        Ok(Self { encoder, muxer, packet: Vec::new(), frames: 0, unfinished })
    }

    /// Adds one picture.
    pub fn push(&mut self, picture: &Canvas) -> Result<(), EncodeError> {
        let millis = u64::from(self.frames) * 1_000 / u64::from(FPS);
        let stream = self.encoder.encode_at(picture, Timestamp::from_millis(millis))?;
        self.packet.clear();
        stream.write_vec(&mut self.packet);
        if self.packet.is_empty() {
            return Err(EncodeError::NoPacket(self.frames));
        }
        let key = stream.frame_type() == FrameType::IDR;
        let seconds = f64::from(self.frames) / f64::from(FPS);
        self.muxer.write_video(seconds, &self.packet, key)?;
        self.frames += 1;
        Ok(())
    }

    /// Writes the file and gives it its final name.
    pub fn finish(mut self) -> Result<(), EncodeError> {
        self.muxer.finish_in_place()?;
        self.muxer.into_writer().flush()?;
        Ok(self.unfinished.complete()?)
    }
}

/// Chosen for speed: the picture is simple, so a constant quantiser keeps text sharp at a modest size, and the searches
/// that a real film would need are off.
fn settings() -> EncoderConfig {
    EncoderConfig::new()
        .profile(Profile::Baseline)
        .usage_type(UsageType::CameraVideoRealTime)
        .complexity(Complexity::Low)
        .rate_control_mode(RateControlMode::Off)
        .max_frame_rate(FrameRate::from_hz(FPS as f32))
        .intra_frame_period(IntraFramePeriod::from_num_frames(KEY_FRAME_EVERY))
        .num_threads(1)
        .skip_frames(false)
        .scene_change_detect(false)
        .adaptive_quantization(false)
        .background_detection(false)
        .vui(VuiConfig::bt709())
}

/// The file under its temporary name, which contains the process id: two workers may share a folder and, after a
/// takeover, render the same clip. Dropped before it is complete (an error, a cancel), it is removed.
struct Unfinished {
    part: PathBuf,
    path: PathBuf,
    complete: bool,
}

impl Unfinished {
    fn beside(path: &Path) -> Self {
        let mut part = path.to_owned().into_os_string();
        part.push(format!(".{}.part", std::process::id()));
        Self { part: part.into(), path: path.to_owned(), complete: false }
    }

    fn complete(&mut self) -> std::io::Result<()> {
        std::fs::rename(&self.part, &self.path)?;
        self.complete = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.complete {
            // Nothing depends on this: a file left behind is overwritten by the next render of the same clip.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::sandbox::canvas::{Color, Rect};

    /// A box of the file format: its type and the range of its content (ISO/IEC 14496-12, §4.2).
    type Found = (String, std::ops::Range<usize>);

    fn boxes(file: &[u8], within: std::ops::Range<usize>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut start = within.start;
        while start < within.end {
            let end = start + number(file, start) as usize;
            let kind = String::from_utf8_lossy(&file[start + 4..start + 8]).into_owned();
            found.push((kind, start + 8..end));
            start = end;
        }
        found
    }

    /// The content of the box at a path like `moov/trak`.
    fn content<'a>(file: &'a [u8], path: &str) -> &'a [u8] {
        let inside = path.split('/').fold(0..file.len(), |within, kind| {
            let found = boxes(file, within).into_iter().find(|(found, _)| found == kind);
            found.unwrap_or_else(|| panic!("no {kind} of {path}")).1
        });
        &file[inside]
    }

    fn number(bytes: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn record(path: &Path, frames: i32) -> Result<(), EncodeError> {
        let mut recorder = Recorder::create(path, (160, 90))?;
        for frame in 0..frames {
            let mut picture = Canvas::new(160, 90);
            picture.fill(Rect { x: frame, y: 10, w: 40, h: 40 }, Color::rgb(0xff8800));
            recorder.push(&picture)?;
        }
        recorder.finish()
    }

    #[test]
    fn the_file_has_its_index_first_and_exact_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        record(&path, 48).unwrap();
        let file = std::fs::read(&path).unwrap();

        let order: Vec<String> = boxes(&file, 0..file.len()).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(order, ["ftyp", "moov", "mdat"]);
        let movie = content(&file, "moov/mvhd");
        assert_eq!(number(movie, 16) * 1_000 / number(movie, 12), 2_000, "duration of the movie in ms");
        let media = content(&file, "moov/trak/mdia/mdhd");
        assert_eq!(number(media, 16) * 1_000 / number(media, 12), 2_000, "duration of the track in ms");
        let per_frame = number(media, 12) / FPS;
        let times = content(&file, "moov/trak/mdia/minf/stbl/stts");
        let mut frames = 0;
        for entry in 0..number(times, 4) as usize {
            frames += number(times, 8 + entry * 8);
            assert_eq!(number(times, 12 + entry * 8), per_frame, "every frame lasts equally long");
        }
        assert_eq!(frames, 48);
        assert_eq!(number(content(&file, "moov/trak/mdia/minf/stbl/stsz"), 8), 48, "frames with a size");
    }

    #[test]
    fn the_file_says_how_large_the_picture_is_and_how_it_is_coded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        record(&path, 2).unwrap();
        let file = std::fs::read(&path).unwrap();
        let header = content(&file, "moov/trak/tkhd");
        let (width, height) = (number(header, 76) >> 16, number(header, 80) >> 16);
        assert_eq!((width, height), (160, 90));
        let entry = &content(&file, "moov/trak/mdia/minf/stbl/stsd")[8..];
        assert_eq!(&entry[4..8], b"avc1");
        let avcc = entry.windows(4).position(|kind| kind == b"avcC").unwrap();
        assert_eq!(entry[avcc + 5], 66, "profile: baseline");
    }

    #[test]
    fn a_recording_that_is_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::create(&folder.path().join("clip.mp4"), (160, 90)).unwrap();
        recorder.push(&Canvas::new(160, 90)).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(recorder);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
