//! Addresses that work without a key until they expire, for whoever has them; and those at which providers tell us something.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use entity::{TaskId, Timestamp, UploadId};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::App;
use crate::media::{ClipRef, Variant};
use crate::secret::Subkey;

/// Bytes of a callback token: the task, the attempt, and the start of their signature.
const TASK_BYTES: usize = 16;
const ATTEMPT_BYTES: usize = 2;
const SIGNATURE_BYTES: usize = 16;

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

impl App {
    /// Where a provider may tell us that an attempt has news; none unless the settings say how we are reached.
    ///
    /// Its last part names the attempt, and nobody can make one up.
    pub fn callback_url(&self, provider: &str, task: TaskId, attempt: i64) -> Option<String> {
        self.config.public_url.as_ref()?;
        let (key, n) = (self.callbacks.first()?, u16::try_from(attempt).ok()?);
        let named = [task.0.as_bytes().as_slice(), &n.to_be_bytes()].concat();
        let token = [named.as_slice(), &signature(key, provider, &named)].concat();
        let token = BASE64_URL_SAFE_NO_PAD.encode(token);
        Some(format!("{}/callbacks/{provider}/{token}", self.config.public_url()))
    }

    /// The task and the attempt that a token names; none if it is not ours.
    pub fn read_callback(&self, provider: &str, token: &str) -> Option<(TaskId, i64)> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        if bytes.len() != TASK_BYTES + ATTEMPT_BYTES + SIGNATURE_BYTES {
            return None;
        }
        let (named, signed) = bytes.split_at(TASK_BYTES + ATTEMPT_BYTES);
        let is_ours = |key: &Subkey| bool::from(signature(key, provider, named).ct_eq(signed));
        self.callbacks.iter().any(is_ours).then_some(())?;
        let (task, n) = named.split_at(TASK_BYTES);
        let n = u16::from_be_bytes(n.try_into().ok()?);
        Some((TaskId(Uuid::from_slice(task).ok()?), i64::from(n)))
    }
}

fn signature(key: &Subkey, provider: &str, named: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let whole = key.sign(&[provider.as_bytes(), named]);
    std::array::from_fn(|n| whole[n])
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.seconds()).unwrap_or(0)
}
