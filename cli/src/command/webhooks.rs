//! `reel webhooks …`: what the server tells other servers, also this machine's.

mod create;
mod delete;
mod deliveries;
mod list;
mod listen;
mod resend;
mod trigger;
mod verify;

use clap::Subcommand;

use super::Context;
use crate::client::segment;
use crate::failure::Failure;

const WEBHOOKS: &str = "/api/webhooks";

const AFTER_HELP: &str = "\
Examples:
  reel webhooks listen --forward-to http://localhost:3000/hooks --events 'video.*'
  reel webhooks create https://example.com/hooks --events video.completed,credits.low
  reel webhooks deliveries whe_01… --state failed
  reel webhooks resend whe_01… evt_…

Endpoints and secrets need a key with the scope keys:manage; listening needs one that makes videos.";

#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub enum WebhooksCommand {
    /// Pass on what happens to a server on this machine, as an endpoint would be sent it
    Listen(listen::ListenArgs),
    /// List endpoints, the newest first
    List(list::ListArgs),
    /// Make an endpoint; its secret goes to stdout, this once
    Create(create::CreateArgs),
    /// Remove an endpoint; what it is still owed is not sent any more
    Delete(delete::DeleteArgs),
    /// List what an endpoint was and is to be told
    Deliveries(deliveries::DeliveriesArgs),
    /// Send an endpoint an event again
    Resend(resend::ResendArgs),
    /// Send an endpoint a test
    Trigger(trigger::TriggerArgs),
    /// Check the signature of a webhook that came; asks no server
    Verify(verify::VerifyArgs),
}

pub async fn run(context: &Context, command: WebhooksCommand) -> Result<(), Failure> {
    match command {
        WebhooksCommand::Listen(args) => listen::run(context, args).await,
        WebhooksCommand::List(args) => list::run(context, args).await,
        WebhooksCommand::Create(args) => create::run(context, args).await,
        WebhooksCommand::Delete(args) => delete::run(context, args).await,
        WebhooksCommand::Deliveries(args) => deliveries::run(context, args).await,
        WebhooksCommand::Resend(args) => resend::run(context, args).await,
        WebhooksCommand::Trigger(args) => trigger::run(context, args).await,
        WebhooksCommand::Verify(args) => verify::run(context, args),
    }
}

fn path(endpoint: &str) -> String {
    format!("{WEBHOOKS}/{}", segment(endpoint))
}
