//! `reel actions schema`.

use clap::Args;

use super::super::Context;
use super::ACTIONS;
use crate::client::segment;
use crate::failure::Failure;
use crate::{output, schema};

#[derive(Clone, Debug, Args)]
pub struct SchemaArgs {
    /// The action's name, such as ai.video.generate
    name: String,
}

pub async fn run(context: &Context, args: SchemaArgs) -> Result<(), Failure> {
    let told = context.client()?.get(&format!("{ACTIONS}/{}/schema", segment(&args.name)), &[]).await?;
    if context.as_json() {
        return output::json(&told);
    }
    output::table(&schema::HEADER, schema::rows(&told))
}
