//! `reel webhooks deliveries`.

use clap::Args;
use serde_json::{Value, json};

use super::super::Context;
use super::path;
use crate::failure::Failure;
use crate::output::{self, cell, moment};
use crate::page::{Paging, rows};

#[derive(Clone, Debug, Args)]
pub struct DeliveriesArgs {
    /// The endpoint's id
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// Only those that are pending, delivered or failed
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

pub async fn run(context: &Context, args: DeliveriesArgs) -> Result<(), Failure> {
    let query = args.state.map(|state| ("state", state)).into_iter().collect();
    let path = format!("{}/deliveries", path(&args.id));
    let deliveries = rows(&context.client()?, &path, query, &args.paging).await?;
    if context.as_json() {
        return output::json(&json!({ "data": deliveries }));
    }
    let names = ["event", "type", "state", "tries", "lastStatus", "lastError"];
    let row = |delivery: &Value| {
        let mut cells = names.map(|name| cell(&delivery[name])).to_vec();
        cells.push(moment(&delivery["createdAt"]));
        cells
    };
    let header = ["event", "type", "state", "tries", "status", "error", "created"];
    output::table(&header, deliveries.iter().map(row).collect())
}
