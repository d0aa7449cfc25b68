//! What is left of a caller's limits, told with every answer, also a refusal: `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers, two fields), and the older headers that many clients read.
//!
//! Whoever authenticates the caller notes the limits in the request's [`Report`]; the answer is marked when it leaves. A caller
//! without limits is told nothing.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use entity::KeyId;
use poem::http::header::RETRY_AFTER;
use poem::http::{HeaderMap, HeaderName, HeaderValue};
use poem::{Endpoint, Request, Response};

use crate::app::App;
use crate::ledger::key_usage::open_tasks_of;
use crate::limit::{Policy, Taken};

/// The names of the policies.
pub const REQUESTS: &str = "requests";
pub const TASKS: &str = "tasks";

const MINUTE_S: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// The policy of a key that may send so many requests in a minute.
pub fn requests_a_minute(quota: NonZeroU32) -> Policy {
    Policy { name: REQUESTS, quota, window_s: MINUTE_S }
}

/// What a request's caller is limited by; empty until somebody is known, and for those without limits.
#[derive(Clone, Debug, Default)]
pub struct Report(Arc<Mutex<Limits>>);

#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub requests: Option<(Policy, Taken)>,
    /// The key, and how many tasks it may have under way.
    pub tasks: Option<(KeyId, u32)>,
}

impl Report {
    /// Changes the report of a request; nothing where nobody asked for one.
    pub fn note(request: &Request, change: impl FnOnce(&mut Limits)) {
        if let Some(report) = request.data::<Report>() {
            change(&mut report.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub fn limits(&self) -> Limits {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers requests and says in the headers of the answers what is left.
pub struct Marked<E> {
    app: Arc<App>,
    inside: E,
}

impl<E> Marked<E> {
    pub fn new(app: Arc<App>, inside: E) -> Self {
        Marked { app, inside }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Marked<E> {
    type Output = Response;

    // Not an `async fn`, here and further in: the request would keep its place in the future of each layer, and thousands of
    // requests wait at a time.
    fn call(&self, mut request: Request) -> impl Future<Output = poem::Result<Response>> + Send {
        let report = Report::default();
        request.set_data(report.clone());
        let answer = self.inside.call(request);
        async move {
            let mut response = answer.await?;
            let standing = Standing::of(report.limits(), &self.app).await;
            standing.write(response.headers_mut());
            Ok(response)
        }
    }
}

/// What is left, now that the request is answered.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    requests: Option<(Policy, Taken)>,
    /// The limit, and what is left of it.
    tasks: Option<(u32, u32)>,
}

impl Standing {
    async fn of(limits: Limits, app: &App) -> Standing {
        let Limits { requests, tasks } = limits;
        let Some((key, limit)) = tasks else { return Standing { requests, tasks: None } };
        let tasks = match Box::pin(open_tasks_of(app.db.read(), key)).await {
            Ok(open) => Some((limit, limit.saturating_sub(u32::try_from(open).unwrap_or(u32::MAX)))),
            Err(error) => {
                tracing::debug!(%error, "what a key has under way could not be told");
                None
            }
        };
        Standing { requests, tasks }
    }

    fn write(self, headers: &mut HeaderMap) {
        let (mut policies, mut left) = (Vec::new(), Vec::new());
        if let Some((Policy { name, quota, window_s }, taken)) = self.requests {
            policies.push(format!("\"{name}\";q={quota};w={window_s}"));
            left.push(format!("\"{name}\";r={};t={}", taken.remaining, taken.more_in_s));
            put(headers, "x-ratelimit-limit-requests", &quota.to_string());
            put(headers, "x-ratelimit-remaining-requests", &taken.remaining.to_string());
            put(headers, "x-ratelimit-reset-requests", &format!("{}s", taken.full_in_s));
            not_before(headers, taken.more_in_s);
        }
        if let Some((limit, remaining)) = self.tasks {
            policies.push(format!("\"{TASKS}\";q={limit};qu=\"concurrent-requests\""));
            left.push(format!("\"{TASKS}\";r={remaining}"));
        }
        if !policies.is_empty() {
            put(headers, "ratelimit-policy", &policies.join(", "));
            put(headers, "ratelimit", &left.join(", "));
        }
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Who is told to come back is not told to come before there is more.
fn not_before(headers: &mut HeaderMap, seconds: u32) {
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    if retry_after.is_some_and(|after| after < seconds) {
        put(headers, "retry-after", &seconds.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(standing: Standing, retry_after: Option<&'static str>) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.extend(retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))));
        standing.write(&mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    fn taken(remaining: u32, more_in_s: u32) -> Taken {
        Taken { is_allowed: true, remaining, retry_after_s: 0, more_in_s, full_in_s: 17 }
    }

    #[test]
    fn each_limit_is_a_policy_and_what_is_left_of_it() {
        let policy = requests_a_minute(NonZeroU32::new(60).unwrap());
        let both = Standing { requests: Some((policy, taken(41, 1))), tasks: Some((10, 3)) };
        let expected = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "41"),
            ("x-ratelimit-reset-requests", "17s"),
            ("ratelimit-policy", "\"requests\";q=60;w=60, \"tasks\";q=10;qu=\"concurrent-requests\""),
            ("ratelimit", "\"requests\";r=41;t=1, \"tasks\";r=3"),
        ];
        assert_eq!(written(both, None), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let tasks = written(Standing { requests: None, tasks: Some((0, 0)) }, Some("5"));
        assert_eq!(tasks[0], ("retry-after".to_owned(), "5".to_owned()));
        assert_eq!(tasks[2], ("ratelimit".to_owned(), "\"tasks\";r=0".to_owned()));
        assert_eq!(written(Standing::default(), None), []);
    }

    #[test]
    fn nobody_is_asked_back_before_there_is_more() {
        let policy = requests_a_minute(NonZeroU32::new(1).unwrap());
        let standing = Standing { requests: Some((policy, taken(0, 60))), tasks: None };
        for (said, told) in [("5", "60"), ("60", "60"), ("90", "90")] {
            assert_eq!(written(standing, Some(said))[0], ("retry-after".to_owned(), told.to_owned()));
        }
    }
}
