//! A file as an answer: all of it or a range, with everything that describes it, and nothing to whoever has it already.

use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use entity::Timestamp;
use poem::http::{HeaderMap, HeaderName, StatusCode, header};
use poem::{Body, IntoResponse, ResponseBuilder};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Binary, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};

use super::error::ApiError;
use crate::media::{Asked, Plan, Representation, Store, plan};

/// A file that is there, and never changes under its name.
#[derive(Debug)]
pub struct ReadyFile {
    /// As it is saved.
    pub name: String,
    pub content_type: String,
    pub bytes: u64,
    pub sha256: Vec<u8>,
    pub stored_at: Timestamp,
    /// Seconds that a browser may keep it.
    pub max_age_s: u64,
    pub source: Source,
}

#[derive(Clone, Debug)]
pub enum Source {
    /// By its key in storage.
    Stored(String),
    /// A small one.
    Memory(Bytes),
}

/// What a request says of the part that it wants.
pub fn asked(headers: &HeaderMap) -> Asked<'_> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Asked {
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
        if_none_match: text(header::IF_NONE_MATCH),
    }
}

impl ReadyFile {
    pub async fn answer<K>(&self, store: &Store, asked: Asked<'_>) -> Result<FileAnswer<K>, ApiError> {
        let plan = self.plan(&asked);
        let range = match &plan {
            Plan::NotModified => return Ok(self.not_modified()),
            Plan::Unsatisfiable => return Err(ApiError::RangeNotSatisfiable { len: self.bytes }),
            Plan::Full => 0..self.bytes,
            Plan::Partial(range) => range.clone(),
        };
        let mut response = self.described().header(header::CONTENT_LENGTH, range.end - range.start);
        if let Some(content_range) = plan.content_range(self.bytes) {
            response =
                response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, content_range);
        }
        let body = match &self.source {
            Source::Stored(key) => {
                Body::from_bytes_stream(store.read(key, range).await.map_err(ApiError::internal)?)
            }
            // Within the file, by the plan, and that fits into memory.
            Source::Memory(bytes) => bytes.slice(range.start as usize..range.end as usize).into(),
        };
        Ok(FileAnswer(response.body(body), PhantomData))
    }

    /// Ranges are defined for `GET` only.
    pub fn headers_only<K>(&self, asked: Asked<'_>) -> FileAnswer<K> {
        match self.plan(&Asked { range: None, ..asked }) {
            Plan::NotModified => self.not_modified(),
            _ => {
                let response = self.described().header(header::CONTENT_LENGTH, self.bytes).finish();
                FileAnswer(response, PhantomData)
            }
        }
    }

    fn plan(&self, asked: &Asked<'_>) -> Plan {
        let etag = self.etag();
        plan(asked, &Representation { len: self.bytes, etag: &etag, last_modified: self.last_modified() })
    }

    fn etag(&self) -> String {
        format!("\"{}\"", hex::encode(&self.sha256))
    }

    fn last_modified(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.stored_at.seconds()).unwrap_or(0))
    }

    fn not_modified<K>(&self) -> FileAnswer<K> {
        FileAnswer(self.validators().status(StatusCode::NOT_MODIFIED).finish(), PhantomData)
    }

    /// What a 304 repeats.
    fn validators(&self) -> ResponseBuilder {
        poem::Response::builder()
            .header(header::ETAG, self.etag())
            .header(header::LAST_MODIFIED, httpdate::fmt_http_date(self.last_modified()))
            .header(header::CACHE_CONTROL, format!("private, max-age={}", self.max_age_s))
    }

    fn described(&self) -> ResponseBuilder {
        let digest = BASE64_STANDARD.encode(&self.sha256);
        self.validators()
            .content_type(&self.content_type)
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CONTENT_DISPOSITION, format!("inline; filename=\"{}\"", self.name))
            .header(HeaderName::from_static("repr-digest"), format!("sha-256=:{digest}:"))
    }
}

/// What the files of a route can be.
pub trait Kinds: Send {
    const CONTENT_TYPES: &'static [&'static str];
}

/// All or a part of a file, or that the caller has it already.
#[derive(Debug)]
pub struct FileAnswer<K>(poem::Response, PhantomData<K>);

impl<K: Send> IntoResponse for FileAnswer<K> {
    fn into_response(self) -> poem::Response {
        self.0
    }
}

impl<K: Kinds> ApiResponse for FileAnswer<K> {
    fn meta() -> MetaResponses {
        let file = || {
            let kinds = K::CONTENT_TYPES.iter();
            kinds
                .map(|kind| MetaMediaType { content_type: kind, schema: Binary::<Body>::schema_ref() })
                .collect()
        };
        let answer = |status, description, content| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers: vec![],
        };
        let responses = vec![
            answer(200, "The whole file", file()),
            answer(206, "The asked range of the file", file()),
            answer(304, "The caller has this file already", vec![]),
        ];
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}
