//! What a task is made from is brought into our storage before it is submitted: customers' addresses are fetched, once for
//! a task, and whoever submits it again sends the same bytes.
//!
//! A fetched file is an upload like any other; that it is this task's is noted by whoever is first, under no fence: a worker
//! that lost the job meanwhile notes nothing wrong. What was stored and not noted expires.

mod fetch;

use std::time::Duration;

use entity::clip::ClipState;
use entity::{TaskId, UploadId, task_input, upload};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};

use super::pause;
use super::run::{Leave, Shared};
use crate::media::Variant;
use crate::provider::{Failure, FailureCode, InputFile, MadeBy, SubmissionMedia, UpstreamId};
use crate::video::read::ReadError;
use crate::video::rules::unfit;
use crate::video::upload::{UploadError, facts};
use fetch::{Unfetched, fetch};

/// Tries of an address that may answer the next time.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Seconds that files, and the links by which providers fetch them, outlast the task's deadline.
const GRACE_SECONDS: i64 = 3_600;

/// Why an input is not there.
#[derive(Debug, thiserror::Error)]
enum Missing {
    /// It will not be: the task has failed.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// Our own database or storage is away.
    #[error("{0}")]
    NotNow(anyhow::Error),
    /// Its server may answer the next time.
    #[error("{}", .0.message)]
    Later(Failure),
}

impl From<DbErr> for Missing {
    fn from(error: DbErr) -> Self {
        Missing::NotNow(error.into())
    }
}

impl From<ReadError> for Missing {
    fn from(error: ReadError) -> Self {
        Missing::NotNow(error.into())
    }
}

impl From<UploadError> for Missing {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Refused(message) => Missing::Failed(invalid(message)),
            UploadError::TooLarge { limit_bytes } => {
                Missing::Failed(invalid(format!("it has more than {limit_bytes} bytes")))
            }
            UploadError::Cut(_) => Missing::Later(unreachable("the connection broke off")),
            other => Missing::NotNow(other.into()),
        }
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), ..Failure::new(FailureCode::InvalidInput, "") }
}

fn unreachable(reason: &str) -> Failure {
    let message = format!("could not be fetched: {reason}");
    Failure { message, ..Failure::new(FailureCode::InputUnreachable, "") }
}

/// Everything that the task is made from, with the bytes at hand, or why it fails.
pub async fn gather(
    shared: &Shared,
    media: &[SubmissionMedia],
    model: &str,
) -> Result<Result<Vec<SubmissionMedia>, Failure>, Leave> {
    let mut gathered = Vec::with_capacity(media.len());
    for (idx, medium) in (0..).zip(media) {
        match bring_patiently(shared, (idx, medium), model).await? {
            Ok(file) => gathered.push(file),
            Err(Failure { code, message, .. }) => {
                return Ok(Err(Failure {
                    code,
                    message: format!("{}: {message}", medium.role.field()),
                    detail: None,
                }));
            }
        }
    }
    Ok(Ok(gathered))
}

/// Waits as long as our own storage is away, and for a while if it is somebody else's.
async fn bring_patiently(
    shared: &Shared,
    input: (i64, &SubmissionMedia),
    model: &str,
) -> Result<Result<SubmissionMedia, Failure>, Leave> {
    let mut tries = 0;
    for round in 0_u32.. {
        let missing = match bring(shared, input, model).await {
            Ok(file) => return Ok(Ok(file)),
            Err(missing) => missing,
        };
        tracing::debug!(%missing, "an input is not there");
        match missing {
            Missing::Failed(failure) => return Ok(Err(failure)),
            Missing::Later(failure) => {
                tries += 1;
                if tries == TRIES {
                    return Ok(Err(failure));
                }
            }
            Missing::NotNow(error) => tracing::warn!(%error, "an input can't be kept yet"),
        }
        if shared.context.app.clock.now() >= shared.deadline_at {
            return Err(Leave::Deadline);
        }
        let wait = FIRST_PAUSE.saturating_mul(1 << round.min(10)).min(LONGEST_PAUSE);
        if !pause(wait, &shared.stop).await {
            return Err(Leave::Stopping);
        }
    }
    Err(Leave::Deadline)
}

