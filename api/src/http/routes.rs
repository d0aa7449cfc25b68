//! The way of a request to its handler: operations of the API go one way, everything else that is served another. One table of
//! routes within another would have each address read twice.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use poem::endpoint::{BoxEndpoint, DynEndpoint};
use poem::{Endpoint, Request, Response};

use super::model_path;
use crate::app::App;

/// Gives the request the [`App`], which handlers look for in it.
pub struct Routes {
    app: Arc<App>,
    pages: BoxEndpoint<'static>,
    operations: BoxEndpoint<'static>,
    /// What the paths of pages begin with.
    beginnings: HashSet<&'static str>,
}

impl Routes {
    /// `paths` are those of the pages.
    pub fn new(
        app: Arc<App>,
        pages: BoxEndpoint<'static>,
        paths: impl Iterator<Item = &'static str>,
        operations: BoxEndpoint<'static>,
    ) -> Self {
        Routes { app, pages, operations, beginnings: paths.map(beginning).collect() }
    }
}

impl Endpoint for Routes {
    type Output = Response;

    fn call(&self, mut request: Request) -> impl Future<Output = poem::Result<Response>> + Send {
        request.set_data(self.app.clone());
        model_path::fold(&mut request);
        let is_page = self.beginnings.contains(beginning(request.uri().path()));
        let way = if is_page { &self.pages } else { &self.operations };
        let answer: BoxFuture<'_, _> = DynEndpoint::call(way.as_ref(), request);
        answer
    }
}

/// The first part of a path.
pub fn beginning(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_once('/').map_or(path, |(first, _)| first)
}
