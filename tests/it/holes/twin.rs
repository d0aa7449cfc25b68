//! Providers that call every submission by the same name.

use std::time::Duration;

use async_trait::async_trait;
use reelmeter::provider::{
    Abilities, Failure, FailureCode, Found, Progress, Provider, ProviderError, Reconcile, Submission,
    UpstreamId,
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
        let poll_every = Duration::from_millis(10);
        Abilities {
            slots: 8,
            poll_every,
            can_cancel: false,
            reconcile: Reconcile::Opaque,
            needs_files: false,
        }
    }

    async fn submit(&self, _: &Submission) -> Result<UpstreamId, ProviderError> {
        Ok(UpstreamId("job-1".into()))
    }

    async fn poll(&self, _: &UpstreamId, _: &Submission) -> Result<Progress, ProviderError> {
        let failure = Failure { code: self.verdict, message: "It failed".into() };
        Ok(Progress::Failed { failure })
    }

    async fn cancel(&self, _: &UpstreamId) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn find(&self, _: &Submission) -> Result<Found, ProviderError> {
        Ok(Found::Unsure)
    }
}
