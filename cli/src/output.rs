//! What goes to stdout: data and nothing else, as a table for people or as JSON for programs.

use std::io::Write;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::failure::Failure;

/// One JSON document.
pub fn json(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::local("could not write JSON"))?;
    line(&text)
}

/// One JSON document in one line, for streams of them.
pub fn json_line(value: &Value) -> Result<(), Failure> {
    line(&value.to_string())
}

/// A pipe that was closed ends the program quietly, as it does others.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(Failure::local("could not write to stdout")),
    }
}

/// Rows under a header, as wide as the terminal; without lines, so that it can be cut and searched.
pub fn table(header: &[impl AsRef<str>], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().map(|name| name.as_ref().to_uppercase())).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    line(&table.trim_fmt())
}

/// Names and their values, one below the other. What is empty is left out.
pub fn pairs(pairs: &[(&str, String)]) -> Result<(), Failure> {
    let told: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = told.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    told.into_iter().try_for_each(|(name, value)| line(&format!("{name:width$}  {value}")))
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Csv,
    Json,
}

/// Comma-separated values, with a header.
pub fn csv(header: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: &[String]| writer.write_record(row.iter().map(|cell| no_formula(cell)));
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let written = write(&header).and_then(|()| rows.iter().try_for_each(|row| write(row)));
    written.map_err(Failure::local("could not write CSV"))?;
    let bytes = writer.into_inner().map_err(Failure::local("could not write CSV"))?;
    let text = String::from_utf8_lossy(&bytes);
    line(text.trim_end_matches('\n'))
}

/// Text that a spreadsheet would take for a formula gets an apostrophe in front.
fn no_formula(cell: &str) -> String {
    let begins_one = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if begins_one { format!("'{cell}") } else { cell.to_owned() }
}

/// A value as people read it: text without quotes, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A moment to the second, in UTC, as the server tells it.
pub fn moment(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.get(..19).map_or_else(|| text.to_owned(), |seconds| format!("{}Z", seconds.replace('T', " ")))
}

/// Text that the server passed on from others may hold signals to a terminal; they are shown as marks.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// As [`plain`], of what others may have written, on one line.
pub fn cell(value: &Value) -> String {
    harmless(&plain(value)).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_a_spreadsheet_is_never_a_formula() {
        for (text, cell) in
            [("=1+1", "'=1+1"), ("@sum", "'@sum"), ("-5.5", "-5.5"), ("-x", "'-x"), ("a=b", "a=b")]
        {
            assert_eq!(no_formula(text), cell);
        }
    }
}
