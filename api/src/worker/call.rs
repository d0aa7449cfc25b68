//! Calls of a provider: each within its time, counted, and with a span of its own. What the answer means is the clip's matter.

use std::time::{Duration, Instant};

use tracing::{Instrument, Span, debug_span, field::Empty};

use super::run::Shared;
use super::tally;
use crate::provider::{Found, Progress, ProviderError, Submission, UpstreamId};

/// How long a submission may take before its outcome is unknown.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_TIMEOUT: Duration = Duration::from_secs(30);

pub async fn submit(shared: &Shared, submission: &Submission) -> Result<UpstreamId, ProviderError> {
    let submit = shared.provider.submit(submission);
    let late = || ProviderError::Unknown("no answer in time".into());
    let submit = in_time(SUBMIT_TIMEOUT, submit, late);
    counted(shared, "submit", tally::submit_outcome, debug_span!("send", outcome = Empty), submit).await
}

pub async fn poll(
    shared: &Shared,
    id: &UpstreamId,
    submission: &Submission,
) -> Result<Progress, ProviderError> {
    let poll = shared.provider.poll(id, submission);
    let late = || ProviderError::Unavailable { retry_after_ms: None };
    let poll = in_time(POLL_TIMEOUT, poll, late);
    counted(shared, "poll", tally::poll_outcome, debug_span!("poll", outcome = Empty), poll).await
}

pub async fn find(shared: &Shared, submission: &Submission) -> Result<Found, ProviderError> {
    let find = shared.provider.find(submission);
    counted(shared, "find", tally::find_outcome, debug_span!("find", outcome = Empty), find).await
}

pub async fn cancel(shared: &Shared, id: &UpstreamId) -> Result<(), ProviderError> {
    let cancel = shared.provider.cancel(id);
    counted(shared, "cancel", tally::cancel_outcome, debug_span!("cancel", outcome = Empty), cancel).await
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
