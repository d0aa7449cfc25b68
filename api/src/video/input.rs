//! What a customer gives to work from, in every form, becomes one of three before anything else is done with a request: a web
//! address, the id of an upload, or the id of a finished task.
//!
//! Files are stored by their content, so that the request that names their ids is the same whenever it is sent again. Nothing
//! is fetched here: whoever waits for an answer waits for no stranger's server.

mod reference;

use std::collections::HashMap;
use std::sync::Arc;

use entity::clip::ClipState;
use entity::{AccountId, MediaKind, TaskId, Timestamp, UploadId, upload};

use super::Video;
use super::catalog::Facts;
use super::read::{ReadError, TaskView};
use super::request::{FieldErrors, GenerateRequest, Media, MediaRole};
use super::rules::unfit;
use super::state::State;
use super::upload::{UploadError, facts};
use crate::media::Given;
use reference::is_web;
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

/// Media of one request that are looked up or stored: more than any model takes. Addresses cost nothing and don't count.
const LOOKED_AT_MAX: usize = 32;

/// What was found of a request's media.
#[derive(Debug, Default)]
pub(super) struct TakenIn {
    /// What is wrong with those that are no good.
    pub objections: FieldErrors,
    /// The provider that made the task which is to be changed or gone on with: its clip lies there.
    pub home: Option<String>,
}

/// A medium by what has to be done about it; the text is for the customer.
type Named = Result<Reference, String>;

/// The rows that a request's media name.
struct Found {
    uploads: HashMap<UploadId, upload::Model>,
    tasks: HashMap<TaskId, Arc<TaskView>>,
}

impl Video {
    /// Turns each medium of a request into a web address, `upl_…` or `tsk_…`, as far as it is good; those that are not stay as
    /// they are. For a task, not only a quote, the uploads are kept until it must be over.
    pub(super) async fn take_in(
        &self,
        account: AccountId,
        request: &mut GenerateRequest,
        files: &Files,
        for_task: bool,
    ) -> Result<TakenIn, InputError> {
        if request.media.is_empty() {
            return Ok(TakenIn::default());
        }
        // On the heap: most requests bring nothing, and would all have room for it.
        Box::pin(self.take_in_media(account, request, files, for_task)).await
    }

    async fn take_in_media(
        &self,
        account: AccountId,
        request: &mut GenerateRequest,
        files: &Files,
        for_task: bool,
    ) -> Result<TakenIn, InputError> {
        let mut taken = TakenIn::default();
        let mut looked_at = request.media.iter().filter(|medium| !is_web(&medium.url));
        if let Some(medium) = looked_at.nth(LOOKED_AT_MAX) {
            let most = format!("A request may have {LOOKED_AT_MAX} files, uploads and tasks in all");
            taken.objections.push(medium.role.field(), most);
            return Ok(taken);
        }
        let mut named = Vec::with_capacity(request.media.len());
        for medium in &request.media {
            named.push(self.named(account, medium, files).await?);
        }
        let until = i64::from(self.deadline_s) + NEEDED_GRACE_SECONDS;
        let until = for_task.then(|| self.clock.now().plus_seconds(until));
        let found = self.find(account, &named, until).await?;
        let model = self.catalog.model(&request.model).map(|model| &**model);
        for (medium, named) in request.media.iter_mut().zip(named) {
            let source = medium.role == MediaRole::SourceVideo;
            if let (true, Ok(Reference::Task(id))) = (source, &named) {
                taken.home = found.tasks.get(id).and_then(|view| view.provider().map(str::to_owned));
            }
            let fit = found.medium(named).and_then(|resolved| {
                let Some((url, facts)) = resolved else { return Ok(()) };
                medium.url = url;
                unfit(model, medium.role, &facts).map_or(Ok(()), Err)
            });
            if let Err(message) = fit {
                taken.objections.push(medium.role.field(), message);
            }
        }
        Ok(taken)
    }

    /// What a medium names; a file is stored, and named as the upload that it is then.
    async fn named(&self, account: AccountId, medium: &Media, files: &Files) -> Result<Named, InputError> {
        let file = match files.get(&medium.url) {
            Some(file) => file.clone(),
            None => match Reference::read(&medium.url, &self.uploads.terms) {
                Ok(Reference::File(bytes)) => Given::Bytes(bytes),
                other => return Ok(other),
            },
        };
        match self.uploads.keep(account, &file).await {
            Ok(upload) => Ok(Ok(Reference::Upload(upload.id))),
            Err(UploadError::Refused(message)) => Ok(Err(message)),
            Err(error) => Err(error.into()),
        }
    }

    async fn find(
        &self,
        account: AccountId,
        named: &[Named],
        until: Option<Timestamp>,
    ) -> Result<Found, InputError> {
        let (mut uploads, mut tasks) = (Vec::new(), Vec::new());
        for reference in named.iter().flatten() {
            match reference {
                Reference::Upload(id) => uploads.push(*id),
                Reference::Task(id) => tasks.push(*id),
                Reference::Web | Reference::File(_) => {}
            }
        }
        let tasks = match tasks.is_empty() {
            true => Vec::new(),
            false => self.views.page(account, &tasks).await?,
        };
        Ok(Found {
            uploads: self.uploads.of_account(account, &uploads, until).await?,
            tasks: tasks.into_iter().map(|view| (view.task.id, view)).collect(),
        })
    }
}

impl Found {
    /// A medium as it is stored and what is known of it; `None` for what only its address is known of.
    fn medium(&self, named: Named) -> Result<Option<(String, Facts)>, String> {
        match named? {
            Reference::Web | Reference::File(_) => Ok(None),
            Reference::Upload(id) => {
                let missing = || format!("There is no upload {id}, or it has expired");
                let upload = self.uploads.get(&id).ok_or_else(missing)?;
                Ok(Some((id.to_string(), facts(upload))))
            }
            Reference::Task(id) => {
                let view = self.tasks.get(&id).ok_or_else(|| format!("There is no task {id}"))?;
                let ended = || format!("The task {id} is {}, not completed", view.state.as_str());
                Ok(Some((id.to_string(), first_clip(view).ok_or_else(ended)?)))
            }
        }
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
