//! Files that go in the body of a call.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::TryStreamExt;

use crate::media::StoreError;
use crate::provider::{FailureCode, ProviderError, Submission, SubmissionMedia};

/// The most that goes in a body, in bytes of files.
const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// Why the pictures of a submission can't go in a body.
pub fn too_large(submission: &Submission) -> Option<&'static str> {
    let pictures = submission.media.iter().filter(|medium| medium.role.is_image());
    let files = pictures.filter_map(|medium| medium.file.as_ref());
    let bytes = files.map(|file| file.bytes).fold(0, u64::saturating_add);
    (bytes > MAX_BYTES).then_some("the pictures are too large for a body")
}

/// A file's type, and its bytes in base64.
pub async fn inline(medium: &SubmissionMedia) -> Result<(String, String), ProviderError> {
    let unsupported = |reason| ProviderError::refused(FailureCode::Unsupported, reason, None);
    let file = medium.file.as_ref().ok_or_else(|| unsupported("the file is not at hand"))?;
    let chunks = file.read().await.map_err(away)?;
    let bytes: Vec<u8> = chunks
        .try_fold(Vec::new(), async |mut bytes, chunk| {
            bytes.extend_from_slice(&chunk);
            Ok(bytes)
        })
        .await
        .map_err(away)?;
    Ok((file.content_type.clone(), BASE64_STANDARD.encode(bytes)))
}

/// Our own storage can't be read, which is a matter of time.
pub fn away(error: StoreError) -> ProviderError {
    ProviderError::unavailable(format!("our storage: {error}"))
}
