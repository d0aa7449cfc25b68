//! `reel actions list`.

use serde_json::{Value, json};

use super::super::Context;
use super::ACTIONS;
use crate::failure::Failure;
use crate::output::{self, cell};

pub async fn run(context: &Context) -> Result<(), Failure> {
    let answer = context.client()?.get(ACTIONS, &[]).await?;
    if context.as_json() {
        return output::json(&json!({ "data": answer["data"] }));
    }
    let actions = answer["data"].as_array().into_iter().flatten();
    let row = |action: &Value| ["id", "title", "description"].map(|name| cell(&action[name])).to_vec();
    output::table(&["action", "title", "what it does"], actions.map(row).collect())
}
