//! From a track's samples to its pictures.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use openh264::decoder::{DecodedYUV, Decoder};

use super::super::store::StoreError;
use super::NoPicture;
use super::mp4::Track;

/// Bytes of one sample; a whole picture of 4K hardly has so many.
const SAMPLE_BYTES_MAX: u32 = 16 * 1024 * 1024;

pub struct Frames<'t> {
    track: &'t Track,
    decoder: Decoder,
}

impl<'t> Frames<'t> {
    pub fn new(track: &'t Track) -> Result<Self, NoPicture> {
        let mut decoder = Decoder::new().map_err(undecodable)?;
        decoder.decode(&track.parameters).map_err(undecodable)?;
        Ok(Frames { track, decoder })
    }

    /// Shows each picture from a sample on, with how many there were before it, until one is enough or there are no more.
    pub fn each(
        mut self,
        file: &mut File,
        start: usize,
        mut show: impl FnMut(usize, &DecodedYUV<'_>) -> bool,
    ) -> Result<(), NoPicture> {
        let mut shown = 0;
        for (place, bytes) in self.track.samples.iter().skip(start) {
            let sample = self.track.units(&read(file, *place, *bytes)?);
            let sample = sample.ok_or_else(|| NoPicture::Undecodable("a sample is cut short".into()))?;
            if let Some(frame) = self.decoder.decode(&sample).map_err(undecodable)? {
                if !show(shown, &frame) {
                    return Ok(());
                }
                shown += 1;
            }
        }
        for frame in self.decoder.flush_remaining().map_err(undecodable)? {
            if !show(shown, &frame) {
                return Ok(());
            }
            shown += 1;
        }
        Ok(())
    }
}

fn undecodable(error: openh264::Error) -> NoPicture {
    NoPicture::Undecodable(error.to_string())
}

fn read(file: &mut File, place: u64, bytes: u32) -> Result<Vec<u8>, NoPicture> {
    if bytes > SAMPLE_BYTES_MAX {
        return Err(NoPicture::Undecodable("a sample is too large".into()));
    }
    let mut sample = Vec::new();
    file.seek(SeekFrom::Start(place)).map_err(StoreError::Disk)?;
    file.by_ref().take(bytes.into()).read_to_end(&mut sample).map_err(StoreError::Disk)?;
    Ok(sample)
}
