//! One request of theirs: what we keep of it, and where it is asked about.

use crate::provider::wire::segment;
use crate::provider::{ProviderError, UpstreamId};

/// One request of theirs, as `owner/app/id`.
pub struct Request {
    owner: String,
    app: String,
    id: String,
}

impl Request {
    /// An endpoint may have more segments than those that its requests are known by.
    pub fn new(endpoint: &str, id: &str) -> Option<Request> {
        let mut segments = endpoint.split('/').filter(|segment| !segment.is_empty());
        let (owner, app) = (segments.next()?.to_owned(), segments.next()?.to_owned());
        (!id.is_empty()).then(|| Request { owner, app, id: id.to_owned() })
    }

    pub fn known(id: &UpstreamId) -> Result<Request, ProviderError> {
        let without = || ProviderError::Broken(format!("an id without its endpoint: {}", id.0));
        let after_app = id.0.match_indices('/').nth(1).map(|(at, _)| at).ok_or_else(without)?;
        Request::new(&id.0[..after_app], &id.0[after_app + 1..]).ok_or_else(without)
    }

    pub fn id(&self) -> UpstreamId {
        UpstreamId(format!("{}/{}/{}", self.owner, self.app, self.id))
    }

    pub fn path(&self, rest: &str) -> String {
        format!("{}/{}/requests/{}{rest}", segment(&self.owner), segment(&self.app), segment(&self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_the_first_two_segments_of_its_endpoint() {
        for (endpoint, id) in
            [("fal-ai/wan/v2.7/text-to-video", "fal-ai/wan/r1"), ("fal-ai/veo3.1", "fal-ai/veo3.1/r1")]
        {
            let request = Request::new(endpoint, "r1").unwrap();
            assert_eq!(request.id(), UpstreamId(id.to_owned()));
            assert_eq!(Request::known(&request.id()).unwrap().path(""), request.path(""));
        }
        let odd = Request::new("a/b/c", "r/1").unwrap();
        assert_eq!(odd.path("/status"), "a/b/requests/r%2F1/status");
        assert_eq!(Request::known(&odd.id()).unwrap().path(""), odd.path(""));
        assert!(Request::new("alone", "r1").is_none() && Request::new("a/b", "").is_none());
        for alone in ["r1", "a/r1", "a/b/", "//r1"] {
            assert!(Request::known(&UpstreamId(alone.to_owned())).is_err(), "{alone}");
        }
    }
}
