//! What can be typed, and the help for it. Each command's own arguments are in its file.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args as ClapArgs, Parser};

use secrecy::SecretString;

use crate::command::Command;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  reel login --host https://api.example.com
  reel video generate --prompt \"A paper boat\" --out boat.mp4
  reel quote --model kling-3.0/video --matrix
  reel video list --state running --json

Settings: a flag, then the environment (REEL_HOST, REEL_API_KEY, REEL_PROFILE), then .reel.toml in this folder or
above, then your own config.toml; `reel config get` shows what counts and why. NO_COLOR turns colors off.

Exit codes: 0 done · 1 other error · 2 wrong usage · 3 the task failed · 4 key or permission · 5 not found ·
6 credits or a limit on them · 7 rate limited · 8 out of time, the task goes on · 9 conflict · 10 refused for its
content · 130 interrupted, the task goes on";

/// Make videos, pay by the credit.
#[derive(Debug, Parser)]
#[command(name = "reel", bin_name = "reel", version, styles = STYLES, max_term_width = 110, after_help = AFTER_HELP, propagate_version = true)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Taken by every command.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Server to talk to, such as https://api.example.com
    #[arg(long, global = true, env = "REEL_HOST", hide_env_values = true, value_name = "URL")]
    pub host: Option<String>,
    /// API key; better in the environment, where other users don't see it
    #[arg(long, global = true, env = "REEL_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub api_key: Option<SecretString>,
    /// Stored host and key to use
    #[arg(long, global = true, env = "REEL_PROFILE", hide_env_values = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Print JSON to stdout; errors are JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but data and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Times to try again when a request that may be repeated gets no answer
    #[arg(
        long,
        global = true,
        env = "REEL_RETRIES",
        hide_env_values = true,
        default_value_t = 4,
        value_name = "N"
    )]
    pub retries: usize,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn what_can_be_typed_makes_sense() {
        Args::command().debug_assert();
    }
}
