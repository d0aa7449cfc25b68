//! The log, to stderr, and the traces beside it.

use std::io::IsTerminal;

use anyhow::anyhow;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Config, LogFormat};
use crate::trace::Traces;

/// Starts the log, and the traces if there is a collector. Within a runtime, which sends them.
pub fn start(config: &Config) -> anyhow::Result<Option<Traces>> {
    let filter =
        EnvFilter::try_new(&config.log).map_err(|error| anyhow!("REELMETER_LOG is wrong: {error}"))?;
    let Some(collector) = &config.otlp_endpoint else {
        Registry::default().with(filter).with(lines(config.log_format)).init();
        return Ok(None);
    };
    let traces = Traces::start(collector)?;
    // A filter of the lines alone: what is traced does not depend on what is logged.
    Registry::default().with(lines(config.log_format).with_filter(filter)).with(traces.layer()).init();
    Ok(Some(traces))
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    }
}