async fn bring(
    shared: &Shared,
    (idx, medium): (i64, &SubmissionMedia),
    model: &str,
) -> Result<SubmissionMedia, Missing> {
    if let Ok(id) = medium.url.parse::<UploadId>() {
        let found = shared.context.app.video.uploads.any(id).await?;
        let gone = || Missing::Failed(unreachable("the upload is not there any more"));
        return Ok(of_upload(shared, medium, &found.ok_or_else(gone)?));
    }
    if let Ok(id) = medium.url.parse::<TaskId>() {
        return of_task(shared, medium, id).await;
    }
    if let Some(noted) = noted(shared, idx).await? {
        return Ok(of_upload(shared, medium, &noted));
    }
    let fetched = fetched(shared, medium, model).await?;
    note(shared, idx, fetched.id).await?;
    // Another worker may have been first.
    let noted = noted(shared, idx).await?.unwrap_or(fetched);
    Ok(of_upload(shared, medium, &noted))
}

fn of_upload(shared: &Shared, medium: &SubmissionMedia, upload: &upload::Model) -> SubmissionMedia {
    let app = &shared.context.app;
    let file = InputFile {
        content_type: upload.content_type.clone(),
        bytes: u64::try_from(upload.bytes).unwrap_or(0),
        key: upload.storage_key.clone(),
        store: app.store.clone(),
    };
    // The same address whenever it is sent.
    let url = app.upload_url(upload.id, shared.deadline_at.plus_seconds(GRACE_SECONDS));
    SubmissionMedia { role: medium.role, url, file: Some(file), made_by: None }
}

/// The first clip that the customer's other task delivered.
async fn of_task(shared: &Shared, medium: &SubmissionMedia, id: TaskId) -> Result<SubmissionMedia, Missing> {
    let app = &shared.context.app;
    let gone = || Missing::Failed(unreachable("the task was deleted"));
    let view = app.video.task(shared.account, id).await?.ok_or_else(gone)?;
    let clip = view.clips.iter().find(|clip| clip.state == ClipState::Delivered).ok_or_else(gone)?;
    let key = clip.storage_key.clone().ok_or_else(gone)?;
    let file = InputFile {
        content_type: "video/mp4".to_owned(),
        bytes: clip.bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
        key,
        store: app.store.clone(),
    };
    let index = u32::try_from(clip.idx).unwrap_or(0);
    let url = app.clip_url(id, index, Variant::Video, shared.deadline_at.plus_seconds(GRACE_SECONDS));
    let by = view.attempts.iter().find(|attempt| Some(attempt.n) == clip.attempt_n);
    let made_by = by.and_then(|attempt| {
        let id = UpstreamId(attempt.upstream_id.clone()?);
        Some(MadeBy { provider: attempt.provider.clone(), id })
    });
    Ok(SubmissionMedia { role: medium.role, url, file: Some(file), made_by })
}

/// Fetches a customer's address, and keeps what it is as long as the task may need it.
async fn fetched(shared: &Shared, medium: &SubmissionMedia, model: &str) -> Result<upload::Model, Missing> {
    let app = &shared.context.app;
    let given = fetch(app, &medium.url).await.map_err(|unfetched| match unfetched {
        Unfetched::Never(reason) => Missing::Failed(unreachable(&reason)),
        Unfetched::NotNow(reason) => Missing::Later(unreachable(&reason)),
        Unfetched::Upload(error) => error.into(),
    })?;
    let until = shared.deadline_at.plus_seconds(GRACE_SECONDS);
    let kept = app.video.uploads.keep_until(shared.account, &given, (until, until)).await?;
    let model = app.video.catalog.model(model);
    match unfit(model.map(|model| &**model), medium.role, &facts(&kept)) {
        Some(message) => Err(Missing::Failed(invalid(message))),
        None => Ok(kept),
    }
}

/// What an input was fetched as before.
async fn noted(shared: &Shared, idx: i64) -> Result<Option<upload::Model>, Missing> {
    let app = &shared.context.app;
    let noted = task_input::Entity::find_by_id((shared.task, idx)).one(app.db.read()).await?;
    match noted {
        Some(input) => Ok(app.video.uploads.any(input.upload_id).await?),
        None => Ok(None),
    }
}

async fn note(shared: &Shared, idx: i64, upload_id: UploadId) -> Result<(), DbErr> {
    let row = task_input::Model { task_id: shared.task, idx, upload_id };
    let first =
        OnConflict::columns([task_input::Column::TaskId, task_input::Column::Idx]).do_nothing().to_owned();
    let tx = shared.context.app.db.begin().await?;
    task_input::Entity::insert(row.into_active_model())
        .on_conflict(first)
        .exec_without_returning(&tx)
        .await?;
    tx.commit().await
}
