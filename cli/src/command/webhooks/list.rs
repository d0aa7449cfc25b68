//! `reel webhooks list`.

use clap::Args;
use serde_json::{Value, json};

use super::super::Context;
use super::WEBHOOKS;
use crate::failure::Failure;
use crate::output::{self, cell, moment};
use crate::page::{Paging, rows};

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    paging: Paging,
}

pub async fn run(context: &Context, args: ListArgs) -> Result<(), Failure> {
    let endpoints = rows(&context.client()?, WEBHOOKS, Vec::new(), &args.paging).await?;
    if context.as_json() {
        return output::json(&json!({ "data": endpoints }));
    }
    let row = |endpoint: &Value| {
        let mut cells = ["id", "url", "events", "status"].map(|name| cell(&endpoint[name])).to_vec();
        cells.extend([moment(&endpoint["failingSince"]), cell(&endpoint["description"])]);
        cells
    };
    let header = ["endpoint", "url", "events", "status", "failing since", "description"];
    output::table(&header, endpoints.iter().map(row).collect())
}
