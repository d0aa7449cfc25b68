//! Providers that call every submission by the same name.

use std::time::Duration;

use async_trait::async_trait;
use reelmeter::provider::{
    Abilities, FailureCode, Found, Pace, Progress, Provider, ProviderError, Reconcile, Submission, UpstreamId,
};

pub struct Twin {
    pub name: &'static str,
    /// Why it makes nothing.
    pub verdict: FailureCode,
}

#[async_trait]
impl Provider for Twin {
    fn name(&self) -> &str {
        self.name
    }

    fn abilities(&self) -> Abilities {
        let pace = Pace::steady(Duration::from_millis(10));
        Abilities {
            slots: 8,
            rate: None,
            pace,
            can_cancel: false,
            reconcile: Reconcile::Opaque,
            needs_files: false,
        }
    }

    async fn submit(&self, _: &Submission) -> Result<UpstreamId, ProviderError> {
        Ok(UpstreamId("job-1".into()))
    }

    async fn poll(&self, _: &UpstreamId, _: &Submission) -> Result<Progress, ProviderError> {
        Ok(Progress::failed(self.verdict, "it failed"))
    }

    async fn cancel(&self, _: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn find(&self, _: &Submission, _: &[UpstreamId]) -> Result<Found, ProviderError> {
        Ok(Found::Unsure)
    }
}
