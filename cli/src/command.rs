//! What can be done, one file for each.

mod batch;
mod config;
mod login;
mod quote;
mod video;
mod whoami;

use clap::Subcommand;

use crate::args::{Args, Global};
use crate::client::Client;
use crate::failure::Failure;
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
    /// Show the key that is used, what it may do and what is left of its limits
    Whoami,
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

    /// Tells people something on stderr, unless they want quiet.
    pub fn say(&self, text: &str) {
        if !self.global.quiet {
            eprintln!("{text}");
        }
    }
}

pub async fn run(args: Args) -> Result<(), Failure> {
    // Signing in makes the profile that everything else needs.
    let Args { global, command } = args;
    if let Command::Login(login) = command {
        return login::run(&global, login).await;
    }
    let context = Context { settings: Settings::load(&global)?, global };
    match command {
        Command::Login(_) => Ok(()),
        Command::Config(command) => config::run(&context, &command),
        Command::Video(command) => video::run(&context, command).await,
        Command::Quote(args) => quote::run(&context, *args).await,
        Command::Batch(command) => batch::run(&context, command).await,
        Command::Whoami => whoami::run(&context).await,
    }
}
