//! What a customer gives to work from, in every form, becomes one of three before anything else is done with a request: a web
//! address, the id of an upload, or the id of a finished task.
//!
//! Files are stored by their content, so that the request that names their ids is the same whenever it is sent again. Nothing
//! is fetched here: whoever waits for an answer waits for no stranger's server.

mod reference;

use std::sync::Arc;

use entity::clip::ClipState;
use entity::{AccountId, MediaKind, TaskId, Timestamp, UploadId};

use super::Video;
use super::catalog::Facts;
use super::read::{ReadError, TaskView};
use super::request::{FieldErrors, GenerateRequest, Media};
use super::rules::unfit;
use super::state::State;
use super::upload::{UploadError, facts};
use crate::media::Given;
pub use reference::{Reference, decode};

/// Files that came with a request, beside its fields. A field names one by its URL.
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<Given>);

impl Files {
    /// Adds a file; answers with the URL that stands for it.
    pub fn add(&mut self, file: impl Into<Given>) -> String {
        self.0.push(file.into());
        format!("file:{}", self.0.len() - 1)
    }

    fn get(&self, url: &str) -> Option<&Given> {
        self.0.get(url.strip_prefix("file:")?.parse::<usize>().ok()?)
    }
}

/// Why it can't be said whether a request's media are good.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Seconds that an upload is kept for a task beyond its deadline: whoever ends it then may be late.
const NEEDED_GRACE_SECONDS: i64 = 3_600;

/// A medium as it is stored, and what is known of it.
type Resolved = Result<(String, Option<Facts>), String>;

impl Video {
    /// Turns each medium of a request into a web address, `upl_…` or `tsk_…`, as far as it is good; says what is wrong with
    /// the others, which stay as they are. For a task, not only a quote, the uploads are kept until it must be over.
    pub(super) async fn take_in(
        &self,
        account: AccountId,
        request: &mut GenerateRequest,
        files: &Files,
        for_task: bool,
    ) -> Result<FieldErrors, InputError> {
        let until = i64::from(self.deadline_s) + NEEDED_GRACE_SECONDS;
        let until = for_task.then(|| self.clock.now().plus_seconds(until));
        let model = self.catalog.model(&request.model).cloned();
        let mut errors = FieldErrors::default();
        for medium in &mut request.media {
            let resolved = self.resolve(account, medium, files, until).await?;
            let fit = resolved.and_then(|(url, facts)| {
                medium.url = url;
                let unfit = facts.and_then(|facts| unfit(model.as_deref(), medium.role, &facts));
                unfit.map_or(Ok(()), Err)
            });
            if let Err(message) = fit {
                errors.push(medium.role.field(), message);
            }
        }
        Ok(errors)
    }

    async fn resolve(
        &self,
        account: AccountId,
        medium: &Media,
        files: &Files,
        until: Option<Timestamp>,
    ) -> Result<Resolved, InputError> {
        if let Some(file) = files.get(&medium.url) {
            return self.store(account, file, until).await;
        }
        match Reference::read(&medium.url, &self.uploads.terms) {
            Err(message) => Ok(Err(message)),
            Ok(Reference::Web) => Ok(Ok((medium.url.clone(), None))),
            Ok(Reference::File(bytes)) => self.store(account, &Given::Bytes(bytes), until).await,
            Ok(Reference::Upload(id)) => self.upload(account, id, until).await,
            Ok(Reference::Task(id)) => self.finished(account, id).await,
        }
    }

    async fn store(
        &self,
        account: AccountId,
        file: &Given,
        until: Option<Timestamp>,
    ) -> Result<Resolved, InputError> {
        match self.uploads.keep(account, file).await {
            Ok(upload) => self.upload(account, upload.id, until).await,
            Err(UploadError::Refused(message)) => Ok(Err(message)),
            Err(error) => Err(InputError::Upload(error)),
        }
    }

    async fn upload(
        &self,
        account: AccountId,
        id: UploadId,
        until: Option<Timestamp>,
    ) -> Result<Resolved, InputError> {
        let found = match until {
            Some(until) => self.uploads.need(account, id, until).await?,
            None => self.uploads.find(account, id).await?,
        };
        let missing = || format!("There is no upload {id}, or it has expired");
        Ok(found.map(|upload| (id.to_string(), Some(facts(&upload)))).ok_or_else(missing))
    }

    async fn finished(&self, account: AccountId, id: TaskId) -> Result<Resolved, InputError> {
        let Some(view) = self.task(account, id).await? else {
            return Ok(Err(format!("There is no task {id}")));
        };
        let delivered = first_clip(&view).map(|facts| (id.to_string(), Some(facts)));
        Ok(delivered.ok_or_else(|| format!("The task {id} is {}, not completed", view.state.as_str())))
    }
}

/// What is known of a completed task's first clip.
fn first_clip(view: &Arc<TaskView>) -> Option<Facts> {
    let clip = view.clips.iter().find(|clip| clip.state == ClipState::Delivered)?;
    let pixels = |side: Option<i64>| side.and_then(|side| u32::try_from(side).ok());
    (view.state == State::Completed).then(|| Facts {
        kind: MediaKind::Video,
        bytes: clip.bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
        size: pixels(clip.width).zip(pixels(clip.height)),
        millis: clip.millis.and_then(|millis| u64::try_from(millis).ok()),
    })
}
