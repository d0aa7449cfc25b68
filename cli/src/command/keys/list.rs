//! `reel keys list`.

use clap::Args;
use serde_json::{Value, json};

use super::super::Context;
use super::{KEYS, view};
use crate::failure::Failure;
use crate::output::{self, cell, moment};
use crate::page::{Paging, rows};

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Only those that are active, expired or revoked
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

pub async fn run(context: &Context, args: ListArgs) -> Result<(), Failure> {
    let query = args.status.map(|status| ("status", status)).into_iter().collect();
    let keys = rows(&context.client()?, KEYS, query, &args.paging).await?;
    if context.as_json() {
        return output::json(&json!({ "data": keys }));
    }
    let row = |key: &Value| {
        [
            cell(&key["id"]),
            cell(&key["name"]),
            cell(&key["hint"]),
            cell(&key["status"]),
            cell(&key["scopes"]),
            view::caps(key),
            cell(&key["usage"]["month"]["spent"]),
            moment(&key["lastUsedAt"]),
        ]
        .to_vec()
    };
    let header = ["key", "name", "secret", "status", "scopes", "caps", "this month", "last used"];
    output::table(&header, keys.iter().map(row).collect())
}
