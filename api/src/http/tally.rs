//! What the front door counts. A request is counted by the template of its path, so that there are as many series as there
//! are routes, whatever callers come up with.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram};
use poem::http::{Method, StatusCode};

use super::{PATHS, matches, page_paths};
use crate::metrics::{Metrics, table};

/// The route of a path that nobody serves.
const UNMATCHED: &str = "unmatched";
/// The method of a request whose method is none of HTTP's usual ones.
const OTHER: &str = "other";

#[derive(Debug)]
pub struct Tally {
    metrics: Metrics,
    in_flight: Gauge,
    /// Paths without a parameter; the other templates are looked through.
    plain: HashMap<&'static str, &'static str>,
    templates: Vec<&'static str>,
    series: RwLock<HashMap<Labels, Series>>,
    refusals: RwLock<HashMap<&'static str, Counter>>,
}

/// Method, route and class of the status.
type Labels = (&'static str, &'static str, &'static str);

#[derive(Clone, Debug)]
struct Series {
    requests: Counter,
    duration: Histogram,
}

/// A request that is being answered; also one whose caller went away.
#[derive(Debug)]
pub struct InFlight<'t> {
    tally: &'t Tally,
    begun: Instant,
}

impl Tally {
    pub fn new(metrics: Metrics) -> Self {
        let paths = PATHS.iter().map(|(path, _)| *path).chain(page_paths());
        let (templates, plain): (Vec<_>, Vec<_>) = paths.partition(|path| path.contains('{'));
        Tally {
            in_flight: metrics.gauge(&table::HTTP_IN_FLIGHT, &[]),
            metrics,
            plain: plain.into_iter().map(|path| (path, path)).collect(),
            templates,
            series: RwLock::default(),
            refusals: RwLock::default(),
        }
    }

    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.increment(1.0);
        InFlight { tally: self, begun: Instant::now() }
    }

    pub fn refused(&self, code: &'static str) {
        let made = || self.metrics.counter(&table::HTTP_REFUSALS, &[code]);
        known(&self.refusals, code, made).increment(1);
    }

    /// The template that a path fits.
    pub fn route(&self, path: &str) -> &'static str {
        let plain = self.plain.get(path).copied();
        let fitting = || self.templates.iter().copied().find(|template| matches(template, path));
        plain.or_else(fitting).unwrap_or(UNMATCHED)
    }

    fn series(&self, labels: Labels) -> Series {
        known(&self.series, labels, || {
            let (method, route, status) = labels;
            let labeled = [method, route, status];
            Series {
                requests: self.metrics.counter(&table::HTTP_REQUESTS, &labeled),
                duration: self.metrics.histogram(&table::HTTP_DURATION, &labeled),
            }
        })
    }
}

/// What is known under these labels, made when it is not.
fn known<K: Eq + Hash, V: Clone>(known: &RwLock<HashMap<K, V>>, labels: K, make: impl FnOnce() -> V) -> V {
    let found = known.read().unwrap_or_else(PoisonError::into_inner).get(&labels).cloned();
    found.unwrap_or_else(|| {
        let made = make();
        known.write().unwrap_or_else(PoisonError::into_inner).insert(labels, made.clone());
        made
    })
}

impl InFlight<'_> {
    pub fn answered(self, method: &'static str, route: &'static str, status: StatusCode) {
        let series = self.tally.series((method, route, class(status)));
        series.requests.increment(1);
        series.duration.record(self.begun.elapsed());
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.tally.in_flight.decrement(1.0);
    }
}

/// A method as a label: anybody can make up a method.
pub fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| method.as_str() == *known).unwrap_or(OTHER)
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "1xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_counted_as_its_template() {
        let tally = Tally::new(Metrics::default());
        for (path, route) in [
            ("/api/ai/credits", "/api/ai/credits"),
            ("/api/ai/tasks/tsk_1", "/api/ai/tasks/{id}"),
            ("/api/ai/tasks/tsk_1/content", "/api/ai/tasks/{id}/content"),
            ("/metrics", "/metrics"),
            ("/api/ai/tasks/", UNMATCHED),
            ("/api/ai/tasks/{id}/x/y", UNMATCHED),
            ("/wp-login.php", UNMATCHED),
            ("", UNMATCHED),
        ] {
            assert_eq!(tally.route(path), route, "{path}");
        }
    }

    #[test]
    fn a_made_up_method_is_one_of_the_others() {
        assert_eq!(method(&Method::GET), "GET");
        assert_eq!(method(&Method::from_bytes(b"SK-SECRET").unwrap()), OTHER);
    }

    #[test]
    fn who_goes_away_before_the_answer_is_in_flight_no_more() {
        let metrics = Metrics::default();
        let tally = Tally::new(metrics.clone());
        let request = tally.begin();
        assert!(metrics.render().contains("reelmeter_http_requests_in_flight 1"));
        drop(request);
        let text = metrics.render();
        assert!(
            text.contains("reelmeter_http_requests_in_flight 0") && !text.contains("requests_total"),
            "{text}"
        );
    }
}
