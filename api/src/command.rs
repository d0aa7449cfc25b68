//! The command line: what `reelmeter …` does, one file a group of commands.
//!
//! Answers go to stdout, everything else (the log, hints, errors) to stderr. An error is one sentence and exit code 1; a
//! usage error exits with 2. Nothing here decides about money or people: it reads arguments, asks a room and prints.

mod admin;
mod desk;
mod first_run;
mod log;
mod migrate;
mod parse;
mod pricing;
mod serve;
mod shutdown;
mod sqlite;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::{Config, Role};
use crate::trace::Traces;

/// A credit-metered API for AI video generation, with a billing ledger
#[derive(Debug, Parser)]
#[command(name = "reelmeter", version)]
struct Cli {
    /// Without one: serve
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests and do the work
    Serve {
        /// Go on from a database that was restored from a backup
        #[arg(long)]
        after_restore: bool,
    },
    /// Do the work only (PostgreSQL)
    Worker,
    /// Bring the database's schema up to date
    Migrate(migrate::Migrate),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi {
        /// As YAML instead of JSON
        #[arg(long)]
        yaml: bool,
    },
    /// The price book and what is sold
    #[command(subcommand)]
    Pricing(pricing::Pricing),
    /// People, keys, credits and the books
    #[command(subcommand)]
    Admin(Box<admin::Admin>),
}

/// What a command has to say on stdout, and whether all is well: if not, the exit code is 1.
#[derive(Debug, Default)]
struct Answer {
    text: String,
    is_bad: bool,
}

impl Answer {
    fn good(text: impl Into<String>) -> Self {
        Answer { text: text.into(), is_bad: false }
    }

    fn bad(text: impl Into<String>) -> Self {
        Answer { text: text.into(), is_bad: true }
    }
}

/// Reads the arguments, does what they say and answers with the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve { after_restore: false })) {
        Ok(answer) => {
            print(&answer.text);
            if answer.is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("reelmeter: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes; a cause that its effect has quoted already is not repeated.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.ends_with(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// Prints to stdout. Nobody reading any more (`… | head`) is no error.
fn print(text: &str) {
    if !text.is_empty() {
        let mut stdout = std::io::stdout().lock();
        let _closed = stdout.write_all(text.trim_end().as_bytes()).and_then(|()| stdout.write_all(b"\n"));
        let _closed = stdout.flush();
    }
}

fn run(command: Command) -> anyhow::Result<Answer> {
    if let Command::Openapi { yaml } = command {
        return Ok(Answer::good(serve::openapi(yaml)?));
    }
    let config = match command {
        Command::Worker => Config::read()?.with_role(Role::Worker)?,
        _ => Config::read()?,
    };
    // Refused only when a provider is installed already, which is just as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let traces = {
        let _within = runtime.enter();
        log::start(&config)?
    };
    let result = runtime.block_on(dispatch(command, config));
    traces.into_iter().for_each(Traces::stop);
    // A clip that is being drawn is left to recovery: don't wait for its thread.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

async fn dispatch(command: Command, config: Config) -> anyhow::Result<Answer> {
    match command {
        Command::Serve { after_restore } => {
            serve::serve(config, after_restore).await.map(|()| Answer::default())
        }
        Command::Worker => serve::serve(config, false).await.map(|()| Answer::default()),
        Command::Migrate(migrate) => migrate.run(&config).await,
        Command::Openapi { .. } => Ok(Answer::default()),
        Command::Pricing(pricing) => pricing.run(config).await,
        Command::Admin(admin) => admin.run(config).await,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("no route").context("cannot connect: no route").context("cannot start");
        assert_eq!(sentence(&error), "cannot start: cannot connect: no route");
    }

    #[test]
    fn without_a_command_it_serves() {
        assert!(Cli::parse_from(["reelmeter"]).command.is_none());
    }
}
