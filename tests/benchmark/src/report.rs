//! What was measured, as a table for a terminal and as a document.

use std::fmt::Write;

use sea_orm::{ConnectionTrait, Database, Statement};

use crate::Options;
use crate::target::Measured;

/// One line, for whoever watches.
pub fn line(measured: &Measured) -> String {
    let mut text = format!("{}: {} {}", measured.what, number(measured.value), measured.unit);
    if let Some(against) = &measured.against {
        let _ = write!(text, " | {}: {} {}", against.what, number(against.value), against.unit);
    }
    if let Some(ratio) = measured.ratio() {
        let _ = write!(text, " | {ratio:.2} ×");
    }
    if let (Some(target), Some(is_met)) = (&measured.target, measured.is_met()) {
        let _ = write!(text, " | {target}: {}", verdict(is_met));
    }
    text
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "yes" } else { "no" }
}

fn number(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Every line, as a table in Markdown.
pub fn table(measured: &[Measured]) -> String {
    let mut text =
        String::from("| What | Measured | Against | Ratio | Target | Met |\n|---|---|---|---|---|---|\n");
    for line in measured {
        let against = line.against.as_ref().map_or_else(String::new, |against| {
            format!("{}: {} {}", against.what, number(against.value), against.unit)
        });
        let ratio = line.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2} ×"));
        let target = line.target.map_or_else(String::new, |target| target.to_string());
        let met = line.is_met().map_or("", verdict);
        let (what, value, unit) = (&line.what, number(line.value), line.unit);
        let _ = writeln!(text, "| {what} | {value} {unit} | {against} | {ratio} | {target} | {met} |");
    }
    text
}

/// The whole report.
pub async fn document(options: &Options, measured: &[Measured]) -> anyhow::Result<String> {
    let postgres = Database::connect(&options.postgres).await?;
    let version = Statement::from_string(postgres.get_database_backend(), "SHOW server_version");
    let version: String = match postgres.query_one_raw(version).await? {
        Some(row) => row.try_get("", "server_version")?,
        None => String::new(),
    };
    let notes = measured.iter().filter(|line| !line.notes.is_empty());
    let notes: String = notes.fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "- {}: {}", line.what, line.notes);
        text
    });
    Ok(format!(
        "<!-- Written by tests/bench --write. -->\n# Benchmarks\n\n\
         {machine}; PostgreSQL {version} (`fsync` and `synchronous_commit` on), SQLite with `synchronous = FULL`;{redis} client, server \
         and database on the same cores. {seconds} s a measurement{checkpoint}. Revision {revision}, {date}.\n\n\
         `tests/bench` measures all of it again; `tests/bench accept poll` parts of it, `tests/bench --quick` all of it within \
         five minutes.\n\n{table}\n## What else was seen\n\n{notes}",
        machine = machine(),
        redis = if options.redis.is_some() { " a Redis beside PostgreSQL;" } else { "" },
        seconds = options.seconds(),
        checkpoint = if options.quick { "" } else { ", a checkpoint in the middle" },
        revision = std::env::var("REELMETER_BENCH_REVISION").unwrap_or_default(),
        date = std::env::var("REELMETER_BENCH_DATE").unwrap_or_default(),
        table = table(measured),
    ))
}

/// Processor, cores and memory.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let gib = memory.trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / f64::from(1 << 20);
    let system = format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim());
    format!("{cores} cores of {}, {gib:.0} GiB, {system}", after(&read("/proc/cpuinfo"), "model name"))
}
