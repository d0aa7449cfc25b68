//! Files that are too large for a body: handed over beforehand, and named by where they are. They are kept for two days. Facts
//! from ai.google.dev (Files API), 2026.
//!
//! Nothing here is billed, so whatever goes wrong may be tried again from the start.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::refusal::judged;
use super::{Google, KEY, path};
use crate::provider::json::{text_at, url_at};
use crate::provider::wire::Call;
use crate::provider::{FailureCode, InputFile, ProviderError, SubmissionMedia};

/// How long it may take until all files can be used: what is left of the time of a submission is for the submission itself.
const PATIENCE: Duration = Duration::from_secs(35);
/// Between two questions whether a file can be used yet.
const PAUSE: Duration = Duration::from_millis(500);
/// Where they say that the bytes are to be sent.
const PLACE: &str = "x-goog-upload-url";

/// Whatever is unclear about a file, no clip is being made yet.
fn before_anything_runs(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Unknown(reason) | ProviderError::Broken(reason) => ProviderError::unavailable(reason),
        known => known,
    }
}

impl Google {
    /// Parts of an input, once they have the files.
    pub(super) async fn uploaded(&self, videos: Vec<&SubmissionMedia>) -> Result<Vec<Value>, ProviderError> {
        let hand_over = async {
            let mut parts = Vec::with_capacity(videos.len());
            for video in videos {
                parts.push(self.part(video).await?);
            }
            Ok(parts)
        };
        let late = |_| ProviderError::unavailable("the files were not taken in time");
        let parts = tokio::time::timeout(PATIENCE, hand_over).await.map_err(late)?;
        parts.map_err(before_anything_runs)
    }

    async fn part(&self, video: &SubmissionMedia) -> Result<Value, ProviderError> {
        let unsupported =
            || ProviderError::refused(FailureCode::Unsupported, "the file is not at hand", None);
        let file = video.file.as_ref().ok_or_else(unsupported)?;
        let uri = self.hand_over(file).await?;
        Ok(json!({ "type": "video", "uri": uri, "mime_type": file.content_type }))
    }

    async fn hand_over(&self, file: &InputFile) -> Result<String, ProviderError> {
        let place = self.place(file).await?;
        let bytes = file.read().await.map_err(super::files::away)?;
        let call = self.wire.to(place).post("").header("x-goog-upload-offset", "0");
        let call = call.header("x-goog-upload-command", "upload, finalize");
        let mut said = self.asked(call.stream(&file.content_type, file.bytes, bytes)).await?;
        self.usable(said.get_mut("file").map(Value::take).unwrap_or_default()).await
    }

    /// Where a file is, once they have looked at it.
    async fn usable(&self, mut file: Value) -> Result<String, ProviderError> {
        while text_at(&file, "/state").as_deref() == Some("PROCESSING") {
            tokio::time::sleep(PAUSE).await;
            let name = text_at(&file, "/name").unwrap_or_default();
            file = self.asked(self.wire.get(&path(&name))).await?;
        }
        if text_at(&file, "/state").as_deref() == Some("FAILED") {
            return Err(ProviderError::refused(FailureCode::InvalidInput, format!("the file: {file}"), None));
        }
        url_at(&file, "/uri")
            .ok_or_else(|| ProviderError::unavailable(format!("a file without a place: {file}")))
    }

    /// Where the bytes go: at their own host, because the key and a customer's file go there.
    async fn place(&self, file: &InputFile) -> Result<Url, ProviderError> {
        let mut door = self.wire.base().clone();
        door.set_path(&format!("/upload{}/files", door.path().trim_end_matches('/')));
        let call = self.wire.to(door).post("");
        let call =
            call.header("x-goog-upload-protocol", "resumable").header("x-goog-upload-command", "start");
        let call = call.header("x-goog-upload-header-content-length", &file.bytes.to_string());
        let call = call.header("x-goog-upload-header-content-type", &file.content_type);
        let reply = self.signed(call).json(&json!({ "file": {} })).ask().await?;
        judged(&reply)?;
        let place = reply.header(PLACE).and_then(|place| Url::parse(place).ok());
        let own = place.filter(|place| place.origin() == self.wire.base().origin());
        own.ok_or_else(|| ProviderError::unavailable(format!("no place for a file: {}", reply.excerpt())))
    }

    async fn asked(&self, call: Call) -> Result<Value, ProviderError> {
        judged(&call.secret(KEY, &self.key).ask().await?)
    }
}
