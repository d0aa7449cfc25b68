//! Calls of a provider: each within its time, counted, and with a span of its own. What the answer means is the clip's matter.

use std::time::{Duration, Instant};

use tracing::{Instrument, Span, debug_span, field::Empty};

use super::run::Shared;
use super::tally;
use crate::provider::{Found, Progress, ProviderError, Submission, UpstreamId};

/// How long a submission may take before its outcome is unknown.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a question may take. It says nothing when it takes longer.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest upstream id that is kept, in bytes.
const MAX_ID: usize = 1_024;

pub async fn submit(shared: &Shared, submission: &Submission) -> Result<UpstreamId, ProviderError> {
    let submit = shared.provider.submit(submission);
    let late = || ProviderError::Unknown("no answer in time".into());
    let submit = async { usable(in_time(SUBMIT_TIMEOUT, submit, late).await?) };
    counted(shared, "submit", tally::submit_outcome, debug_span!("send", outcome = Empty), submit).await
}

pub async fn poll(
    shared: &Shared,
    id: &UpstreamId,
    submission: &Submission,
) -> Result<Progress, ProviderError> {
    let poll = shared.provider.poll(id, submission);
    let poll = in_time(ASK_TIMEOUT, poll, no_answer);
    counted(shared, "poll", tally::poll_outcome, debug_span!("poll", outcome = Empty), poll).await
}

pub async fn find(shared: &Shared, submission: &Submission) -> Result<Found, ProviderError> {
    let find = async {
        match in_time(ASK_TIMEOUT, shared.provider.find(submission), no_answer).await? {
            Found::Accepted(id) => usable(id).map(Found::Accepted),
            found => Ok(found),
        }
    };
    counted(shared, "find", tally::find_outcome, debug_span!("find", outcome = Empty), find).await
}

pub async fn cancel(shared: &Shared, id: &UpstreamId) -> Result<(), ProviderError> {
    let cancel = in_time(ASK_TIMEOUT, shared.provider.cancel(id), no_answer);
    counted(shared, "cancel", tally::cancel_outcome, debug_span!("cancel", outcome = Empty), cancel).await
}

/// An id that can't be kept or asked about is none: what became of the submission has to be found out.
fn usable(id: UpstreamId) -> Result<UpstreamId, ProviderError> {
    let sane = (1..=MAX_ID).contains(&id.0.len()) && !id.0.contains(char::is_control);
    if sane { Ok(id) } else { Err(ProviderError::Broken("an id that makes no sense".into())) }
}

fn no_answer() -> ProviderError {
    ProviderError::Unavailable { retry_after_ms: None }
}

async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, ProviderError>>,
    late: impl FnOnce() -> ProviderError,
) -> Result<T, ProviderError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}

async fn counted<T>(
    shared: &Shared,
    name: &'static str,
    outcome: fn(&Result<T, ProviderError>) -> &'static str,
    span: Span,
    call: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let begun = Instant::now();
    let result = call.instrument(span.clone()).await;
    let outcome = outcome(&result);
    span.record("outcome", outcome);
    shared.context.tally.called(shared.provider.name(), name, outcome, begun);
    result
}
