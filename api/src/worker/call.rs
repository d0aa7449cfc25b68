//! Calls of a provider: each within its time, counted, and with a span of its own. What the answer means is the clip's matter.

use std::time::{Duration, Instant};

use tracing::{Instrument, Span, debug_span, field::Empty};

use super::dock::Dock;
use super::{Context, tally};
use crate::provider::{Found, Progress, ProviderError, Submission, UpstreamId};

/// How long a submission may take before its outcome is unknown.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a question may take. It says nothing when it takes longer.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest upstream id that is kept, in bytes.
const MAX_ID: usize = 1_024;

pub async fn submit(
    context: &Context,
    dock: &Dock,
    submission: &Submission,
) -> Result<UpstreamId, ProviderError> {
    let submit = dock.provider().submit(submission);
    let late = || ProviderError::Unknown("no answer in time".into());
    let submit = async { usable(in_time(SUBMIT_TIMEOUT, submit, late).await?) };
    counted((context, dock), "submit", tally::submit_outcome, debug_span!("send", outcome = Empty), submit)
        .await
}

pub async fn poll(
    (context, dock): (&Context, &Dock),
    id: &UpstreamId,
    submission: &Submission,
) -> Result<Progress, ProviderError> {
    let poll = dock.provider().poll(id, submission);
    let poll = in_time(ASK_TIMEOUT, poll, no_answer);
    counted((context, dock), "poll", tally::poll_outcome, debug_span!("poll", outcome = Empty), poll).await
}

pub async fn find(
    (context, dock): (&Context, &Dock),
    submission: &Submission,
    heard: &[UpstreamId],
) -> Result<Found, ProviderError> {
    let find = async {
        match in_time(ASK_TIMEOUT, dock.provider().find(submission, heard), no_answer).await? {
            Found::Accepted(id) => usable(id).map(Found::Accepted),
            found => Ok(found),
        }
    };
    counted((context, dock), "find", tally::find_outcome, debug_span!("find", outcome = Empty), find).await
}

pub async fn cancel(
    (context, dock): (&Context, &Dock),
    id: &UpstreamId,
    submission: &Submission,
) -> Result<(), ProviderError> {
    let cancel = in_time(ASK_TIMEOUT, dock.provider().cancel(id, submission), no_answer);
    counted((context, dock), "cancel", tally::cancel_outcome, debug_span!("cancel", outcome = Empty), cancel)
        .await
}

/// An id that can't be kept or asked about is none: what became of the submission has to be found out.
fn usable(id: UpstreamId) -> Result<UpstreamId, ProviderError> {
    let sane = (1..=MAX_ID).contains(&id.0.len()) && !id.0.contains(char::is_control);
    if sane { Ok(id) } else { Err(ProviderError::Broken("an id that makes no sense".into())) }
}

fn no_answer() -> ProviderError {
    ProviderError::unavailable("no answer in time")
}

async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, ProviderError>>,
    late: impl FnOnce() -> ProviderError,
) -> Result<T, ProviderError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}

async fn counted<T>(
    (context, dock): (&Context, &Dock),
    name: &'static str,
    outcome: fn(&Result<T, ProviderError>) -> &'static str,
    span: Span,
    call: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let begun = Instant::now();
    let result = call.instrument(span.clone()).await;
    let outcome = outcome(&result);
    span.record("outcome", outcome);
    context.tally.called(dock.name(), name, outcome, begun);
    result
}
