//! `reel usage`.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Context;
use crate::failure::Failure;
use crate::moment;
use crate::output::{self, Format, cell, plain};

const AFTER_HELP: &str = "\
Examples:
  reel usage --group-by model,key --since 30d
  reel usage --since 2027-01-01 --until 2027-01-31 --format csv > january.csv

A task counts on the day on which it was accepted. Days are UTC's.";

const SUMS: [&str; 9] =
    ["tasks", "completed", "failed", "canceled", "seconds", "credits", "held", "released", "refunded"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    Day,
    Model,
    Key,
    Mode,
}

impl Group {
    /// For the server, and the columns that it fills.
    fn names(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Group::Day => ("day", &["day"]),
            Group::Model => ("model", &["model"]),
            Group::Key => ("key", &["keyId", "keyName"]),
            Group::Mode => ("mode", &["mode"]),
        }
    }
}

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct UsageArgs {
    /// What a row is about; several with commas between them
    #[arg(long, value_enum, value_delimiter = ',', default_value = "day")]
    group_by: Vec<Group>,
    /// First day, moment, or time back from now such as 30d; today and the 29 days before when left out
    #[arg(long, value_name = "DAY|TIME", value_parser = moment::since)]
    since: Option<String>,
    /// Last day that counts, or the moment that counts no more; now when left out
    #[arg(long, value_name = "DAY|TIME", value_parser = moment::since)]
    until: Option<String>,
    /// Only this model
    #[arg(long, short)]
    model: Option<String>,
    /// Only this API key, by its id
    #[arg(long, value_name = "KEY_ID")]
    key: Option<String>,
    /// How to print it; json is as --json
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(context: &Context, args: UsageArgs) -> Result<(), Failure> {
    let format = context.format(args.format);
    let columns: Vec<&str> =
        args.group_by.iter().flat_map(|group| group.names().1).copied().chain(SUMS).collect();
    let usage = context.client()?.get("/api/usage", &query(args)).await?;
    let data = usage["data"].as_array().into_iter().flatten();
    match format {
        Format::Json => output::json(&usage),
        Format::Csv => {
            let row = |row: &Value| columns.iter().map(|name| plain(&row[*name])).collect();
            output::csv(&columns, &data.map(row).collect::<Vec<_>>())
        }
        Format::Table => {
            let row = |row: &Value| columns.iter().map(|name| cell(&row[*name])).collect();
            output::table(&columns, data.map(row).chain([total(&columns, &usage["total"])]).collect())
        }
    }
}

fn query(args: UsageArgs) -> Vec<(&'static str, String)> {
    let groups: Vec<&str> = args.group_by.iter().map(|group| group.names().0).collect();
    let filters = [
        ("groupBy", Some(groups.join(","))),
        ("from", args.since),
        ("to", args.until),
        ("model", args.model),
        ("key", args.key),
    ];
    filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn total(columns: &[&str], total: &Value) -> Vec<String> {
    let mut row: Vec<String> = columns.iter().map(|name| cell(&total[*name])).collect();
    if let Some(first) = row.first_mut() {
        "total".clone_into(first);
    }
    row
}
