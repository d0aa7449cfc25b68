//! What a worker counts: jobs, calls of providers, clips, webhooks.

use std::time::Instant;

use entity::delivery::DeliveryState;
use metrics::{Counter, Gauge};

use crate::metrics::{Metrics, table};
use crate::provider::{Failure, Found, Progress, ProviderError, UpstreamId};

/// A worker's metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tally {
    metrics: Metrics,
    jobs: Gauge,
    takeovers: Counter,
}

/// A job is counted as followed while this lives.
#[derive(Debug)]
pub struct Followed(Gauge);

impl Drop for Followed {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// What became of what a provider was paid for.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Delivered,
    Lost,
}

impl Tally {
    pub fn new(metrics: Metrics) -> Self {
        let jobs = metrics.gauge(&table::WORKER_JOBS, &[]);
        let takeovers = metrics.counter(&table::WORKER_TAKEOVERS, &[]);
        Tally { metrics, jobs, takeovers }
    }

    pub fn follows(&self) -> Followed {
        self.jobs.increment(1.0);
        Followed(self.jobs.clone())
    }

    pub fn claimed(&self, provider: &str, jobs: usize) {
        self.metrics.counter(&table::WORKER_CLAIMS, &[provider]).increment(jobs as u64);
    }

    pub fn took_over(&self, jobs: u64) {
        self.takeovers.increment(jobs);
    }

    /// A provider was called at `begun`, and this is what came of it.
    pub fn called(&self, provider: &str, call: &'static str, outcome: &'static str, begun: Instant) {
        self.metrics.counter(&table::PROVIDER_CALLS, &[provider, call, outcome]).increment(1);
        self.metrics.histogram(&table::PROVIDER_DURATION, &[provider, call]).record(begun.elapsed());
    }

    /// A clip was not made, or what was made is not usable.
    pub fn failed(&self, provider: &str, failure: &Failure) {
        self.metrics.counter(&table::PROVIDER_FAILURES, &[provider, failure.code.class()]).increment(1);
    }

    /// A provider gave an id that another attempt has.
    pub fn id_taken(&self, provider: &str) {
        self.metrics.counter(&table::PROVIDER_TAKEN_IDS, &[provider]).increment(1);
    }

    pub fn cost(&self, provider: &str, micro_usd: Option<i64>, fate: Fate) {
        let fate = match fate {
            Fate::Delivered => "delivered",
            Fate::Lost => "lost",
        };
        let micro_usd = micro_usd.and_then(|cost| u64::try_from(cost).ok()).unwrap_or(0);
        self.metrics.counter(&table::PROVIDER_COST, &[provider, fate]).increment(micro_usd);
    }

    /// A submission was given up without knowing what became of it: what it may have cost is ours.
    pub fn orphaned(&self, provider: &str, micro_usd: Option<i64>) {
        self.metrics.counter(&table::PROVIDER_ORPHANS, &[provider]).increment(1);
        let micro_usd = micro_usd.and_then(|cost| u64::try_from(cost).ok()).unwrap_or(0);
        self.metrics.counter(&table::PROVIDER_ORPHAN_COST, &[provider]).increment(micro_usd);
    }

    /// A clip goes to another provider, for this reason.
    pub fn went_elsewhere(&self, from: &str, reason: &'static str) {
        self.metrics.counter(&table::PROVIDER_FAILOVERS, &[from, reason]).increment(1);
    }

    /// A callback came, and this is what it was worth.
    pub fn heard(&self, provider: &str, outcome: &'static str) {
        self.metrics.counter(&table::PROVIDER_CALLBACKS, &[provider, outcome]).increment(1);
    }

    /// One try to store a clip: its size, if it is stored.
    pub fn stored(&self, bytes: Option<i64>, begun: Instant) {
        let outcome = if bytes.is_some() { "stored" } else { "failed" };
        self.metrics.histogram(&table::CLIP_STORE, &[outcome]).record(begun.elapsed());
        if let Some(bytes) = bytes.and_then(|bytes| u64::try_from(bytes).ok()) {
            self.metrics.counter(&table::CLIP_BYTES, &[]).increment(bytes);
        }
    }

    /// One try to deliver a webhook left it in this state.
    pub fn delivered(&self, state: DeliveryState) {
        let outcome = match state {
            DeliveryState::Delivered => "delivered",
            DeliveryState::Pending => "put_off",
            DeliveryState::Failed => "given_up",
        };
        self.metrics.counter(&table::WEBHOOKS_SENT, &[outcome]).increment(1);
    }

    pub fn books_checked(&self, violations: usize) {
        self.metrics.gauge(&table::BOOK_VIOLATIONS, &[]).set(violations as f64);
    }
}

pub fn submit_outcome(result: &Result<UpstreamId, ProviderError>) -> &'static str {
    result.as_ref().map_or_else(error_class, |_| "accepted")
}

pub fn poll_outcome(result: &Result<Progress, ProviderError>) -> &'static str {
    match result {
        Ok(Progress::Queued) => "queued",
        Ok(Progress::Running { .. }) => "running",
        Ok(Progress::Succeeded { .. }) => "succeeded",
        Ok(Progress::Failed { .. }) => "failed",
        Ok(Progress::Canceled) => "canceled",
        Err(error) => error_class(error),
    }
}

pub fn find_outcome(result: &Result<Found, ProviderError>) -> &'static str {
    match result {
        Ok(Found::Accepted(_)) => "accepted",
        Ok(Found::Absent) => "absent",
        Ok(Found::Unsure) => "unsure",
        Err(error) => error_class(error),
    }
}

pub fn cancel_outcome(result: &Result<(), ProviderError>) -> &'static str {
    result.as_ref().map_or_else(error_class, |()| "accepted")
}

/// By what is known, which is what decides about money.
fn error_class(error: &ProviderError) -> &'static str {
    match error {
        ProviderError::Rejected(_) => "rejected",
        ProviderError::Unavailable { .. } => "unavailable",
        ProviderError::Unknown(_) => "unknown",
        ProviderError::Broken(_) => "broken",
    }
}
