//! `reel video generate`.

use std::io::{IsTerminal, Write};

use clap::Args;
use rust_decimal::Decimal;
use serde_json::Value;

use super::super::Context;
use super::{WaitArgs, carry_out};
use crate::failure::Failure;
use crate::order::{GENERATE, OrderArgs, amount, quote, within};
use crate::output::plain;
use crate::pending::Pending;
use crate::settings::Settings;

const AFTER_HELP: &str = "\
Examples:
  reel video generate --prompt \"cinematic product shot\" --scene text-to-video --out ./output/video.mp4
  reel video generate --prompt \"gentle motion\" --scene image-to-video --image-input cat.png --out cat.mp4 --json
  echo \"A kite over dunes\" | reel video generate --prompt - --duration 8s --max-credits 20 --no-wait

stdout holds the result alone. If this is interrupted the task goes on, and `reel video resume` goes on with it.";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GenerateArgs {
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    price: PriceArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// What it may cost.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The price")]
pub struct PriceArgs {
    /// Ask for the price first, show it, and go on once you agree
    #[arg(long)]
    quote: bool,
    /// Agree to the quote beforehand
    #[arg(long, short, requires = "quote")]
    yes: bool,
    /// Refuse to order if it would cost more
    #[arg(long, value_name = "N", value_parser = amount)]
    max_credits: Option<Decimal>,
}

pub async fn run(context: &Context, args: GenerateArgs) -> Result<(), Failure> {
    let GenerateArgs { order, price, wait } = args;
    let client = context.client()?;
    let mut body = order.body(&client, &context.settings).await?;
    let most = price.limit(&context.settings)?;
    if price.quote || most.is_some() {
        let quote = quote(&client, &body).await?;
        within(&quote, most, &mut body)?;
        if price.quote {
            price.agree(context, &quote)?;
        }
    }
    let pending = Pending::new(&client, GENERATE, body, wait.idempotency_key.clone());
    carry_out(context, &client, pending, &wait).await
}

impl PriceArgs {
    /// The flag's, or the project's.
    fn limit(&self, settings: &Settings) -> Result<Option<Decimal>, Failure> {
        if self.max_credits.is_some() {
            return Ok(self.max_credits);
        }
        let Some(stored) = &settings.max_credits else { return Ok(None) };
        let refused = |why| Failure::usage(format!("max_credits in {}: {why}", stored.origin));
        amount(&stored.value).map(Some).map_err(refused)
    }

    /// Shows the price and asks, unless there is nobody to ask.
    fn agree(&self, context: &Context, quote: &Value) -> Result<(), Failure> {
        let price =
            format!("{} credits ({})", plain(&quote["credits"]), plain(&quote["explanation"]["text"]));
        context.say(&format!("This will cost {price}."));
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!(
                "it would cost {price}, and there is nobody here to agree; nothing was ordered"
            ))
            .hint("Say --yes, or --max-credits instead of --quote."));
        }
        eprint!("Order it? [y/N] ");
        let _ = std::io::stderr().flush();
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(Failure::local("could not read the answer"))?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(Failure::usage("nothing was ordered"))
    }
}
