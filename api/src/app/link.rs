//! Addresses that work without a key until they expire, for whoever has them.

use entity::{TaskId, Timestamp, UploadId};

use super::App;
use crate::media::{ClipRef, Variant};

impl App {
    /// The address of a clip, or of a picture of it.
    pub fn clip_url(&self, task: TaskId, clip: u32, variant: Variant, expires_at: Timestamp) -> String {
        let signed = self.links.sign(ClipRef { task: task.0, clip, variant }, seconds(expires_at));
        format!("{}/api/ai/tasks/{task}/content?{signed}", self.config.public_url())
    }

    /// The address of an upload's bytes.
    pub fn upload_url(&self, upload: UploadId, expires_at: Timestamp) -> String {
        let signed = self.links.sign_file(upload.0, seconds(expires_at));
        format!("{}/api/uploads/{upload}/content?{signed}", self.config.public_url())
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.seconds()).unwrap_or(0)
}
