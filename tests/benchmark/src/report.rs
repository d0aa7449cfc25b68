//! What was measured, as a table for a terminal and as a document.

use std::collections::HashMap;
use std::fmt::Write;

use clap::ValueEnum;
use sea_orm::{ConnectionTrait, Database, Statement};

use crate::Options;
use crate::scenario::Name;
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

/// The whole report: the parts that were measured now, and the others as an `earlier` report has them. Each says where and when
/// that was: only figures of one run can be compared.
pub async fn document(options: &Options, measured: &[Measured], earlier: &str) -> anyhow::Result<String> {
    let postgres = Database::connect(&options.postgres).await?;
    let version = Statement::from_string(postgres.get_database_backend(), "SHOW server_version");
    let version: String = match postgres.query_one_raw(version).await? {
        Some(row) => row.try_get("", "server_version")?,
        None => String::new(),
    };
    let revision = std::env::var("REELMETER_BENCH_REVISION").unwrap_or_default();
    let date = std::env::var("REELMETER_BENCH_DATE").unwrap_or_default();
    let when = format!(
        "Revision {revision}, {date}, {seconds} s a measurement{checkpoint}, on {machine}; PostgreSQL {version}{redis}.",
        seconds = options.seconds(),
        checkpoint = if options.quick { "" } else { " with a checkpoint in the middle" },
        machine = machine(),
        redis = if options.redis.is_some() { " with a Redis beside it" } else { "" },
    );
    Ok(format!(
        "<!-- Written by tests/bench --write. -->\n# Benchmarks\n\n\
         PostgreSQL with `fsync` and `synchronous_commit` on, SQLite with `synchronous = FULL`; client, server and database on the \
         same cores. Only figures of one part can be compared: a ratio is of one run, and machines differ.\n\n\
         `tests/bench` measures all of it again; `tests/bench accept poll` parts of it, `tests/bench --quick` all of it within \
         five minutes. With `--write` a part takes the place of its earlier figures.\n{parts}",
        parts = parts(measured, &when, earlier),
    ))
}

fn parts(measured: &[Measured], when: &str, earlier: &str) -> String {
    let earlier: HashMap<&str, &str> =
        earlier.split(HEADING).skip(1).filter_map(|part| part.split_once('\n')).collect();
    let names = Name::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    names.fold(String::new(), |mut text, name| {
        let name = name.get_name();
        let now: Vec<Measured> = measured.iter().filter(|line| line.scenario == name).cloned().collect();
        let part = match earlier.get(name) {
            Some(part) if now.is_empty() => part.trim().to_owned(),
            None if now.is_empty() => return text,
            _ => format!("{when}\n\n{}{}", table(&now), notes(&now)),
        };
        let _ = write!(text, "{HEADING}{name}\n\n{}\n", part.trim_end());
        text
    })
}

/// Begins a part, with the name of its scenario.
const HEADING: &str = "\n## ";

fn notes(measured: &[Measured]) -> String {
    let noted = measured.iter().filter(|line| !line.notes.is_empty());
    noted.fold("\n".to_owned(), |mut text, line| {
        let _ = writeln!(text, "- {}: {}", line.what, line.notes);
        text
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_takes_the_place_of_its_earlier_figures() {
        let line = |scenario, value| Measured::new(scenario, "requests", value, "/s");
        let first = parts(&[line("poll", 1.0), line("accept", 2.0).note("slow")], "Yesterday.", "");
        let both =
            parts(&[line("poll", 3.0), line("start", 4.0)], "Today.", &format!("# Benchmarks\n{first}"));
        let figures = |text: &str| -> Vec<String> {
            let kept = |line: &&str| line.starts_with("## ") || line.contains("/s") || line.ends_with('.');
            text.lines().filter(kept).map(str::to_owned).collect()
        };
        let row = |value: &str| format!("| requests | {value} /s |  |  |  |  |");
        assert_eq!(
            figures(&both),
            [
                "## accept",
                "Yesterday.",
                &row("2.00"),
                "## poll",
                "Today.",
                &row("3.00"),
                "## start",
                "Today.",
                &row("4.00"),
            ]
        );
        assert_eq!(both.matches("- requests: slow").count(), 1);
    }
}
