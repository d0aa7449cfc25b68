//! `reel keys revoke`.

use clap::Args;
use reqwest::Method;

use super::super::Context;
use super::path;
use crate::failure::Failure;
use crate::output::{self, cell, moment};

#[derive(Clone, Debug, Args)]
pub struct RevokeArgs {
    /// The key's id
    #[arg(value_name = "KEY_ID")]
    id: String,
}

pub async fn run(context: &Context, args: RevokeArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let build = || client.request(Method::POST, &format!("{}/revoke", path(&args.id)));
    let key = client.repeated(build).await?.body;
    if context.as_json() {
        return output::json(&key);
    }
    output::pairs(&[
        ("key", cell(&key["id"])),
        ("name", cell(&key["name"])),
        ("status", cell(&key["status"])),
        ("revoked", moment(&key["revokedAt"])),
    ])
}
