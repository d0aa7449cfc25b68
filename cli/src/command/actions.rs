//! `reel actions …`: everything that the server does by name.

mod list;
mod run;
mod schema;

use clap::Subcommand;

use super::Context;
use crate::failure::Failure;

const ACTIONS: &str = "/api/actions";

const AFTER_HELP: &str = "\
Examples:
  reel actions list
  reel actions schema ai.video.generate
  reel actions run ai.video.generate prompt=\"A kite\" options.duration=5";

#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub enum ActionsCommand {
    /// List the actions that there are
    List,
    /// Show what an action takes; with --json the JSON Schema itself
    Schema(schema::SchemaArgs),
    /// Call an action; one that makes a video is paid for once, however often it is sent
    Run(run::RunArgs),
}

pub async fn run(context: &Context, command: ActionsCommand) -> Result<(), Failure> {
    match command {
        ActionsCommand::List => list::run(context).await,
        ActionsCommand::Schema(args) => schema::run(context, args).await,
        ActionsCommand::Run(args) => run::run(context, args).await,
    }
}
