//! `reel quote`.

use clap::Args;

use super::Context;
use super::models::price_list;
use crate::failure::Failure;
use crate::order::{OrderArgs, quote};
use crate::output::{self, moment, plain};

const AFTER_HELP: &str = "\
Examples:
  reel quote --prompt \"A kite\" --model kling-3.0/video --duration 5 --resolution 720p
  reel quote --model kling-3.0/video --matrix";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct QuoteArgs {
    /// Show the price of each duration and resolution of the model
    #[arg(long, requires = "model")]
    matrix: bool,
    #[command(flatten)]
    order: OrderArgs,
}

pub async fn run(context: &Context, args: QuoteArgs) -> Result<(), Failure> {
    let client = context.client()?;
    if args.matrix {
        return price_list(context, &client, args.order.model.unwrap_or_default()).await;
    }
    let body = args.order.body(&client, &context.settings).await?;
    let quote = quote(&client, &body).await?;
    if context.as_json() {
        return output::json(&quote);
    }
    let explanation = &quote["explanation"];
    output::pairs(&[
        ("credits", plain(&quote["credits"])),
        ("why", plain(&explanation["text"])),
        ("model", plain(&explanation["model"])),
        ("good until", moment(&quote["expiresAt"])),
        ("warnings", plain(&quote["warnings"])),
    ])
}
