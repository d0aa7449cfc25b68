//! `reel video query`.

use clap::Args;

use super::super::Context;
use super::{TaskId, query, show};
use crate::failure::Failure;

#[derive(Clone, Debug, Args)]
pub struct QueryArgs {
    #[command(flatten)]
    id: TaskId,
}

pub async fn run(context: &Context, args: QueryArgs) -> Result<(), Failure> {
    let client = context.client()?;
    show(context, &query(&client, args.id.get()).await?, &[])
}
