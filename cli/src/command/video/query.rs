//! `reel video query`.

use clap::Args;

use super::super::Context;
use super::{TaskId, show};
use crate::failure::Failure;

#[derive(Clone, Debug, Args)]
pub struct QueryArgs {
    #[command(flatten)]
    id: TaskId,
}

pub async fn run(context: &Context, args: QueryArgs) -> Result<(), Failure> {
    let client = context.client()?;
    show(context, &client, args.id.get(), &[]).await
}
