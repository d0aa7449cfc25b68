//! `reel ledger`.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use crate::failure::Failure;
use crate::output::{self, Format, cell, moment, plain};
use crate::page::{Paging, rows};

const AFTER_HELP: &str = "\
Examples:
  reel ledger -n 5
  reel ledger --all --format csv > ledger.csv";

/// What a spreadsheet gets: the server's names.
const FIELDS: [&str; 11] = [
    "seq",
    "at",
    "kind",
    "debit",
    "credit",
    "amount",
    "availableAfter",
    "heldAfter",
    "debtAfter",
    "taskId",
    "reference",
];

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LedgerArgs {
    /// How to print it; json is as --json
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    paging: Paging,
}

pub async fn run(context: &Context, args: LedgerArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let transfers = rows(&client, "/api/ai/credits/ledger", Vec::new(), &args.paging).await?;
    match context.format(args.format) {
        Format::Json => output::json(&json!({ "data": transfers })),
        Format::Csv => {
            let row = |transfer: &Value| FIELDS.map(|field| plain(&transfer[field])).to_vec();
            output::csv(&FIELDS, &transfers.iter().map(row).collect::<Vec<_>>())
        }
        Format::Table => {
            let header = ["no", "at", "kind", "amount", "from", "to", "available", "held", "about"];
            output::table(&header, transfers.iter().map(told).collect())
        }
    }
}

fn told(transfer: &Value) -> Vec<String> {
    let about = if transfer["taskId"].is_null() { &transfer["reference"] } else { &transfer["taskId"] };
    let names = ["kind", "amount", "debit", "credit", "availableAfter", "heldAfter"];
    let mut row = vec![cell(&transfer["seq"]), moment(&transfer["at"])];
    row.extend(names.map(|name| cell(&transfer[name])));
    row.push(cell(about));
    row
}
