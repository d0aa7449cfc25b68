//! What this process counts about itself, for Prometheus.
//!
//! Each room makes the handles it needs once, from the [`table`] of everything that can be counted, and only adds to them
//! afterwards. A recorder belongs to one [`App`](crate::app::App) and is installed nowhere, so that several can live in one
//! process. What must be true whoever restarts (credits, jobs, webhooks) is not counted here: it is read from the database
//! when somebody looks ([`crate::scrape`]).
//!
//! Labels have few values, all of them ours: never an id, a key, a customer, a raw path or anything that a caller chose.

mod process;
pub mod table;

use std::sync::{Arc, Weak};
use std::time::Duration;

use entity::Timestamp;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use table::{Kind, Metric};

/// Upper limits of the buckets of times, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0];
/// Upper limits of the buckets of batches, in commands.
const COMMANDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// How often samples are put into their buckets when nobody looks; until then they take memory one by one.
const UPKEEP: Duration = Duration::from_secs(5);

/// A set of metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Default for Metrics {
    fn default() -> Self {
        let recorder = recorder();
        for metric in table::ALL {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram => recorder.describe_histogram(name, None, help),
            }
        }
        let handle = recorder.handle();
        Metrics { recorder: Arc::new(recorder), handle }
    }
}

/// Buckets that can't be set (none of ours are empty) would make summaries of the histograms.
fn recorder() -> PrometheusRecorder {
    let commands = metrics_exporter_prometheus::Matcher::Full(table::LANE_BATCH.name.to_owned());
    let builder = PrometheusBuilder::new().set_buckets(&SECONDS);
    let builder = builder.and_then(|builder| builder.set_buckets_for_metric(commands, &COMMANDS));
    builder.unwrap_or_default().build_recorder()
}

impl Metrics {
    /// The metrics of a process, with what is known of it from its start.
    pub fn of_process(now: Timestamp) -> Self {
        let metrics = Metrics::default();
        metrics.gauge(&table::BUILD, &[env!("CARGO_PKG_VERSION")]).set(1.0);
        metrics.gauge(&table::PROCESS_START, &[]).set(seconds(now.micros()));
        metrics
    }

    /// The counter with these values of the metric's labels, in their order.
    pub fn counter(&self, metric: &'static Metric, labels: &[&str]) -> Counter {
        self.recorder.register_counter(&key(metric, labels), &METADATA)
    }

    pub fn gauge(&self, metric: &'static Metric, labels: &[&str]) -> Gauge {
        self.recorder.register_gauge(&key(metric, labels), &METADATA)
    }

    pub fn histogram(&self, metric: &'static Metric, labels: &[&str]) -> Histogram {
        self.recorder.register_histogram(&key(metric, labels), &METADATA)
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Keeps the memory of samples small until nobody holds these metrics any more.
    pub fn keep_up(&self) {
        let (alive, handle) = (Arc::downgrade(&self.recorder), self.handle.clone());
        tokio::spawn(keep_up(alive, handle));
    }

    /// Looks at the process itself.
    pub fn look_at_process(&self) {
        process::look(self);
    }
}

async fn keep_up(alive: Weak<PrometheusRecorder>, handle: PrometheusHandle) {
    while alive.strong_count() > 0 {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

fn key(metric: &'static Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let labels = metric.labels.iter().zip(values).map(|(name, value)| Label::new(*name, (*value).to_owned()));
    Key::from_parts(metric.name, labels.collect::<Vec<_>>())
}

/// Prometheus counts time in seconds.
pub fn seconds(micros: i64) -> f64 {
    Duration::from_micros(micros.unsigned_abs()).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sets_of_metrics_in_one_process_know_nothing_of_each_other() {
        let (one, other) = (Metrics::default(), Metrics::default());
        one.counter(&table::TASKS_ACCEPTED, &["live"]).increment(3);
        assert!(one.render().contains("reelmeter_tasks_accepted_total{mode=\"live\"} 3"));
        assert!(!other.render().contains("reelmeter_tasks_accepted_total"));
    }

    #[test]
    fn a_metric_is_shown_with_its_help_its_type_and_its_buckets() {
        let metrics = Metrics::default();
        metrics.histogram(&table::LANE_BATCH, &[]).record(3.0);
        metrics.histogram(&table::LANE_COMMIT, &[]).record(0.003);
        let text = metrics.render();
        for line in [
            "# HELP reelmeter_lane_batch_commands ",
            "# TYPE reelmeter_lane_batch_commands histogram",
            "reelmeter_lane_batch_commands_bucket{le=\"2\"} 0",
            "reelmeter_lane_batch_commands_bucket{le=\"4\"} 1",
            "reelmeter_lane_commit_duration_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_process_is_seen() {
        let metrics = Metrics::of_process(Timestamp::from_seconds(1_700_000_000));
        metrics.look_at_process();
        let text = metrics.render();
        assert!(text.contains("reelmeter_process_start_time_seconds 1700000000"), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains("reelmeter_process_resident_memory_bytes"), "{text}");
        }
    }
}
