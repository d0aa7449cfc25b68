//! Whether the caller of an answer that lasts still may be told: the same check as at its beginning, made again.

use std::sync::Arc;

use entity::AccountId;
use poem::http::request::Parts;
use poem::{Body, Request};

use crate::customer::caller::Identity;
use crate::http::auth::{Again, VideosRead, authenticate};

/// The one who may read an account's tasks, as long as they may.
#[derive(Debug)]
pub struct Standing {
    request: Request,
    account: AccountId,
}

impl Standing {
    /// Keeps everything of a request that says who it is from.
    pub fn of(request: &Request, account: AccountId) -> Standing {
        let mut request = without_body(request);
        request.set_data(Again);
        Standing { request, account }
    }

    /// Who they are now. `None` when they may no more, when they came to stand for another account, and when it can't be told:
    /// they can ask again.
    pub async fn renewed(&self) -> Option<Arc<Identity>> {
        let identity = authenticate::<VideosRead>(&self.request).await.ok()?;
        (identity.account == self.account).then_some(identity)
    }
}

fn without_body(request: &Request) -> Request {
    let (mut parts, ()): (Parts, ()) = poem::http::Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.version = request.version();
    parts.headers = request.headers().clone();
    parts.extensions = request.extensions().clone();
    let from = (request.local_addr().clone(), request.remote_addr().clone(), request.scheme().clone());
    Request::from_parts((parts, from.0, from.1, from.2).into(), Body::empty())
}
