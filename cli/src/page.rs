//! Lists that come in pages.

use clap::Args;
use serde_json::Value;

use crate::client::Client;
use crate::failure::Failure;

/// The most that one page of the server holds.
const PAGE: usize = 100;

#[derive(Clone, Debug, Args)]
pub struct Paging {
    /// Entries to show
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Show all of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// The entries that were asked for, however many pages they take.
pub async fn rows(
    client: &Client,
    path: &str,
    query: Vec<(&str, String)>,
    paging: &Paging,
) -> Result<Vec<Value>, Failure> {
    let most = if paging.all { usize::MAX } else { paging.limit };
    let mut found: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    while found.len() < most {
        let mut query = query.clone();
        query.push(("limit", (most - found.len()).min(PAGE).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = client.get(path, &query).await?;
        if let Some(data) = page["data"].as_array_mut() {
            found.append(data);
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    Ok(found)
}
