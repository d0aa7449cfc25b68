//! What can be done, one file for each.

mod actions;
mod balance;
mod batch;
mod completion;
mod config;
mod doctor;
mod keys;
mod ledger;
mod login;
mod man;
mod mcp;
mod models;
mod quote;
mod usage;
mod video;
mod webhooks;
mod whoami;

use clap::Subcommand;

use crate::args::{Args, Global};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Format;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a host and an API key, and store them
    Login(login::LoginArgs),
    /// Show the settings that count, and where they come from
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make, follow and fetch videos
    #[command(subcommand)]
    Video(video::VideoCommand),
    /// Show what a video would cost; buys nothing
    Quote(Box<quote::QuoteArgs>),
    /// Order many videos from a file
    #[command(subcommand)]
    Batch(batch::BatchCommand),
    /// Show what can be made, and what it costs
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Do what the server offers by name
    #[command(subcommand)]
    Actions(actions::ActionsCommand),
    /// Show what can be spent, what is held and what ends
    Balance,
    /// List everything that changed the balance, the newest first
    Ledger(ledger::LedgerArgs),
    /// Show what tasks cost, by day, model, key or mode
    Usage(usage::UsageArgs),
    /// Make, limit and end API keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Pass on webhooks to this machine, manage endpoints, check signatures
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// Show the key that is used, what it may do and what is left of its limits
    Whoami,
    /// Look for what is in the way: settings, network, key, credits, models
    Doctor,
    /// Serve the same to an assistant, as tools over stdin and stdout (MCP)
    #[command(after_help = mcp::AFTER_HELP)]
    Mcp,
    /// Write a script that completes commands in a shell
    Completion(completion::CompletionArgs),
    /// Write the manual
    Man(man::ManArgs),
}

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    pub global: Global,
    pub settings: Settings,
}

impl Context {
    /// A client with a key; a failure that says how to get one when there is none.
    pub fn client(&self) -> Result<Client, Failure> {
        self.settings.client()
    }

    pub fn as_json(&self) -> bool {
        self.global.json
    }

    /// What was asked for by a format or by `--json`.
    pub fn format(&self, asked: Format) -> Format {
        if self.global.json { Format::Json } else { asked }
    }

    /// Tells people something on stderr, unless they want quiet.
    pub fn say(&self, text: &str) {
        if !self.global.quiet {
            eprintln!("{text}");
        }
    }
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let Args { global, command } = args;
    // These need no settings: signing in makes them, and the doctor looks at them.
    match command {
        Command::Login(args) => login::run(&global, args).await,
        Command::Doctor => doctor::run(&global).await,
        Command::Completion(args) => completion::run(&args),
        Command::Man(args) => man::run(&global, &args),
        command => {
            let context = Context { settings: Settings::load(&global)?, global };
            with_settings(&context, command).await
        }
    }
}

async fn with_settings(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Login(_) | Command::Doctor | Command::Completion(_) | Command::Man(_) => Ok(()),
        Command::Config(command) => config::run(context, &command),
        Command::Video(command) => video::run(context, command).await,
        Command::Quote(args) => quote::run(context, *args).await,
        Command::Batch(command) => batch::run(context, command).await,
        Command::Models(command) => models::run(context, command).await,
        Command::Actions(command) => actions::run(context, command).await,
        Command::Balance => balance::run(context).await,
        Command::Ledger(args) => ledger::run(context, args).await,
        Command::Usage(args) => usage::run(context, args).await,
        Command::Keys(command) => keys::run(context, command).await,
        Command::Webhooks(command) => webhooks::run(context, command).await,
        Command::Whoami => whoami::run(context).await,
        Command::Mcp => mcp::run(context).await,
    }
}
